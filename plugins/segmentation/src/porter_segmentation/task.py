"""The task `segmentation`: one class a pixel, judged by mean intersection over union."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from porter import (
    BadInput,
    DataRequest,
    Item,
    Manifest,
    Message,
    Metric,
    ModelSpec,
    Scorer,
    Source,
    Task,
    Text,
)
from porter_segmentation.ids import MAPS
from porter_segmentation.prediction import SAME, Points, Segmented, changed_share, points_of, segmented

if TYPE_CHECKING:
    import numpy as np

NAME = "segmentation"
MOST_CLASSES = 4096


class Segmentation(Task):
    """A prediction is the class of every pixel of the image."""

    name = NAME
    title = "Semantic segmentation"
    gate = "miou"
    metric_names = ("miou", "pixel_accuracy", "mean_class_accuracy")
    answer_name = Message("mask")
    columns = ("classes", "pixels", "mask_sha256")
    prediction_type = Segmented
    templates = Path(__file__).parent / "templates"
    class_maps = MAPS

    def manifest(self, request: DataRequest) -> Manifest:
        from porter_segmentation.masks import masked_manifest

        return masked_manifest(request)

    def scorer(self, spec: ModelSpec, manifest: Manifest) -> Scorer:
        from porter_segmentation.scorer import OverlapScorer

        return OverlapScorer(spec, manifest)

    def row(self, prediction: Segmented) -> Sequence[str]:
        import numpy as np

        mask = prediction.classes
        classes, pixels = np.unique(mask, return_counts=True)
        digest = hashlib.sha256(mask.tobytes()).hexdigest()
        return [" ".join(map(str, classes)), " ".join(map(str, pixels)), digest]

    def entries(self, prediction: Segmented, spec: ModelSpec) -> Sequence[Mapping[str, Any]]:
        import numpy as np

        counts = np.bincount(prediction.classes.ravel())[: spec.num_classes]
        order = [int(index) for index in np.argsort(-counts, kind="stable") if counts[index]]
        named = {index: {"name": spec.class_names[index]} if spec.class_names else {} for index in order}
        size = prediction.classes.size
        return [
            {"class": index, **named[index], "pixels": int(counts[index]), "share": round(counts[index] / size, 4)}
            for index in order
        ]

    def answer(self, prediction: Segmented) -> Hashable:
        return points_of(prediction)

    def is_same(self, one: Hashable, other: Hashable) -> bool:
        if not (isinstance(one, Points) and isinstance(other, Points)):
            return one is other
        return changed_share(one, other) < SAME

    def ranking(self, prediction: Segmented) -> Hashable:
        return ""  # a mask has nothing below it

    def label_text(self, item: Item) -> str:
        return str(item.label)

    def picture(self, pixels: np.ndarray, reference: Hashable, candidate: Hashable, item: Item) -> np.ndarray:
        from porter_segmentation.overlay import overlaid

        return overlaid(pixels, cast("Points | None", reference), cast("Points | None", candidate))

    def misfit(self, spec: ModelSpec) -> str:
        if spec.num_classes is None or not 2 <= spec.num_classes <= MOST_CLASSES:
            return f"num_classes: {spec.num_classes or 'missing'}; task {NAME!r} needs it, 2 to {MOST_CLASSES}"
        if spec.preprocess is not None and spec.preprocess.fit == "box":
            return f"preprocess.fit: 'box'; task {NAME!r} takes whole images"
        return ""

    def chance(self, spec: ModelSpec, metrics: Sequence[Metric]) -> Text:
        miou = next(metric for metric in metrics if metric.name == self.gate)
        bound = 100 / (spec.num_classes or 1)
        if miou.value > bound:
            return ""
        return Message(
            "no better than one class everywhere: mean IoU {value:.2f}% where that reaches up to {bound:.2f}% with "
            "{classes} classes",
            value=miou.value,
            bound=bound,
            classes=spec.num_classes or 0,
        )


def segment(outputs: Mapping[str, np.ndarray], spec: ModelSpec, sources: Sequence[Source]) -> list[Segmented]:
    """The first output, logits N×C×h×w or class indices N×h×w or N×1×h×w, to a class for every pixel of each image."""
    from porter_segmentation.resizing import axes_of, classes_by_ids, classes_by_logits, whole_ids

    name, count = spec.outputs[0].name, spec.num_classes or 0
    found = []
    for values, source in zip(outputs[name], sources, strict=True):
        planes = values[None] if values.ndim == 2 else values
        if planes.ndim != 3 or planes.shape[0] not in (1, count):
            shape = "×".join(map(str, ("N", *values.shape)))
            raise BadInput(f"output {name!r} is {shape}, no N×{count}×h×w logits and no N×h×w or N×1×h×w classes")
        size = planes.shape[1:] if source.size is None else source.size
        axes = axes_of(planes.shape[1:], size, spec.preprocess)
        if planes.shape[0] == count:
            classes = classes_by_logits(planes, axes)
        else:
            classes = classes_by_ids(whole_ids(planes[0], name, count), axes, count)
        found.append(segmented(classes))
    return found
