"""Scores segmentations: mean IoU, pixel accuracy, mean class accuracy, and a table of the classes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from porter import BadInput, Item, LabelFinding, Manifest, Message, Metric, ModelSpec, Scorer, Table
from porter_segmentation.confusions import Confusions
from porter_segmentation.ids import IGNORED, ids_of
from porter_segmentation.label_faults import label_faults
from porter_segmentation.masks import classes_in, wrong_size
from porter_segmentation.prediction import Segmented

if TYPE_CHECKING:
    import numpy as np


class OverlapScorer(Scorer):
    """Counts pixels by labelled and predicted class, apart for each image, since images are what a bootstrap draws.

    Of an image without an answer every labelled pixel is missed. Ignored pixels, and those that a crop leaves out, are
    not counted.
    """

    def __init__(self, spec: ModelSpec, manifest: Manifest) -> None:
        self._count, self._names = spec.num_classes or 0, spec.class_names
        self._folder = Path(manifest.labels_root)
        self._ids = ids_of(spec, Path(manifest.class_map) if manifest.class_map else None, manifest.label_offset)
        self._confusions = Confusions(self._count)
        self._ignored = self._outside = 0

    def add(self, item: Item, prediction: Segmented | None) -> float:
        import numpy as np

        path = self._folder / str(item.label)
        truth = classes_in(path, self._ids)
        if prediction is not None and truth.shape != (prediction.height, prediction.width):
            raise BadInput(wrong_size(path, truth.shape, item.id, (prediction.height, prediction.width)))
        labelled = truth != IGNORED
        self._ignored += truth.size - int(labelled.sum())
        if prediction is None:
            self._confusions.add(truth[labelled], np.full(int(labelled.sum()), self._count, np.int32))
            return 0.0
        counted = labelled & (prediction.classes < self._count)
        self._outside += int(labelled.sum()) - int(counted.sum())
        found = self._confusions.add(truth[counted], prediction.classes[counted].astype(np.int32))
        return found.mean_iou() if counted.any() else 1.0

    def metrics(self) -> tuple[Metric, ...]:
        if not len(self._confusions):
            return ()
        found = self._confusions.overlaps()
        figures = (
            ("miou", Message("mean IoU"), found.mean_iou()),
            ("pixel_accuracy", Message("pixel accuracy"), found.pixel_accuracy()),
            ("mean_class_accuracy", Message("mean class accuracy"), found.mean_accuracy()),
        )
        return tuple(
            Metric(name=name, title=title, value=100 * value, count=len(self._confusions))
            for name, title, value in figures
        )

    def resampled(self, weights: np.ndarray) -> float:
        return 100 * self._confusions.overlaps(weights).mean_iou()

    def label_faults(self) -> tuple[LabelFinding, ...]:
        return label_faults(self._confusions, self._count)

    def tables(self) -> tuple[Table, ...]:
        found, matrix = self._confusions.overlaps(), self._confusions.matrix()
        iou, accuracy = found.iou(), found.accuracy()
        order = sorted(range(self._count), key=lambda k: (math.isnan(iou[k]), iou[k]))
        rows = []
        for k in order:
            others = matrix[k].copy()
            others[k] = 0
            rows.append(
                (
                    self._name(k),
                    _percent(iou[k]),
                    _percent(accuracy[k]),
                    int(found.labelled[k]),
                    int(found.predicted[k]),
                    self._name(int(others.argmax())) if others.any() else "",
                )
            )
        columns = (
            Message("class"),
            Message("IoU (%)"),
            Message("accuracy (%)"),
            Message("labelled pixels"),
            Message("predicted pixels"),
            Message("most often taken for"),
        )
        return (
            Table(title=Message("Classes by IoU, the lowest first"), columns=columns, rows=tuple(rows)),
            Table(
                title=Message("Pixels of the masks"),
                columns=(Message("counted"), Message("ignored"), Message("outside of the crop")),
                rows=((int(found.labelled.sum()), self._ignored, self._outside),),
            ),
        )

    def _name(self, index: int) -> str:
        return f"{index} {self._names[index]}" if self._names else str(index)


def _percent(share: float) -> float | str:
    return "–" if math.isnan(share) else 100 * float(share)
