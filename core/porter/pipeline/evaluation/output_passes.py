"""One pass over the images as far as raw outputs go: the reference's are written, an artefact's compared with them."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Protocol

import msgspec

from porter.errors import BadInput
from porter.pipeline.evaluation.gap_table import GapTable
from porter.pipeline.evaluation.gaps import Gap, alike, distance, gaps_between
from porter.pipeline.evaluation.shapes import Judged, JudgedBatch
from porter.pipeline.evaluation.trace_file import TraceFile
from porter.pipeline.evaluation.traces import Trace
from porter.pipeline.judge.tolerance import Bound
from porter.pipeline.session_checks.rows_alike import SHARE

Traces = Mapping[str, Trace]
BACK = 64
"""Earlier images whose outputs are looked for in place of an image's own."""
NEAR = 1 / 16
"""Share of an error (squared) within which outputs are taken for those of another image."""


class OutputPass(Protocol):
    """What is done with the raw outputs of each batch, in order."""

    def holds(self, batch: JudgedBatch) -> bool:
        """Take a batch that the journal has; whether what was kept of its outputs is there as well."""

    def take(self, batch: JudgedBatch) -> JudgedBatch:
        """Take a batch that was just answered; returns it as the journal is to have it, without traces."""

    def close(self) -> None:
        """Release what is open."""


class ReferencePass:
    """Writes the traces of the reference."""

    def __init__(self, file: TraceFile) -> None:
        self._file = file

    def holds(self, batch: JudgedBatch) -> bool:
        before = self._file.place
        if all(self._file.read() is not None for _ in batch.images):
            return True
        self._file.back_to(before)
        return False

    def take(self, batch: JudgedBatch) -> JudgedBatch:
        for image in batch.images:
            self._file.write(image.traces)
        self._file.flush()
        return _with(batch, [msgspec.structs.replace(image, traces={}) for image in batch.images])

    def close(self) -> None:
        self._file.close()


class ArtefactPass:
    """Compares the outputs of an artefact with the traces of the reference, image by image."""

    def __init__(self, file: TraceFile, bound: Bound, total: int) -> None:
        self._file, self._bound = file, bound
        self._earlier: deque[Traces] = deque(maxlen=BACK)
        self.table = GapTable(total)

    def holds(self, batch: JudgedBatch) -> bool:
        self._note(batch, self._references(batch))
        return True

    def take(self, batch: JudgedBatch) -> JudgedBatch:
        references = self._references(batch)
        images = []
        for place, image in enumerate(batch.images):
            gaps = gaps_between(references[place], image.traces)
            images.append(
                msgspec.structs.replace(
                    image, traces={}, gaps=tuple(self._looked_for(gap, image, place, references) for gap in gaps)
                )
            )
        batch = _with(batch, images)
        self._note(batch, references)
        return batch

    def close(self) -> None:
        self._file.close()

    def _references(self, batch: JudgedBatch) -> list[Traces]:
        found = [self._file.read() for _ in batch.images]
        if any(one is None for one in found):
            raise BadInput(f"{self._file.path}: damaged while it was read. Repeat the command, which writes it again")
        return [one for one in found if one is not None]

    def _note(self, batch: JudgedBatch, references: list[Traces]) -> None:
        answered = [place for place, image in enumerate(batch.images) if image.gaps]
        for place, image in enumerate(batch.images):
            row = answered.index(place) if image.gaps else 0
            is_last = len(batch.images) > 1 and row == len(answered) - 1
            self.table.add(batch.start + place, image.gaps, references[place], row=row, is_last=is_last)
        self._earlier += [one for one in references if one]

    def _looked_for(self, gap: Gap, image: Judged, place: int, references: list[Traces]) -> Gap:
        """The gap, with whose outputs these are where they are another image's."""
        allowed = self._bound.tolerance.atol + self._bound.tolerance.rtol * max(gap.scale, 0.0)
        if gap.kind or gap.squared <= 0.0 or (gap.error <= allowed and gap.squared <= SHARE * gap.norm):
            return gap
        got = image.traces[gap.output]

        def near(other: Traces) -> bool:
            trace = other.get(gap.output)
            return trace is not None and alike(trace, got) and distance(trace, got) <= NEAR * gap.squared

        if any(near(other) for there, other in enumerate(references) if there != place):
            return msgspec.structs.replace(gap, kind="batch")
        if any(near(other) for other in self._earlier):
            return msgspec.structs.replace(gap, kind="earlier")
        return gap


def _with(batch: JudgedBatch, images: list[Judged]) -> JudgedBatch:
    return JudgedBatch(start=batch.start, images=tuple(images), seconds=batch.seconds, check=batch.check)
