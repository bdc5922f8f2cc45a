"""Checkpoints are recognised by their content and read without running code from them."""

from __future__ import annotations

import argparse
import pathlib
import pickle
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from porter.checkpoints.inert import INERT_NAMES, Inert, inert_globals
from porter.checkpoints.numpy_values import scalar_of, tensor_of
from porter.checkpoints.read import read_checkpoint
from porter.errors import Missing

STATE = {"conv.weight": torch.arange(6.0).reshape(2, 3), "conv.bias": torch.tensor([0.5, -1.0])}
LEGACY = {"_use_new_zipfile_serialization": False}
ENCODINGS: dict[str, dict[str, Any]] = {"zip": {}, "legacy": LEGACY}
NAMES = ["w.pth", "w.pt", "w.pth.tar", "w.bin", "w.ckpt", "w.safetensors", ".safetensors", "none", "Öbild 图 ,.pth"]


def save(path: Path, content: object, **options: Any) -> Path:
    torch.save(content, path, **options)
    return path


def read_dict(path: Path) -> dict[str, Any]:
    content = read_checkpoint(path).content
    assert isinstance(content, dict)
    return content


def with_pickle(source: Path, change: Callable[[bytes], bytes]) -> Path:
    """A copy of the archive `source` with another pickle in it."""
    target = source.with_name(f"changed-{source.name}")
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, change(data) if name.endswith("/data.pkl") else data)
    return target


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_format_is_told_by_content_whatever_the_name(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / name
    if kind == "safetensors":
        save_file(STATE, path)
    else:
        with path.open("wb") as file:  # given a path, torch.save refuses some of the names
            torch.save(STATE, file, **ENCODINGS[kind])
    raw = read_checkpoint(path)
    assert (raw.path, raw.format, raw.safe) == (path, kind, True)
    content = read_dict(path)
    assert content.keys() == STATE.keys()
    assert all(torch.equal(content[key], value) for key, value in STATE.items())


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_values_beside_the_weights_do_not_stop_a_safe_load(tmp_path: Path, encoding: str) -> None:
    beside = {
        "best_acc1": np.float64(76.8),
        "epoch": np.int64(90),
        "flag": np.bool_(True),
        "history": np.arange(3, dtype="float32"),
        "text": np.array(["a", "bc"]),
        "args": argparse.Namespace(lr=0.1, out=pathlib.PurePosixPath("a"), score=np.float32(1)),
        "windows": pathlib.PureWindowsPath("C:/a"),
        "version": torch.torch_version.TorchVersion("2.6.0"),
    }
    raw = read_checkpoint(save(tmp_path / "c.pth", {"state_dict": STATE, **beside}, **ENCODINGS[encoding]))
    assert raw.safe
    assert isinstance(raw.content, dict)
    assert torch.equal(raw.content["state_dict"]["conv.weight"], STATE["conv.weight"])
    assert all(isinstance(raw.content[key], Inert) for key in beside)
    assert raw.content["best_acc1"].stands_for.endswith("multiarray.scalar")


@pytest.mark.parametrize("module", [b"numpy.core.multiarray\n", b"numpy._core.multiarray\n"])
def test_both_spellings_of_numpy_are_read(tmp_path: Path, module: bytes) -> None:
    def respell(data: bytes) -> bytes:
        changed = data.replace(b"numpy.core.multiarray\n", module).replace(b"numpy._core.multiarray\n", module)
        assert module in changed
        return changed

    path = with_pickle(save(tmp_path / "c.pth", {"best": np.float64(1.5), "history": np.zeros(2)}), respell)
    assert read_checkpoint(path).safe


def test_stand_ins_take_the_place_of_every_allowed_class(tmp_path: Path) -> None:
    """Called, and given a state, as a forged pickle could: nothing of numpy or argparse runs."""

    def call(name: str) -> bytes:
        module, _dot, attribute = name.rpartition(".")
        return f"c{module}\n{attribute}\n(K\x01tR(K\x01tb".encode()

    forged = b"\x80\x02](" + b"".join(call(name) for name in INERT_NAMES) + b"e."
    content = read_checkpoint(with_pickle(save(tmp_path / "c.pth", []), lambda _: forged)).content
    assert isinstance(content, list)
    assert [value.stands_for for value in content] == list(INERT_NAMES)
    kept = {"args": (1,), "state": (1,)}
    assert [vars(value) for value in content] == [kept if "numpy" in name else {} for name in INERT_NAMES]
    assert all(tensor_of(value) is None and scalar_of(value) is None for value in content)


@pytest.mark.parametrize(
    ("shape", "kind", "data"),
    [
        ((2,), "f4", b"1234567"),
        ((2,), "O8", b"0" * 16),
        ((-2,), "f4", b""),
        ((0, 1 << 62, 1 << 62), "f4", b""),
        ((1,) * 200, "f4", b"0" * 4),
        ((True, 1), "f4", b"0" * 4),
        ((1,), 7, b"0" * 4),
    ],
)
def test_an_array_whose_bytes_do_not_fit_is_none(shape: Any, kind: Any, data: bytes) -> None:
    known = {name: stand_in for stand_in, name in inert_globals()}
    made = known["numpy._core.multiarray._reconstruct"](known["numpy.ndarray"], (0,), b"b")
    dtype = known["numpy.dtype"](kind, False, True)
    dtype.__setstate__((3, "<", None, None, None, -1, -1, 0))
    made.__setstate__((1, shape, dtype, False, data))
    assert tensor_of(made) is None


def test_the_allow_list_does_not_outlive_the_read(tmp_path: Path) -> None:
    before = set(torch.serialization.get_safe_globals())
    read_checkpoint(save(tmp_path / "c.pth", STATE))
    assert set(torch.serialization.get_safe_globals()) == before


def test_strings_of_python_2_are_read(tmp_path: Path) -> None:
    """Python 2 wrote text and numpy's raw bytes alike as 8-bit strings; 0x9c alone is not UTF-8."""
    legacy = save(tmp_path / "c.pth", {}, **LEGACY).read_bytes()
    old = legacy.replace(pickle.dumps({}, protocol=2), b"\x80\x02}U\x03keyU\x01\x9cs.")
    assert old != legacy
    (tmp_path / "c.pth").write_bytes(old)
    assert read_dict(tmp_path / "c.pth") == {"key": "\x9c"}


def test_tensors_come_to_the_cpu_and_keep_their_types(tmp_path: Path) -> None:
    dtypes = [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64, torch.bool]
    content = {str(dtype): torch.ones(2, dtype=dtype) for dtype in dtypes}
    read = read_dict(save(tmp_path / "c.pth", content))
    assert [(value.dtype, value.device.type) for value in read.values()] == [(dtype, "cpu") for dtype in dtypes]


def test_checkpoint_written_without_checksums_is_read(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        path = save(tmp_path / "c.pth", STATE)
    finally:
        torch.serialization.set_crc32_options(True)
    assert torch.equal(read_dict(path)["conv.bias"], STATE["conv.bias"])


def test_reading_prints_and_warns_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = save(tmp_path / "c.pth", {"w": torch.nn.Parameter(torch.ones(2))}, **LEGACY)
    read_checkpoint(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("module", "lacking"), [("torch", "torch"), ("safetensors.torch", "safetensors")])
def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, lacking: str) -> None:
    path = tmp_path / "c"
    if module == "torch":
        save(path, STATE)
    else:
        save_file(STATE, path)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(Missing, match=rf"needs .*{lacking}.*pip install -e '\.\[torch\]'"):
        read_checkpoint(path)


def test_a_torch_that_cannot_read_safely_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "c.pth", STATE)
    monkeypatch.setattr(torch, "__version__", "2.9.1+cpu")
    with pytest.raises(Missing, match=r"torch>=2\.10"):
        read_checkpoint(path)
