"""The task `detection`, and the outputs of usual detectors as its predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from porter import ModelSpec, Source, Task, hookimpl
from porter_detection.task import NAME, Detection

if TYPE_CHECKING:
    import numpy as np

    from porter_detection.boxes import Detected


@hookimpl
def porter_tasks() -> Sequence[Task]:
    return [Detection()]


@hookimpl(trylast=True)
def porter_postprocess(
    outputs: Mapping[str, np.ndarray], spec: ModelSpec, sources: Sequence[Source]
) -> Sequence[Detected] | None:
    """Boxes in pixels of the image, for every model of this task that has no hook of its own."""
    if spec.task != NAME:
        return None
    from porter_detection.heads import boxes_of

    return boxes_of(outputs, spec, sources)
