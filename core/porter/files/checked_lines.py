"""Lines of JSON that can be torn: each carries the CRC-32 of its text, so that one that does not hold is seen.

CRC32 {"key": …}
"""

from __future__ import annotations

import zlib
from typing import TypeVar

import msgspec

T = TypeVar("T")


def line_of(value: object) -> bytes:
    """The value as one line."""
    body = msgspec.json.encode(value)
    return b"%08x %s\n" % (zlib.crc32(body), body)


def value_of(line: bytes, kind: type[T]) -> T | None:
    """The line as `kind`; None where it is torn, altered or something else."""
    crc, _, body = line.rstrip(b"\n").partition(b" ")
    if not line.endswith(b"\n") or crc != b"%08x" % zlib.crc32(body):
        return None
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError:
        return None
