"""What a run says on stdout when it ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from porter.cli.result_table import show_results
from porter.documents.drawings.lines import streams_of
from porter.documents.markdown import num
from porter.documents.unanswered_images import unanswered_lines
from porter.errors import one_line
from porter.files.outward import say
from porter.pipeline.evaluation.subject import subjects
from porter.records.evaluation import Metric
from porter.records.performance import Performance
from porter.records.record import RunRecord, State, Verdict
from porter.records.unfinished import Failing
from porter.runfolder.layout import OUTPUTS, RECORD_NAME, REPORT, TENSORS, readmes


def print_summary(folder: Path, record: RunRecord) -> None:
    """The end of a run: what it comes to, the results table, then the verdicts and every speed."""
    say(*overall_lines(record))
    show_results(record)
    say(*summary_lines(folder, record))


def overall_lines(record: RunRecord) -> list[str]:
    """What the run comes to, and what to type next."""
    overall = record.overall
    if overall is None:
        return []
    lines = [f"{overall.standing.upper()}: {one_line(overall.sentences[0])}"]
    lines += [f"  {one_line(sentence)}" for sentence in overall.sentences[1:]]
    return lines + ([f"  next: {overall.command}"] if overall.command else [])


def summary_lines(folder: Path, record: RunRecord) -> list[str]:
    """The verdicts with their evidence, every speed, what no table shows, and where the documents lie."""
    return [*_opening_lines(record), *speed_lines(record), *_unanswered(record), *_closing_lines(folder, record)]


def stage_lines(name: str, folder: Path, record: RunRecord) -> list[str]:
    """What a stage that ran alone has found: its verdicts and figures, and every verdict that fails."""
    told = [verdict for verdict in record.verdicts if verdict.state == State.FAIL or verdict.name in VERDICTS_OF[name]]
    figures = FIGURES_OF[name](record)
    return [*verdict_lines(told), *figures, *unfinished_lines(record), f"{name}: done, {folder / RECORD_NAME}"]


def accuracy_lines(record: RunRecord) -> list[str]:
    """The accuracy of the reference and of every artefact."""
    lines = []
    for evaluation in record.evaluations:
        metrics = [metric for metric in evaluation.metrics if metric.in_documents]
        shown = [f"{m.title} {num(m.value)}{_unit(m)}" for m in metrics]
        lines.append(f"{evaluation.title}: {', '.join(shown)} on {evaluation.listed} images")
        if evaluation.chance:
            lines.append(f"WARNING: {evaluation.title} is {evaluation.chance}")
    return lines + _unanswered(record)


def _unit(metric: Metric) -> str:
    return "%" if metric.unit == "percent" else f" {metric.unit}"


def _unanswered(record: RunRecord) -> list[str]:
    return [f"NO ANSWER {line}" for line in unanswered_lines(record)]


def speed_lines(record: RunRecord) -> list[str]:
    """The speed of every artefact at every batch size."""
    measured = Counter((one.artefact, one.batch) for one in record.performance)
    return [
        speed_line(one, with_setting=measured[one.artefact, one.batch] > 1 and not one.clock)
        for one in record.performance
    ]


def _export_lines(record: RunRecord) -> list[str]:
    if record.export is None:
        return []
    facts = record.export.facts
    return [f"{record.export.path}: opset {facts.opset}, {facts.size_bytes} bytes"]


def _tensor_lines(record: RunRecord) -> list[str]:
    if record.data is None:
        return []
    data = record.data
    lines = [f"{TENSORS}/: {data.decoded} of {data.listed} images, {data.failed} not readable"]
    return lines + [f"NOT READABLE {one_line(one.id)}: {one.reason}" for one in data.failures[:SHOWN]]


def _output_lines(record: RunRecord) -> list[str]:
    listed = 0 if record.data is None else record.data.listed
    return [f"{OUTPUTS}/{one.name}: {listed} images" for one in subjects(record)]


SHOWN = 10
"""Images that cannot be read whose reasons a command prints; run.json has more."""

VERDICTS_OF: dict[str, tuple[str, ...]] = {
    "export": ("weights",),
    "verify": ("parity", "preprocessing"),
    "preprocess": (),
    "infer": (),
    "evaluate": ("data", "accuracy"),
    "bench": ("speed",),
}
"""Stage: the verdicts that it bears on."""
FIGURES_OF: dict[str, Callable[[RunRecord], list[str]]] = {
    "export": _export_lines,
    "verify": lambda _record: [],
    "preprocess": _tensor_lines,
    "infer": _output_lines,
    "evaluate": accuracy_lines,
    "bench": speed_lines,
}
"""Stage: the lines of what it made."""


def _opening_lines(record: RunRecord) -> list[str]:
    shipped = [f"Shipped with the plugin: {one_line(record.shipped)}"] if record.shipped else []
    return [*shipped, *verdict_lines(record.verdicts)]


def unfinished_lines(record: RunRecord) -> list[str]:
    """Each target whose runtime failed, with the reason."""
    what = {Failing.BUILD: "NOT BUILT", Failing.VERIFY: "NOT VERIFIED", Failing.BENCH: "NOT MEASURED"}
    return [f"{what.get(one.stage, 'NOT SCORED')} {one.artefact}: {one_line(one.reason)}" for one in record.unfinished]


def _closing_lines(folder: Path, record: RunRecord) -> list[str]:
    lines = unfinished_lines(record)
    if record.choice is not None:
        lines.append(f"Choice: {record.choice.reason}")
    for kit in record.kits:
        lines.append(f"NOT MEASURED on {kit.runtime} ({kit.target}): run {folder / kit.path / kit.script} on a host")
        lines.append(f"         that has it, bring the folder back, then: {kit.take_back}")
    if record.imported is not None:
        lines += [f"{one.kind.upper():12} {one.text}" for one in record.imported.findings]
    written = [f"README: {folder / name}" for name in readmes(record.request.languages).values()]
    form = record.request.form
    forms = [] if form is None else [f"Form: {folder / form}"]
    return [*lines, f"Record: {folder / RECORD_NAME}", *written, f"Report: {folder / REPORT}", *forms]


def speed_line(one: Performance, *, with_setting: bool = False) -> str:
    """The speed of one artefact at one batch size, with threads and streams where they tell it from another, and what
    speaks against it."""
    against = (f"impossible: {mark.text}" if mark.impossible else f"{mark.text}" for mark in one.marks)
    return "; ".join((_speed_alone(one, with_setting), *map(one_line, against)))


def _speed_alone(one: Performance, with_setting: bool) -> str:
    setting = f", {one.session.threads} threads, {streams_of(one)}" if with_setting else ""
    rate = f"{one.artefact} at batch {one.batch}{setting}: {num(one.images_per_second)} images/s"
    if one.clock:
        rate += f" on one device, by {one.clock}, fed {one.input}"
    if one.card is not None:
        rate += f", {num(one.card.images_per_second)} on a card of {one.card.devices} (computed)"
    if one.latency.median_ms is None:
        return f"{rate}, {num(one.ms_per_image)} ms an image"
    return f"{rate}, median {num(one.latency.median_ms)} ms a batch{' (unstable)' if one.steady is False else ''}"


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
        "overall": None if record.overall is None else record.overall.standing.value,
        "verdicts": {verdict.name: verdict.state.value for verdict in record.verdicts},
        "accuracy": {e.name: {m.name: m.value for m in e.metrics} for e in record.evaluations},
        "images_per_second": rates,
        "unfinished": {one.artefact: one.reason for one in record.unfinished},
        "chosen": None if record.choice is None else record.choice.chosen,
    }
