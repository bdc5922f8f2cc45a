"""Every column of the tables that stand in more than one document: heading, what it reads, how a figure is written.

README.md and report.html loop over the same lists, so that neither can show a figure under another's heading.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from porter.documents.grid import Cell, Column, Found
from porter.records.artefact import Artefact
from porter.records.choice import Candidate, Outcome
from porter.records.coverage import WorstImage
from porter.records.diagnosed import SameTensors
from porter.records.diagnosis import NodeFinding
from porter.records.evaluation import EndToEnd, Evaluation, Metric
from porter.records.imported import ImportSource
from porter.records.message import Message, Text, number
from porter.records.parity import OutputParity, Parity
from porter.records.performance import Copy, Performance
from porter.records.quantization import Attempt, AttemptScore
from porter.records.record import Comparison, InputFile, OutputFile
from porter.records.spec import Published
from porter.records.tuning import Gain, Setting, Tuning

AGAINST = {"reference": Message("the reference"), "published": Message("the published figure")}
FORMS = {"reference": Message("the reference"), "exported afresh": Message("the model exported afresh")}
OUTCOMES = {
    Outcome.CHOSEN: Message("chosen"),
    Outcome.SLOWER: Message("slower"),
    Outcome.BROKEN: Message("fails parity"),
    Outcome.INACCURATE: Message("loses too much"),
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
SOURCES = {"images": Message("image files"), "tensors": Message("tensors"), "outputs": Message("outputs")}
STAGES = {
    "read": Message("read"),
    "preprocess": Message("preprocess"),
    "infer": Message("infer"),
    "postprocess": Message("postprocess"),
}
SHA256 = "SHA-256"
JUDGED_FROM = 5.0
"""Seconds that a pass over the data must take for its rate to be one: below, starting and ending weigh too much."""


def streams(count: int | None, queued: int | None) -> Found:
    """Streams, and the calls in line where there are any."""
    return Message("{count} + {queued} queued", count=count, queued=queued) if count is not None and queued else count


def unsettled(one: Performance) -> Message | None:
    """Why a speed is not to be trusted to the last digit; None where it is steady."""
    if one.settled is False:
        if one.warmup_spread_percent is None:
            return Message("warm-up never settled")
        return Message("warm-up never settled ({spread:.1f}% apart)", spread=one.warmup_spread_percent)
    return Message("unstable") if one.steady is False else None


def with_unit(metric: Metric) -> Message:
    """Title and unit of a metric."""
    return Message("{title} ({unit})", title=metric.title, unit="%" if metric.unit == "percent" else metric.unit)


def marks(one: Performance) -> tuple[Text, ...]:
    """What speaks against a speed."""
    return tuple(Message("cannot be right: {mark}", mark=m.text) if m.impossible else m.text for m in one.marks)


# --- speed ------------------------------------------------------------------------------------------------------------


def in_streams(rows: Sequence[Performance]) -> bool:
    """Whether any of them ran several batches at once, or queued calls."""
    return any(one.session.streams > 1 or one.queued for one in rows)


MEASURED: tuple[Column[Performance], ...] = (
    Column(title=Message("artefact"), read=lambda one: one.artefact),
    Column(title=Message("batch"), read=lambda one: one.batch, form=""),
    Column(title=Message("threads"), read=lambda one: one.session.threads, form=""),
    Column(
        title=Message("streams"),
        read=lambda one: None if one.clock else streams(one.session.streams, one.queued),
        form="",
        shown=in_streams,
    ),
)
"""What was measured: the first columns of both tables of speed. Who reads one stream everywhere needs no column."""


def speed(note: Callable[[Performance], tuple[Text, ...]]) -> tuple[Column[Performance], ...]:
    """Speed of every artefact at every batch size; `note` says what is to be said of one."""
    return (
        *MEASURED,
        Column(title=Message("images/s"), read=lambda one: one.images_per_second, form=".2f", strong=True),
        Column(title=Message("median ms"), read=lambda one: one.latency.median_ms, form=".2f"),
        Column(title="p90 ms", read=lambda one: one.latency.p90_ms, form=".2f"),
        Column(title="p99 ms", read=lambda one: one.latency.p99_ms, form=".2f"),
        Column(title=Message("ms per image"), read=lambda one: one.ms_per_image, form=".2f"),
        Column(title=Message("spread %"), read=lambda one: one.latency.spread_percent, form=".1f"),
        Column(title=Message("calls"), read=lambda one: one.calls, form=""),
        Column(title=Message("note"), read=note, kind="text"),
    )


HOW_MEASURED: tuple[Column[Performance], ...] = (
    *MEASURED,
    Column(title=Message("load ms"), read=lambda one: one.load_ms, form=".1f"),
    Column(title=Message("first run ms"), read=lambda one: one.first_run_ms, form=".1f"),
    Column(title=Message("warm-up calls"), read=lambda one: one.warmup_runs, form=""),
    Column(title=Message("warm-up spread %"), read=lambda one: one.warmup_spread_percent, form=".1f"),
    Column(title=Message("load average before"), read=lambda one: one.load_average_before, form=".2f"),
    Column(title=Message("after"), read=lambda one: one.load_average_after, form=".2f"),
    Column(
        title=Message("peak memory, MiB"),
        read=lambda one: one.peak_memory_mib,
        form=".0f",
    ),
    Column(
        title=Message("note"),
        read=lambda one: Message("compiled model loaded from disk") if one.session.loaded_from_cache else None,
        kind="text",
    ),
)
COPIES: tuple[Column[tuple[Performance, Copy]], ...] = (
    Column(title=Message("artefact"), read=lambda row: row[0].artefact),
    Column(title=Message("batch"), read=lambda row: row[0].batch, form=""),
    Column(title=Message("direction"), read=lambda row: row[1].direction),
    Column(title=Message("median ms"), read=lambda row: row[1].latency.median_ms, form=".2f"),
    Column(title=Message("mean ms"), read=lambda row: row[1].latency.mean_ms, form=".2f"),
    Column(title=Message("min ms"), read=lambda row: row[1].latency.min_ms, form=".2f"),
    Column(title=Message("max ms"), read=lambda row: row[1].latency.max_ms, form=".2f"),
)
CARDS: tuple[Column[Performance], ...] = (
    Column(title=Message("artefact"), read=lambda one: one.artefact),
    Column(title=Message("batch"), read=lambda one: one.batch, form=""),
    Column(title=Message("images/s of one device"), read=lambda one: one.images_per_second, form=".3f"),
    Column(title=Message("devices on a card"), read=lambda one: one.card.devices if one.card else None, form=""),
    Column(
        title=Message("images/s of a card (computed)"),
        read=lambda one: one.card.images_per_second if one.card else None,
        form=".3f",
    ),
)
TUNINGS: tuple[Column[tuple[Tuning, Text, Gain]], ...] = (
    Column(title=Message("artefact"), read=lambda row: row[0].artefact),
    Column(title=Message("aim"), read=lambda row: row[1]),
    Column(title=Message("threads"), read=lambda row: row[2].best.threads, form=""),
    Column(title=Message("streams"), read=lambda row: streams(row[2].best.streams, row[2].best.queued), form=""),
    Column(title=Message("batch"), read=lambda row: row[2].best.batch, form=""),
    Column(title=Message("best"), read=lambda row: row[2].best_value, form=".2f"),
    Column(title=Message("plain"), read=lambda row: row[2].plain_value, form=".2f"),
    Column(title=Message("gain %"), read=lambda row: row[2].gain_percent, form=".1f"),
    Column(title=Message("least gain %"), read=lambda row: row[2].least_gain_percent, form=".1f"),
    Column(title=Message("greatest gain %"), read=lambda row: row[2].most_gain_percent, form=".1f"),
    Column(title=Message("turns"), read=lambda row: row[2].turns, form=""),
)


def end_to_end(stages: Sequence[str]) -> tuple[Column[tuple[Evaluation, EndToEnd]], ...]:
    """The whole path of each evaluation that has one, with the share of each of these stages."""

    def share(place: int) -> Callable[[tuple[Evaluation, EndToEnd]], Found]:
        return lambda row: row[1].stages[place].share_percent

    return (
        Column(title=Message("model"), read=lambda row: row[0].title),
        Column(title=Message("read from"), read=lambda row: SOURCES.get(row[1].source, row[1].source)),
        Column(title=Message("images"), read=lambda row: row[1].images, form=""),
        Column(title=Message("wall s"), read=lambda row: row[1].wall_seconds, form=".2f"),
        Column(title=Message("images/s"), read=lambda row: row[1].images_per_second, form=".2f"),
        Column(
            title=Message("note"),
            read=lambda row: Message("too short to judge") if row[1].wall_seconds < JUDGED_FROM else None,
            kind="text",
        ),
        *(
            Column(title=Message("{stage} %", stage=STAGES.get(name, name)), read=share(place), form=".1f")
            for place, name in enumerate(stages)
        ),
    )


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
        Column(title=Message("what speaks against it"), read=lambda one: one.reason, kind="text"),
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
            title=Message("answers changed"),
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


ARTEFACTS: tuple[Column[Artefact], ...] = (
    Column(title=Message("artefact"), read=lambda one: one.id),
    Column(title=Message("runtime"), read=lambda one: one.runtime),
    Column(title=Message("precision"), read=lambda one: one.precision),
    Column(title=Message("batch"), read=lambda one: one.batch or Message("any")),
    Column(title=Message("file"), read=lambda one: one.path, kind="code"),
    Column(title=Message("bytes"), read=lambda one: one.size_bytes, form=""),
    Column(title=Message("made by"), read=lambda one: one.command, kind="text"),
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
