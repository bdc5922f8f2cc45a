"""What a sample is on its way through an evaluation, one shape after the other. Most samples are images.

    1  Item          the manifest's line: an identifier and a label                  porter.records.manifest
    2  Image         the file decoded: uint8 H×W×3, or what `porter_read` makes      porter.contracts.requests
    3  Prepared      what the model's preprocessing makes of it: an array an input   here, as all that follow
    4  Batch         consecutive samples, the readable ones with N rows an input
    5  Answered      the outputs of a batch, N rows of each
    6  JudgedBatch   of each sample a prediction, or why there is none: a line of the journal
    7  Row           one sample scored: a line of predictions.csv

Samples that cannot be read keep their place in all of them, and have no row in an array. After `Row` nothing of a
sample is left but what `Answers` keeps of it in a few bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import msgspec

from porter.contracts.requests import Image, Source
from porter.contracts.rows import count_of
from porter.images.appearance import Appearance
from porter.pipeline.evaluation.gaps import Gap
from porter.pipeline.evaluation.traces import Trace
from porter.records.coverage import SettingCheck
from porter.records.manifest import Item
from porter.records.message import Text

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Answered", "Batch", "Image", "Item", "Judged", "JudgedBatch", "Prepared", "Row", "Slab"]

OK, UNREADABLE, NONFINITE = "ok", "unreadable", "non-finite"
"""What can become of an image."""
STAGES = ("read", "preprocess", "infer", "postprocess")
"""What an image's time goes into, in order."""


class Slab:
    """Rows for consecutive images. Free again once `give_back` was called and no image of it is in use."""

    def __init__(self, arrays: dict[str, np.ndarray], free: deque[dict[str, np.ndarray]]) -> None:
        """`arrays` are N×… by input name; `free` is where they go when nobody needs them."""
        self.arrays, self.rows = arrays, count_of(arrays)
        self._free = free

    def give_back(self) -> None:
        """Let other images be written over these. To be called once, by whoever uses them last."""
        self._free.append(self.arrays)


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """One image of the manifest, preprocessed or failed."""

    index: int
    """Its place in the manifest."""
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    """By input name, without the batch; empty: it cannot be read whole, for `reason`."""
    reason: Text = ""
    conversions: tuple[str, ...] = ()
    """What was odd about the file, though readable."""
    digest: bytes = b""
    """SHA-256 of the file; empty where it was not read."""
    look: Appearance | None = None
    """What the picture looks like; None where it cannot be read."""
    read_seconds: float = 0.0
    preprocess_seconds: float = 0.0
    slab: Slab | None = None
    """What `arrays` are rows of; None: arrays of their own."""
    row: int = 0


def source_of(one: Prepared, items: Sequence[Item]) -> Source:
    """What its outputs will be made from."""
    look = one.look
    return Source(item=items[one.index], size=None if look is None else (look.height, look.width))


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Consecutive images of the manifest, the readable ones in one array."""

    members: tuple[Prepared, ...]
    """All of them, in order. Their arrays may have been moved: only `feeds` holds what they are."""
    indices: tuple[int, ...]
    """Places in the manifest of the rows of `feeds`."""
    feeds: dict[str, np.ndarray]
    """By input name, N rows each, N = len(indices); empty where there is nothing to infer. They are written over once
    `porter.pipeline.evaluation.prepare.batches` is asked for the batch after `ahead` others."""

    def sources(self, items: Sequence[Item]) -> list[Source]:
        """What each row was made from; `items` are those of the manifest."""
        members = {one.index: one for one in self.members}
        return [source_of(members[index], items) for index in self.indices]


@dataclass(frozen=True, kw_only=True)
class Answered:
    """The outputs of one batch, and the images that have none."""

    batch: Batch
    outputs: Mapping[str, np.ndarray]
    """By name, as the session gives them: N×…, N = len(batch.indices)."""
    infer_seconds: float
    check: SettingCheck | None = None
    """With the last batch: what the session was found to get wrong since the first."""


class Judged(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one image, as the journal has it: fields that say nothing are left out there."""

    status: str
    """`ok`, `unreadable` or `non-finite`."""
    prediction: Any = None
    """What `porter_postprocess` made of its outputs; None unless the status is `ok`."""
    reason: Text = ""
    """Why there is no prediction."""
    digest: str = ""
    """SHA-256 of the image file; empty where it was not read."""
    conversions: tuple[str, ...] = ()
    """What was odd about the file, though readable."""
    look: Appearance | None = None
    """What the picture looks like; None where it cannot be read."""
    traces: dict[str, Trace] = {}
    """Of its outputs, until they are compared or written; the journal has none."""
    gaps: tuple[Gap, ...] = ()
    """How far its outputs lie from the reference's."""


@dataclass(frozen=True, kw_only=True)
class JudgedBatch:
    """Consecutive images of the manifest, in its order."""

    start: int
    """Place of the first one."""
    images: tuple[Judged, ...]
    """Each of them."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Busy time of each of `STAGES`."""
    check: SettingCheck | None = None
    """As `Answered` has it."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One image in one evaluation, as predictions.csv has it; the columns of the task follow."""

    image: str
    """Its identifier, which no spreadsheet can take for a formula."""
    label: str
    evaluation: str
    runtime: str
    precision: str
    status: str
    score: str
    """What the task's scorer gave for it."""

    def line(self, columns: Sequence[str]) -> list[str]:
        """The fields in order, and those of the task."""
        return [*(getattr(self, name) for name in HEADER), *columns]


HEADER = tuple(one.name for one in fields(Row))
"""The first columns of predictions.csv."""
