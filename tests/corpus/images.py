"""Folders of images, and images among good ones: one that cannot be read is counted as wrong, and the run goes on."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

from PIL import Image

from corpus.case import Case, Content
from corpus.configs import ONNX
from corpus.good import COLOURS, SIDE

EVALUATE = "preprocess onnx --config tiny.yaml --data val --labels labels.txt --out out"
LEFT = ("run.json", "tensors")


def png(width: int, height: int, data: bytes = b"", extra: bytes = b"") -> bytes:
    """A PNG whose header declares a size, whatever it holds."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", zlib.compress(data))
        + chunk(b"IEND", b"")
    )


def text_bomb(megabytes: int) -> bytes:
    body = b"comment\0\0" + zlib.compress(bytes(megabytes << 20))
    return struct.pack(">I", len(body)) + b"zTXt" + body + struct.pack(">I", zlib.crc32(b"zTXt" + body))


def image(path: Path) -> None:
    Image.new("RGB", (SIDE, SIDE), COLOURS[0]).save(path, format="PNG")


def _one(content: Content, name: str = "0.png") -> dict[str, Content]:
    return {f"val/{name}": content}


def _into(name: str, target: str) -> dict[str, Content]:
    return {name: lambda path: path.symlink_to(target)}


CASES = [
    Case(name="no folder", command=ONNX.replace("--data val", "--data absent"), says="--data absent: no such folder"),
    Case(
        name="a file",
        command=ONNX.replace("--data val", "--data labels.txt"),
        says="--data labels.txt: a file, not a folder",
    ),
    Case(
        name="a folder without images",
        command=ONNX.replace("--data val", "--data empty"),
        says="empty: no images found",
        files={"empty/notes.txt": "none"},
    ),
    Case(
        name="a name that is not UTF-8",
        command=ONNX,
        says="the name is not valid UTF-8. Rename the file",
        files={"val/x\udcff.png": image},
    ),
    Case(
        name="none that can be read",
        command=ONNX,
        says="not one of the 9 images can be read",
        files={f"val/{k}.png": b"" for k in range(9)},
        leaves=("models", "run.json"),
    ),
    # --- one bad image among good ones: the reason is in the record
    *(
        Case(name=f"one image: {name}", command=EVALUATE, code=0, leaves=LEFT, says=says, files=files)
        for name, says, files in (
            ("empty", r"empty file \(0 bytes\)", _one(b"")),
            ("a web page", "a web page or other markup text", _one(b"<html>404</html>")),
            (
                "a pointer of Git LFS",
                "a Git LFS pointer, not the image itself",
                _one(b"version https://git-lfs.github.com/spec/v1\n"),
            ),
            ("another format", "not an image that porter reads", _one(b"%PDF-1.7")),
            ("cut short", "PNG cannot be read completely", _one(png(24, 20, bytes(100)))),
            ("a header of 65535 x 65535", "more pixels than the limit|65535x65535 pixels", _one(png(65535, 65535))),
            ("a header of 2^31 x 2^31", "PNG|more pixels", _one(png(2**31 - 1, 2**31 - 1))),
            ("a comment of 100 MB", "PNG cannot be read completely", _one(png(4, 4, bytes(52), text_bomb(100)))),
            (
                "one pixel high, 300,000 wide",
                "300000×1 pixels would become 5400000×18",
                _one(png(300_000, 1, bytes(900_001))),
            ),
            ("a link to nowhere", "cannot be read: No such file or directory", _into("val/0.png", "nowhere.png")),
        )
    ),
    # --- names and links
    Case(
        name="a link to an image outside",
        command=EVALUATE,
        code=0,
        leaves=LEFT,
        says="preprocess: done",
        files={"elsewhere.png": image, **_into("val/0.png", "../elsewhere.png")},
    ),
    Case(
        name="a link to the folder itself",
        command=EVALUATE,
        code=0,
        leaves=LEFT,
        says="preprocess: done",
        files=_into("val/again", "."),
    ),
    Case(
        name="a link to a device",
        command=EVALUATE,
        code=0,
        leaves=LEFT,
        says="preprocess: done",
        files=_into("val/zero.png", "/dev/zero"),
    ),
    Case(
        name="a pipe", command=EVALUATE, code=0, leaves=LEFT, says="preprocess: done", files={"val/pipe.png": os.mkfifo}
    ),
    Case(
        name="a name with terminal controls",
        command=ONNX,
        says=r"no label for 1 of 10 images \('\\x1b\[2J.png'\)",
        files={"val/\x1b[2J.png": image},
    ),
]
