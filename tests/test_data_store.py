"""Images behind a URL: the same figures as from a folder, and one clear line where the storage is at fault."""

from __future__ import annotations

import io
import itertools
import os
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tiny import SPEC, start, write_photos

from porter.contracts.task import DataRequest
from porter.data.store import open_store
from porter.errors import BadInput, Missing
from porter.files.urls import is_url, require_no_password
from porter.pipeline.evaluation.prepare import prepare

fsspec = pytest.importorskip("fsspec")
LocalFileSystem = pytest.importorskip("fsspec.implementations.local").LocalFileSystem


@pytest.fixture
def photos(tmp_path: Path) -> tuple[Path, Path]:
    labels = write_photos(tmp_path / "val", [0, 1, 2] * 4)
    (tmp_path / "val/photo 005.jpg").write_bytes(b"torn")
    (tmp_path / "val/.hidden.jpg").write_bytes(b"")
    (tmp_path / "val/notes.txt").write_text("no image")
    return tmp_path / "val", labels


@pytest.fixture
def memory(photos: tuple[Path, Path]) -> Iterator[str]:
    """The same files in fsspec's memory."""
    files = fsspec.filesystem("memory")
    for path in photos[0].iterdir():
        files.pipe_file(f"/bucket/val/{path.name}", path.read_bytes())
    yield "memory://bucket/val/"
    files.rm("/bucket", recursive=True)


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_a_url_gives_the_bytes_of_the_folder(tmp_path: Path, photos: tuple[Path, Path], memory: str, kind: str) -> None:
    data, labels = photos
    url = memory if kind == "memory" else data.as_uri()
    for out, place in (("folder", str(data)), ("url", url)):
        run = start(tmp_path / out, place, labels, batch=4)
        run.export()
        run.evaluate()
    assert (tmp_path / "url/predictions.csv").read_bytes() == (tmp_path / "folder/predictions.csv").read_bytes()
    assert run.record.data is not None and run.record.data.root == url
    assert (run.record.data.found, run.record.data.failed) == (12, 1)


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_an_archive_is_read_right_by_many_threads(tmp_path: Path, kind: str) -> None:
    """A tar has one place for all its files: threads that read at once got each other's bytes."""
    contents = {f"{number:03}.jpg": os.urandom(100_000) for number in range(60)}
    path = tmp_path / f"photos.{kind}"
    with zipfile.ZipFile(path, "w") if kind == "zip" else tarfile.open(path, "w") as archive:
        for name, data in contents.items():
            if isinstance(archive, zipfile.ZipFile):
                archive.writestr(name, data)
            else:
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
    store = open_store(f"{kind}://::{path.as_uri()}")
    with ThreadPoolExecutor(8) as pool:
        assert dict(zip(contents, pool.map(store.read, contents), strict=True)) == contents


def test_answers_that_take_long_are_waited_for_together(tmp_path: Path, photos: tuple[Path, Path]) -> None:
    """Not one after the other, and not by whoever could preprocess meanwhile."""
    run = start(tmp_path / "out", photos[0].as_uri(), photos[1], batch=4, threads=1)
    asked, plain = itertools.count(), LocalFileSystem.cat_file
    meet = threading.Barrier(2)

    def slow(files: Any, path: str, **options: Any) -> bytes:
        if next(asked) < meet.parties:
            meet.wait()
        return bytes(plain(files, path, **options))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalFileSystem, "cat_file", slow)
        assert sum(bool(one.arrays) for one in prepare(run.job.data)) == 11
    assert next(asked) == 12


def test_an_interrupted_evaluation_of_a_url_goes_on(tmp_path: Path, photos: tuple[Path, Path], memory: str) -> None:
    for _ in range(2):
        run = start(tmp_path / "out", memory, photos[1], fresh=False)
        if run.record.export is None:
            run.export()
        run.evaluate()
    assert run.record.evaluations[0].end_to_end is not None
    assert run.record.evaluations[0].end_to_end.resumed == 12
    fsspec.filesystem("memory").pipe_file("/bucket/val/photo 000.jpg", b"changed")
    run = start(tmp_path / "out", memory, photos[1], fresh=False)
    run.evaluate()
    assert run.record.evaluations[0].end_to_end is not None
    assert (run.record.evaluations[0].unreadable, run.record.evaluations[0].end_to_end.resumed) == (2, 0)


def test_class_folders_of_a_url(photos: tuple[Path, Path], tmp_path: Path) -> None:
    for name in ("0/a.JPG", "1/deep/b.png", "1/.c/d.png"):
        path = tmp_path / "classes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    store = open_store((tmp_path / "classes").as_uri() + "/")
    assert store.list() == ("0/a.JPG", "1/deep/b.png")
    assert (store.read("0/a.JPG"), store.name("0/a.JPG")) == (b"", f"{store.root}/0/a.JPG")


def test_what_is_missing_is_named() -> None:
    with pytest.raises(Missing, match=r"--data gs://bucket/val: .*[Ii]nstall gcsfs"):
        open_store("gs://bucket/val")
    with pytest.raises(BadInput, match="--data s9://bucket: cannot be opened: Protocol not known: s9"):
        open_store("s9://bucket")
    with pytest.raises(BadInput, match="memory://nothing: no images found"):
        open_store("memory://nothing").list()
    with pytest.raises(FileNotFoundError):
        open_store("memory://nothing").read("none.jpg")


def test_storage_that_fails_stops_the_run_and_counts_no_image_as_unreadable(tmp_path: Path) -> None:
    archive = tmp_path / "val.zip"
    url = f"zip://val::{archive.as_uri()}"
    archive.write_bytes(b"no archive")
    with pytest.raises(BadInput, match=r"--data zip://val::.*val.zip: cannot be opened"):
        open_store(url)
    with zipfile.ZipFile(archive, "w") as whole:
        whole.writestr("val/0/a.jpg", b"a picture")
    assert open_store(url).list() == ("0/a.jpg",)
    archive.write_bytes(archive.read_bytes().replace(b"a picture", b"b picture"))
    with pytest.raises(BadInput, match=r"zip://val::.*0/a.jpg: cannot be read in 3 attempts: Bad CRC-32"):
        open_store(url).read("0/a.jpg")


def test_a_task_that_reads_folders_says_so_of_a_url() -> None:
    request = DataRequest(root="memory://bucket/val", spec=SPEC)
    with pytest.raises(BadInput, match="--data memory://bucket/val: the task of this model reads images from a folder"):
        _ = request.data
    assert DataRequest(root="val", spec=SPEC).data == Path("val")


def test_what_is_a_url() -> None:
    assert all(map(is_url, ("s3://b/val", "zip://::s3://b/val.zip", "simplecache::s3://b/val", "file:///val")))
    assert not any(map(is_url, ("val", "/val", "C:\\val", "C:/val", "a b://c", "")))
    require_no_password("--data", "s3://bucket/val")
    with pytest.raises(BadInput, match="--data ftp://…@host/val: contains a password"):
        require_no_password("--data", "ftp://me:secret@host/val")
