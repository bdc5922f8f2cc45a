"""The tasks `pose` and `pose-mpii`, heatmaps as their predictions, and the flip test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from porter import ModelSpec, Session, Source, Task, hookimpl
from porter_pose.task import MPII, NAME, Pose, PoseMpii

if TYPE_CHECKING:
    import numpy as np

    from porter_pose.person import Posed


@hookimpl
def porter_tasks() -> Sequence[Task]:
    return [Pose(), PoseMpii()]


@hookimpl(trylast=True)
def porter_infer(session: Session, feeds: Mapping[str, np.ndarray], spec: ModelSpec) -> Mapping[str, np.ndarray] | None:
    """Each sample and its mirror image, for models of these tasks that ask for it; the others are core's."""
    from porter_pose.heatmaps import is_flipped, with_flip

    return with_flip(session, feeds, spec) if spec.task in (NAME, MPII) and is_flipped(spec) else None


@hookimpl(trylast=True)
def porter_postprocess(
    outputs: Mapping[str, np.ndarray], spec: ModelSpec, sources: Sequence[Source]
) -> Sequence[Posed] | None:
    """Joints in pixels of the image, for every model of these tasks that has no hook of its own."""
    if spec.task not in (NAME, MPII):
        return None
    from porter_pose.heatmaps import poses_of

    return poses_of(outputs[spec.outputs[0].name], spec, sources)
