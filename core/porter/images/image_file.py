"""Reading an image file: never one that could not be an image."""

from __future__ import annotations

from pathlib import Path

from porter.files.limits import limit_of
from porter.files.received import read_limited

MAX_FILE_BYTES = limit_of("image file")
"""Larger files are refused unread. The largest image that is decoded (`porter.images.decode.MAX_PIXELS`) takes half of
that uncompressed, at 16 bits a channel."""


def read_image_file(path: Path) -> bytes:
    """The bytes of an image file. Raises OSError, whose `strerror` is the reason, where it cannot be read.

    So it does for what is no regular file, since a pipe would wait for ever and a device never end, and for one of more
    than `MAX_FILE_BYTES`.
    """
    return read_limited(path, MAX_FILE_BYTES)
