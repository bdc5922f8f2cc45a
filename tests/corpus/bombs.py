"""A few bytes that stand for gigabytes, each read once in this process; prints by how many MB the peak grew (JSON)."""

from __future__ import annotations

import io
import json
import resource
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from PIL import Image
from sessions import opening

from corpus import checkpoints, configs, graphs, images
from corpus.good import strongest_colour
from porter.builtin.onnxruntime import OnnxRuntimeSession
from porter.checkpoints.read import read_checkpoint
from porter.diagnose.preprocessing.user_tensors import read_user_tensors
from porter.errors import ImageError, PorterError
from porter.files.yamlfile import read_yaml
from porter.graphs.onnxfile import read_onnx
from porter.images.decode import decode
from porter.images.image_file import read_image_file
from porter.records.spec import PreprocessSpec


def peak() -> float:
    """Most memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def checkpoint(make: Callable[[Path], object]) -> Callable[[Path], object]:
    def read(path: Path) -> None:
        make(path)
        read_checkpoint(path)

    return read


def picture(format: str, width: int, height: int) -> bytes:
    """A small image, whose header is then made to say another size."""
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, format=format)
    data = bytearray(stream.getvalue())
    if format == "JPEG":
        at = data.index(b"\xff\xc0") + 5
        data[at : at + 4] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    elif format == "GIF":
        data[6:10] = width.to_bytes(2, "little") + height.to_bytes(2, "little")
    elif format == "BMP":
        data[18:26] = width.to_bytes(4, "little") + height.to_bytes(4, "little")
    elif format == "PPM":
        return b"P6\n%d %d\n255\n" % (width, height)
    return bytes(data)


def sparse_file(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(50 << 30)
    read_image_file(path)


def npy(path: Path) -> None:
    """A .npy whose header declares 4 TB."""
    folder = path.with_suffix("")
    folder.mkdir()
    with (folder / "a.npy").open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": (10**6, 10**6)})
        stream.write(bytes(64))
    read_user_tensors(folder, ["a.png"], PreprocessSpec(resize=16, crop=(16, 16)))


def yaml(path: Path) -> None:
    path.write_text(configs.BOMB)
    read_yaml(path)


def graph(change: Callable[..., object]) -> Callable[[Path], object]:
    def run(path: Path) -> None:
        model = strongest_colour()
        change(model)
        path.write_bytes(model.SerializeToString())
        read_onnx(path)
        session = OnnxRuntimeSession(opening(path))
        session.run({"image": np.zeros((1, 3, 16, 16), np.float32)})

    return run


BOMBS: dict[str, Callable[[Path], object]] = {
    "checkpoint: 256 MB, compressed": checkpoint(checkpoints.bomb),
    "checkpoint: a storage of 4 TB": checkpoint(checkpoints.storage_of_terabytes),
    "checkpoint: safetensors of 4 TB": checkpoint(
        lambda path: path.write_bytes(
            checkpoints.safetensors({"a": {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4 * 10**12]}})
        )
    ),
    "checkpoint: many zip records": checkpoint(
        lambda path: checkpoints.zip_of(path, {f"a/{k}": b"" for k in range(20_000)}, zipfile.ZIP_STORED)
    ),
    "image: PNG of 65535 x 65535": lambda path: decode(images.png(65535, 65535), "a.png"),
    "image: PNG with a comment of 500 MB": lambda path: decode(images.png(4, 4, bytes(52), images.text_bomb(500)), "a"),
    **{
        f"image: {kind} of 65535 x 65535": lambda path, kind=kind: decode(picture(kind, 65535, 65535), "a")  # type: ignore[misc]
        for kind in ("JPEG", "GIF", "BMP", "PPM")
    },
    "image: a file of 50 GB": sparse_file,
    "tensor: 4 TB": npy,
    "config: aliases": yaml,
    "ONNX: 4 TB of weights declared": graph(graphs.huge),
    "ONNX: 4 TB in a node": graph(graphs.node_of_terabytes),
}


def main(folder: Path) -> None:
    grown = {}
    with suppress(PorterError):  # what the imports and the first use of each library take
        read_checkpoint(folder)
    graph(lambda model: None)(folder / "warm.onnx")
    for number, (name, read) in enumerate(BOMBS.items()):
        before = peak()
        try:
            read(folder / f"bomb{number}")
        except (PorterError, ImageError, OSError):
            grown[name] = round(peak() - before)
        else:
            raise SystemExit(f"{name}: was read")
    print(json.dumps(grown))  # noqa: T201


main(Path(sys.argv[1]))
