"""The images below a data folder, in a fixed order."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from porter.errors import BadInput, one_line
from porter.images.formats import SNIFF_BYTES, SUFFIX_FORMATS, sniff

IMAGE_SUFFIXES = frozenset(SUFFIX_FORMATS) | {".avif", ".heic", ".heif", ".jp2", ".j2k", ".jxl"}
"""Suffixes (lower case) that make a file an image whatever it holds. Those that porter cannot decode are among them, so
that such a file is counted as a failure and does not vanish."""


def list_images(root: Path) -> tuple[str, ...]:
    """Identifiers of all images below `root`: paths relative to it, `/` between the parts, sorted by code point.

    An image is a file whose suffix is one of `IMAGE_SUFFIXES` in any case, even where it is empty or cannot be read,
    and a file with any other suffix, or none, whose first bytes are an image's. Whatever else lies there (label files,
    notes, `Thumbs.db`) is passed over, and so are files and folders whose name begins with a dot.

    Links to files and to folders are followed, except a link to a folder that holds the link itself: a loop.

    Raises `BadInput` where `root` is missing, is no folder or holds no image, where a folder below it cannot be read,
    and where an image's name is not valid UTF-8, since no document could hold it.
    """
    try:
        is_folder = stat.S_ISDIR(root.stat().st_mode)
    except FileNotFoundError:
        raise BadInput(f"{one_line(root)}: no such folder; give the folder of images with --data") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"{one_line(root)}: cannot be read: {one_line(error)}") from None
    if not is_folder:
        raise BadInput(f"{one_line(root)}: not a folder; --data takes the folder that holds the images")
    ids = sorted(_walk(root))
    if not ids:
        raise BadInput(
            f"{one_line(root)}: no images in it or below it; looked for {', '.join(sorted(IMAGE_SUFFIXES))}"
            " and for files that begin as an image does"
        )
    for image_id in ids:
        if not _is_unicode(image_id):
            raise BadInput(f"{one_line(root / image_id)}: the name is not valid UTF-8; rename the file or its folder")
    return tuple(ids)


def _walk(root: Path) -> Iterator[str]:
    """Identifiers in no particular order."""
    # Each entry: a folder, its identifier with a `/` behind, and the real paths of the folders that led to it.
    start = Path(os.path.realpath(root))
    pending: list[tuple[Path, str, tuple[Path, ...]]] = [(root, "", (start,))]
    while pending:
        folder, prefix, trail = pending.pop()
        try:
            with os.scandir(folder) as scan:
                entries = list(scan)
        except OSError as error:
            raise BadInput(f"{one_line(folder)}: cannot list the folder: {error.strerror}") from None
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if _holds(entry.is_dir):
                real = Path(os.path.realpath(entry.path)) if entry.is_symlink() else trail[-1] / entry.name
                if not (entry.is_symlink() and _leads_back(real, trail)):
                    pending.append((Path(entry.path), f"{prefix}{entry.name}/", (*trail, real)))
            elif _is_image(entry):
                yield prefix + entry.name


def _leads_back(target: Path, trail: tuple[Path, ...]) -> bool:
    """Whether one of the folders that led here is `target` or lies in it."""
    return any(folder.is_relative_to(target) for folder in trail)


def _is_image(entry: os.DirEntry[str]) -> bool:
    """Whether an entry that is no folder counts as an image; a pipe or device never does, reading it might block."""
    is_file = _holds(entry.is_file)
    if PurePosixPath(entry.name).suffix.lower() in IMAGE_SUFFIXES:
        return is_file or not _holds(Path(entry.path).exists)  # a dangling link was meant to be an image
    if not is_file:
        return False
    try:
        with Path(entry.path).open("rb") as file:
            # PPM begins with two letters that may begin a text as well: there the suffix must say so.
            return sniff(file.read(SNIFF_BYTES)) not in ("", "PPM")
    except OSError:
        return False


def _holds(question: Callable[[], bool]) -> bool:
    """The answer to a question about a file; no, for a link to itself or to where this user may not look."""
    try:
        return question()
    except OSError:
        return False


def _is_unicode(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
