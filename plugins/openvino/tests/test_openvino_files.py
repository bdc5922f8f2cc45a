"""What OpenVINO writes: compiled models kept on disk, and an IR on a full disk."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from damage import CHANGES, Change
from disks import small_file_system
from graphs import SIZE, images, network
from sessions import opening
from tiny import start, write_photos

from porter import Artefact, BuildRequest, ModelSpec, PreprocessSpec, Session, TensorSpec
from porter_openvino.ir import save
from porter_openvino.plugin import OpenVino

openvino = pytest.importorskip("openvino")


@pytest.fixture
def artefact(tmp_path: Path) -> Artefact:
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
    return OpenVino().build(request)


def opened(tmp_path: Path, artefact: Artefact) -> Session:
    return OpenVino().open(opening(tmp_path / artefact.path, artefact, cache=tmp_path / "cache"))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_damaged_blob_is_compiled_anew(tmp_path: Path, artefact: Artefact, change: Change) -> None:
    feed = images(2)
    first = opened(tmp_path, artefact)
    wanted = first.run(feed)["scores"]
    second = opened(tmp_path, artefact)
    assert (first.info.loaded_from_cache, second.info.loaded_from_cache) == (False, True)
    assert replace(second.info, loaded_from_cache=False) == first.info
    assert np.array_equal(second.run(feed)["scores"], wanted)
    [blob] = (tmp_path / "cache").rglob("*.blob")
    blob.write_bytes(change(blob.read_bytes()))
    third = opened(tmp_path, artefact)
    assert not third.info.loaded_from_cache
    assert np.array_equal(third.run(feed)["scores"], wanted)
    assert opened(tmp_path, artefact).info.loaded_from_cache


def test_another_file_is_compiled_anew(tmp_path: Path, artefact: Artefact) -> None:
    opened(tmp_path, artefact)
    assert not opened(tmp_path, replace(artefact, sha256="0" * 64)).info.loaded_from_cache
    assert not opened(tmp_path, replace(artefact, sha256="")).info.loaded_from_cache


def test_load_times_are_of_compiling(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2])
    run = start(tmp_path / "out", tmp_path / "val", labels, runtimes=("openvino",), batch_sizes=(1,))
    run.everything()
    assert run.record.evaluations[1].session.loaded_from_cache
    assert [one.session.loaded_from_cache for one in run.record.performance] == [False]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with small_file_system(tmp_path / "disk") as folder:
        yield folder


def test_a_full_disk_is_told_from_other_failures(small_disk: Path) -> None:
    ops = openvino.opset13
    image = ops.parameter([1, 65536], np.float32)
    weights = ops.constant(np.random.default_rng(0).random((1, 65536), dtype=np.float32))
    model = openvino.Model([ops.add(image, weights)], [image], "wide")
    target = small_disk / "wide.xml"
    (small_disk / "filler").write_bytes(bytes(64 * 1024))
    with pytest.raises(OSError) as raised:
        save(model, target, target.with_suffix(".bin"))
    assert raised.value.errno == errno.ENOSPC
    assert raised.value.filename == str(target)
    assert [one.name for one in small_disk.iterdir()] == ["filler"]
