"""Checkpoints of hrnet: damaged, mistaken for one, or hostile."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from corpus.case import CANARY, Case, Content
from corpus.configs import HRNET_RUN as RUN

FAILED = ("README.md", "reproduce.sh", "run.json")
"""A checkpoint that does not load fails the verdict "weights", and the documents say so."""


class Touch:
    """Makes the canary when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {CANARY}",)


def _pth(content: Callable[[dict[str, Any]], object], **options: Any) -> dict[str, Content]:
    """hrnet.pth made from the good weights."""

    def save(path: Path) -> None:
        state = torch.load(path.parent / "good.pth", weights_only=True)["state_dict"]
        torch.save(content(state), path, **options)

    return {"hrnet.pth": save}


def _bytes(content: Content) -> dict[str, Content]:
    return {"hrnet.pth": content}


def _edited(edit: Callable[[bytes], bytes]) -> dict[str, Content]:
    return {"hrnet.pth": lambda path: path.write_bytes(edit((path.parent / "good.pth").read_bytes()))}


def numpy_objects(path: Path) -> None:
    """A .npy whose object array is a pickle."""
    with path.open("wb") as stream:
        np.save(stream, np.array([Touch()], dtype=object), allow_pickle=True)


def zip_of(path: Path, records: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    """A zip archive of anything."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in records.items():
            archive.writestr(name, data)


def tar_of_the_first_releases(path: Path) -> None:
    """torch 0.1's format, whose pickle makes the canary."""
    with tarfile.open(path, "w:", format=tarfile.USTAR_FORMAT) as archive:
        for name in ("storages", "tensors", "pickle"):
            data = pickle.dumps(Touch(), protocol=2)
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


def safetensors(header: object, data: bytes = b"") -> bytes:
    """A safetensors file with any header."""
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def bomb(path: Path) -> None:
    """256 MB of zeros in a quarter of a megabyte: compressed records."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"\x80\x02}.")
        with archive.open("a/data/0", "w", force_zip64=True) as record:
            for _ in range(16):
                record.write(bytes(16 << 20))


def storage_of_terabytes(path: Path) -> None:
    """torch's old format, with a storage that declares 4 TB."""
    torch.save({"a": torch.zeros(2)}, path, _use_new_zipfile_serialization=False)
    data = path.read_bytes()
    at = data.index(b"X\x03\x00\x00\x00cpu")
    count = data.index(b"K\x02", at)
    path.write_bytes(data[:count] + b"\x8a\x06" + (10**12).to_bytes(6, "little") + data[count + 2 :])


CASES = [
    # --- what is no checkpoint
    Case(name="absent", command=RUN.replace("hrnet.pth", "absent.pth"), says="--checkpoint absent.pth: no such file"),
    Case(name="a folder", command=RUN.replace("hrnet.pth", "val"), says="--checkpoint val: a folder, not a file"),
    Case(name="empty", command=RUN, says="hrnet.pth: empty file", files=_bytes(b""), leaves=FAILED),
    Case(
        name="a pointer of Git LFS",
        command=RUN,
        says="is a Git LFS pointer",
        files=_bytes("version https://git-lfs.github.com/spec/v1\n"),
        leaves=FAILED,
    ),
    Case(
        name="a web page",
        command=RUN,
        says=r"is a web page, not the file\. Download",
        files=_bytes("<!DOCTYPE html>"),
        leaves=FAILED,
    ),
    Case(
        name="an index of shards",
        command=RUN,
        says="JSON text, not a checkpoint",
        files=_bytes('{"weight_map": {}}'),
        leaves=FAILED,
    ),
    Case(
        name="gzip",
        command=RUN,
        says="is a gzip file. Decompress it first",
        files=_bytes(b"\x1f\x8b\x08" + bytes(20)),
        leaves=FAILED,
    ),
    Case(
        name="an ONNX file",
        command=RUN.replace("hrnet.pth", "tiny.onnx"),
        says="is an ONNX model, not a PyTorch checkpoint",
        leaves=FAILED,
    ),
    Case(
        name="a zip of something else",
        command=RUN,
        says=r"a zip archive that torch\.save did not write",
        files=_bytes(lambda p: zip_of(p, {"a.txt": b"a"})),
        leaves=FAILED,
    ),
    Case(
        name="TorchScript",
        command=RUN,
        says="a TorchScript archive",
        files=_bytes(lambda p: torch.jit.save(torch.jit.script(torch.nn.ReLU()), str(p))),
        leaves=FAILED,
    ),
    # --- damaged
    Case(
        name="cut short",
        command=RUN,
        says="damaged or truncated zip archive",
        files=_edited(lambda d: d[:-2000]),
        leaves=FAILED,
    ),
    Case(
        name="one bit flipped in a weight",
        command=RUN,
        says="damaged",
        files=_edited(lambda d: d[:200_000] + bytes([d[200_000] ^ 1]) + d[200_001:]),
        leaves=FAILED,
    ),
    Case(
        name="another digest",
        command=f"{RUN} --checkpoint-sha256 {'0' * 64}",
        says="sha256 is [0-9a-f]{64}, expected 0{64}",
    ),
    # --- hostile
    Case(
        name="code, in a zip",
        command=RUN,
        says=r"pth: needs a class or function that porter does not load: 'posix\.system'",
        files=_pth(lambda s: {"state_dict": s, "x": Touch()}),
        leaves=FAILED,
    ),
    Case(
        name="code, in torch's old format",
        command=RUN,
        says="'posix.system'",
        files=_pth(lambda s: {"state_dict": s, "x": Touch()}, _use_new_zipfile_serialization=False),
        leaves=FAILED,
    ),
    Case(
        name="code, in a newer pickle",
        command=RUN,
        says="pth: pickled with a protocol above 2",
        files=_pth(lambda s: {"state_dict": s, "x": Touch()}, pickle_protocol=4),
        leaves=FAILED,
    ),
    Case(
        name="code, in a tar",
        command=RUN,
        says=r"a tar archive\. If the checkpoint is inside, extract it\. If PyTorch before 0\.2 wrote it",
        files=_bytes(tar_of_the_first_releases),
        leaves=FAILED,
    ),
    Case(
        name="code, in a plain pickle",
        command=RUN,
        says="is a plain pickle",
        files=_bytes(lambda p: p.write_bytes(pickle.dumps(Touch()))),
        leaves=FAILED,
    ),
    Case(
        name="code, in a pickle of protocol 0",
        command=RUN,
        says=r"hrnet\.pth: a text file",
        files=_bytes(lambda p: p.write_bytes(pickle.dumps(Touch(), protocol=0))),
        leaves=FAILED,
    ),
    Case(
        name="code, in a numpy array",
        command=RUN,
        says="is a numpy array, not a PyTorch checkpoint",
        files=_bytes(numpy_objects),
        leaves=FAILED,
    ),
    Case(
        name="code, in a .npz",
        command=RUN,
        says=r"a zip archive that torch\.save did not write",
        files=_bytes(lambda p: zip_of(p, {"a.npy": pickle.dumps(Touch())})),
        leaves=FAILED,
    ),
    Case(
        name="code, named .pth.tar",
        command=RUN.replace("hrnet.pth", "c.pth.tar"),
        says="'posix.system'",
        files={"c.pth.tar": lambda p: torch.save({"x": Touch()}, p)},
        leaves=FAILED,
    ),
    Case(
        name="code, named .bin",
        command=RUN.replace("hrnet.pth", "c.bin"),
        says="'posix.system'",
        files={"c.bin": lambda p: torch.save({"x": Touch()}, p)},
        leaves=FAILED,
    ),
    Case(
        name="code, named .safetensors",
        command=RUN.replace("hrnet.pth", "c.safetensors"),
        says="'posix.system'",
        files={"c.safetensors": lambda p: torch.save({"x": Touch()}, p)},
        leaves=FAILED,
    ),
    Case(
        name="a whole model",
        command=RUN,
        says="contains a whole pickled model",
        files=_pth(lambda s: torch.nn.Linear(2, 2)),
        leaves=FAILED,
    ),
    Case(
        name="a bomb of zeros",
        command=RUN,
        says="is compressed, which torch.save never does",
        files=_bytes(bomb),
        leaves=FAILED,
    ),
    Case(
        name="a storage of four terabytes",
        command=RUN,
        says="is damaged or truncated",
        files=_bytes(storage_of_terabytes),
        leaves=FAILED,
    ),
    Case(
        name="a tensor of four terabytes over two values",
        command=RUN,
        says="hrnet.pth",
        files=_pth(lambda s: {"state_dict": {**s, "conv1.weight": torch.zeros(1).expand(10**6, 10**6)}}),
        leaves=FAILED,
    ),
    Case(
        name="names that lead out of the archive",
        command=RUN,
        says=r"a zip archive that torch\.save did not write",
        files=_bytes(lambda p: zip_of(p, {"../../canary": b"x", "/tmp/canary": b"x"})),
        leaves=FAILED,
    ),
    Case(
        name="safetensors: a header longer than the file",
        command=RUN,
        says="a safetensors header of \\d+ bytes in a file of",
        files=_bytes(struct.pack("<Q", 10**9) + b"{}"),
        leaves=FAILED,
    ),
    Case(
        name="safetensors: a header that is no JSON",
        command=RUN,
        says="is damaged or truncated",
        files=_bytes(struct.pack("<Q", 4) + b"{]]]\xff"),
        leaves=FAILED,
    ),
    Case(
        name="safetensors: offsets beyond the file",
        command=RUN,
        says="is damaged or truncated",
        files=_bytes(
            safetensors({"a": {"dtype": "F32", "shape": [10**6, 10**6], "data_offsets": [0, 4 * 10**12]}}, b"\xff" * 16)
        ),
        leaves=FAILED,
    ),
    Case(
        name="terminal controls in a key",
        command=RUN,
        says=r"no weights found. It contains '\\x1b\[2J' \(int\)|no weights",
        files=_pth(lambda s: {"\x1b[2J": 1}),
        leaves=FAILED,
    ),
    # --- weights that do not fit
    Case(
        name="no weights",
        command=RUN,
        says="no weights found. It contains 'epoch'",
        files=_pth(lambda s: {"epoch": 3}),
        leaves=FAILED,
    ),
    Case(
        name="several sets of weights",
        command=RUN,
        says="contains several sets of weights.*Choose one with --weights",
        files=_pth(lambda s: {"model": s, "net": dict(s)}),
        leaves=FAILED,
    ),
    Case(name="a set that is not there", command=f"{RUN} --weights ema", says="no weights under 'ema'", leaves=FAILED),
    Case(
        name="an entry missing",
        command=RUN,
        says="missing 1 of .* entries of the model: 'classifier.bias'",
        files=_pth(lambda s: {k: v for k, v in s.items() if k != "classifier.bias"}),
        leaves=FAILED,
    ),
    Case(
        name="another model's",
        command=RUN,
        says=r"No name matches: is it the checkpoint of another model\?",
        files=_pth(lambda s: {f"other.{k}x": v for k, v in s.items()}),
        leaves=FAILED,
    ),
    Case(
        name="a head of other classes",
        command=RUN,
        says="the checkpoint has 7 classes, the config 3 .MODEL.NUM_CLASSES in hrnet.yaml",
        files=_pth(
            lambda s: {
                **s,
                "classifier.weight": torch.zeros(7, s["classifier.weight"].shape[1]),
                "classifier.bias": torch.zeros(7),
            }
        ),
        leaves=FAILED,
    ),
    Case(
        name="NaN",
        command=RUN,
        says="'classifier.bias' contains NaN or infinity",
        files=_pth(lambda s: {**s, "classifier.bias": torch.full((3,), float("nan"))}),
        leaves=FAILED,
    ),
    Case(
        name="text for a tensor",
        command=RUN,
        says=r"'classifier\.bias': expected a tensor",
        files=_pth(lambda s: {**s, "classifier.bias": "text"}),
        leaves=FAILED,
    ),
]
