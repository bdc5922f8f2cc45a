"""The tasks `pose`, judged by AP over object keypoint similarity as COCO defines it, and `pose-mpii`, by PCKh."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from porter import DataRequest, Item, Manifest, Message, Metric, ModelSpec, Scorer, Task, Text
from porter_pose.heatmaps import FLIP_PAIRS, FLIP_TEST, flip_pairs, is_flipped
from porter_pose.person import Posed, read_label
from porter_pose.scorer import FIGURES, GATE, OksScorer

if TYPE_CHECKING:
    import numpy as np

NAME, MPII = "pose", "pose-mpii"
SAME = 0.01
"""Part of the longer side of the box by which a joint may move and be the same."""
LEAST = 1.0
"""AP in percent that no guess reaches."""


class PoseTask(Task):
    """What both tasks share: joints in pixels of the image, top-down."""

    answer_name = Message("joints")
    prediction_type = Posed
    columns = ("joints", "scores")
    templates = Path(__file__).parent / "templates"
    metric_names: tuple[str, ...] = FIGURES

    def row(self, prediction: Posed) -> Sequence[str]:
        places = " ".join(f"({x:.9g},{y:.9g})" for x, y in prediction.joints)
        return [places, " ".join(f"{one:.9g}" for one in prediction.scores)]

    def answer(self, prediction: Posed) -> Hashable:
        return prediction.joints

    def is_same(self, one: Hashable, other: Hashable) -> bool:
        """Whether no joint moved by more than a hundredth of what the person is large."""
        if not (isinstance(one, tuple) and isinstance(other, tuple)) or len(one) != len(other):
            return one == other
        xs, ys = zip(*one, strict=True)
        reach = max(1.0, SAME * max(max(xs) - min(xs), max(ys) - min(ys)))
        return all(math.dist(a, b) <= reach for a, b in zip(one, other, strict=True))

    def misfit(self, spec: ModelSpec) -> str:
        if spec.preprocess is None or spec.preprocess.fit != "box":
            return f'preprocess.fit: task {self.name!r} needs "box", each person cut out by its box'
        if len(spec.outputs[0].shape) != 4:
            return f"outputs[0].shape: task {self.name!r} takes heatmaps, N×K×h×w"
        if not isinstance(spec.outputs[0].shape[1], int):
            return "outputs[0].shape: the number of joints must be known"
        if is_flipped(spec) and (problem := _flip_problem(spec, len(spec.preprocess.mean))):
            return problem
        return ""

    def chance(self, spec: ModelSpec, metrics: Sequence[Metric]) -> Text:
        value = next((one.value for one in metrics if one.name == self.gate), 0.0)
        if value >= LEAST:
            return ""
        return Message("no better than guessing: {value:.2f}%", value=value)

    def picture(self, pixels: np.ndarray, reference: Hashable, candidate: Hashable, item: Item) -> np.ndarray | None:
        """The person's part of the image with the reference's joints in green and the artefact's in red."""
        from porter_pose.drawing import drawn

        return drawn(pixels, reference, candidate, item.box)


class Pose(PoseTask):
    """COCO keypoints, judged by AP."""

    name, title, gate = NAME, "Pose estimation, COCO keypoints", GATE

    def manifest(self, request: DataRequest) -> Manifest:
        from porter_pose.coco_files import coco_manifest

        return coco_manifest(request, joints_of(request.spec))

    def scorer(self, spec: ModelSpec, manifest: Manifest) -> Scorer:
        return OksScorer(joints_of(spec), spec.class_names)

    def label_text(self, item: Item) -> str:
        label = read_label(str(item.label))
        return f"image {label.image}"


class PoseMpii(PoseTask):
    """MPII, judged by PCKh at half of the head's size."""

    name, title, gate = MPII, "Pose estimation, MPII", "pckh"
    metric_names = ("pckh", "pckh_01")

    def manifest(self, request: DataRequest) -> Manifest:
        from porter_pose.mpii_files import mpii_manifest

        return mpii_manifest(request, joints_of(request.spec))

    def scorer(self, spec: ModelSpec, manifest: Manifest) -> Scorer:
        from porter_pose.pckh import PckhScorer

        return PckhScorer(joints_of(spec), spec.class_names)

    def label_text(self, item: Item) -> str:
        return ""


def joints_of(spec: ModelSpec) -> int:
    """Number of joints."""
    return int(spec.outputs[0].shape[1])


def _flip_problem(spec: ModelSpec, channels: int) -> str:
    """Why the flip test cannot be done on a model; empty: it can."""
    joints = spec.outputs[0].shape[1]
    try:
        pairs = flip_pairs(spec)
    except ValueError:
        pairs = []
    if not pairs:
        return f"facts: `{FLIP_PAIRS}`: missing, such as `1-2 3-4`"
    unknown = next((one for pair in pairs for one in pair if not 0 <= one < int(joints)), None)
    if unknown is not None:
        return f"facts: `{FLIP_PAIRS}`: no joint {unknown}; there are 0 to {int(joints) - 1}"
    if spec.inputs[0].shape[1] != channels:
        return f"facts: `{FLIP_TEST}`: images are mirrored along their last axis; the input must be N×{channels}×H×W"
    return ""
