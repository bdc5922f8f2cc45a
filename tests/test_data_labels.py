"""porter.data.labels: label files, matched by name, refused where they could give a wrong figure."""

from __future__ import annotations

import os
import random
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from porter.data.class_names import ClassNames
from porter.data.image_names import KEYS
from porter.data.indices import parse_index
from porter.data.label_classes import KnownClasses
from porter.data.label_file import LabelFile, LabelLine, read_label_file
from porter.data.labels import Matched
from porter.data.labels import match_labels as match_known
from porter.errors import BadInput

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(content: str | bytes, name: str = "labels.txt") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


def labelfile(*pairs: tuple[str, int]) -> LabelFile:
    lines = tuple(LabelLine(name, str(label), number) for number, (name, label) in enumerate(pairs, 1))
    return LabelFile(path=Path("labels.txt"), sha256="0" * 64, read=lambda: iter(lines))


def match_labels(ids: Sequence[str], file: LabelFile, num_classes: int, offset: int = 0) -> Matched:
    return match_known(ids, file, KnownClasses(num_classes=num_classes, model=ClassNames(()), offset=offset))


def read(write: Write, content: str | bytes) -> list[tuple[str, int | None, int]]:
    return [(e.name, parse_index(e.label), e.line) for e in read_label_file(write(content)).read()]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a.jpg 3", [("a.jpg", 3, 1)]),
        ("a.jpg 3\nb.jpg 4\n", [("a.jpg", 3, 1), ("b.jpg", 4, 2)]),
        ("a.jpg\t3\r\nb.jpg \t 4\r\n", [("a.jpg", 3, 1), ("b.jpg", 4, 2)]),
        ("a.jpg 3\rb.jpg 4\r", [("a.jpg", 3, 1), ("b.jpg", 4, 2)]),
        ("\ufeffa.jpg 3\n", [("a.jpg", 3, 1)]),
        ("my own  photo.jpg   3  \n", [("my own  photo.jpg", 3, 1)]),
        ("dir 1/a.jpg 003\n", [("dir 1/a.jpg", 3, 1)]),
        ("# a comment\n\n#\n## another\n  \na.jpg 1\n", [("a.jpg", 1, 6)]),
        ("#1.jpg 7\n", [("#1.jpg", 7, 1)]),
        ("图\u3000é.jpg 2\n", [("图\u3000é.jpg", 2, 1)]),
        ("x\u2028\x85\x0cy.jpg 2\n", [("x\u2028\x85\x0cy.jpg", 2, 1)]),
        ("a.jpg -1\n", [("a.jpg", -1, 1)]),
        ("a.jpg 3.0\n", [("a.jpg", 3, 1)]),
    ],
)
def test_lines_are_read(write: Write, content: str, expected: list[tuple[str, int, int]]) -> None:
    assert read(write, content) == expected


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("a.jpg 0\nb.jpg x\n", r"labels\.txt, line 2: label 'x' of 'b\.jpg' is not a whole number"),
        ("a.jpg 1.5\n", "line 1: label '1.5' .* not a whole number"),
        ("a.jpg 1_0\n", "not a whole number"),
        ("a.jpg ٣\n", "not a whole number"),
        ("a.jpg " + "9" * 5000, "not a whole number"),
        ("a.jpg\n", "expected `NAME label` or `NAME,label`, found 'a.jpg'"),
        ("filename,label\n", "no labels, only a header line"),
        ("", "the label file is empty"),
        (" \n\t\n", "the label file is empty"),
        ("# nothing\n", "no labels, only blank lines"),
        ("a.jpg 0\né.jpg 1\n".encode("latin-1"), "line 2: not UTF-8"),
        ("a.jpg 0\n".encode("utf-16"), "UTF-16. Save it as UTF-8"),
        (bytes(range(128, 256)), "line 1: not UTF-8"),
    ],
)
def test_what_cannot_be_read_names_file_and_line(write: Write, content: str | bytes, reason: str) -> None:
    with pytest.raises(BadInput, match=reason) as caught:
        match_labels(("a.jpg",), read_label_file(write(content)), 9)
    assert "labels.txt" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_missing_file_folder_and_pipe(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none\.txt: no such file"):
        read_label_file(tmp_path / "none.txt")
    with pytest.raises(BadInput, match="a folder; the label file must be a file"):
        read_label_file(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadInput, match="not a regular file; the path of the file itself is needed"):
        read_label_file(tmp_path / "pipe")


def test_matching_is_by_name_and_not_by_order() -> None:
    found = match_labels(("a.jpg", "b.jpg", "c/d.jpg"), labelfile(("c/d.jpg", 2), ("b.jpg", 1), ("a.jpg", 0)), 3)
    assert found.labels == {"a.jpg": 0, "b.jpg": 1, "c/d.jpg": 2}
    assert list(found.labels) == ["a.jpg", "b.jpg", "c/d.jpg"]
    assert found.warnings == ()


def test_bare_names_match_images_in_folders_and_the_reverse() -> None:
    assert match_labels(("val/a.jpg",), labelfile(("a.jpg", 1)), 3).labels == {"val/a.jpg": 1}
    assert match_labels(("a.jpg",), labelfile(("val/a.jpg", 1)), 3).labels == {"a.jpg": 1}
    assert match_labels(("x/a.jpg",), labelfile(("./x\\a.jpg", 1)), 3).labels == {"x/a.jpg": 1}


def test_an_exact_path_goes_before_a_bare_name() -> None:
    found = match_labels(("a.jpg", "x/a.jpg"), labelfile(("x/a.jpg", 1), ("a.jpg", 0)), 3)
    assert found.labels == {"a.jpg": 0, "x/a.jpg": 1}


def test_accents_match_however_they_are_spelt() -> None:
    composed, apart = unicodedata.normalize("NFC", "é图.jpg"), unicodedata.normalize("NFD", "é图.jpg")
    assert composed != apart
    assert match_labels((apart,), labelfile((composed, 1)), 2).labels == {apart: 1}
    assert match_labels((f"d/{composed}",), labelfile((apart, 1)), 2).labels == {f"d/{composed}": 1}


@pytest.mark.parametrize(
    ("ids", "pairs", "reason"),
    [
        (("x/a.jpg", "y/a.jpg"), [("a.jpg", 0)], "line 1: 'a.jpg' fits 2 images .*Write paths relative"),
        (("x/a.jpg", "y/a.jpg"), [("x/a.jpg", 0), ("a.jpg", 1)], "line 2: 'a.jpg' fits 2 images"),
        (("a.jpg",), [("x/a.jpg", 0), ("y/a.jpg", 1)], r"line 2: 'y/a\.jpg' and 'x/a\.jpg' \(line 1\) both fit image"),
        (("a.jpg", "b.jpg"), [("a.jpg", 0)], r"no label for 1 of 2 images \('b\.jpg'\); add them to the file"),
        (tuple(f"{i}.jpg" for i in range(9)), [("0.jpg", 0)], r"8 of 9 images \('1\.jpg', '2\.jpg', '3\.jpg', …\)"),
        (("a.jpg",), [("b.jpg", 0)], "no label matches an image by name. The file has 'b.jpg', the folder 'a.jpg'"),
        (("a.jpg",), [("a.jpg", 0), ("a.jpg", 1)], "line 2: 'a.jpg' has label 1 here and 0 in line 1"),
        (("a.jpg",), [("a.jpg", 0), ("./a.jpg", 1)], "line 2: './a.jpg' has label 1 here"),
        (("a.jpg",), [("a.jpg", 3)], r"labels\.txt, line 1: label 3 is outside 0\.\.2"),
        (("a.jpg",), [("a.jpg", 0), ("b.jpg", -1)], "line 2: label -1 is outside"),
    ],
)
def test_what_could_not_be_scored_is_refused(ids: tuple[str, ...], pairs: list[tuple[str, int]], reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        match_labels(ids, labelfile(*pairs), 3)


def test_control_characters_of_names_never_reach_a_message() -> None:
    with pytest.raises(BadInput) as caught:
        match_labels(("\x1b[31m\n.jpg", "a.jpg"), labelfile(("a.jpg", 0)), 3)
    assert str(caught.value).isprintable()


def test_blanks_that_make_the_difference_show_in_the_message() -> None:
    with pytest.raises(BadInput, match=r"no label for 1 of 2 images \(' a\.jpg'\)"):
        match_labels((" a.jpg", "b.jpg"), labelfile(("a.jpg", 0), ("b.jpg", 0)), 3)


def numbered(first: int, last: int) -> tuple[tuple[str, ...], LabelFile]:
    pairs = [(f"{i}.jpg", i) for i in range(first, last + 1)]
    return tuple(name for name, _ in pairs), labelfile(*pairs)


def test_labels_from_1_to_c_are_refused_with_the_way_out() -> None:
    ids, file = numbered(1, 1000)
    with pytest.raises(BadInput, match=r"line 1000: label 1000 is outside 0\.\.999.*--label-offset 1$"):
        match_labels(ids, file, 1000)
    found = match_labels(ids, file, 1000, offset=1)
    assert found.labels["1.jpg"] == 0
    assert found.labels["1000.jpg"] == 999
    assert found.warnings == ()


def test_labels_from_1_are_suspect_where_they_fit() -> None:
    ids, file = numbered(1, 1000)
    found = match_labels(ids, file, 1001)
    assert found.labels["1.jpg"] == 1
    assert ["and none is 0" in w and "--label-offset 1" in w for w in map(str, found.warnings)] == [True]


def test_a_background_class_is_suspected() -> None:
    ids, file = numbered(0, 999)
    assert ["--label-offset -1" in str(w) for w in match_labels(ids, file, 1001).warnings] == [True]
    found = match_labels(ids, file, 1001, offset=-1)
    assert found.labels["0.jpg"] == 1
    assert found.labels["999.jpg"] == 1000
    assert found.warnings == ()


@pytest.mark.parametrize("labels", [[1, 2, 3], [1, 5, 9, 20, 30, 40], [0, 1, 2, 3, 4, 5], [2, 3, 4, 5, 6, 7]])
def test_a_sample_of_classes_is_not_suspect(labels: list[int]) -> None:
    pairs = [(f"{i}.jpg", label) for i, label in enumerate(labels)]
    assert match_labels([name for name, _ in pairs], labelfile(*pairs), 1000).warnings == ()


def test_an_offset_that_shifts_too_far_is_refused() -> None:
    with pytest.raises(BadInput, match=r"line 1: label 0 minus the offset 1 gives -1, which is outside 0\.\.2"):
        match_labels(("a.jpg",), labelfile(("a.jpg", 0)), 3, offset=1)


def test_spare_labels_and_repeated_lines_are_reported() -> None:
    pairs = [("a.jpg", 0), ("a.jpg", 0), *((f"{i}.jpg", 1) for i in range(5))]
    spare, repeated = map(str, match_labels(("a.jpg",), labelfile(*pairs), 3).warnings)
    assert "5 of 6 labels have no image ('0.jpg', '1.jpg', '2.jpg', …)" in spare
    assert "1 lines repeat an earlier line (first: line 2)" in repeated


NAME = st.text(
    st.characters(exclude_characters='/\\\r\n\0"', exclude_categories=["Cs"]), min_size=1, max_size=12
).filter(lambda s: s == s.strip(" \t,;") and not s.startswith("#") and s not in (".", ".."))
PATH = st.lists(NAME, min_size=1, max_size=3).map("/".join).filter(lambda p: not p.startswith("./"))


@settings(max_examples=80)
@given(
    table=st.dictionaries(PATH, st.integers(0, 9), min_size=1, max_size=12),
    ending=st.sampled_from(["\n", "\r\n", "\r"]),
    blank=st.sampled_from([" ", "\t", "   ", " \t "]),
    bom=st.booleans(),
    seed=st.integers(0, 99),
)
def test_any_table_survives_the_way_through_a_file(
    tmp_path_factory: pytest.TempPathFactory,
    table: dict[str, int],
    ending: str,
    blank: str,
    bom: bool,
    seed: int,
) -> None:
    names = list(table)
    assume(len({unicodedata.normalize("NFC", name) for name in names}) == len(names))
    random.Random(seed).shuffle(names)
    text = ("\ufeff" if bom else "") + "".join(f"{name}{blank}{table[name]}{ending}" for name in names)
    path = tmp_path_factory.mktemp("labels") / "l.txt"
    path.write_bytes(text.encode())
    file = read_label_file(path)
    assert [(e.name, parse_index(e.label)) for e in file.read()] == [(name, table[name]) for name in names]
    assert match_labels(tuple(table), file, 10).labels == table


@given(ids=st.sets(PATH, min_size=1, max_size=8), pairs=st.lists(st.tuples(PATH, st.integers(-1, 4)), max_size=8))
def test_matching_is_complete_or_refused(ids: set[str], pairs: list[tuple[str, int]]) -> None:
    """Whatever the file holds, no image goes without a label and no label is made up."""
    order = sorted(ids)
    pairs = [*pairs, (order[0], 2)]
    try:
        found = match_labels(order, labelfile(*pairs), 4)
    except BadInput as error:
        assert str(error).isprintable()
        return
    assert list(found.labels) == order
    for image_id, label in found.labels.items():
        assert label in {value for name, value in pairs if any(key(name) == key(image_id) for key in KEYS)}


@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "l.txt"
    path.write_bytes(data)
    try:
        assert list(read_label_file(path).read())
    except BadInput as error:
        assert str(error).isprintable()


def test_the_labels_of_a_real_set() -> None:
    root = Path(__file__).resolve().parents[1].parent / "shared/data/imagenet-sample"
    if not root.is_dir():
        pytest.skip("no sample of real images beside the project")
    file = read_label_file(root / "val_label.txt")
    ids = tuple(sorted(path.name for path in (root / "val").iterdir()))
    found = match_labels(ids, file, 1000)
    assert sorted(found.labels.values()) == list(range(1000))
    assert found.warnings == ()
