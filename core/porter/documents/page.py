"""What the templates of README.md and report.html find as `page`: drawings, and what stands in no single field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from markupsafe import Markup

from porter.documents.drawings.accuracy_drawing import accuracy_chart, drop_chart, shown_metrics
from porter.documents.drawings.depth_drawing import depth_chart
from porter.documents.drawings.lines import lines
from porter.documents.drawings.shares import share_chart
from porter.documents.drawings.speed_drawing import latency_chart, throughput_chart
from porter.documents.markdown import when
from porter.documents.placeholders import used
from porter.documents.results import best_of, results
from porter.documents.unanswered_images import unanswered_lines
from porter.errors import one_line
from porter.records.diagnosis import GraphDiagnosis
from porter.records.environment_lock import EnvironmentLock
from porter.records.evaluation import Execution, Table
from porter.records.interval import Interval
from porter.records.message import Message, Text
from porter.records.performance import Performance
from porter.records.record import Comparison, RunRecord

T = TypeVar("T")


def _dated(what: Message, times: tuple[str, ...]) -> Message:
    """A figure with when it was measured, the first of several to the last."""
    known = sorted({time for time in times if time})
    if not known:
        return what
    if len(known) == 1:
        return Message("{what} (measured {when})", what=what, when=when(known[0]))
    return Message("{what} (measured {first} to {last})", what=what, first=when(known[0]), last=when(known[-1]))


def distinct(values: Iterable[T]) -> tuple[T, ...]:
    """Each value once, in order; sentences cannot be hashed."""
    found: list[T] = []
    for value in values:
        if value not in found:
            found.append(value)
    return tuple(found)


class Page:
    """Answers from one record; it draws only what a template asks for."""

    def __init__(self, record: RunRecord) -> None:
        self._record = record

    # --- the whole --------------------------------------------------------------------------------------------

    def best(self) -> Performance | None:
        """The highest throughput of what is delivered."""
        return best_of(tuple(one for one in self._record.performance if self.delivered(one.artefact)))

    def fastest(self) -> Performance | None:
        """That of the results table: `auto` measured what it chose in turns with others."""
        rows = [one.best for one in results(self._record) if one.best is not None and self.delivered(one.name)]
        return best_of(tuple(rows))

    def delivered(self, artefact: str) -> bool:
        """Whether the verdicts are about that artefact: all, or the one that `--precision auto` chose."""
        choice = self._record.choice
        return choice is None or not choice.chosen or artefact == choice.chosen

    def worst_drop(self) -> Comparison | None:
        """The largest drop of what is delivered: against the reference, or else against the published figure."""
        for against in ("reference", "published"):
            known = [one for one in self._record.comparisons if one.against == against and one.drop is not None]
            delivered = [one for one in known if self.delivered(one.evaluation)]
            if delivered:
                return max(delivered, key=lambda one: one.drop or 0.0)
        return None

    def placeholders(self) -> tuple[tuple[str, Message], ...]:
        """What the commands write for paths, each with what it stands for."""
        return used(self._record)

    def unmeasured_batches(self) -> Iterator[tuple[str, int]]:
        """Artefact and batch size that was asked for and has no figure, where other sizes have one."""
        measured: dict[str, set[int]] = {}
        for line in lines(self._record):
            measured.setdefault(line.name, set()).update(line.points)
        for name, sizes in measured.items():
            yield from ((name, size) for size in self._record.request.batch_sizes if size not in sizes)

    def unanswered(self) -> tuple[Message, ...]:
        """Why images have no answer, each reason once."""
        return unanswered_lines(self._record)

    def intervals(self) -> tuple[tuple[Interval, tuple[Text, ...]], ...]:
        """An interval of each method, with the titles of the metrics whose intervals are of that method."""
        found: list[tuple[Interval, tuple[Text, ...]]] = []
        for metric in self._record.evaluations[0].metrics if self._record.evaluations else ():
            if metric.interval is None:
                continue
            for place, (interval, titles) in enumerate(found):
                if interval.method == metric.interval.method:
                    found[place] = (interval, (*titles, metric.title))
                    break
            else:
                found.append((metric.interval, (metric.title,)))
        return tuple(found)

    def tables(self) -> tuple[tuple[Table, tuple[Text, ...]], ...]:
        """The task's tables, each with the titles of the evaluations that it is the same for."""
        found: list[tuple[Table, tuple[Text, ...]]] = []
        for evaluation in self._record.evaluations:
            for table in evaluation.tables:
                place = next((place for place, (known, _) in enumerate(found) if known == table), None)
                if place is None:
                    found.append((table, (evaluation.title,)))
                else:
                    found[place] = (table, (*found[place][1], evaluation.title))
        return tuple(found)

    def class_of(self, answer: str) -> str:
        """A class index with its name, where the model's classes have names; any other answer as it is."""
        names = self._record.model.class_names if self._record.model else ()
        if answer.isascii() and answer.isdecimal() and len(answer) < 8 and int(answer) < len(names):
            return f"{answer} {one_line(names[int(answer)])}"
        return one_line(answer)

    def kept(self) -> tuple[Message, ...]:
        """What of an earlier run's figures still held and was not measured again, with when it was measured."""
        record = self._record
        dated = {
            "parity": (Message("parity"), ()),
            "evaluations": (Message("accuracy"), tuple(one.measured for one in record.evaluations)),
            "performance": (Message("speed"), tuple(one.measured for one in record.performance)),
            "choice": (Message("the choice"), () if record.choice is None else (record.choice.measured,)),
        }
        return tuple(_dated(what, times) for name, (what, times) in dated.items() if name in record.kept)

    def environments(self) -> tuple[tuple[str, EnvironmentLock], ...]:
        """The environments of runtimes that do not work in porter's process."""
        return distinct((one.runtime, one.environment) for one in self._record.artefacts if one.environment is not None)

    def fed(self, clock: str = "") -> tuple[Text, ...]:
        """What pure inference was fed, each once: by calls from here, or by the tool of that name."""
        return distinct(one.input for one in self._record.performance if one.clock == clock)

    def tools(self) -> tuple[str, ...]:
        """The tools that measured with a clock of their own."""
        return tuple(dict.fromkeys(one.clock for one in self._record.performance if one.clock))

    def incomparable(self) -> tuple[tuple[str, Text, tuple[str, ...]], ...]:
        """What accuracy was held against in vain, why, and of which artefacts."""
        missed = [one for one in self._record.comparisons if one.passed is None]
        return tuple(
            (against, reason, tuple(one.evaluation for one in missed if (one.against, one.reason) == (against, reason)))
            for against, reason in distinct((one.against, one.reason) for one in missed)
        )

    def resumed(self) -> tuple[tuple[int, int, tuple[Text, ...]], ...]:
        """How many of how many images an earlier command had answered, and of which evaluations."""
        found = [
            ((one.end_to_end.resumed, one.end_to_end.images), one.title)
            for one in self._record.evaluations
            if one.end_to_end is not None and one.end_to_end.resumed
        ]
        return tuple(
            (*key, tuple(title for same, title in found if same == key)) for key in distinct(k for k, _ in found)
        )

    def spread(self) -> tuple[tuple[Execution, tuple[Text, ...]], ...]:
        """Where images were answered by more than the process of the command, and of which evaluations."""
        found = [
            (place, one.title)
            for one in self._record.evaluations
            for place in one.executions
            if place.executor != "local" or place.workers > 1
        ]
        return tuple(
            (key, tuple(title for same, title in found if same == key)) for key in distinct(k for k, _ in found)
        )

    # --- the drawings -----------------------------------------------------------------------------------------

    def throughput(self) -> Markup:
        """Throughput against batch."""
        return throughput_chart(self._record)

    def latency(self) -> Markup:
        """Latency against batch."""
        return latency_chart(self._record)

    def accuracies(self) -> tuple[tuple[Text, Markup], ...]:
        """Accuracy with intervals, a drawing for each metric worth one, with the metric's title."""
        first = self._record.evaluations[0] if self._record.evaluations else None
        drawn = [] if first is None else [first.metric(name).title for name in shown_metrics(self._record)]
        return tuple((title, accuracy_chart(self._record, place)) for place, title in enumerate(drawn))

    def drop(self) -> Markup:
        """The drop against the reference."""
        return drop_chart(self._record)

    def shares(self) -> Markup:
        """The share of each stage."""
        return share_chart(self._record)

    def depth(self, graph: GraphDiagnosis, place: int) -> Markup:
        """The error along the depth."""
        return depth_chart(graph, place)
