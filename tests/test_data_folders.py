"""porter.data.folders: classes from folder names, and never from a guess."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from porter.data.folders import labels_from_folders
from porter.errors import BadInput


def images(*folders: str) -> tuple[str, ...]:
    return tuple(sorted(f"{folder}/x.jpg" for folder in folders))


def classes(found: dict[str, int]) -> dict[str, int]:
    return {image_id.partition("/")[0]: label for image_id, label in found.items()}


def test_numeric_folders_are_numbers_not_text() -> None:
    """Sorted as text, folders 0..11 would give folder 10 the class 2."""
    found = labels_from_folders(images(*map(str, range(12))), 12)
    assert classes(found.labels) == {str(i): i for i in range(12)}
    assert "named by class index" in str(found.source)
    assert found.warnings == ()


@given(numbers=st.sets(st.integers(0, 999), min_size=1, max_size=30))
def test_any_set_of_numeric_folders(numbers: set[int]) -> None:
    found = labels_from_folders(images(*map(str, numbers)), 1000)
    assert classes(found.labels) == {str(i): i for i in numbers}


def test_numeric_folders_with_leading_zeros() -> None:
    assert classes(labels_from_folders(images("000", "007", "010"), 20).labels) == {"000": 0, "007": 7, "010": 10}


@pytest.mark.parametrize(
    ("folders", "num_classes", "reason"),
    [
        (["0", "5"], 5, r"class folder '5': label 5 is outside 0\.\.4"),
        (["1", "2", "3"], 3, r"outside 0\.\.2; labels run from 1 to 3. Use --label-offset 1"),
        (["1", "01"], 5, "class folders '01' and '1' have the same number. Give a class map"),
        (["0", "1", "cat"], 3, r"class folders mix numbers \('0'\) and names \('cat'\). Give a class map"),
        (["cat", "dog"], 3, "2 class folders .* for a model of 3 classes.*class map"),
        (["x", "y"], 1000, r"2 class folders \('x', 'y'\) for a model of 1000 classes.*--labels"),
    ],
)
def test_folders_that_say_no_class_are_refused(folders: list[str], num_classes: int, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        labels_from_folders(images(*folders), num_classes)


def test_flat_folder_says_how_to_give_labels() -> None:
    with pytest.raises(BadInput, match=r"no labels: the data folder has 2 images and no class folders. .*--labels"):
        labels_from_folders(("a.jpg", "b.jpg"), 1000)


def test_images_beside_class_folders_are_refused() -> None:
    with pytest.raises(BadInput, match=r"1 images lie beside the class folders \('loose\.jpg'\)"):
        labels_from_folders(("a/x.jpg", "loose.jpg"), 1)


def test_class_names_go_before_sorted_order() -> None:
    found = labels_from_folders(images("cat", "ant", "dog"), 3, class_names=("dog", "cat", "ant"))
    assert classes(found.labels) == {"ant": 2, "cat": 1, "dog": 0}
    assert "class names" in str(found.source)


def test_some_of_the_class_names_are_enough() -> None:
    assert classes(labels_from_folders(images("b"), 3, class_names=("a", "b", "c")).labels) == {"b": 1}


def test_a_class_name_that_the_model_has_twice_is_refused() -> None:
    with pytest.raises(BadInput, match="class folder 'crane': the model has several classes of that name"):
        labels_from_folders(images("crane", "dog"), 3, class_names=("crane", "dog", "crane"))


def test_a_number_that_is_also_the_name_of_another_class_is_refused() -> None:
    assert classes(labels_from_folders(images("0", "1"), 2, class_names=("0", "1")).labels) == {"0": 0, "1": 1}
    with pytest.raises(BadInput, match="class folder '0' is both a number and the name of class 1"):
        labels_from_folders(images("0", "1"), 2, class_names=("1", "0"))


def test_sorted_order_needs_all_classes_and_says_so() -> None:
    folders = [f"n{i:08d}" for i in range(50)]
    random.Random(1).shuffle(folders)
    found = labels_from_folders(images(*folders), 50)
    assert classes(found.labels) == {folder: i for i, folder in enumerate(sorted(folders))}
    assert "sorted order" in str(found.source)
    with pytest.raises(BadInput, match="49 class folders"):
        labels_from_folders(images(*folders[1:]), 50)


def test_the_first_part_of_the_path_is_the_class() -> None:
    assert labels_from_folders(("a/b/x.jpg", "b/a/x.jpg"), 2).labels == {"a/b/x.jpg": 0, "b/a/x.jpg": 1}


def test_an_offset_counts_for_numbers_and_has_no_meaning_for_names() -> None:
    assert classes(labels_from_folders(images("1", "2"), 2, offset=1).labels) == {"1": 0, "2": 1}
    with pytest.raises(BadInput, match="--label-offset 1: the class folders have names"):
        labels_from_folders(images("a", "b"), 2, offset=1)


def test_numbers_from_1_are_suspect() -> None:
    found = labels_from_folders(images(*map(str, range(1, 9))), 1000)
    assert ["--label-offset 1" in str(w) for w in found.warnings] == [True]
    assert labels_from_folders(images(*"bcdefgh"), 9, class_names=tuple("abcdefghi")).warnings == ()


@pytest.mark.parametrize(
    "content", ["n02 5\nn01  6\nn03\t0\n", '{"n01": 6, "n02": 5, "n03": 0}', "\ufeff# map\r\nn01 6\r\nn02 5\r\n"]
)
def test_class_map(tmp_path: Path, content: str) -> None:
    path = tmp_path / "map.txt"
    path.write_bytes(content.encode())
    found = labels_from_folders(images("n01", "n02"), 10, class_map=path)
    assert classes(found.labels) == {"n01": 6, "n02": 5}
    assert "map.txt" in str(found.source)
    assert found.class_map_sha256 == hashlib.sha256(content.encode()).hexdigest()


def test_class_map_goes_before_numbers_and_takes_the_offset(tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    path.write_text(json.dumps({"0": 2, "1": 1}))
    found = labels_from_folders(images("0", "1"), 2, class_map=path, offset=1)
    assert classes(found.labels) == {"0": 1, "1": 0}
    assert str(found.source).endswith("minus 1")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("n01 0\n", r"map: 1 of 2 folders are missing from the class map \('n02'\)"),
        ("n01 0\nn02 x\n", "map, line 2: 'n02 x' is not `FOLDER index`"),
        ("n01\n", r"map: 1 names \('n01', …\) for a model of 10 classes; .*`FOLDER index`"),
        ("n01 0\nn01 1\nn02 2\n", "map, line 2: folder 'n01' has class 1 here and 0 above"),
        ("n01 0\nn02 10\n", r"map: folder 'n02': label 10 is outside 0\.\.9"),
        ("# none\n", "only blank lines and comments"),
        ('{"n01": 0, "n02": }', "the class map is not valid JSON"),
        ('{"n01": 0, "n02": "1.5"}', "'n02' needs a whole number"),
        ('{"n01": 0, "n02": true}', "'n02' needs a whole number"),
        ('{"n01": 0, "n01": 1, "n02": 2}', "folder 'n01' has two classes"),
        (
            '{"0": ["n01", "tench"], "1": ["n03", "goldfish"]}',
            r"1 of 2 folders are missing from the class map \('n02'\)",
        ),
        ('{"0": ["n01", "tench"], "1": []}', "'1' needs a name, a list of names or a whole number"),
        ('{"a":' * 5000, "not valid JSON"),
        ("{}", "the class map is empty"),
        ("", "the class map is empty"),
    ],
)
def test_a_wrong_class_map_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "map"
    path.write_text(content)
    with pytest.raises(BadInput, match=reason):
        labels_from_folders(images("n01", "n02"), 10, class_map=path)


def test_a_missing_class_map_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none: no such file"):
        labels_from_folders(images("a"), 1, class_map=tmp_path / "none")


def test_folders_that_share_a_class_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "map"
    path.write_text("a 0\nb 0\nc 1\n")
    found = labels_from_folders(images("a", "b", "c"), 3, class_map=path)
    assert list(map(str, found.warnings)) == ["1 classes have several folders (class 0: 'a', 'b')"]
