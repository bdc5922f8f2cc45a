"""Reading an image file: never one that could not be an image."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

MAX_FILE_BYTES = 1 << 30
"""Larger files are refused unread. The largest image that is decoded (`porter.images.decode.MAX_PIXELS`) takes half of
that uncompressed, at 16 bits a channel."""


class ImageFileTooLarge(OSError):
    """An image file of more than `MAX_FILE_BYTES`."""


def read_image_file(path: Path) -> bytes:
    """The bytes of an image file. Raises OSError, whose `strerror` is the reason, where it cannot be read.

    So it does for what is no regular file, since a pipe would wait for ever and a device never end, and for one of more
    than `MAX_FILE_BYTES`.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    if status.st_size > MAX_FILE_BYTES:
        raise ImageFileTooLarge(
            errno.EFBIG, f"{status.st_size} bytes, more than the limit of {MAX_FILE_BYTES}", str(path)
        )
    return path.read_bytes()
