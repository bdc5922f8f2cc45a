"""Masks as people have them: names, kinds of PNG, ids, maps of ids, and what is wrong with one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from segmentation_inputs import write_mask

from porter import BadInput, DataRequest, Manifest, ModelSpec
from porter_segmentation.ids import IGNORED, MAPS, ids_of
from porter_segmentation.masks import classes_in, masked_manifest
from porter_segmentation.shapes import SPEC

CITIES = replace(SPEC, num_classes=19, class_names=())


def write_image(path: Path, height: int = 4, width: int = 6) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height)).save(path)


def listed(folder: Path, spec: ModelSpec = SPEC, labels: str = "masks", **options: Any) -> Manifest:
    return masked_manifest(DataRequest(root=str(folder / "images"), labels=folder / labels, spec=spec, **options))


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("a.jpg", "a.png"),
        ("town/a.png", "town/a.png"),
        ("town/a.png", "elsewhere/a.png"),
        ("a.jpg", "a_mask.png"),
        ("a.jpg", "a_labelIds.png"),
        ("town/a_000019_leftImg8bit.png", "town/a_000019_gtFine_labelIds.png"),
        ("town/a_000019_leftImg8bit.png", "town/a_000019_gtFine_labelTrainIds.png"),
    ],
)
def test_masks_are_found_by_name(tmp_path: Path, image: str, mask: str) -> None:
    write_image(tmp_path / "images" / image)
    write_mask(tmp_path / "masks" / mask, np.zeros((4, 6)))
    (item,) = listed(tmp_path).items
    assert (item.id, item.label) == (image, mask)


def test_of_ids_and_train_ids_a_map_takes_the_ids(tmp_path: Path) -> None:
    write_image(tmp_path / "images/a_leftImg8bit.png")
    for ending in ("labelIds", "labelTrainIds"):
        write_mask(tmp_path / f"masks/a_gtFine_{ending}.png", np.zeros((4, 6)) + (7 if ending == "labelIds" else 0))
    assert listed(tmp_path, CITIES).items[0].label == "a_gtFine_labelTrainIds.png"
    assert listed(tmp_path, CITIES, class_map=MAPS["cityscapes"]).items[0].label == "a_gtFine_labelIds.png"


@pytest.mark.parametrize(("image", "mask"), [("a.jpg", "a.png"), ("a.png", "a_mask.png"), ("a.png", "masks/a.png")])
def test_masks_beside_their_images_are_no_images(tmp_path: Path, image: str, mask: str) -> None:
    write_image(tmp_path / "images" / image)
    write_mask(tmp_path / "images" / mask, np.zeros((4, 6)))
    found = listed(tmp_path, labels="images/masks" if mask.startswith("masks/") else "images")
    assert [(item.id, item.label) for item in found.items] == [(image, Path(mask).name)] and found.found == 1


def ids_in(path: Path, spec: ModelSpec = SPEC, class_map: Path | None = None, offset: int = 0) -> list[int]:
    return classes_in(path, ids_of(spec, class_map, offset)).ravel().tolist()


def test_grey_palette_one_bit_and_sixteen_bits(tmp_path: Path) -> None:
    values = np.array([[0, 1, 4, 255]], np.uint8)
    Image.fromarray(values).save(tmp_path / "grey.png")
    palette = Image.fromarray(values, "P")
    palette.putpalette([7, 7, 7] * 256)
    palette.save(tmp_path / "palette.png")
    Image.fromarray(values.astype(np.uint16)).save(tmp_path / "deep.png")
    Image.fromarray(values == 1).save(tmp_path / "bit.png")
    for name in ("grey", "palette", "deep"):
        assert ids_in(tmp_path / f"{name}.png") == [0, 1, 4, IGNORED]
    assert ids_in(tmp_path / "bit.png") == [0, 1, 0, 0]


def test_maps_that_ship(tmp_path: Path) -> None:
    cities = write_mask(tmp_path / "c.png", np.array([[0, 7, 8, 9, 26, 33, 255]]))
    assert ids_in(cities, CITIES, MAPS["cityscapes"]) == [IGNORED, 0, 1, IGNORED, 13, 18, IGNORED]
    ade = replace(SPEC, num_classes=150, class_names=())
    assert ids_in(write_mask(tmp_path / "a.png", np.array([[0, 1, 150]])), ade, MAPS["ade20k"]) == [IGNORED, 0, 149]
    voc = replace(SPEC, num_classes=21, class_names=())
    assert ids_in(write_mask(tmp_path / "v.png", np.array([[0, 20, 255]])), voc, MAPS["voc"]) == [0, 20, IGNORED]


def test_an_offset_ignores_what_lies_below(tmp_path: Path) -> None:
    path = write_mask(tmp_path / "m.png", np.array([[0, 1, 5, 255]]))
    assert ids_in(path, offset=1) == [IGNORED, 0, 4, IGNORED]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("map.csv", "id,class\n10,1\n20,ring\n30,ignore\nother,0\n"),
        ("map.txt", "10;1\n# twenty\n20;4\n30;-1\nother;background\n"),
        ("map.yaml", "10: 1\n20: ring\n30: ignore\nother: 0\n"),
        ("map.json", '{"10": 1, "20": 4, "30": 255, "other": "background"}'),
    ],
)
def test_maps_as_people_write_them(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    path = write_mask(tmp_path / "m.png", np.array([[10, 20, 30, 77]]))
    assert ids_in(path, class_map=tmp_path / name) == [1, 4, IGNORED, 0]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("10,5", "map.csv, line 1: '5' is no class (0 to 4, its name, or 'ignore')"),
        ("10,rings", "line 1: 'rings' is no class (0 to 4, its name, or 'ignore'). Did you mean 'ring'?"),
        ("10,1\n10,2", "line 2: id 10 is there twice"),
        ("-4,1", "line 1: '-4' is no value of a mask, 0 to 65535"),
        ("10 1", "line 1: '10 1' is not `ID,CLASS`"),
        ("10,ignore", "map.csv: no id has a class"),
    ],
)
def test_a_wrong_map_is_one_line(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "map.csv").write_text(text)
    with pytest.raises(BadInput, match=re.escape(reason)) as caught:
        ids_of(SPEC, tmp_path / "map.csv", 0)
    assert "\n" not in str(caught.value)


def test_a_map_and_an_offset_are_one_too_many() -> None:
    with pytest.raises(BadInput, match="--label-offset and --class-map"):
        ids_of(SPEC, MAPS["voc"], 1)


def _shrink(path: Path) -> None:
    Image.open(path).resize((2, 2)).save(path)


def _unknown(path: Path) -> None:
    write_mask(path, np.eye(4, 6) * 9)


def _colour(path: Path) -> None:
    Image.open(path).convert("RGB").save(path)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:45])


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (Path.unlink, "no such mask, for the image b.png"),
        (_shrink, "2×2 pixels, its image b.png has 4×6"),
        (_unknown, "id 9 at row 0, column 0; the model has classes 0 to 4, and 255 is ignored. Use --class-map FILE"),
        (_colour, "3 channels (RGB); a mask has one"),
        (_cut, "not a whole PNG mask"),
    ],
)
def test_a_bad_mask_is_one_line_that_names_it(tmp_path: Path, damage: Callable[[Path], None], reason: str) -> None:
    for name in "abc":
        write_image(tmp_path / f"images/{name}.png")
        write_mask(tmp_path / f"masks/{name}.png", np.zeros((4, 6)))
    path = tmp_path / "masks/b.png"
    damage(path)
    with pytest.raises(BadInput, match=f"^{re.escape(str(path))}: .*{re.escape(reason)}") as caught:
        listed(tmp_path)
    assert "\n" not in str(caught.value)


def test_ids_that_fit_a_map_that_ships_name_it(tmp_path: Path) -> None:
    write_image(tmp_path / "images/a.png")
    write_mask(tmp_path / "masks/a.png", np.full((4, 6), 33))
    with pytest.raises(BadInput, match=r"id 33 .*\. Use `--class-map cityscapes`$"):
        listed(tmp_path, CITIES)


def test_masks_without_a_pixel_that_counts(tmp_path: Path) -> None:
    write_image(tmp_path / "images/a.png")
    write_mask(tmp_path / "masks/a.png", np.full((4, 6), 255))
    with pytest.raises(BadInput, match="every pixel of all 1 masks is ignored"):
        listed(tmp_path)


def test_labels_must_be_a_folder(tmp_path: Path) -> None:
    write_image(tmp_path / "images/a.png")
    (tmp_path / "masks.txt").write_text("")
    with pytest.raises(BadInput, match=r"Use --labels DIR, a folder with a PNG"):
        masked_manifest(DataRequest(root=str(tmp_path / "images"), spec=SPEC))
    with pytest.raises(BadInput, match=r"masks\.txt: a file; segmentation takes a folder"):
        listed(tmp_path, labels="masks.txt")
