"""Labels as people have them: COCO's json and YOLO's folders, and one line for what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from detection_sets import coco, random_set, spec_of, write_coco, write_images

from porter import BadInput, DataRequest, Item, Manifest
from porter_detection.boxes import Detected
from porter_detection.scorer import labels_as_boxes
from porter_detection.task import Detection, Seen
from porter_detection.truth import Labelled, Truth, read, written


def listed(data: Path, labels: Path | None, **options: Any) -> Manifest:
    spec = spec_of(**options.pop("spec", {}))
    return Detection().manifest(DataRequest(root=str(data), spec=spec, labels=labels, **options))


def truth_of(manifest: Manifest, name: str) -> Truth:
    return read(str(next(item.label for item in manifest.items if item.id == name)))


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_images(tmp_path / "val", ["a.jpg", "b.jpg"])


def test_coco_categories_go_by_name(images: Path, tmp_path: Path) -> None:
    manifest = listed(images, write_coco(tmp_path))
    assert truth_of(manifest, "a.jpg") == Truth(
        (80, 60), (Labelled(2, (1, 2, 30, 20.5), 500), Labelled(0, (0, 0, 80, 60), 4800, crowd=True))
    )
    assert truth_of(manifest, "b.jpg").boxes == () and manifest.found == 2
    assert str(manifest.labels_from) == "COCO labels instances.json"
    assert Detection().label_text(manifest.items[0]) == "1 × class 0, 1 × class 2"


def test_without_class_names_they_go_by_the_order_of_their_numbers(images: Path, tmp_path: Path) -> None:
    manifest = listed(images, write_coco(tmp_path), spec={"class_names": ()})
    assert [one.kind for one in truth_of(manifest, "a.jpg").boxes] == [2, 0]
    with pytest.raises(BadInput, match=r"categories: 3, the model has 4 classes and names none\. Use --class-map"):
        listed(images, write_coco(tmp_path), spec={"class_names": (), "num_classes": 4})


def test_a_class_map_goes_by_name_or_number(images: Path, tmp_path: Path) -> None:
    path = tmp_path / "map.txt"
    path.write_text("# of the model\ncat 1\n17 0\nbird 1\n")
    manifest = listed(images, write_coco(tmp_path), class_map=path)
    assert [one.kind for one in truth_of(manifest, "a.jpg").boxes] == [1, 1]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("cat 3\n", "line 1: '3' is no class of the model, which has 0 to 2"),
        ("cat 0\ncat 1\n", "line 2: 'cat' has class 1 here and 0 above"),
        ("cat 0\ndog 1\n", r"annotations\[0\]\.category_id: 90, 'bird', is no line of the class map"),
    ],
)
def test_a_wrong_class_map_is_named(images: Path, tmp_path: Path, lines: str, message: str) -> None:
    path = tmp_path / "map.txt"
    path.write_text(lines)
    with pytest.raises(BadInput, match=message):
        listed(images, write_coco(tmp_path), class_map=path)


def test_images_are_found_by_name_in_folders(tmp_path: Path) -> None:
    data = write_images(tmp_path / "val", ["x/a.jpg", "y/b.jpg"])
    assert len(truth_of(listed(data, write_coco(tmp_path)), "x/a.jpg").boxes) == 2
    write_images(data, ["z/a.jpg"])
    with pytest.raises(BadInput, match=r"images\[0\]\.file_name: 'a.jpg' may be 'x/a.jpg' or 'z/a.jpg'"):
        listed(data, write_coco(tmp_path))


def test_entries_without_an_image_are_told(images: Path, tmp_path: Path) -> None:
    (images / "b.jpg").unlink()
    manifest = listed(images, write_coco(tmp_path))
    assert [str(text) for text in manifest.warnings] == [
        "1 of 2 images of instances.json are not in the data folder, and not scored"
    ]


ONE = {"id": 1, "image_id": 7, "category_id": 3, "bbox": [0, 0, 8, 6]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": None}, r"no COCO labels: images: expected `array`, got `null`"),
        ({"annotations": [{**ONE, "bbox": [1, 2, 3]}]}, r"annotations\[0\]\.bbox: expected `array` of length 4"),
        ({"annotations": [{**ONE, "bbox": [1, 2, -3, 4]}]}, r"annotations\[0\]\.bbox: \[1, 2, -3, 4\] is no left, top"),
        ({"annotations": [{**ONE, "image_id": 8}]}, r"annotations\[0\]\.image_id: 8 is the id of no image"),
        ({"annotations": [{**ONE, "category_id": 4}]}, r"annotations\[0\]\.category_id: 4 is the id of no category"),
        ({"annotations": []}, "no box on any of the 2 images"),
        ({"categories": [{"id": 3, "name": "cart"}]}, r"annotations\[0\]\.category_id: 90 is the id of no category"),
        (
            {"categories": [{"id": 3, "name": "cart"}, {"id": 90, "name": "bird"}]},
            r"annotations\[1\]\.category_id: 3, 'cart', is no class of the model.*'cat'.* Use --class-map FILE",
        ),
        ({"categories": [{"id": 3, "name": "cat"}] * 2}, r"categories\[1\]\.id: 3 is there twice"),
        ({"images": coco()["images"][:1]}, "images: no entry for 'b.jpg' of the data folder"),
        ({"images": coco()["images"][:1] * 2}, r"images\[1\]\.id: 7 is the id of images\[0\], too"),
        (
            {"images": [*coco()["images"], {"id": 1, "file_name": "a.jpg"}]},
            "images: 'a.jpg' is listed twice, with the ids 7 and 1",
        ),
    ],
)
def test_what_is_wrong_in_a_coco_file_is_one_line(
    images: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    path = write_coco(tmp_path, **changes)
    with pytest.raises(BadInput, match=message) as caught:
        listed(images, path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"), [("", "is empty"), ("[1, 2", "no COCO labels"), ("[]", "expected `object`, got `array`")]
)
def test_a_file_that_is_no_coco_json(images: Path, tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(content)
    with pytest.raises(BadInput, match=message):
        listed(images, path)


def test_other_labels_are_refused(images: Path, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    for message in ("no such file or folder; detection takes --labels FILE.json", "neither a folder nor a .json file"):
        with pytest.raises(BadInput, match=message):
            listed(images, path)
        path.write_text("a.jpg 1\n")
    with pytest.raises(BadInput, match=r"no labels: .* has no folder of labels beside it"):
        listed(images, None)
    with pytest.raises(BadInput, match="--label-offset: the categories of a COCO file go by name"):
        listed(images, write_coco(tmp_path), label_offset=1)


def yolo(folder: Path, **lines: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in lines.items():
        (folder / f"{name}.txt").write_text(text)
    return folder


def test_yolo_boxes_are_shares_of_the_image(images: Path, tmp_path: Path) -> None:
    folder = yolo(tmp_path / "labels", a="2 0.5 0.5 0.25 0.5\n0 0.1 0.1 0.2 0.2\n")
    manifest = listed(images, folder)
    truth = truth_of(manifest, "a.jpg")
    assert truth.size == (80, 60) and [one.kind for one in truth.boxes] == [2, 0]
    assert truth.boxes[0].box == pytest.approx((30, 15, 20, 30)) and truth.boxes[0].area == pytest.approx(600)
    assert truth_of(manifest, "b.jpg").boxes == ()
    assert [str(text) for text in manifest.warnings] == [
        "1 of 2 images have no file of labels, and count as images without a box"
    ]


def test_yolo_labels_beside_the_images(tmp_path: Path) -> None:
    write_images(tmp_path / "images/val", ["a.jpg"])
    yolo(tmp_path / "labels/val", a="1 0.5 0.5 1 1")
    assert truth_of(listed(tmp_path / "images/val", None), "a.jpg").boxes[0].box == (0, 0, 80, 60)
    assert truth_of(listed(tmp_path / "images", None), "val/a.jpg").boxes[0].kind == 1
    assert truth_of(listed(tmp_path, None), "images/val/a.jpg").boxes[0].kind == 1


def test_yolo_classes_by_offset_and_map(images: Path, tmp_path: Path) -> None:
    folder = yolo(tmp_path / "labels", a="3 0.5 0.5 1 1", b="\n")
    assert truth_of(listed(images, folder, label_offset=1), "a.jpg").boxes[0].kind == 2
    (tmp_path / "map.txt").write_text("3 0\n")
    assert truth_of(listed(images, folder, class_map=tmp_path / "map.txt"), "a.jpg").boxes[0].kind == 0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0 0.5 0.5 0.2", "line 1: 4 fields, expected 5: CLASS CX CY W H"),
        ("0 0.1 0.1 0.2 0.1 0.2 0.2 0.1 0.2", "line 1: 9 fields, expected 5: .* Outlines are not read"),
        ("3 0.5 0.5 0.2 0.2", "line 1: class '3' is none of the model, which has 0 to 2"),
        ("cat 0.5 0.5 0.2 0.2", "line 1: class 'cat' is none of the model"),
        ("0 40 30 20 20", "line 1: '40' is no share of the image's side, 0 to 1"),
        ("0 0.5 x 0.2 0.2", "line 1: 'x' is no share"),
        ("0 0.1 0.5 0.5 0.2", "line 1: the box lies outside of the image"),
    ],
)
def test_what_is_wrong_in_a_yolo_line_is_named(images: Path, tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(BadInput, match=message) as caught:
        listed(images, yolo(tmp_path / "labels", a=line))
    assert "a.txt" in str(caught.value)


def test_a_folder_of_other_names_is_refused(images: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no label file for any image, e\.g\. a\.txt"):
        listed(images, yolo(tmp_path / "labels", c="0 0.5 0.5 1 1"))


def test_the_selection_is_core_s(tmp_path: Path) -> None:
    names = [f"{number:02}.jpg" for number in range(20)]
    data = write_images(tmp_path / "val", names)
    folder = yolo(tmp_path / "labels", **{name[:2]: "0 0.5 0.5 1 1" for name in names})
    manifest = listed(data, folder, limit=5, keep_apart=3)
    assert len(manifest.items) == 5 and len(manifest.kept_apart) == 3 and manifest.found == 20
    assert not {item.id for item in manifest.items} & set(manifest.kept_apart)


# --- faults of the labels --------------------------------------------------------------------------------------------


def suspects(truths: list[Truth]) -> list[str]:
    """What is said of labels where the answers are those of `right_set`."""
    answers = [Seen(found) for _, found in right_set()]
    items = [Item(f"{number}.jpg", written(truth)) for number, truth in enumerate(truths)]
    return [finding.name for finding in Detection().explain_labels(answers, items, spec_of())]


def right_set() -> list[tuple[Truth, Detected]]:
    truths = []
    for truth in random_set(40, seed=8)[0]:
        boxes = tuple(
            Labelled(one.kind % 2, (one.box[0], one.box[1], one.box[2], one.box[3] + 40), one.area)
            for one in truth.boxes
        )
        truths.append(Truth(truth.size, boxes))
    return [(truth, labels_as_boxes(truth)) for truth in truths]


def changed(change: Any) -> list[Truth]:
    return [
        Truth(truth.size, tuple(change(one, np.array(truth.size)) for one in truth.boxes)) for truth, _ in right_set()
    ]


def boxed(one: Labelled, *box: float) -> Labelled:
    return Labelled(one.kind, (box[0], box[1], box[2], box[3]), one.area)


def test_exchanged_classes_are_no_shift() -> None:
    assert suspects(changed(lambda one, _: Labelled(1 - one.kind, one.box, one.area))) == []


def test_right_labels_have_no_suspect() -> None:
    assert suspects([truth for truth, _ in right_set()]) == []


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("shift", lambda one, _: Labelled(one.kind + 1, one.box, one.area)),
        ("corners", lambda one, _: boxed(one, *one.box[:2], one.box[0] + one.box[2], one.box[1] + one.box[3])),
        ("centres", lambda one, _: boxed(one, one.box[0] + one.box[2] / 2, one.box[1] + one.box[3] / 2, *one.box[2:])),
        ("shares", lambda one, size: boxed(one, *(np.array(one.box) / [*size, *size]).tolist())),
        ("axes", lambda one, _: boxed(one, one.box[1], one.box[0], one.box[3], one.box[2])),
    ],
)
def test_the_usual_faults_of_labels_are_named(name: str, change: Any) -> None:
    assert suspects(changed(change))[:1] == [name]
