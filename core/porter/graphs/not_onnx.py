"""What a file is that was given as an ONNX file and is none, so that nobody guesses from a parser's error."""

from __future__ import annotations

import io
import zipfile

from porter.files.kinds import HEAD, ZIP, as_text, beginning, is_tar, packed, stand_in

ARCHIVE = "Extract the .onnx file and use that"
OF_CHECKPOINTS = "Export the model to ONNX, or port it through its own plugin"
SIGNATURES = (
    (0, b"7z\xbc\xaf\x27\x1c", f"is a 7-Zip archive. {ARCHIVE}"),
    (0, b"Rar!", f"is a RAR archive. {ARCHIVE}"),
    (0, b"\x89HDF\r\n\x1a\n", "is an HDF5 file (Keras?), not an ONNX file. Export the model to ONNX"),
    (4, b"TFL3", "is a TensorFlow Lite file, not an ONNX file. Export the model to ONNX"),
    (4, b"ORTM", "is in ONNX Runtime's own format (.ort), not an ONNX file. Use the .onnx that it was made from"),
    (0, b"\x80", f"is a pickle (an old PyTorch checkpoint?), not an ONNX file. {OF_CHECKPOINTS}"),
    (0, b"\x93NUMPY", "is a numpy array, not an ONNX file"),
    (0, b"IMOD", "is an offline model (.om), not an ONNX file. Use the .onnx that it was built from"),
)
"""Place of the bytes, the bytes, and what a file with them is."""


def what_it_is(data: bytes) -> str:
    """In words with the way out, for the content of a file that is no whole ONNX file."""
    head = data[:HEAD]
    if is_tar(head):
        return f"is a tar archive. {ARCHIVE}"
    if head.startswith(ZIP):
        return _zip(data)
    if what := packed(head):
        return f"is {what}"
    if text := as_text(head):
        return _text(text)
    for place, signature, what in SIGNATURES:
        if head[place:].startswith(signature):
            return what
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 100_000_000:
        return f"is a safetensors file, not an ONNX file. {OF_CHECKPOINTS}"
    if len(head) > 2 and head[0] == 0x08 and 0 < head[1] < 0x20:
        return "is a damaged or truncated ONNX file. Copy or download it again"
    return "is not an ONNX file"


def _text(text: str) -> str:
    if what := stand_in(text):
        return what
    if text.lstrip().startswith(("{", "[")):
        return f"is JSON text (it begins {beginning(text)}), not an ONNX file. Download it again"
    return f"a text file (begins {beginning(text)}), not an ONNX file"


def _zip(data: bytes) -> str:
    try:
        names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    except (zipfile.BadZipFile, ValueError, RuntimeError):  # the last: of a version that zipfile does not know
        return "is a zip archive that is damaged or truncated. Download it again"
    if any(name.endswith("data.pkl") for name in names):
        return f"is a PyTorch file, not an ONNX file. {OF_CHECKPOINTS}"
    return f"is a zip archive. {ARCHIVE}"
