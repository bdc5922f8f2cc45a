"""The tables of one record that stand in more than one document, for templates: `tables.speed()`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from porter.documents import columns, speed_columns
from porter.documents.facts import environment_facts
from porter.documents.grid import NOTHING, Cell, Column, Found, Grid, Line, grid
from porter.documents.page import Page
from porter.documents.result_columns import gate_title, result_columns
from porter.documents.results import results
from porter.records.choice import Outcome
from porter.records.coverage import Compared
from porter.records.diagnosis import GraphDiagnosis
from porter.records.evaluation import Evaluation, Table
from porter.records.message import Message, Text, Value, number
from porter.records.performance import Performance
from porter.records.quantization import AttemptScore
from porter.records.record import RunRecord
from porter.records.spec import Published


class Tables:
    """Each method gives one table, which a document writes in its own markup. Ask only for what the record has."""

    def __init__(self, record: RunRecord, page: Page) -> None:
        self._record, self._page = record, page

    def results(self) -> Grid:
        """What became of every artefact, beside the reference and the published figure."""
        rows = results(self._record)
        return grid(result_columns(gate_title(rows)), rows, lambda one: one.chosen)

    def speed(self) -> Grid:
        """Every artefact at every batch size, last those that were asked for and have no figure."""
        measured, best = self._record.performance, self._page.best()

        def note(one: Performance) -> tuple[Text, ...]:
            first = Message("best") if one is best else None
            notes = (first, *speed_columns.marks(one), speed_columns.unsettled(one))
            return tuple(text for text in notes if text)

        found = grid(speed_columns.speed(note), measured, lambda one: one is best)
        lines = []
        for name, size in self._page.unmeasured_batches():
            said = {"artefact": Cell(text=name), "batch": Cell(text=size), "images/s": Cell(text=None)}
            lines.append(Line(tuple(said.get(str(column.title), NOTHING) for column in found.columns)))
        return replace(found, lines=(*found.lines, *lines))

    def how_measured(self, *, delivered: bool = False) -> Grid:
        """How each speed was measured; `delivered`: of what the verdicts are about, and of the baseline."""
        return grid(
            speed_columns.HOW_MEASURED, [one for one in self._record.performance if not delivered or self._told(one)]
        )

    def copies(self) -> Grid:
        """Copying between host and device."""
        return grid(speed_columns.COPIES, [(one, copy) for one in self._record.performance for copy in one.copies])

    def tunings(self) -> Grid:
        """The best settings against the plain ones."""
        aims = (Message("most images/s"), Message("least ms a call"))
        rows = [
            (tuning, aim, gain)
            for tuning in self._record.tunings
            for aim, gain in zip(aims, (tuning.throughput, tuning.latency), strict=True)
        ]
        return grid(speed_columns.TUNINGS, rows)

    def end_to_end(self) -> Grid:
        """Reading a file to scoring its answer."""
        rows = [(one, one.end_to_end) for one in self._record.evaluations if one.end_to_end]
        return grid(speed_columns.end_to_end([stage.name for stage in rows[0][1].stages]), rows)

    def accuracy(self) -> Grid:
        """The published figures, the reference and every artefact, on the same metrics."""
        model, found = self._record.model, self._record.evaluations
        rows: list[Evaluation | Published] = [*found]
        if model is not None and model.published is not None:
            rows.insert(0, model.published)
        return grid(columns.accuracy(found[0]), rows)

    def comparisons(self) -> Grid:
        """The gate metric against what it could be held against."""
        return grid(columns.COMPARISONS, [one for one in self._record.comparisons if one.passed is not None])

    def choice(self) -> Grid:
        """What `--precision auto` tried."""
        made = self._record.choice
        assert made is not None
        return grid(columns.choice(made.baseline), made.candidates, lambda one: one.outcome is Outcome.CHOSEN)

    def attempts(self) -> Grid:
        """The attempts at int8."""
        made = self._record.quantization
        assert made is not None
        none: tuple[AttemptScore | None, ...] = (None,)
        rows = [(attempt, score) for attempt in made.attempts for score in attempt.scores or none]
        return grid(columns.attempts(made.chosen, made.allowed), rows, lambda row: row[0].number == made.chosen)

    def parity(self) -> Grid:
        """Every output at every batch size."""
        return grid(columns.PARITY, [(parity, one) for parity in self._record.parity for one in parity.outputs])

    def worst_images(self, compared: Compared) -> Grid:
        """The images of the largest errors."""
        return grid(columns.WORST_IMAGES, compared.worst)

    def forms(self) -> Grid:
        """The same tensors through every form of the model."""
        found = self._record.diagnosis
        assert found is not None
        return grid(columns.forms(found.images, found.forms[0]), found.forms)

    def nodes(self, graph: GraphDiagnosis) -> Grid:
        """The nodes that add most error."""
        return grid(columns.NODES, graph.worst)

    def artefacts(self) -> Grid:
        """The built model files, each with the size of all files of its artefact."""
        sizes = {one.name: one.size_mib for one in self._record.states}
        return grid(columns.ARTEFACTS, [(one, sizes.get(one.id)) for one in self._record.artefacts])

    def inputs(self) -> Grid:
        """What the run read."""
        return grid(columns.INPUTS, self._record.inputs)

    def outputs(self) -> Grid:
        """What the run wrote."""
        return grid(columns.OUTPUTS, self._record.files)

    def imported(self) -> Grid:
        """The files that figures were taken from."""
        return grid(columns.IMPORTED, self._record.imported.sources if self._record.imported else ())

    def of_task(self, table: Table) -> Grid:
        """A table that the task made."""

        def read(place: int) -> Callable[[tuple[str | int | float, ...]], Found]:
            return lambda row: _field(row[place])

        def form(place: int) -> str | None:
            return "" if any(not isinstance(row[place], str) for row in table.rows) else None

        made: list[Column[tuple[str | int | float, ...]]] = [
            Column(title=title, read=read(place), form=form(place)) for place, title in enumerate(table.columns)
        ]
        return grid(made, table.rows)

    def environment(self) -> tuple[tuple[Text, Value], ...]:
        """The machine and the versions, one line each."""
        return environment_facts(self._record, self._page.environments())

    def _told(self, one: Performance) -> bool:
        choice = self._record.choice
        return choice is None or self._page.delivered(one.artefact) or one.artefact == choice.baseline


def _field(value: str | float) -> Found:
    return Cell(text=number(value, ".2f") if isinstance(value, float) else value)
