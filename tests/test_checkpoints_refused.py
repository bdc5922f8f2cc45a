"""What is not a checkpoint, or not a safe one, is refused in one line that names the file and the way out."""

from __future__ import annotations

import fractions
import os
import pickle
import struct
import tarfile
import types
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import save_file

from porter.checkpoints.read import read_checkpoint
from porter.errors import BadInput

STATE = {"conv.weight": torch.arange(6.0).reshape(2, 3), "conv.bias": torch.tensor([0.5, -1.0])}
LEGACY = {"_use_new_zipfile_serialization": False}
ENCODINGS: dict[str, dict[str, Any]] = {"zip": {}, "legacy": LEGACY}


def save(path: Path, content: object, **options: Any) -> Path:
    torch.save(content, path, **options)
    return path


def refusal(path: Path, *, trust: bool = False) -> str:
    """The line that refuses `path`, without the path, which it must begin with."""
    with pytest.raises(BadInput) as caught:
        read_checkpoint(path, trust=trust)
    text = str(caught.value)
    assert text.isprintable()
    assert text.startswith(f"{path}: ")
    return text.removeprefix(f"{path}: ")


class Command:
    """Runs a shell command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(("protocol", "names"), [(2, f"{os.system.__module__}.system"), (4, "a protocol above 2")])
def test_a_command_in_the_pickle_does_not_run(tmp_path: Path, encoding: str, protocol: int, names: str) -> None:
    proof = tmp_path / "proof"
    content = {"state_dict": STATE, "extra": Command(f"echo ran > '{proof}'")}
    path = save(tmp_path / "evil.pth", content, pickle_protocol=protocol, **ENCODINGS[encoding])
    text = refusal(path)
    assert names in text
    assert "--trust-checkpoint" in text
    assert not proof.exists()
    # The same file trusted does run it: the check above could have failed.
    assert not read_checkpoint(path, trust=True).safe
    assert proof.exists()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_unknown_class_is_named_that_the_file_lists(tmp_path: Path, encoding: str) -> None:
    content = {"state_dict": STATE, "a": fractions.Fraction(1, 2), "b": types.SimpleNamespace(c=complex(1))}
    path = save(tmp_path / "c.pth", content, **ENCODINGS[encoding])
    text = refusal(path)
    listed = {
        "zip": "'fractions.Fraction', 'types.SimpleNamespace'",
        "legacy": "'fractions.Fraction', perhaps more",
    }
    assert listed[encoding] in text
    assert "numpy" not in text
    raw = read_checkpoint(path, trust=True)
    assert not raw.safe
    assert isinstance(raw.content, dict)
    assert raw.content["a"] == fractions.Fraction(1, 2)


def test_trust_is_not_used_where_it_is_not_needed(tmp_path: Path) -> None:
    path = save(tmp_path / "c.pth", {"state_dict": STATE, "best": np.float64(1)})
    assert read_checkpoint(path, trust=True).safe


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_whole_pickled_model_is_refused_as_such(tmp_path: Path, encoding: str) -> None:
    path = save(tmp_path / "c.pth", {"model": torch.nn.Sequential(torch.nn.Linear(2, 2))}, **ENCODINGS[encoding])
    text = refusal(path)
    assert "whole pickled model" in text
    assert "torch.nn.modules.container.Sequential" in text
    assert "Save model.state_dict()" in text


def test_pickle_protocol_4_is_read_only_with_trust(tmp_path: Path) -> None:
    path = save(tmp_path / "c.pth", STATE, pickle_protocol=4)
    assert "a protocol above 2" in refusal(path)
    assert not read_checkpoint(path, trust=True).safe


def test_a_class_that_cannot_be_imported_is_named(tmp_path: Path) -> None:
    path = tmp_path / "c.pth"
    legacy = save(path, {}, **LEGACY).read_bytes()
    path.write_bytes(legacy.replace(pickle.dumps({}, protocol=2), b"\x80\x02cno_such_package.net\nNet\n."))
    assert "'no_such_package.net.Net'" in refusal(path)
    assert "no_such_package" in refusal(path, trust=True)


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
@pytest.mark.parametrize("trust", [False, True])
def test_torchscript_and_exported_programs_are_named(tmp_path: Path, trust: bool) -> None:
    net = torch.nn.Linear(2, 2)
    torch.jit.save(torch.jit.script(net), tmp_path / "script.pth")
    torch.export.save(torch.export.export(net, (torch.ones(1, 2),)), tmp_path / "program.pt2")
    assert "TorchScript archive" in refusal(tmp_path / "script.pth", trust=trust)
    assert "torch.export" in refusal(tmp_path / "program.pt2", trust=trust)


LOOK_ALIKES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "git lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 86\n", "Git LFS pointer"),
    "html": (b"\n<!DOCTYPE html><html><body>Sign in \xe2\x80", "web page"),
    "xml": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "web page"),
    "json": (b'{"weight_map": {}}', "JSON"),
    "text": (b"not found\x0c\n", "text file (begins 'not found')"),
    "random": (np.random.default_rng(0).bytes(4096), "neither a PyTorch checkpoint nor"),
    "one byte": (b"\x00", "neither a PyTorch checkpoint nor"),
    "gzip": (b"\x1f\x8b\x08" + bytes(20), "gzip"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(20), "HDF5"),
    "pickle": (pickle.dumps({"a": 1}), "plain pickle"),
    "empty zip": (b"PK\x05\x06" + bytes(18), "is an empty zip archive"),
}


@pytest.mark.parametrize("name", LOOK_ALIKES)
@pytest.mark.parametrize("trust", [False, True])
def test_look_alikes_are_named(tmp_path: Path, name: str, trust: bool) -> None:
    content, expected = LOOK_ALIKES[name]
    (tmp_path / "c.pth").write_bytes(content)
    assert expected in refusal(tmp_path / "c.pth", trust=trust)


def test_an_onnx_model_is_named(tmp_path: Path) -> None:
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "g", [value], [value])
    for producer in ("", "pytorch"):
        onnx.save(onnx.helper.make_model(graph, producer_name=producer), tmp_path / "m.pth")
        assert "ONNX model" in refusal(tmp_path / "m.pth")


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.pth") == "no such file"
    assert refusal(tmp_path) == "a folder, not a file"
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path / "pipe") == "not a regular file; the path of the file itself is needed"
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert refusal(tmp_path / "loop").startswith("cannot be read: ")
    (tmp_path / "file").write_bytes(b"x")
    assert refusal(tmp_path / "file" / "c.pth").startswith("cannot be read: ")
    with pytest.raises(BadInput, match="cannot be read"):
        read_checkpoint(Path("a\0b"))


def test_other_archives_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros(2))
    assert "torch.save did not write (contains 'x.npy')" in refusal(tmp_path / "a.npz")
    inner = save(tmp_path / "c.pth", STATE)
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.write(inner, "c.pth")
    assert "'c.pth'" in refusal(tmp_path / "b.zip")
    with tarfile.open(tmp_path / "c.tar", "w") as tar:
        tar.add(inner, "c.pth")
    assert "a tar archive. If the checkpoint is inside, extract it" in refusal(tmp_path / "c.tar", trust=True)


def test_a_compressed_archive_is_refused(tmp_path: Path) -> None:
    """A memory-mapped load would take the compressed bytes for weights."""
    path = save(tmp_path / "c.pth", STATE)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "d.pth", "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    assert "compressed" in refusal(tmp_path / "d.pth")


def test_one_flipped_bit_in_a_weight_is_found(tmp_path: Path) -> None:
    path = save(tmp_path / "c.pth", STATE)
    data = path.read_bytes()
    weights = STATE["conv.weight"].numpy().tobytes()
    assert weights in data
    damaged = data.replace(weights, weights[:-2] + bytes([weights[-2] ^ 1]) + weights[-1:])
    path.write_bytes(damaged)
    assert not torch.equal(torch.load(path)["conv.weight"], STATE["conv.weight"])  # torch reads it without a word
    assert "CRC-32" in refusal(path)


@pytest.mark.parametrize("encoding", ["zip", "legacy", "safetensors"])
def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "c.pth"
    if encoding == "safetensors":
        save_file(STATE, path)
    else:
        save(path, {"state_dict": STATE, "best": np.float64(1)}, **ENCODINGS[encoding])
    whole = path.read_bytes()
    step = max(1, len(whole) // 60)
    for length in [*range(0, len(whole), step), len(whole) - 1]:
        path.write_bytes(whole[:length])
        refusal(path)
    path.write_bytes(whole[: len(whole) // 2])
    assert "Copy or download it again" in refusal(path)


@pytest.mark.parametrize("length", [2**63, 2**40, 10**9, 500])
def test_a_safetensors_header_longer_than_the_file_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "c.safetensors"
    path.write_bytes(struct.pack("<Q", length) + b'{"w": ' + bytes(200))
    assert f"a safetensors header of {length} bytes in a file of 214 bytes" in refusal(path)


@pytest.mark.parametrize(
    "header",
    [
        b"{}}",
        b'{"w":{"dtype":"F32","shape":[4],"data_offsets":[0,8]}}',
        b'{"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,16]}}',
        b'{"w":{"dtype":"F32","shape":[4],"data_offsets":[900,916]}}',
        b'{"w":{"dtype":"O8","shape":[4],"data_offsets":[0,16]}}',
        b"{" * 5000,
    ],
)
def test_a_forged_safetensors_header_is_refused(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "c.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(16))
    assert "damaged" in refusal(path)


def test_a_tensor_larger_than_its_data_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "c.pth", {"w": torch.zeros(1000)})
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "d.pth", "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, data.replace(b"M\xe8\x03", b"J\x00\x00\x00\x10"))  # 1000 becomes 2 ** 28
    assert "damaged" in refusal(tmp_path / "d.pth")


def test_control_characters_in_a_path_or_a_class_do_not_reach_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[31m\n.pth"
    legacy = save(path, {}, **LEGACY).read_bytes()
    path.write_bytes(legacy.replace(pickle.dumps({}, protocol=2), b"\x80\x02cevil\x1b[31m\nNet\r\n."))
    with pytest.raises(BadInput) as caught:
        read_checkpoint(path)
    assert str(caught.value).isprintable()
    assert "evil" in str(caught.value)
