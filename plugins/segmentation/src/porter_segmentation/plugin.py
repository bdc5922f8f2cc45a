"""The hooks of the task: it is offered, and the outputs of its models are turned to predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from porter import ModelSpec, Source, Task, hookimpl
from porter_segmentation.prediction import Segmented
from porter_segmentation.task import NAME, Segmentation, segment

if TYPE_CHECKING:
    import numpy as np


@hookimpl
def porter_tasks() -> Sequence[Task]:
    """The task `segmentation`."""
    return (Segmentation(),)


@hookimpl(trylast=True)
def porter_postprocess(
    outputs: Mapping[str, np.ndarray], spec: ModelSpec, sources: Sequence[Source]
) -> Sequence[Segmented] | None:
    """Logits or classes to a class for every pixel of the image, for models of this task."""
    return segment(outputs, spec, sources) if spec.task == NAME else None
