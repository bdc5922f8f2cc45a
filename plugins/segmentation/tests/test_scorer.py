"""Figures of a scorer against those by hand, with sets of pixels, and by a bootstrap of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from segmentation_inputs import write_mask

from porter import BadInput, Item, LabelFinding, Manifest
from porter_segmentation.prediction import segmented
from porter_segmentation.scorer import OverlapScorer
from porter_segmentation.shapes import SPEC
from porter_segmentation.task import Segmentation

TASK = Segmentation()
Masks = list[NDArray[np.uint8]]


def scored(folder: Path, truths: Masks, found: list[NDArray[np.uint8] | None], classes: int = 3) -> OverlapScorer:
    items = [Item(f"{k}.jpg", f"{k}.png") for k in range(len(truths))]
    for item, truth in zip(items, truths, strict=True):
        write_mask(folder / str(item.label), truth)
    spec = replace(SPEC, num_classes=classes, class_names=("sky", "road", "car")[:classes] if classes == 3 else ())
    manifest = Manifest(
        root="", labels_root=str(folder), items=tuple(items), found=len(items), selection="", labels_from=""
    )
    scorer = OverlapScorer(spec, manifest)
    for item, mask in zip(items, found, strict=True):
        scorer.add(item, None if mask is None else segmented(mask))
    return scorer


def values(scorer: OverlapScorer) -> dict[str, float]:
    return {metric.name: metric.value for metric in scorer.metrics()}


def drawn(count: int, classes: int, seed: int = 0, shape: tuple[int, int] = (12, 9)) -> tuple[Masks, Masks]:
    """Truths, some of it ignored, and predictions that are mostly the same."""
    generator = np.random.default_rng(seed)
    truths = [generator.integers(0, classes, shape, np.uint8) for _ in range(count)]
    wrong = [generator.random(shape) < generator.uniform(0, 0.6) for _ in range(count)]
    found = [
        np.where(w, generator.integers(0, classes, shape, np.uint8), t) for w, t in zip(wrong, truths, strict=True)
    ]
    for truth in truths:
        truth[generator.random(shape) < 0.1] = 255
    return truths, found


def by_hand(truths: Masks, found: Masks, classes: int) -> NDArray[np.float64]:
    """A confusion matrix, pixel by pixel."""
    matrix = np.zeros((classes, classes))
    for truth, mask in zip(truths, found, strict=True):
        for labelled, predicted in zip(truth.ravel(), mask.ravel(), strict=True):
            if labelled != 255:
                matrix[labelled, predicted] += 1
    return matrix


def mean_iou(matrix: NDArray[np.float64]) -> float:
    union = matrix.sum(0) + matrix.sum(1) - matrix.diagonal()
    return float(np.mean([100 * right / of for right, of in zip(matrix.diagonal(), union, strict=True) if of]))


def test_four_pixels_by_hand(tmp_path: Path) -> None:
    scorer = scored(tmp_path, [np.array([[0, 0, 1, 255]], np.uint8)], [np.array([[0, 1, 1, 2]], np.uint8)])
    assert values(scorer) == pytest.approx(
        {"miou": 50.0, "pixel_accuracy": 200 / 3, "mean_class_accuracy": 75.0}  # sky 1/2, road 1/2; car is nowhere
    )
    classes, pixels = scorer.tables()
    assert classes.rows == (
        ("0 sky", 50.0, 50.0, 2, 1, "1 road"),
        ("1 road", 50.0, 100.0, 1, 2, ""),
        ("2 car", "–", "–", 0, 0, ""),
    )
    assert pixels.rows == ((3, 1, 0),)


def test_the_figures_are_those_of_a_confusion_matrix_by_hand(tmp_path: Path) -> None:
    truths, found = drawn(8, 6)
    scorer, matrix = scored(tmp_path, truths, list(found), 6), by_hand(truths, found, 6)
    per_class = 100 * matrix.diagonal() / matrix.sum(1)
    assert values(scorer) == pytest.approx(
        {
            "miou": mean_iou(matrix),
            "pixel_accuracy": 100 * matrix.diagonal().sum() / matrix.sum(),
            "mean_class_accuracy": per_class.mean(),
        }
    )
    rows = scorer.tables()[0].rows
    assert [row[1] for row in rows] == sorted(row[1] for row in rows), "worst first"  # type: ignore[type-var]


def test_each_image_has_its_own_mean_iou_as_score(tmp_path: Path) -> None:
    truths, found = drawn(3, 4)
    scorer = scored(tmp_path, truths, list(found), 4)
    for k, (truth, mask) in enumerate(zip(truths, found, strict=True)):
        score = scorer.add(Item(f"{k}.jpg", f"{k}.png"), segmented(mask))
        assert 100 * score == pytest.approx(mean_iou(by_hand([truth], [mask], 4)))


def test_no_answer_misses_every_labelled_pixel(tmp_path: Path) -> None:
    truths, found = drawn(4, 3)
    scorer = scored(tmp_path, truths, [found[0], None, found[2], None])
    matrix = by_hand(truths[::2], found[::2], 3)
    labelled = matrix.sum(1) + by_hand(truths[1::2], truths[1::2], 3).sum(1)
    right = matrix.diagonal()
    iou = 100 * right / (labelled + matrix.sum(0) - right)
    assert values(scorer)["miou"] == pytest.approx(iou.mean())
    assert values(scorer)["pixel_accuracy"] == pytest.approx(100 * right.sum() / labelled.sum())


def test_what_the_model_does_not_see_is_not_counted(tmp_path: Path) -> None:
    truth = np.array([[0, 1, 2, 2]], np.uint8)
    scorer = scored(tmp_path, [truth], [np.array([[0, 1, 3, 3]], np.uint8)])
    assert values(scorer)["miou"] == 100.0
    assert scorer.tables()[1].rows == ((2, 0, 2),)


def test_resamples_are_the_metric_of_images_drawn_again(tmp_path: Path) -> None:
    """An independent bootstrap: the images themselves are drawn again, pixel by pixel."""
    truths, found = drawn(10, 4, shape=(6, 5))
    scorer, generator = scored(tmp_path, truths, list(found), 4), np.random.default_rng(3)
    for _ in range(20):
        chosen = generator.integers(0, 10, 10)
        again = mean_iou(by_hand([truths[k] for k in chosen], [found[k] for k in chosen], 4))
        assert scorer.resampled(np.bincount(chosen, minlength=10)) == pytest.approx(again)
    assert scorer.resampled(np.ones(10, np.int64)) == pytest.approx(values(scorer)["miou"])


def test_a_mask_of_another_size_than_the_prediction_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"0\.png: 2×2 pixels, its image 0\.jpg has 3×2"):
        scored(tmp_path, [np.zeros((2, 2), np.uint8)], [np.zeros((3, 2), np.uint8)])


def faults(folder: Path, labels: Masks, found: Masks, classes: int) -> tuple[LabelFinding, ...]:
    return scored(folder, labels, list(found), classes).label_faults()


def test_shifted_and_exchanged_ids_are_told(tmp_path: Path) -> None:
    """Ids that count from one, ids in another order, and those that are right."""
    truths, found = drawn(40, 6)
    for truth in truths:
        truth[truth == 5] = 255
    assert faults(tmp_path / "right", truths, found, 6) == ()
    shifted = [np.where(truth == 255, truth, truth + 1) for truth in truths]
    (finding,) = faults(tmp_path / "shifted", shifted, found, 6)
    assert finding.name == "shift" and "`--label-offset 1`" in str(finding.remedy)
    order = np.array([3, 0, 4, 1, 2, *range(5, 256)], np.uint8)
    (finding,) = faults(tmp_path / "order", [order[truth] for truth in truths], found, 6)
    assert finding.name == "permutation" and finding.hits > finding.hits_now and len(finding.examples) == 3


def test_random_masks_explain_nothing(tmp_path: Path) -> None:
    truths, _ = drawn(24, 3)
    assert faults(tmp_path, truths, drawn(24, 3, seed=9)[1], 3) == ()


def test_answers_are_the_same_below_one_percent_of_the_pixels() -> None:
    mask = np.zeros((256, 320), np.uint8)
    small, large = mask.copy(), mask.copy()
    small[:20, :20], large[:40, :60] = 1, 1
    answers = [TASK.answer(segmented(one)) for one in (mask, small, large)]
    assert len(set(map(hash, answers))) >= 2
    assert TASK.is_same(answers[0], answers[1]) and not TASK.is_same(answers[0], answers[2])
    assert not TASK.is_same(answers[0], None) and TASK.is_same(None, None)
    assert str(answers[2]) == "0: 97.1%, 1: 2.9%"


def test_entries_are_the_classes_by_name_the_largest_first() -> None:
    mask = np.array([[0, 1, 1, 1], [5, 5, 1, 0]], np.uint8)  # 5: not seen
    assert TASK.entries(segmented(mask), SPEC) == [
        {"class": 1, "name": "disc", "pixels": 4, "share": 0.5},
        {"class": 0, "name": "background", "pixels": 2, "share": 0.25},
    ]


def test_a_picture_shows_both_masks_and_what_changed() -> None:
    one, other = np.zeros((40, 60), np.uint8), np.zeros((40, 60), np.uint8)
    other[:, 40:] = 1
    pixels = np.full((40, 60, 3), 200, np.uint8)
    drawn_over = TASK.picture(pixels, TASK.answer(segmented(one)), TASK.answer(segmented(other)), Item("a", "a"))
    assert drawn_over.shape == (84, 60, 3) and (drawn_over[44:, 40:] == (255, 0, 255)).all()
    assert not (drawn_over[:40] == (255, 0, 255)).all(axis=2).any() and (pixels == 200).all()


def test_one_class_everywhere_is_chance(tmp_path: Path) -> None:
    truths, found = drawn(6, 4)
    spec = replace(SPEC, num_classes=4, class_names=())
    assert TASK.chance(spec, scored(tmp_path / "a", truths, list(found), 4).metrics()) == ""
    same = [np.zeros_like(one) for one in found]
    told = TASK.chance(spec, scored(tmp_path / "b", truths, list(same), 4).metrics())
    assert "no better than one class everywhere" in str(told)
