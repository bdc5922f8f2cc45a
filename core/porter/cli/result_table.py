"""The end of a run on a terminal: one row for each artefact."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from porter.cli.table import show_table
from porter.documents.markdown import num
from porter.records.performance import Performance
from porter.records.record import RunRecord

COLUMNS = ("artefact", "accuracy", "drop", "verdict", "best images/s", "size")
REFERENCE = "reference"
NONE = "–"
MIB = 2**20
PASS, FAIL = "pass", "fail"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One artefact: its cells, and how they look."""

    cells: tuple[str, ...]
    style: str


def show_results(record: RunRecord) -> None:
    """Print the table; nothing where the record has no artefact."""
    rows = list(result_rows(record))
    if rows:
        show_table(COLUMNS, [row.cells for row in rows], [row.style for row in rows])


def result_rows(record: RunRecord) -> Iterator[Row]:
    """A row for each artefact that was built, scored or measured, in that order; the chosen one is marked."""
    chosen = record.choice.chosen if record.choice is not None else ""
    names = [one.id for one in record.artefacts]
    names += [one.name for one in record.evaluations if one.name != REFERENCE]
    names += [one.artefact for one in record.performance]
    for name in dict.fromkeys(names):
        verdict = _verdict(record, name)
        style = "green" if verdict == PASS else "red" if verdict.startswith(FAIL) else "yellow"
        title = f"{name} (chosen)" if name == chosen else name
        cells = (title, _accuracy(record, name), _drop(record, name), verdict, _best(record, name), _size(record, name))
        yield Row(cells=cells, style=f"bold {style}" if name == chosen else style)


def _accuracy(record: RunRecord, name: str) -> str:
    """The gate metric, or where nothing was compared the task's first."""
    gate = next((one.metric for one in record.comparisons if one.evaluation == name), None)
    evaluation = record.evaluation(name)
    if evaluation is None or not evaluation.metrics:
        return "not measured"
    metric = evaluation.metrics[0] if gate is None else evaluation.metric(gate)
    return f"{metric.title} {num(metric.value)}{'%' if metric.unit == 'percent' else f' {metric.unit}'}"


def _drop(record: RunRecord, name: str) -> str:
    """Against the reference, or else the published figure."""
    drops = {one.against: one for one in record.comparisons if one.evaluation == name and one.drop is not None}
    found = drops.get(REFERENCE) or next(iter(drops.values()), None)
    return NONE if found is None else f"{num(found.drop)} (limit {num(found.allowed)})"


def _verdict(record: RunRecord, name: str) -> str:
    """What of parity and accuracy speaks against the artefact; one that was not scored has not passed."""
    compared = [one.passed for one in record.comparisons if one.evaluation == name and one.passed is not None]
    evaluation = record.evaluation(name)
    faults = ["parity"] if any(not one.passed for one in record.parity if one.candidate == name) else []
    if False in compared or (evaluation is not None and evaluation.chance):
        faults.append("accuracy")
    if faults:
        return f"{FAIL}: {', '.join(faults)}"
    return PASS if compared else "not scored" if evaluation is None else "not compared"


def _best(record: RunRecord, name: str) -> str:
    measured = [one for one in record.performance if one.artefact == name]
    if not measured:
        return "not measured"
    possible = [one for one in measured if not any(mark.impossible for mark in one.marks)]
    best = max(possible or measured, key=_rate)
    unstable = " (unstable)" if best.steady is False else ""
    unstable = " (cannot be right)" if any(mark.impossible for mark in best.marks) else unstable
    return f"{num(best.images_per_second, 1)} at batch {best.batch}{unstable}"


def _rate(one: Performance) -> float:
    return one.images_per_second


def _size(record: RunRecord, name: str) -> str:
    sizes = [sum(file.size_bytes for file in one.files) for one in record.artefacts if one.id == name]
    return f"{num(sizes[0] / MIB)} MiB" if sizes else NONE
