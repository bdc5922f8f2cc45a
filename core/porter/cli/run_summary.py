"""What a run says on stdout when it ends."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from porter.documents.deliver import READMES
from porter.documents.drawings.lines import streams_of
from porter.documents.markdown import num
from porter.errors import one_line
from porter.records.performance import Performance
from porter.records.record import RunRecord, Verdict
from porter.records.unfinished import Failing
from porter.runfolder.layout import RECORD_NAME, REPORT


def summary_lines(folder: Path, record: RunRecord) -> list[str]:
    """The verdicts with their evidence, the figures that people look for first, and where the documents lie."""
    lines = []
    if record.shipped:
        lines.append(f"Shipped with the plugin: {one_line(record.shipped)}")
    lines += verdict_lines(record.verdicts)
    for evaluation in record.evaluations:
        shown = [f"{m.title} {num(m.value)} {m.unit}" for m in evaluation.metrics]
        lines.append(f"{evaluation.title}: {', '.join(shown)} on {evaluation.listed} images")
        if evaluation.chance:
            lines.append(f"WARNING: {evaluation.title} is {evaluation.chance}")
    measured = [(one.artefact, one.batch) for one in record.performance]
    for one in record.performance:
        lines.append(speed_line(one, with_setting=measured.count((one.artefact, one.batch)) > 1 and not one.clock))
    lines += unfinished_lines(record)
    if record.choice is not None:
        lines.append(f"Choice: {record.choice.reason}")
    for kit in record.kits:
        lines.append(f"NOT MEASURED on {kit.runtime} ({kit.target}): run {folder / kit.path / kit.script} on a host")
        lines.append(f"         that has it, bring the folder back, then: {kit.take_back}")
    if record.imported is not None:
        lines += [f"{one.kind.upper():12} {one.text}" for one in record.imported.findings]
    readmes = [f"README: {folder / name}" for language, name in READMES.items() if language in record.request.languages]
    return [*lines, f"Record: {folder / RECORD_NAME}", *readmes, f"Report: {folder / REPORT}"]


def unfinished_lines(record: RunRecord) -> list[str]:
    """Each target whose runtime failed, with the reason."""
    what = {Failing.BUILD: "NOT BUILT", Failing.BENCH: "NOT MEASURED"}
    return [f"{what.get(one.stage, 'NOT SCORED')} {one.artefact}: {one_line(one.reason)}" for one in record.unfinished]


def speed_line(one: Performance, *, with_setting: bool = False) -> str:
    """The speed of one artefact at one batch size, with threads and streams where they tell it from another."""
    setting = f", {one.session.threads} threads, {streams_of(one)}" if with_setting else ""
    rate = f"{one.artefact} at batch {one.batch}{setting}: {num(one.images_per_second)} images/s"
    if one.clock:
        rate += f" on one device, by {one.clock}, fed {one.input}"
    if one.card is not None:
        rate += f", {num(one.card.images_per_second, 3)} on a card of {one.card.devices} (computed)"
    if one.latency.median_ms is None:
        return f"{rate}, {num(one.ms_per_image)} ms an image"
    return f"{rate}, median {num(one.latency.median_ms)} ms a batch{' (not steady)' if one.steady is False else ''}"


def verdict_lines(verdicts: Iterable[Verdict]) -> list[str]:
    """Each verdict, below it what it rests on, and of a failed one what to look at, likeliest first."""
    lines = []
    for verdict in verdicts:
        lines.append(f"{verdict.state.upper():8} {verdict.title}{f' ({verdict.note})' if verdict.note else ''}")
        lines += [f"         {one_line(text)}" for text in verdict.evidence]
        lines += [f"       {k}. {one_line(text)}" for k, text in enumerate(verdict.advice, start=1)]
    return lines


def summary_json(folder: Path, record: RunRecord, code: int) -> dict[str, Any]:
    """The same for a program. Of several settings at one batch size the fastest is given."""
    rates: dict[str, float] = {}
    for one in record.performance:
        name = f"{one.artefact}@{one.batch}"
        rates[name] = max(one.images_per_second, rates.get(name, 0.0))
    return {
        "out": str(folder),
        "exit_code": int(code),
        "verdicts": {verdict.name: verdict.state.value for verdict in record.verdicts},
        "accuracy": {e.name: {m.name: m.value for m in e.metrics} for e in record.evaluations},
        "images_per_second": rates,
        "unfinished": {one.artefact: one.reason for one in record.unfinished},
        "chosen": None if record.choice is None else record.choice.chosen,
    }
