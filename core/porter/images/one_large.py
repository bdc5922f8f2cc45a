"""Large images one at a time: each takes half a gigabyte while it is decoded, and as many are under way as threads."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

LARGE_PIXELS = 8_000_000
"""A larger image waits for its turn."""

_turn = threading.Lock()
_here = threading.local()


@contextmanager
def one_large_image() -> Iterator[None]:
    """Within this block, in this thread, an image is decoded and used: a large one while no other thread has one."""
    _here.within, _here.waited = True, False
    try:
        yield
    finally:
        _here.within = False
        if _here.waited:
            _give_memory_back()
            _turn.release()


def expect(pixels: int) -> None:
    """Wait for the turn of an image of so many pixels, before any of them is decoded."""
    if pixels > LARGE_PIXELS and getattr(_here, "within", False) and not _here.waited:
        _turn.acquire()
        _here.waited = True


def _give_memory_back() -> None:
    """Have the C library keep nothing of what is free: it keeps it for each thread apart, as large as the image was."""
    with suppress(OSError, AttributeError, TypeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)
