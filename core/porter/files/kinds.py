"""What a file is that stands in a model's place: a pointer, a page, an archive; told from its first bytes."""

from __future__ import annotations

import codecs

from porter.errors import one_line

HEAD = 1024
"""Bytes that are looked at."""
SHOWN = 40

ZIP = b"PK\x03\x04"
PACKED = (
    (b"\x1f\x8b", "a gzip file. Decompress it first"),
    (b"BZh", "a bzip2 file. Decompress it first"),
    (b"\xfd7zXZ\x00", "an xz file. Decompress it first"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file. Decompress it first"),
)
"""What holds one file, by how it begins."""


def as_text(head: bytes) -> str | None:
    """`head` as text, or None where it is binary. A character cut by the end of `head` is dropped."""
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head, final=False)
    except UnicodeDecodeError:
        return None
    return text if text.strip() and all(c.isprintable() or c in "\t\n\f\r" for c in text) else None


def stand_in(text: str) -> str:
    """What a text is that a server or git left in place of a file; empty where it is none of these."""
    start = text.lstrip().lower()
    if start.startswith("version https://git-lfs"):
        return "is a Git LFS pointer, not the file itself. Fetch it with `git lfs pull`"
    if start.startswith(("<!doctype", "<html", "<head", "<?xml", "<error")):
        return "is a web page, not the file. Download it again"
    return ""


def packed(head: bytes) -> str:
    """What a file is that must be decompressed; empty where it need not."""
    return next((what for signature, what in PACKED if head.startswith(signature)), "")


def is_tar(head: bytes) -> bool:
    """Whether a file is a tar archive."""
    return head[257:262] == b"ustar"


def beginning(text: str) -> str:
    """How a text begins, as an error shows it."""
    return repr(one_line(text.strip()[:SHOWN]))
