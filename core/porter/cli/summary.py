"""What a run says on stdout when it ends."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from porter.errors import one_line
from porter.records.run import RunRecord, Verdict
from porter.records.store import RECORD_NAME
from porter.stages.deliver import READMES
from porter.stages.markdown import num


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
    for one in record.performance:
        lines.append(
            f"{one.artefact} at batch {one.batch}: {num(one.images_per_second)} images/s, "
            f"median {num(one.latency.median_ms)} ms a batch{'' if one.steady else ' (not steady)'}"
        )
    readmes = [f"README: {folder / name}" for language, name in READMES.items() if language in record.request.languages]
    return [*lines, f"Record: {folder / RECORD_NAME}", *readmes]


def verdict_lines(verdicts: Iterable[Verdict]) -> list[str]:
    """Each verdict, below it what it rests on, and of a failed one what to look at, likeliest first."""
    lines = []
    for verdict in verdicts:
        lines.append(f"{verdict.state.upper():8} {verdict.title}{f' ({verdict.note})' if verdict.note else ''}")
        lines += [f"         {one_line(text)}" for text in verdict.evidence]
        lines += [f"       {k}. {one_line(text)}" for k, text in enumerate(verdict.advice, start=1)]
    return lines


def summary_json(folder: Path, record: RunRecord, code: int) -> dict[str, Any]:
    """The same for a program."""
    return {
        "out": str(folder),
        "exit_code": int(code),
        "verdicts": {verdict.name: verdict.state.value for verdict in record.verdicts},
        "accuracy": {e.name: {m.name: m.value for m in e.metrics} for e in record.evaluations},
        "images_per_second": {f"{p.artefact}@{p.batch}": p.images_per_second for p in record.performance},
    }
