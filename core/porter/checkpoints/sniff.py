"""Tell a checkpoint's format from its first bytes; name what is not a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from porter.checkpoints.naming import quoted
from porter.errors import BadInput, one_line
from porter.files.kinds import HEAD, ZIP, as_text, is_tar, packed, stand_in

Format = Literal["zip", "legacy", "safetensors"]
"""torch's archive (since 1.6), its pickle before that; or safetensors."""

_LEGACY_MAGIC = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""`torch.serialization.MAGIC_NUMBER` as every pickle protocol from 2 on writes it."""

_LONGEST_SAFETENSORS_HEADER = 100_000_000
"""Bytes; the limit that the safetensors library sets."""

_SIGNATURES = (
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive. Extract the checkpoint from it"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file (Keras?), not a PyTorch checkpoint"),
    (b"\x93NUMPY", "a numpy array, not a PyTorch checkpoint"),
    (b"\x80", "a plain pickle, not a file written by torch.save. Save the state_dict with torch.save"),
)

_TAR = (
    "a tar archive. If the checkpoint is inside, extract it. If PyTorch before 0.2 wrote it and you trust it, open it "
    "with any PyTorch and save it again: torch.save(torch.load(FILE, weights_only=False), NEW)"
)

_ONNX_FIELDS = frozenset(b"\x12\x1a\x22\x28\x32\x3a\x42\x72")
"""Tags of the fields that may follow `ir_version` in an ONNX `ModelProto` (onnx.proto)."""


def detect_format(path: Path) -> Format:
    """The format of the checkpoint at `path`, an existing file, whatever its name.

    Raises:
        BadInput: it is no checkpoint; the text says what it is instead.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    if head.startswith(ZIP):
        return "zip"
    if head.startswith(b"\x80") and _LEGACY_MAGIC in head[:32]:
        return "legacy"
    if is_tar(head):  # before text, which a tar of text files seems to be
        raise BadInput(f"{one_line(path)}: {_TAR}")
    text = as_text(head)
    if text is not None:
        raise BadInput(f"{one_line(path)}: {_describe_text(text)}")
    if head[8:9] == b"{":
        _check_safetensors_header(path, int.from_bytes(head[:8], "little"))
        return "safetensors"
    raise BadInput(f"{one_line(path)}: {_describe_binary(head)}")


def _check_safetensors_header(path: Path, length: int) -> None:
    """Compare the header's length, as the file states it, with the file's size."""
    size = path.stat().st_size
    if length > min(size - 8, _LONGEST_SAFETENSORS_HEADER):
        raise BadInput(
            f"{one_line(path)}: a safetensors header of {length} bytes in a file of {size} bytes: "
            "damaged or truncated. Copy or download it again"
        )


def _describe_text(text: str) -> str:
    start = text.lstrip().lower()
    if what := stand_in(text):
        return what
    if start.startswith(("{", "[")):
        return "JSON text, not a checkpoint. An index of shards must be named NAME.index.json"
    return f"a text file (begins {quoted(text.strip()[:40])}), not a checkpoint"


def _describe_binary(head: bytes) -> str:
    if len(head) > 2 and head[0] == 0x08 and 0 < head[1] < 0x20 and head[2] in _ONNX_FIELDS:
        return "is an ONNX model, not a PyTorch checkpoint. Use the checkpoint that it was exported from"
    if what := packed(head):
        return f"is {what}"
    for signature, what in _SIGNATURES:
        if head.startswith(signature):
            return f"is {what}"
    return "neither a PyTorch checkpoint nor a safetensors file"
