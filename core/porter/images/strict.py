"""Pillow made strict and silent, without changing it for the rest of the process."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

# Without any handler Python writes to stderr what Pillow logs of a damaged TIFF; who has set logging up still gets it.
logging.getLogger("PIL").addHandler(logging.NullHandler())

_lock = threading.Lock()
_inside = 0
_restore = ExitStack()


def _enter() -> None:
    from PIL import ImageFile

    lenient = ImageFile.LOAD_TRUNCATED_IMAGES
    _restore.callback(setattr, ImageFile, "LOAD_TRUNCATED_IMAGES", lenient)
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    _restore.enter_context(warnings.catch_warnings())
    warnings.filterwarnings("ignore", module=r"PIL(\.|$)")


@contextmanager
def strict_pillow() -> Iterator[None]:
    """Within this block Pillow refuses truncated files and prints no warnings.

    Both settings are global to the process (`PIL.ImageFile.LOAD_TRUNCATED_IMAGES` and Python's warning filters), and
    images are decoded in several threads. So the first thread in sets them and the last one out puts back what it
    found; a thread that entered in between must not see them change.
    """
    global _inside
    with _lock:
        if _inside == 0:
            _enter()
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _restore.close()
