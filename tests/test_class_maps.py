"""Class maps as people have them, and data folders one level off."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from porter.data.class_map import read_class_map
from porter.data.folders import labels_from_folders
from porter.errors import BadInput

WNIDS = ("n01440764", "n01443537", "n01484850")
NAMES = ("tench", "goldfish", "great white shark")
WORDS = ("tench, Tinca tinca", "goldfish, Carassius auratus", "great white shark, white shark, man-eater")
MAPS: dict[str, str] = {
    "imagenet_class_index.json": json.dumps(
        {str(k): [w, n] for k, (w, n) in enumerate(zip(WNIDS, NAMES, strict=True))}
    ),
    "by WordNet id": json.dumps({w: k for k, w in enumerate(WNIDS)} | {n: k for k, n in enumerate(NAMES)}),
    "label2id": json.dumps(
        {
            "model_type": "vit",
            "label2id": {
                **dict(zip(NAMES, map(str, range(3)), strict=True)),
                **dict(zip(WNIDS, range(3), strict=True)),
            },
        }
    ),
    "id2label": json.dumps(
        {"id2label": {str(k): f"{w} {n}" for k, (w, n) in enumerate(zip(WNIDS, WORDS, strict=True))}}
    ),
    "synset_words.txt": "".join(f"{w} {n}\n" for w, n in zip(WNIDS, WORDS, strict=True)),
    "LOC_synset_mapping.txt": "".join(f"{w} {n}\r\n" for w, n in zip(WNIDS, WORDS, strict=True)),
    "folder,index": "folder,index\n"
    + "".join(f"{w},{k}\n" for k, w in enumerate((*WNIDS, *NAMES)))
    .replace(",3", ",0")
    .replace(",4", ",1")
    .replace(",5", ",2"),
    "columns": "".join(f"{w},{k},{n}\n" for k, (w, n) in enumerate(zip(WNIDS, NAMES, strict=True))),
    "no header": "".join(f"{w},{k % 3}\n" for k, w in enumerate((*WNIDS, *NAMES))),
    "index;name": "index;name\n" + "".join(f"{k % 3};{w}\n" for k, w in enumerate((*WNIDS, *NAMES))),
    "index first": "".join(f"{k}: '{w} {n}',\n" for k, (w, n) in enumerate(zip(WNIDS, WORDS, strict=True))),
    "a dictionary of Python": "{"
    + "\n ".join(f"{k}: '{w} {n}'," for k, (w, n) in enumerate(zip(WNIDS, WORDS, strict=True)))[:-1]
    + "}",
    "words by WordNet id": json.dumps(dict(zip(WNIDS, WORDS, strict=True))),
    "list of pairs": json.dumps([list(pair) for pair in zip(WNIDS, WORDS, strict=True)]),
    "categories": json.dumps(
        {"categories": [{"id": k, "name": n, "wnid": w} for k, (w, n) in enumerate(zip(WNIDS, NAMES, strict=True))]}
    ),
    "map_clsloc.txt": f"{WNIDS[1]} 1 {NAMES[1]}\n{WNIDS[0]} 2 {NAMES[0]}\n{WNIDS[2]} 3 great_white_shark\n",
}


@pytest.mark.parametrize("form", MAPS)
def test_every_form_gives_the_classes(tmp_path: Path, form: str) -> None:
    path = tmp_path / "map"
    path.write_text(MAPS[form])
    found = read_class_map(path, 3).names
    for folders in (WNIDS, NAMES, [name.upper().replace(" ", "_") for name in NAMES]):
        assert [found.find(folder) for folder in folders] == [(0,), (1,), (2,)], folders


@pytest.mark.parametrize(
    "content", ["tench\ngoldfish\ngreat white shark\n", '["tench", "goldfish", "great white shark"]']
)
def test_names_in_order(tmp_path: Path, content: str) -> None:
    path = tmp_path / "classes.txt"
    path.write_text(content)
    assert [read_class_map(path, 3).names.find(name) for name in NAMES] == [(0,), (1,), (2,)]
    with pytest.raises(BadInput, match=r"3 names \('tench', …\) for a model of 1000 classes"):
        read_class_map(path, 1000)


def test_indices_from_one_and_orders_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "classes.txt"
    path.write_text("1 001.Black_footed_Albatross\n2 002.Laysan_Albatross\n")
    with pytest.raises(BadInput, match=r"label 2 is outside 0..1; labels run from 1 to 2. Use --label-offset 1"):
        read_class_map(path, 2)
    ids = ("001.Black_footed_Albatross/a.jpg", "002.Laysan_Albatross/b.jpg")
    assert list(labels_from_folders(ids, 2, path, offset=1).labels.values()) == [0, 1]
    path.write_text("".join(f"n{place:08} {(place + 5) % 20}\n" for place in range(20)))
    found = labels_from_folders([f"n{place:08}/a.jpg" for place in range(20)], 20, path)
    assert ["are not numbered in sorted order" in str(warning) for warning in found.warnings] == [True]


def labels(
    ids: Sequence[str], num_classes: int, names: tuple[str, ...] = (), root: str = "/data/set"
) -> dict[str, int]:
    return labels_from_folders(ids, num_classes, class_names=names, root=root).labels


@pytest.mark.parametrize(
    ("ids", "advice"),
    [
        (
            ["train/a/1.jpg", "val/a/2.jpg", "test/a/3.jpg"],
            "'test', 'train', 'val' are splits.*Use --data /data/set/val$",
        ),
        (["train/a/1.jpg", "val/a/2.jpg", "x/a/3.jpg"], "'train', 'val' are splits"),
        (["val/a/1.jpg", "val/b/2.jpg"], "'val' are splits.*Use --data /data/set/val$"),
        (["train2017/1.jpg", "val2017/2.jpg"], "Use --data /data/set/val2017 and a label file with --labels$"),
        (["Training/a/1.jpg", "Testing/a/2.jpg"], "Use --data /data/set/Testing$"),
        (["images/a/1.jpg", "images/b/2.jpg"], "everything is in 'images'.*Use --data /data/set/images$"),
        (["images/1.jpg", "images/2.jpg"], "Use --data /data/set/images and a label file with --labels$"),
        (
            ["ILSVRC/Data/CLS-LOC/train/a/1.jpg", "ILSVRC/Data/CLS-LOC/val/1.jpg"],
            "Use --data /data/set/ILSVRC/Data/CLS-LOC/val and a label file",
        ),
        (["1.jpg", "2.jpg"], "no labels: the data folder has 2 images and no class folders"),
    ],
)
@pytest.mark.parametrize("num_classes", [2, 3, 1000])
def test_a_level_too_high_names_the_folder(ids: list[str], advice: str, num_classes: int) -> None:
    """Also where there are as many splits as classes, which would do for class folders."""
    with pytest.raises(BadInput, match=advice):
        labels(ids, num_classes)


def test_a_level_too_low_names_the_folder_above() -> None:
    for root, names in (("/set/val/n01440764", ()), ("/set/val/tench/", ("tench", "goldfish"))):
        with pytest.raises(
            BadInput, match=r"this is the folder of a single class\. Use --data /set/val, which has all classes"
        ):
            labels(["1.jpg", "2.jpg"], 2, names, root)


def test_an_archive_is_named_with_the_folder_inside() -> None:
    with pytest.raises(BadInput, match=r"Use --data zip://val::/data/all\.zip"):
        labels(["train/a/1.jpg", "val/a/1.jpg"], 5, root="zip://::/data/all.zip")


def test_splits_that_are_classes_of_the_model_are_classes() -> None:
    assert labels(["test/1.jpg", "train/1.jpg"], 3, ("bus", "train", "test")) == {"test/1.jpg": 2, "train/1.jpg": 1}


def test_eight_digits_are_wordnet_ids_where_they_are_no_indices() -> None:
    ids = [f"{wnid[1:]}/1.jpg" for wnid in WNIDS]
    assert list(labels(ids, 3).values()) == [0, 1, 2]
    with pytest.raises(BadInput, match=r"3 class folders .* for a model of 1000 classes"):
        labels(ids, 1000)
    assert labels(["00000000/1.jpg", "00000002/1.jpg"], 3) == {"00000000/1.jpg": 0, "00000002/1.jpg": 2}


def test_classes_below_other_folders_are_seen() -> None:
    ids = ["fish/n01440764/1.jpg", "fish/n01443537/1.jpg", "shark/n01484850/1.jpg"]
    with pytest.raises(BadInput, match=r"the 3 folders one level deeper \('n01440764', .* may be the classes"):
        labels(ids, 1000)


def test_folders_by_synonym_and_what_is_lacking() -> None:
    assert list(labels(["Tinca_tinca/1.jpg", "goldfish/1.jpg"], 3, WORDS).values()) == [0, 1]
    with pytest.raises(BadInput, match=r"2 class folders .*: the model's spec has no class names. Give a class map"):
        labels(["n01440764/1.jpg", "n01443537/1.jpg"], 1000)
    with pytest.raises(BadInput, match=r"'n01440764' is not among the model's class names. Give a class map"):
        labels(["n01440764/1.jpg", "goldfish/1.jpg"], 3, WORDS)
