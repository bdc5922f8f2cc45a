"""Reading an image file: never one that could not be an image."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MAX_FILE_BYTES = 1 << 30
"""Larger files are refused unread. The largest image that is decoded (`porter.images.decode.MAX_PIXELS`) takes half of
that uncompressed, at 16 bits a channel."""


_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""A pipe that nobody writes to is opened at once."""


class ImageFileTooLarge(OSError):
    """An image file of more than `MAX_FILE_BYTES`."""


def read_image_file(path: Path) -> bytes:
    """The bytes of an image file. Raises OSError, whose `strerror` is the reason, where it cannot be read.

    So it does for what is no regular file, since a pipe would wait for ever and a device never end, and for one of more
    than `MAX_FILE_BYTES`.
    """
    handle = os.open(path, _FLAGS)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        if status.st_size > MAX_FILE_BYTES:
            raise ImageFileTooLarge(
                errno.EFBIG, f"{status.st_size} bytes, more than the limit of {MAX_FILE_BYTES}", str(path)
            )
        data = os.read(handle, status.st_size)
        while len(data) < status.st_size and (rest := os.read(handle, status.st_size - len(data))):
            data += rest  # some file systems give less at a time than was asked for
        return data
    finally:
        os.close(handle)
