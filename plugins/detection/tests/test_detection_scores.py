"""mAP is pycocotools' own to the last digit, resamples are images drawn again, and answers have a tolerance."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from detection_sets import NAMES, random_set, spec_of

from porter import Item, Manifest
from porter_detection.boxes import Detected, overlaps, suppressed
from porter_detection.coco_eval import Resampler, coco_eval, mean_precision
from porter_detection.scorer import DetectionScorer, f1
from porter_detection.task import Detection, Seen
from porter_detection.truth import Labelled, Truth, read, written

IMAGES = 60
TASK = Detection()


def scored(truths: list[Truth], found: list[Detected | None]) -> DetectionScorer:
    scorer = DetectionScorer(spec_of(), TASK.shown_score)
    for number, (truth, one) in enumerate(zip(truths, found, strict=True)):
        scorer.add(Item(f"{number}.jpg", written(truth)), one)
    return scorer


def by_pycocotools(truths: list[Truth], found: list[Detected | None], folder: Path) -> Any:
    """`COCOeval` as its own demo calls it, on files."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    labels = {
        "images": [{"id": 10 * n} for n in range(len(truths))],
        "categories": [{"id": 3 * kind + 1, "name": name} for kind, name in enumerate(NAMES)],
        "annotations": [
            {
                "image_id": 10 * n,
                "category_id": 3 * one.kind + 1,
                "bbox": one.box,
                "area": one.area,
                "iscrowd": one.crowd,
            }
            for n, truth in enumerate(truths)
            for one in truth.boxes
        ],
    }
    for number, annotation in enumerate(labels["annotations"], start=1):
        annotation["id"], annotation["iscrowd"] = number, int(annotation["iscrowd"])
    results = [
        {"image_id": 10 * n, "category_id": 3 * k + 1, "bbox": [x, y, u - x, v - y], "score": s}
        for n, one in enumerate(found)
        if one is not None
        for (x, y, u, v), k, s in zip(one.boxes, one.classes, one.scores, strict=True)
    ]
    for name, content in (("labels.json", labels), ("results.json", results)):
        (folder / name).write_text(json.dumps(content))
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(folder / "labels.json"))
        evaluation = COCOeval(truth, truth.loadRes(str(folder / "results.json")), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


@pytest.mark.parametrize("ties", [False, True])
def test_the_figures_are_those_of_pycocotools(tmp_path: Path, ties: bool) -> None:
    truths, found = random_set(IMAGES, seed=1, ties=ties)
    expected = by_pycocotools(truths, found, tmp_path)
    scorer = scored(truths, found)
    values = {metric.name: metric.value / 100 for metric in scorer.metrics()}
    assert values["map"] > 0.1
    for place, name in enumerate(("map", "ap50", "ap75", "ap_small", "ap_medium", "ap_large")):
        assert values[name] == pytest.approx(expected.stats[place], abs=1e-15), name
    assert values["ar100"] == pytest.approx(expected.stats[8], abs=1e-15)
    precision = expected.eval["precision"][:, :, :, 0, 2]
    (table,) = scorer.tables()
    assert [row[0] for row in table.rows] == list(NAMES)
    for kind, row in enumerate(table.rows):
        assert row[1:4] == pytest.approx(
            [100 * precision[:, :, kind].mean(), *100 * precision[[0, 5], :, kind].mean(1)]
        )
    assert {metric.count for metric in scorer.metrics()} == {IMAGES}


def test_weights_of_one_give_the_figure_itself() -> None:
    for seed, ties in ((2, False), (3, True)):
        scorer = scored(*random_set(IMAGES, seed=seed, ties=ties))
        whole = next(metric.value for metric in scorer.metrics() if metric.name == "map")
        assert scorer.resampled(np.ones(IMAGES, np.int64)) == pytest.approx(whole, abs=1e-9)


def test_a_resample_is_the_set_with_these_images() -> None:
    truths, found = random_set(IMAGES, seed=4)
    resampler = Resampler(coco_eval(truths, found, len(NAMES)))
    random = np.random.default_rng(5)
    for _ in range(3):
        weights = np.bincount(random.integers(0, IMAGES, IMAGES), minlength=IMAGES)
        again = [place for place, count in enumerate(weights) for _ in range(count)]
        drawn = coco_eval([truths[k] for k in again], [found[k] for k in again], len(NAMES))
        assert resampler(weights) == pytest.approx(mean_precision(drawn), abs=1e-12)
    assert resampler(np.zeros(IMAGES, np.int64)) == 0.0


def test_nothing_found_and_nothing_to_find() -> None:
    box = Labelled(1, (0, 0, 10, 10), 100)
    none = Detected((), (), ())
    scorer = scored([Truth((20, 20), (box,)), Truth((20, 20), ())], [none, None])
    values = {metric.name: metric.value for metric in scorer.metrics()}
    assert (values["map"], values["ap50"], values["ap75"]) == (0, 0, 0) and "ap_large" not in values
    assert scorer.resampled(np.array([1, 1])) == 0.0
    assert [row[0] for row in scorer.tables()[0].rows] == ["dog"], "classes without a label have no AP"
    empty = scored([Truth((20, 20), ())], [none])
    assert [metric.value for metric in empty.metrics()] == [0, 0, 0]
    assert DetectionScorer(spec_of(), 0.3).metrics() == () == DetectionScorer(spec_of(), 0.3).tables()


def test_crowds_cost_nothing_and_earn_nothing() -> None:
    truth = Truth((100, 100), (Labelled(0, (0, 0, 10, 10), 100), Labelled(0, (50, 50, 50, 50), 2500, crowd=True)))
    found = Detected(((0, 0, 10, 10), (60, 60, 80, 80)), (0, 0), (0.5, 0.9))
    scorer = scored([truth], [found])
    assert scorer.metrics()[0].value == pytest.approx(100.0)
    assert scorer.resampled(np.array([1])) == pytest.approx(100.0)
    assert f1(truth, found) == 1.0


def test_the_score_of_an_image() -> None:
    truth = Truth((100, 100), (Labelled(0, (0, 0, 10, 10), 100), Labelled(1, (20, 20, 10, 10), 100)))
    right, wrong = (0.0, 0.0, 10.0, 10.0), (50.0, 50.0, 60.0, 60.0)
    assert f1(truth, Detected((right,), (0,), (0.9,))) == pytest.approx(2 / 3)
    assert f1(truth, Detected((right, wrong), (0, 1), (0.9, 0.8))) == pytest.approx(0.5)
    assert f1(truth, Detected((right,), (1,), (0.9,))) == 0.0
    assert f1(Truth((9, 9), ()), Detected((), (), ())) == 1.0


def test_random_boxes_are_no_better_than_guessing() -> None:
    truths, _ = random_set(40, seed=6)
    random = np.random.default_rng(0)
    found = []
    for _ in truths:
        corner = random.random((50, 2)) * 300
        boxes = np.concatenate([corner, corner + random.random((50, 2)) * 100], axis=1)
        found.append(
            Detected(tuple(map(tuple, boxes.tolist())), tuple(random.integers(0, 3, 50).tolist()), (0.5,) * 50)
        )
    metrics = scored(truths, found).metrics()
    assert "no better than guessing" in str(TASK.chance(spec_of(), metrics))
    assert TASK.chance(spec_of(), scored(*random_set(40, seed=1)).metrics()) == ""


def test_labels_are_read_as_they_were_written() -> None:
    for truth in random_set(20, seed=7)[0]:
        assert read(written(truth)) == truth


def seen(*rows: tuple[float, float, float, float, int, float]) -> Any:
    """The answer of these boxes, each with class and score."""
    order = sorted(rows, key=lambda row: -row[5])
    boxes, classes, scores = [row[:4] for row in order], [row[4] for row in order], [row[5] for row in order]
    return TASK.answer(Detected(tuple(boxes), tuple(classes), tuple(scores)))


BOX = (10.0, 10.0, 110.0, 110.0, 0, 0.8)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (((10.0, 10.0, 110.0, 110.0, 0, 0.8),), True),
        (((12.0, 12.0, 112.0, 112.0, 0, 0.8),), True),  # IoU 0.92
        (((14.0, 14.0, 114.0, 114.0, 0, 0.8),), False),  # IoU 0.85
        (((10.0, 10.0, 110.0, 110.0, 1, 0.8),), False),
        (((10.0, 10.0, 110.0, 110.0, 0, 0.84),), True),
        (((10.0, 10.0, 110.0, 110.0, 0, 0.7),), False),
        ((BOX, (200.0, 200.0, 210.0, 210.0, 0, 0.28)), True),  # too weak to be seen
        ((BOX, (200.0, 200.0, 210.0, 210.0, 0, 0.31)), False),
        ((), False),
    ],
)
def test_a_box_that_hardly_moved_has_not_changed(
    other: tuple[tuple[float, float, float, float, int, float], ...], same: bool
) -> None:
    assert TASK.is_same(seen(BOX), seen(*other)) is same
    assert TASK.is_same(seen(*other), seen(BOX)) is same
    assert not TASK.is_same(seen(*other), None) and TASK.is_same(None, None)


def test_a_score_that_falls_below_the_threshold_by_little_is_no_change() -> None:
    one, other = (replace_score(BOX, score) for score in (0.31, 0.29))
    assert TASK.is_same(seen(one), seen(other)) and TASK.is_same(seen(other), seen(one))
    assert not TASK.is_same(seen(replace_score(BOX, 0.31)), seen(replace_score(BOX, 0.24)))


def replace_score(box: tuple[float, float, float, float, int, float], score: float) -> Any:
    return (*box[:5], score)


def test_answers_are_small_hashable_and_told_in_words() -> None:
    answer = seen(BOX, (0.0, 0.0, 5.0, 5.0, 2, 0.9))
    assert isinstance(answer, Seen) and {answer} == {seen((0.0, 0.0, 5.0, 5.0, 2, 0.9), BOX)}
    assert str(answer) == "1 × class 0, 1 × class 2" and str(seen()) == "no boxes"
    assert TASK.row(answer.boxes) == ["2", "2 0.9 0 0 5 5; 0 0.8 10 10 110 110"]


def test_a_user_is_told_names_scores_and_edges() -> None:
    prediction = seen(BOX, (0.04, 0.0, 5.0, 5.0, 2, 0.91234), (0.0, 0.0, 5.0, 5.0, 1, 0.29)).boxes
    assert TASK.entries(prediction, spec_of()) == [
        {"class": 2, "name": "bird", "score": 0.9123, "box": [0.0, 0.0, 5.0, 5.0]},
        {"class": 0, "name": "cat", "score": 0.8, "box": [10.0, 10.0, 110.0, 110.0]},
    ]
    assert "name" not in TASK.entries(prediction, spec_of(class_names=()))[0]


def test_the_picture_shows_labels_and_both_answers() -> None:
    pixels = np.full((120, 200, 3), 60, np.uint8)
    item = Item("a.jpg", written(Truth((200, 120), (Labelled(0, (20, 20, 50, 50), 2500),))))
    drawn = TASK.picture(pixels, seen((100.0, 20.0, 150.0, 70.0, 0, 0.9)), None, item)
    assert drawn is not None and (pixels == 60).all(), "the image itself is left alone"
    colours = {tuple(colour) for colour in drawn.reshape(-1, 3).tolist()}
    assert colours == {(60, 60, 60), (255, 255, 255), (40, 220, 90)}
    assert tuple(drawn[20, 40]) == (255, 255, 255) and tuple(drawn[40, 40]) == (60, 60, 60)


def test_suppression_is_greedy_and_by_class() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 1, 10, 11], [0, 0, 10, 10], [50, 50, 60, 60], [0, 4, 10, 14]], float)
    classes, scores = np.array([0, 0, 1, 0, 0]), np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    assert overlaps(boxes[0], boxes[1])[0, 0] == pytest.approx(9 / 11)
    assert suppressed(boxes, classes, scores, 0.5, 9).tolist() == [0, 2, 3, 4]
    assert suppressed(boxes, classes, scores, 0.4, 9).tolist() == [0, 2, 3]
    assert suppressed(boxes, classes, scores, 0.5, 2).tolist() == [0, 2]
    assert suppressed(boxes[:0], classes[:0], scores[:0], 0.5, 9).tolist() == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_classes": None, "class_names": ()}, "num_classes: missing; task 'detection' needs it"),
        ({"facts": {"NMS IoU": "70"}}, "facts: 'NMS IoU' is '70', not a number from 0 to 1"),
        ({"facts": {"Box head": "yolov9"}}, "facts: 'Box head' is 'yolov9', not one of rows"),
        ({"facts": {"Boxes": "0"}}, "facts: 'Boxes' is '0', not a whole number from 1 on"),
        ({"facts": {"Parameters": "3"}}, ""),
    ],
)
def test_a_spec_that_does_not_fit_is_named(changes: dict[str, Any], message: str) -> None:
    assert TASK.misfit(spec_of(**changes)).startswith(message) and bool(TASK.misfit(spec_of(**changes))) == bool(
        message
    )


def test_the_scorer_takes_the_task_s_threshold() -> None:
    manifest = Manifest(root="/", items=(), found=0, selection="all", labels_from="here")
    assert isinstance(TASK.scorer(spec_of(), manifest), DetectionScorer)
