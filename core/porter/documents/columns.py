"""Every column of the tables that stand in more than one document: heading, what it reads, how a figure is written.

README.md and report.html loop over the same lists, so that neither can show a figure under another's heading.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from porter.documents.grid import Cell, Column, Found
from porter.documents.speed_columns import streams
from porter.records.artefact import Artefact
from porter.records.choice import Candidate, Outcome
from porter.records.coverage import WorstImage
from porter.records.diagnosed import SameTensors
from porter.records.diagnosis import NodeFinding
from porter.records.evaluation import Evaluation, Metric
from porter.records.imported import ImportSource
from porter.records.message import Message, number
from porter.records.parity import OutputParity, Parity
from porter.records.quantization import Attempt, AttemptScore
from porter.records.record import Comparison, InputFile, OutputFile
from porter.records.spec import Published
from porter.records.tuning import Setting

AGAINST = {"reference": Message("the reference"), "published": Message("the published figure")}
FORMS = {"reference": Message("the reference"), "exported afresh": Message("the re-exported model")}
OUTCOMES = {
    Outcome.CHOSEN: Message("chosen"),
    Outcome.SLOWER: Message("slower"),
    Outcome.BROKEN: Message("fails parity"),
    Outcome.INACCURATE: Message("drop above the limit"),
    Outcome.DOUBTFUL: Message("doubtful"),
    Outcome.UNMEASURED: Message("not measured"),
    Outcome.UNTRIED: Message("not built"),
}
ROLES = {
    "config": Message("Config"),
    "checkpoint": Message("Checkpoint"),
    "labels": Message("Labels"),
    "class_map": Message("Class map"),
}
SHA256 = "SHA-256"


def with_unit(metric: Metric) -> Message:
    """Title and unit of a metric."""
    return Message("{title} ({unit})", title=metric.title, unit="%" if metric.unit == "percent" else metric.unit)


# --- accuracy ---------------------------------------------------------------------------------------------------------


def accuracy(first: Evaluation) -> tuple[Column[Evaluation | Published], ...]:
    """The metrics of `first`, of every evaluation and of the published figures."""

    def value(name: str, place: int) -> Callable[[Evaluation | Published], Found]:
        def read(one: Evaluation | Published) -> Found:
            if isinstance(one, Published):
                return one.value(name)
            metric = one.metrics[place]
            return Cell(text=number(metric.value, ".2f"), interval=metric.interval)

        return read

    def some(count: Callable[[Evaluation], int | None]) -> Callable[[Sequence[Evaluation | Published]], bool]:
        return lambda rows: any(count(one) for one in rows if isinstance(one, Evaluation))

    return (
        Column(
            title=Message("model"),
            read=lambda one: Message("published") if isinstance(one, Published) else one.title,
        ),
        *(
            Column(
                title=with_unit(metric),
                read=value(metric.name, place),
                form=".2f",
            )
            for place, metric in enumerate(first.metrics)
            if metric.in_documents
        ),
        Column(
            title=Message("images"), read=lambda one: one.images if isinstance(one, Published) else one.listed, form=""
        ),
        Column(
            title=Message("not readable"),
            read=lambda one: None if isinstance(one, Published) else one.unreadable,
            form="",
            shown=some(lambda one: one.unreadable),
        ),
        Column(
            title=Message("not finite"),
            read=lambda one: None if isinstance(one, Published) else one.nonfinite,
            form="",
            shown=some(lambda one: one.nonfinite),
        ),
    )


COMPARISONS: tuple[Column[Comparison], ...] = (
    Column(title=Message("artefact"), read=lambda one: one.evaluation),
    Column(title=Message("against"), read=lambda one: AGAINST.get(one.against, one.against)),
    Column(title=Message("metric"), read=lambda one: one.title),
    Column(title=Message("result"), read=lambda one: Cell(passed=one.passed)),
    Column(title=Message("value"), read=lambda one: one.value, form=".2f"),
    Column(title=Message("baseline"), read=lambda one: one.baseline, form=".2f"),
    Column(title=Message("drop (points)"), read=lambda one: one.drop, form=".2f"),
    Column(title=Message("allowed"), read=lambda one: one.allowed, form=".2f"),
)


# --- precisions -------------------------------------------------------------------------------------------------------


def choice(baseline: str) -> tuple[Column[Candidate], ...]:
    """Everything that `--precision auto` tried."""

    def setting(read: Callable[[Setting], Found]) -> Callable[[Candidate], Found]:
        return lambda one: None if one.setting is None else read(one.setting)

    return (
        Column(title=Message("artefact"), read=lambda one: one.artefact or f"{one.runtime} {one.precision}"),
        Column(title=Message("result"), read=lambda one: OUTCOMES[one.outcome], strong=True),
        Column(title=Message("reason rejected"), read=lambda one: one.reason, kind="text"),
        Column(title=Message("value"), read=lambda one: one.value, form=".2f"),
        Column(title=Message("drop (points)"), read=lambda one: one.drop, form=".2f"),
        Column(title=Message("threads"), read=setting(lambda one: one.threads), form=""),
        Column(title=Message("streams"), read=setting(lambda one: streams(one.streams, one.queued)), form=""),
        Column(title=Message("batch"), read=setting(lambda one: one.batch), form=""),
        Column(title=Message("images/s"), read=lambda one: (one.final or one).images_per_second, form=".2f"),
        Column(
            title=Message("against `{baseline}`", baseline=baseline) if baseline else Message("ratio"),
            read=lambda one: one.ratio if one.final else None,
            form=".2f",
        ),
    )


def attempts(kept: int, allowed: float) -> tuple[Column[tuple[Attempt, AttemptScore | None]], ...]:
    """Every attempt at int8 in every runtime, and what the kept one is."""

    def method(one: Attempt) -> str:
        return ", ".join((one.method, *(f"{name} {value:g}" for name, value in one.options.items())))

    def result(one: Attempt, score: AttemptScore | None) -> Found:
        return one.problem if score is None else Cell(text=score.problem, passed=score.passed)

    return (
        Column(
            title=Message("attempt"),
            read=lambda row: (
                Message("{number} (kept)", number=row[0].number) if row[0].number == kept else row[0].number
            ),
        ),
        Column(title=Message("calibration method"), read=lambda row: method(row[0])),
        Column(title=Message("runtime"), read=lambda row: row[1] and row[1].runtime),
        Column(title=Message("result"), read=lambda row: result(*row), kind="text"),
        Column(title=Message("nodes in int8"), read=lambda row: row[0].quantised_nodes, form=""),
        Column(title=Message("nodes left in float"), read=lambda row: len(row[0].float_nodes), form=""),
        Column(title=Message("value"), read=lambda row: row[1] and row[1].metric and row[1].metric.value, form=".2f"),
        Column(title=Message("drop (points)"), read=lambda row: row[1] and row[1].drop, form=".2f"),
        Column(title=Message("allowed"), read=lambda row: allowed, form=".2f"),
        Column(title=Message("images/s"), read=lambda row: row[1] and row[1].images_per_second, form=".2f"),
        Column(title=Message("seconds"), read=lambda row: row[0].seconds, form=".1f"),
    )


# --- against the reference --------------------------------------------------------------------------------------------


def _within(parity: Parity, one: OutputParity) -> Found:
    if one.passed or parity.binding or one.problem:
        return Cell(text="" if one.passed else one.problem, passed=one.passed)
    return Message("beyond the estimate")


PARITY: tuple[Column[tuple[Parity, OutputParity]], ...] = (
    Column(title=Message("artefact"), read=lambda row: row[0].candidate),
    Column(title=Message("output"), read=lambda row: row[1].output, kind="code"),
    Column(title=Message("result"), read=lambda row: _within(*row), kind="text"),
    Column(title=Message("batch"), read=lambda row: row[1].batch, form=""),
    Column(title=Message("rows"), read=lambda row: row[1].rows, form=""),
    Column(title=Message("max abs error"), read=lambda row: row[1].max_abs_error, form=".2e"),
    Column(title=Message("allowed"), read=lambda row: row[1].allowed, form=".2e"),
    Column(title=Message("mean abs error"), read=lambda row: row[1].mean_abs_error, form=".2e"),
    Column(title=Message("relative error"), read=lambda row: row[1].relative_error, form=".2e"),
    Column(title=Message("cosine"), read=lambda row: row[1].cosine, form=".6f"),
)


WORST_IMAGES: tuple[Column[WorstImage], ...] = (
    Column(title=Message("image"), read=lambda one: one.id, kind="code"),
    Column(title=Message("output"), read=lambda one: one.output, kind="code"),
    Column(title=Message("max abs error"), read=lambda one: one.error, form=".2e"),
    Column(title=Message("allowed"), read=lambda one: one.allowed, form=".2e"),
)


def forms(images: int, first: SameTensors) -> tuple[Column[SameTensors], ...]:
    """The same tensors through every form of the model, with the metrics of `first`."""

    def value(place: int) -> Callable[[SameTensors], Found]:
        return lambda one: one.metrics[place].value if one.metrics else None

    return (
        Column(
            title=Message("the same {count} tensors through", count=images),
            read=lambda one: FORMS.get(one.name, one.name),
        ),
        *(Column(title=metric.title, read=value(place), form=".2f") for place, metric in enumerate(first.metrics)),
        Column(
            title=Message("predictions changed"),
            read=lambda one: one.changes.flipped if one.changes else one.problem,
            form="",
        ),
    )


NODES: tuple[Column[NodeFinding], ...] = (
    Column(title=Message("node"), read=lambda one: one.name, kind="code"),
    Column(title=Message("operator"), read=lambda one: one.op_type),
    Column(title=Message("module"), read=lambda one: one.module),
    Column(title=Message("depth"), read=lambda one: one.depth, form=""),
    Column(title=Message("relative error added"), read=lambda one: one.introduced_error, form=".2e"),
)


# --- files ------------------------------------------------------------------------------------------------------------


ARTEFACTS: tuple[Column[tuple[Artefact, float | None]], ...] = (
    Column(title=Message("artefact"), read=lambda row: row[0].id),
    Column(title=Message("runtime"), read=lambda row: row[0].runtime),
    Column(title=Message("precision"), read=lambda row: row[0].precision),
    Column(title=Message("batch"), read=lambda row: row[0].batch or Message("any")),
    Column(title=Message("file"), read=lambda row: row[0].path, kind="code"),
    Column(title=Message("size, MiB"), read=lambda row: row[1], form=".2f"),
    Column(title=Message("made by"), read=lambda row: row[0].command, kind="text"),
)
INPUTS: tuple[Column[InputFile], ...] = (
    Column(
        title=Message("file"),
        read=lambda one: ROLES.get(one.role, one.role.replace("_", " ").capitalize()),
    ),
    Column(title=Message("path"), read=lambda one: one.path, kind="code"),
    Column(
        title=Message("origin"),
        read=lambda one: Message("shipped with the plugin") if one.shipped else Message("given"),
    ),
    Column(title=SHA256, read=lambda one: one.sha256, kind="hash"),
    Column(title=Message("files"), read=lambda one: 1 if one.files is None else one.files, form=""),
    Column(title=Message("bytes"), read=lambda one: one.size_bytes, form=""),
)
OUTPUTS: tuple[Column[OutputFile], ...] = (
    Column(title=Message("file"), read=lambda one: one.path, kind="code"),
    Column(title=Message("what"), read=lambda one: one.what, kind="text"),
    Column(title=SHA256, read=lambda one: one.sha256, kind="hash"),
    Column(title=Message("bytes"), read=lambda one: one.size_bytes, form=""),
)
IMPORTED: tuple[Column[ImportSource], ...] = (
    Column(title=Message("file"), read=lambda one: one.path, kind="code"),
    Column(title=Message("what was taken from it"), read=lambda one: one.gave, kind="text"),
    Column(title=SHA256, read=lambda one: one.sha256, kind="hash"),
    Column(title=Message("bytes"), read=lambda one: one.size_bytes, form=""),
)
