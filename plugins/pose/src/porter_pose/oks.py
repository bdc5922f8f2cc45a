"""Object keypoint similarity, and pycocotools' evaluation of people in memory."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from porter_detection.coco_eval import coco
from porter_pose.person import Annotation, Posed

if TYPE_CHECKING:
    from numpy.typing import NDArray

COCO_SIGMAS = tuple(
    one / 10
    for one in (0.26, 0.25, 0.25, 0.35, 0.35, 0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89)
)
"""Of the 17 joints of COCO: `Params.kpt_oks_sigmas`."""
OTHER_SIGMA = 0.05
"""Of any other joint."""
VISIBLE_SCORE = 0.2
"""Score from which a joint counts in that of its person: the authors' IN_VIS_THRE."""
NMS_OKS = 0.9
"""Similarity from which one of two people is a copy: the authors' OKS_THRE."""


def sigmas_of(joints: int, given: Sequence[float] = ()) -> NDArray[np.float64]:
    """The sigma of each joint, as labelled, or COCO's."""
    if len(given) == joints:
        return np.array(given, np.float64)
    return np.array(COCO_SIGMAS) if joints == len(COCO_SIGMAS) else np.full(joints, OTHER_SIGMA)


def similarity(found: Posed, wanted: Annotation, sigmas: NDArray[np.float64]) -> float:
    """OKS of a pose with a labelled person, 0 to 1, over its labelled joints: `COCOeval.computeOks`."""
    labelled = np.array(wanted.joints, np.float64).reshape(-1, 3)
    seen = labelled[:, 2] > 0
    if not seen.any():
        return 0.0
    off = np.square(np.array(found.joints, np.float64) - labelled[:, :2]).sum(axis=1)
    exponent = off / np.square(2 * sigmas) / (wanted.area + np.spacing(1)) / 2
    return float(np.exp(-exponent[seen]).mean())


def person_score(found: Posed, box_score: float) -> float:
    """The score of a person: that of the box times the mean of the joints that are seen."""
    seen = [one for one in found.scores if one > VISIBLE_SCORE]
    return box_score * (sum(seen) / len(seen) if seen else 0.0)


def without_copies(
    people: Sequence[tuple[Posed, float, float]], sigmas: NDArray[np.float64]
) -> list[tuple[Posed, float]]:
    """People of one image (pose, score, area of the box) by decreasing score, those left out that are a better one's
    copy: `oks_nms` of the authors."""
    rest = sorted(people, key=lambda one: -one[1])
    kept: list[tuple[Posed, float]] = []
    while rest:
        best, score, area = rest.pop(0)
        kept.append((best, score))
        rest = [one for one in rest if _alike(best, one[0], (area + one[2]) / 2, sigmas) <= NMS_OKS]
    return kept


def _alike(one: Posed, other: Posed, area: float, sigmas: NDArray[np.float64]) -> float:
    off = np.square(np.array(one.joints, np.float64) - np.array(other.joints, np.float64)).sum(axis=1)
    return float(np.exp(-off / np.square(2 * sigmas) / (area + np.spacing(1)) / 2).mean())


def keypoint_eval(
    wanted: Sequence[Annotation], found: Mapping[int, Sequence[tuple[Posed, float]]], sigmas: NDArray[np.float64]
) -> Any:
    """A `COCOeval` of keypoints that has evaluated and accumulated, with pycocotools' own settings."""
    from pycocotools.cocoeval import COCOeval

    images = sorted({one.image for one in wanted} | set(found))
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
        evaluation = COCOeval(_labelled(wanted, images), _found(found, images), "keypoints")
        evaluation.params.kpt_oks_sigmas = sigmas
        evaluation.params.imgIds = images
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation


def _labelled(wanted: Sequence[Annotation], images: Sequence[int]) -> Any:
    return coco(
        images,
        [
            {
                "image_id": one.image,
                "category_id": 1,
                "keypoints": list(one.joints),
                "num_keypoints": one.labelled,
                "bbox": list(one.box),
                "area": one.area,
                "iscrowd": int(one.crowd),
            }
            for one in wanted
        ],
        classes=1,
    )


def _found(found: Mapping[int, Sequence[tuple[Posed, float]]], images: Sequence[int]) -> Any:
    annotations = []
    for image, people in found.items():
        for posed, score in people:
            joints = np.array(posed.joints, np.float64)
            (left, top), (right, bottom) = joints.min(axis=0), joints.max(axis=0)
            flat = [value for (x, y), one in zip(posed.joints, posed.scores, strict=True) for value in (x, y, one)]
            # As `COCO.loadRes` fills them in.
            box = [left, top, right - left, bottom - top]
            annotations.append(
                {
                    "image_id": image,
                    "category_id": 1,
                    "keypoints": flat,
                    "score": score,
                    "bbox": box,
                    "area": box[2] * box[3],
                    "iscrowd": 0,
                }
            )
    return coco(images, annotations, classes=1)
