"""Compiled models kept on disk: used while they are what was written, and never when they are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from graphs import SIZE, images, network
from sessions import opening
from tiny import start, write_photos

from porter.contracts.runtime import BuildRequest, Session
from porter.files.sealed import SEAL, blobs
from porter.records.artefact import Artefact
from porter.records.spec import ModelSpec, PreprocessSpec, TensorSpec

Change = Callable[[bytes], bytes]
CHANGES: dict[str, Change] = {
    "one flipped bit": lambda data: (
        data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]
    ),
    "cut in half": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "zeros": lambda data: bytes(len(data)),
    "longer": lambda data: data + b"\0",
}


class TestFolder:
    def test_what_was_written_is_found_again(self, tmp_path: Path) -> None:
        with blobs(tmp_path / "kept", "a") as folder:
            assert folder is not None
            (folder / "1.blob").write_bytes(b"compiled")
        with blobs(tmp_path / "kept", "a") as folder:
            assert folder is not None and (folder / "1.blob").read_bytes() == b"compiled"

    @pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
    def test_what_was_changed_is_removed(self, tmp_path: Path, change: Change) -> None:
        with blobs(tmp_path, "a") as folder:
            assert folder is not None
            (folder / "1.blob").write_bytes(b"compiled")
        (tmp_path / "1.blob").write_bytes(change(b"compiled"))
        with blobs(tmp_path, "a") as folder:
            assert folder is not None and list(folder.iterdir()) == []

    @pytest.mark.parametrize("content", [None, b"", b"{", b'{"key": 3}', b"\xff\xfe"])
    def test_without_its_seal_nothing_is_trusted(self, tmp_path: Path, content: bytes | None) -> None:
        with blobs(tmp_path, "a") as folder:
            assert folder is not None
            (folder / "1.blob").write_bytes(b"compiled")
        (tmp_path / SEAL).unlink()
        if content is not None:
            (tmp_path / SEAL).write_bytes(content)
        with blobs(tmp_path, "a") as folder:
            assert folder is not None and list(folder.iterdir()) == []

    def test_another_model_or_setting_starts_anew(self, tmp_path: Path) -> None:
        with blobs(tmp_path, "a") as folder:
            assert folder is not None
            (folder / "1.blob").write_bytes(b"compiled")
        with blobs(tmp_path, "b") as folder:
            assert folder is not None and list(folder.iterdir()) == []

    def test_a_file_that_was_put_there_is_removed(self, tmp_path: Path) -> None:
        with blobs(tmp_path, "a"):
            pass
        (tmp_path / "2.blob").write_bytes(b"compiled elsewhere")
        with blobs(tmp_path, "a") as folder:
            assert folder is not None and list(folder.iterdir()) == []

    def test_no_folder_keeps_nothing(self, tmp_path: Path) -> None:
        with blobs(None, "a") as folder:
            assert folder is None
        (tmp_path / "file").write_bytes(b"")
        with blobs(tmp_path / "file" / "kept", "a") as folder:
            assert folder is None


class TestOpenVino:
    @pytest.fixture
    def artefact(self, tmp_path: Path) -> Artefact:
        runtimes = pytest.importorskip("porter.runtimes.openvino")
        pytest.importorskip("openvino")
        (tmp_path / "models").mkdir()
        onnx.save(network(), tmp_path / "models/network.onnx")
        spec = ModelSpec(
            name="network",
            task="classification",
            inputs=(TensorSpec(name="image", shape=("N", 3, SIZE, SIZE)),),
            outputs=(TensorSpec(name="scores", shape=("N", 5)),),
            preprocess=PreprocessSpec(resize=SIZE, crop=(SIZE, SIZE)),
        )
        request = BuildRequest(onnx=tmp_path / "models/network.onnx", spec=spec, folder=tmp_path / "models")
        found: Artefact = runtimes.OpenVino().build(request)
        return found

    def open(self, tmp_path: Path, artefact: Artefact, threads: int = 1) -> Session:
        from porter.runtimes.openvino import OpenVino

        request = opening(tmp_path / artefact.path, artefact, threads=threads, cache=tmp_path / "cache")
        return OpenVino().open(request)

    @pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
    def test_a_damaged_blob_is_compiled_anew(self, tmp_path: Path, artefact: Artefact, change: Change) -> None:
        feed = images(2)["image"]
        first = self.open(tmp_path, artefact)
        wanted = first.run(feed)["scores"]
        second = self.open(tmp_path, artefact)
        assert (first.info.loaded_from_cache, second.info.loaded_from_cache) == (False, True)
        assert replace(second.info, loaded_from_cache=False) == first.info
        assert np.array_equal(second.run(feed)["scores"], wanted)
        [blob] = (tmp_path / "cache").rglob("*.blob")
        blob.write_bytes(change(blob.read_bytes()))
        third = self.open(tmp_path, artefact)
        assert not third.info.loaded_from_cache
        assert np.array_equal(third.run(feed)["scores"], wanted)
        assert self.open(tmp_path, artefact).info.loaded_from_cache

    def test_another_file_or_setting_is_compiled_anew(self, tmp_path: Path, artefact: Artefact) -> None:
        self.open(tmp_path, artefact)
        assert not self.open(tmp_path, replace(artefact, sha256="0" * 64)).info.loaded_from_cache
        assert not self.open(tmp_path, replace(artefact, sha256="")).info.loaded_from_cache

    def test_load_times_are_of_compiling(self, tmp_path: Path) -> None:
        pytest.importorskip("openvino")
        labels = write_photos(tmp_path / "val", [0, 1, 2])
        run = start(tmp_path / "out", tmp_path / "val", labels, runtimes=("openvino",), batch_sizes=(1,))
        run.everything()
        assert run.record.evaluations[1].session.loaded_from_cache
        assert [one.session.loaded_from_cache for one in run.record.performance] == [False]
