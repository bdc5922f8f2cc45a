"""The comparison of two run folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from porter.comparing.accuracy_change import compare_accuracy
from porter.comparing.changed import changed_inputs, changed_machine, changed_options, changed_versions
from porter.comparing.speed_change import compare_speed
from porter.errors import BadInput, one_line
from porter.records.comparison import (
    ChangeOutcome,
    FileChange,
    MetricChange,
    Presence,
    RunComparison,
    Side,
    VerdictChange,
)
from porter.records.record import RunRecord, State, Verdict
from porter.records.version import __version__
from porter.runfolder.record_file import read_record


def compare_runs(first: Path, second: Path) -> RunComparison:
    """Hold the run in `second` against that in `first`.

    Raises `BadInput` where one of them holds no record that this porter reads, and where both are one folder.
    """
    if first.exists() and second.exists() and first.samefile(second):
        raise BadInput(f"{one_line(first)} and {one_line(second)} are the same folder: name two runs")
    return compare_records((first, second), (read_record(first), read_record(second)))


def compare_records(folders: tuple[Path, Path], records: tuple[RunRecord, RunRecord]) -> RunComparison:
    """The same of records that were read already."""
    first, second = records
    sides = _side(folders[0], first), _side(folders[1], second)
    verdicts = _verdicts(first, second)
    same_task = sides[0].task == sides[1].task
    accuracy = compare_accuracy(folders, records) if same_task else ()
    return RunComparison(
        porter=__version__,
        first=sides[0],
        second=sides[1],
        notes=_notes(*sides),
        inputs=changed_inputs(first, second),
        options=changed_options(first, second),
        versions=changed_versions(first, second),
        machine=changed_machine(first, second),
        verdicts=verdicts,
        accuracy=accuracy,
        speed=compare_speed(first, second),
        files=_files(first, second),
        left_open=tuple(_left_open(accuracy)),
        worse=(*_worse_verdicts(verdicts), *_worse_accuracy(accuracy)),
    )


def _side(folder: Path, record: RunRecord) -> Side:
    model = record.model
    return Side(
        folder=str(folder),
        model=(model.title or model.name) if model else record.request.model,
        task=model.task if model else "",
        finished=record.finished or record.created,
        images=record.data.listed if record.data else None,
    )


def _notes(first: Side, second: Side) -> tuple[str, ...]:
    found = []
    if first.model != second.model:
        found.append(f"the runs are of different models: {one_line(first.model)} and {one_line(second.model)}")
    if first.task != second.task:
        tasks = f"{one_line(first.task) or 'none'} and {one_line(second.task) or 'none'}"
        found.append(f"the runs are of different tasks, {tasks}: their accuracy is not compared")
    return tuple(found)


def _verdicts(first: RunRecord, second: RunRecord) -> tuple[VerdictChange, ...]:
    known: list[dict[str, Verdict]] = [{one.name: one for one in record.verdicts} for record in (first, second)]
    found = []
    for name in dict.fromkeys((*known[0], *known[1])):
        one, other = known[0].get(name), known[1].get(name)
        states = one.state if one else State.NOT_RUN, other.state if other else State.NOT_RUN
        shown = one or other
        assert shown is not None
        found.append(
            VerdictChange(
                name=name, title=str(shown.title), first=states[0], second=states[1], outcome=_verdict_outcome(*states)
            )
        )
    return tuple(found)


def _verdict_outcome(first: State, second: State) -> ChangeOutcome:
    if first is second:
        return ChangeOutcome.SAME
    if first is State.PASS or second is State.FAIL:
        return ChangeOutcome.WORSE
    return ChangeOutcome.BETTER if second is State.PASS else ChangeOutcome.UNKNOWN


def _worse_verdicts(verdicts: tuple[VerdictChange, ...]) -> list[str]:
    changed = [one for one in verdicts if one.outcome is ChangeOutcome.WORSE]
    return [f"verdict {one.title}: {one.second.upper()}, it was {one.first.upper()}" for one in changed]


def _worse_accuracy(accuracy: tuple[MetricChange, ...]) -> list[str]:
    found = []
    for one in accuracy:
        if one.first is not None and one.second is None and one.outcome is ChangeOutcome.UNKNOWN:
            found.append(f"{one.first_evaluation}: {one.title} is not there, it was {one.first:.2f} {one.unit}")
        if one.outcome is ChangeOutcome.WORSE:
            figures = f"{one.second:.2f} {one.unit}, it was {one.first:.2f}"
            found.append(f"{one.second_evaluation}: {one.title} {figures}, beyond the noise")
    return found


def _left_open(accuracy: tuple[MetricChange, ...]) -> Iterator[str]:
    """What a comparison without a loss does not say."""
    if not accuracy:
        yield "accuracy was not compared"
        return
    unknown = [one for one in accuracy if one.outcome is ChangeOutcome.UNKNOWN]
    if unknown:
        names = dict.fromkeys(f"{one.second_evaluation or one.first_evaluation} {one.title}" for one in unknown)
        yield f"not comparable: {len(unknown)} of {len(accuracy)} accuracy figures ({', '.join(names)})"
    known = [one for one in accuracy if one.hidden_loss is not None]
    if known:
        worst = max(known, key=lambda one: one.hidden_loss or 0.0)
        unit = "points" if worst.unit == "percent" else worst.unit
        yield (f"a loss of up to {worst.hidden_loss:.2f} {unit} could hide ({worst.second_evaluation} {worst.title})")


def _files(first: RunRecord, second: RunRecord) -> tuple[FileChange, ...]:
    known = [{file.path: file for file in record.files} for record in (first, second)]
    found = []
    for path in dict.fromkeys((*known[0], *known[1])):
        one, other = known[0].get(path), known[1].get(path)
        if one is None or other is None:
            presence = Presence.ONLY_SECOND if one is None else Presence.ONLY_FIRST
        else:
            presence = Presence.SAME if one.sha256 == other.sha256 else Presence.CHANGED
        found.append(
            FileChange(
                path=path,
                first_sha256=one.sha256 if one else None,
                second_sha256=other.sha256 if other else None,
                first_size_bytes=one.size_bytes if one else None,
                second_size_bytes=other.size_bytes if other else None,
                presence=presence,
            )
        )
    return tuple(found)
