"""porter.data.images_in and porter.data.selection: which files are images, in which order, and which are taken."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from porter.data.images_in import find_images, list_images
from porter.data.selection import evenly_spaced
from porter.errors import BadInput
from porter.images.formats import IMAGE_SUFFIXES

JPEG = b"\xff\xd8\xff\xe0" + bytes(20)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


def put(root: Path, *names: str, data: bytes = JPEG) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def test_order_is_by_code_point_of_the_whole_path(tmp_path: Path) -> None:
    names = ["b/1.jpg", "a/2.jpg", "a-b/3.jpg", "10.jpg", "2.jpg", "Z.jpg", "é.jpg", "a/10.jpg", "\U00010000.jpg"]
    put(tmp_path, *names)
    assert list_images(tmp_path) == tuple(sorted(names))


def test_every_image_suffix_counts_even_of_an_empty_file(tmp_path: Path) -> None:
    names = [f"x{suffix}" for suffix in IMAGE_SUFFIXES] + ["y.JPEG", "y.Png"]
    put(tmp_path, *names, data=b"")
    assert list_images(tmp_path) == tuple(sorted(names))


def test_what_is_no_image_is_passed_over(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", "dir.jpg/b.png", ".hidden.jpg", ".git/c.jpg", "__MACOSX/._a.jpg")
    text = b"P1 3\na.jpg 0\n"
    put(tmp_path, "labels.txt", "l.csv", "notes.md", "r.json", "v.xml", "Thumbs.db", "README", "P1", data=text)
    put(tmp_path, "data.npy", data=b"\x93NUMPY" + bytes(20))
    assert list_images(tmp_path) == ("a.jpg", "dir.jpg/b.png")


def test_what_looks_like_an_image_is_never_lost_without_a_word(tmp_path: Path) -> None:
    put(tmp_path, "a/x.JPEG.jpg", "a/y.JPEG", "b/phone.HEIC", "b/z.heic", "c.jxl", data=b"x")
    put(tmp_path, "a/._x.jpg", "a/.z.jpg", "b/d.svg", "b/e.TGA", "Thumbs.db", "labels.csv", data=b"x")
    put(tmp_path, "b/phone", data=bytes(3) + b"\x18ftypheic" + bytes(20))
    found = find_images(tmp_path)
    assert found.ids == ("a/x.JPEG.jpg", "a/y.JPEG", "b/phone", "b/phone.HEIC", "b/z.heic", "c.jxl")
    assert list(map(str, found.warnings)) == [
        (
            "2 .heic files cannot be read and count as wrong: Pillow on this machine does not support the format. "
            "Convert them to PNG"
        ),
        (
            "1 .jxl files cannot be read and count as wrong: Pillow on this machine does not support the format. "
            "Convert them to PNG"
        ),
        "1 .svg files are skipped: porter does not read the format",
        "1 .tga files are skipped: porter does not read the format",
        "1 images are skipped: their names begin with a dot",
    ]


def test_a_folder_of_archives_or_of_other_pictures_says_so(tmp_path: Path) -> None:
    put(tmp_path, "t/n01440764.tar", "t/n01443537.tar", "z/val.zip", "s/a.svg", data=b"x")
    with pytest.raises(
        BadInput, match=r"no images, but 2 archives \('n01440764\.tar', …\): unpack them, or use --data t"
    ):
        list_images(tmp_path / "t")
    with pytest.raises(BadInput, match=r"or use --data zip://::.*/z/val\.zip"):
        list_images(tmp_path / "z")
    with pytest.raises(BadInput, match=r"found 1 \.svg, which porter does not read; supported:"):
        list_images(tmp_path / "s")


def test_other_or_no_suffix_counts_by_content(tmp_path: Path) -> None:
    put(tmp_path, "ILSVRC2012_val_00000001", "a.image")
    put(tmp_path, "b.blob", data=PNG)
    put(tmp_path, "c.blob", "d", data=b"nothing of the kind")
    assert list_images(tmp_path) == ("ILSVRC2012_val_00000001", "a.image", "b.blob")


@pytest.mark.parametrize(
    "name",
    [
        "Öbild 图 , sp/a b.jpg",
        "line\nbreak.jpg",
        "\x1b[31mred.jpg",
        "tab\t.jpg",
        "x" * 240 + ".jpg",
        "..jpg.jpg.",
        "\\.jpg",
    ],
)
def test_strange_names_are_listed_as_they_are(tmp_path: Path, name: str) -> None:
    put(tmp_path, name, "plain.jpg")
    expected = {"plain.jpg"} if name.startswith(".") else {"plain.jpg", name}
    assert set(list_images(tmp_path)) == expected
    assert all((tmp_path / image_id).is_file() for image_id in list_images(tmp_path))


def test_a_name_that_is_not_unicode_is_refused_by_name(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg")
    with open(os.fsencode(tmp_path) + b"/b\xff.jpg", "wb"):  # noqa: PTH123 - a name of bytes
        pass
    with pytest.raises(BadInput, match=r"b\\udcff\.jpg: the name is not valid UTF-8. Rename"):
        list_images(tmp_path)


def test_missing_file_and_empty_folder_each_say_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere: no such folder. Use --data"):
        list_images(tmp_path / "nowhere")
    put(tmp_path, "file.jpg")
    with pytest.raises(BadInput, match=r"file\.jpg: not a folder"):
        list_images(tmp_path / "file.jpg")
    with pytest.raises(BadInput, match=r"file\.jpg/x: cannot be read"):
        list_images(tmp_path / "file.jpg/x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match=r"empty: no images found; supported: .*\.jpeg"):
        list_images(tmp_path / "empty")
    with pytest.raises(BadInput, match="cannot be read"):
        list_images(tmp_path / ("x" * 300))
    with pytest.raises(BadInput, match="cannot be read"):
        list_images(Path("a\0b"))


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    put(root, "a/1.jpg", "b/2.jpg")
    put(outside, "3.jpg")
    (root / "linked.jpg").symlink_to(outside / "3.jpg")
    (root / "more").symlink_to(outside)
    (root / "a/up").symlink_to(root)
    (root / "a/b").symlink_to(root / "b")
    (root / "b/a").symlink_to(root / "a")
    (root / "whole-disk").symlink_to("/")
    (root / "self.jpg").symlink_to("self.jpg")
    (root / "dangling.jpg").symlink_to("nowhere")
    (root / "dangling").symlink_to("nowhere")
    assert list_images(root) == (
        "a/1.jpg",
        "a/b/2.jpg",
        "b/2.jpg",
        "b/a/1.jpg",
        "dangling.jpg",
        "linked.jpg",
        "more/3.jpg",
        "self.jpg",
    )


def test_a_root_that_is_a_link_works(tmp_path: Path) -> None:
    put(tmp_path / "real", "a.jpg")
    (tmp_path / "link").symlink_to("real")
    assert list_images(tmp_path / "link") == ("a.jpg",)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_pipe_is_no_image(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    os.mkfifo(tmp_path / "pipe")
    assert list_images(tmp_path) == ("a.jpg",)


@given(n=st.integers(0, 3000), limit=st.integers(1, 3500))
def test_selection_is_even(n: int, limit: int) -> None:
    chosen = evenly_spaced(n, limit)
    assert len(chosen) == min(n, limit)
    assert chosen == sorted(set(chosen))
    assert all(0 <= i < n for i in chosen)
    if limit < n:
        assert chosen == [int(i * n // limit) for i in range(limit)]
        gaps = {b - a for a, b in zip(chosen, [*chosen[1:], n], strict=True)}
        assert max(gaps) - min(gaps) <= 1
    else:
        assert chosen == list(range(n))


@pytest.mark.parametrize("limit", [0, -1])
def test_selection_of_nothing_is_refused(limit: int) -> None:
    with pytest.raises(BadInput, match=f"--limit {limit}"):
        evenly_spaced(10, limit)
