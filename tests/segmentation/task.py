"""The task `semantic_segmentation`: one class a pixel, scored by mean intersection over union."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from porter.contracts.task import DataRequest, Scorer, Task
from porter.errors import BadInput
from porter.records.evaluation import Metric, Table
from porter.records.interval import Interval
from porter.records.manifest import Item, Manifest
from porter.records.spec import ModelSpec
from segmentation.masks import IGNORE, aligned, masked_manifest, read_mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME = "semantic_segmentation"
RESAMPLES, SEED = 1000, 0


class OverlapScorer(Scorer):
    """Counts pixels by class, apart for each image, since images are what the bootstrap draws."""

    def __init__(self, spec: ModelSpec, manifest: Manifest) -> None:
        self._spec, self._folder = spec, Path(manifest.labels_root)
        self._classes = num_classes(spec)
        self._counts: list[NDArray[np.int64]] = []

    def add(self, item: Item, prediction: NDArray[np.uint8] | None) -> float:
        truth = aligned(read_mask(self._folder / str(item.label)), self._spec.image)
        counts = overlaps(truth, prediction, self._classes)
        self._counts.append(counts)
        return 0.0 if prediction is None else float(mean_iou(counts))

    def metrics(self) -> tuple[Metric, ...]:
        if not self._counts:
            return ()
        counts = np.stack(self._counts)
        return (
            _metric("mean_iou", "Mean IoU", mean_iou, counts),
            _metric("pixel_accuracy", "Pixel accuracy", pixel_accuracy, counts),
        )

    def tables(self) -> tuple[Table, ...]:
        """IoU and pixels of every class, at the network's resolution."""
        both, truth, predicted = np.sum(self._counts, axis=0)
        names = self._spec.class_names or [str(k) for k in range(self._classes)]
        rows = tuple(
            (
                names[k],
                100 * float(both[k] / (truth[k] + predicted[k] - both[k])) if truth[k] + predicted[k] else "absent",
                int(truth[k]),
                int(predicted[k]),
            )
            for k in range(self._classes)
        )
        return (Table(title="IoU by class", columns=("class", "IoU %", "labelled px", "predicted px"), rows=rows),)


class SemanticSegmentation(Task):
    """A prediction is a mask, uint8 H×W at the network's resolution."""

    name = NAME
    title = "Semantic segmentation"
    gate = "mean_iou"
    answer_name = "mask"
    columns = ("classes", "pixels", "mask_sha256")

    def manifest(self, request: DataRequest) -> Manifest:
        return masked_manifest(request, num_classes(request.spec))

    def scorer(self, spec: ModelSpec, manifest: Manifest) -> Scorer:
        return OverlapScorer(spec, manifest)

    def row(self, prediction: NDArray[np.uint8]) -> Sequence[str]:
        classes, pixels = np.unique(prediction, return_counts=True)
        return [" ".join(map(str, classes)), " ".join(map(str, pixels)), str(self.answer(prediction))]

    def answer(self, prediction: NDArray[np.uint8]) -> Hashable:
        return hashlib.sha256(prediction.tobytes()).hexdigest()


def overlaps(truth: NDArray[np.uint8], prediction: NDArray[np.uint8] | None, classes: int) -> NDArray[np.int64]:
    """Pixels of each class in both masks, in the truth, in the prediction: int64 3×classes.

    No prediction is an empty mask: every labelled pixel is missed.
    """
    counted = truth != IGNORE
    truth = truth[counted]
    predicted = np.full_like(truth, IGNORE) if prediction is None else prediction[counted]
    return np.stack([np.bincount(v, minlength=256)[:classes] for v in (truth[truth == predicted], truth, predicted)])


def mean_iou(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """IoU (0 to 1), mean over the classes that occur in the truth or the prediction; counts are …×3×classes.

    Source: Everingham et al., "The Pascal visual object classes challenge: a retrospective", IJCV 111 (2015).
    """
    both, union = counts[..., 0, :], counts[..., 1, :] + counts[..., 2, :] - counts[..., 0, :]
    present = union > 0
    iou = np.divide(both, union, where=present, out=np.zeros(union.shape))
    result: NDArray[np.float64] = iou.sum(axis=-1) / np.maximum(present.sum(axis=-1), 1)
    return result


def pixel_accuracy(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share (0 to 1) of labelled pixels with the right class; counts are …×3×classes."""
    result: NDArray[np.float64] = counts[..., 0, :].sum(axis=-1) / np.maximum(counts[..., 1, :].sum(axis=-1), 1)
    return result


def bootstrap(figure: Callable[[NDArray[np.int64]], NDArray[np.float64]], counts: NDArray[np.int64]) -> Interval:
    """95% percentile interval of a figure over images drawn with replacement; counts are images×3×classes."""
    images = len(counts)
    drawn = np.random.default_rng(SEED).multinomial(images, [1 / images] * images, size=RESAMPLES)
    values = 100 * figure(np.tensordot(drawn, counts, axes=1))
    low, high = np.percentile(values, [2.5, 97.5])
    method = (
        f"percentile bootstrap over images, {RESAMPLES} resamples, seed {SEED} "
        "(Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13)"
    )
    return Interval(low=float(low), high=float(high), confidence_percent=95.0, method=method)


def num_classes(spec: ModelSpec) -> int:
    """The number of classes that a spec declares. Raises `BadInput` where it declares none."""
    if not spec.num_classes:
        raise BadInput(f"model {spec.name!r} declares no num_classes, which the task {NAME} needs")
    return spec.num_classes


def _metric(
    name: str, title: str, figure: Callable[[NDArray[np.int64]], NDArray[np.float64]], counts: NDArray[np.int64]
) -> Metric:
    value = 100 * float(figure(counts.sum(axis=0)))
    return Metric(name=name, title=title, value=value, count=len(counts), interval=bootstrap(figure, counts))
