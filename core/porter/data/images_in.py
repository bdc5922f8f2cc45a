"""The images below a data folder, in a fixed order."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from porter.errors import BadInput, one_line
from porter.images.formats import (
    IMAGE_SUFFIXES,
    OTHER_SUFFIXES,
    SNIFF_BYTES,
    UNREADABLE_SUFFIXES,
    foreign,
    lacks_reader,
    sniff,
    suffix_format,
)
from porter.records.message import Message

ARCHIVES = (".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".zip", ".7z", ".rar", ".zst")


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The images below a folder or URL."""

    ids: tuple[str, ...]
    """Paths relative to it, `/` between the parts, sorted by code point."""
    warnings: tuple[Message, ...] = ()
    """What has the look of an image and is not read, one line a kind."""


def list_images(root: Path) -> tuple[str, ...]:
    """Identifiers of all images below `root`: paths relative to it, `/` between the parts, sorted by code point.

    An image is a file whose suffix is one of `porter.images.formats.IMAGE_SUFFIXES` in any case, even where it is empty
    or cannot be read, and a file with any other suffix, or none, whose first bytes are an image's. Whatever else lies
    there (label files, notes, `Thumbs.db`) is passed over, and so are files and folders whose name begins with a dot.

    Links to files and to folders are followed, except a link to a folder that holds the link itself: a loop.

    Raises `BadInput` where `root` is missing, is no folder or holds no image, where a folder below it cannot be read,
    and where an image's name is not valid UTF-8, since no document could hold it.
    """
    return find_images(root).ids


def find_images(root: Path) -> Listing:
    """What `list_images` lists, and a warning for each kind of image that is not read."""
    try:
        is_folder = stat.S_ISDIR(root.stat().st_mode)
    except FileNotFoundError:
        raise BadInput(f"{one_line(root)}: no such folder. Use --data DIR with the folder of images") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"{one_line(root)}: cannot be read: {one_line(error)}") from None
    if not is_folder:
        raise BadInput(f"{one_line(root)}: not a folder. --data needs the folder of images")
    passed_over: list[str] = []
    ids = sorted(_walk(root, passed_over))
    if not ids:
        raise BadInput(no_images(str(root), passed_over))
    for image_id in ids:
        if not _is_unicode(image_id):
            raise BadInput(f"{one_line(root / image_id)}: the name is not valid UTF-8. Rename the file or its folder")
    return Listing(ids=tuple(ids), warnings=tuple(warnings_of(ids, passed_over)))


def no_images(root: str, passed_over: Iterable[str]) -> str:
    """That nothing lies there, and what lies there instead."""
    archives = sorted(name for name in passed_over if name.lower().endswith(ARCHIVES))
    if archives:
        return (
            f"{one_line(root)}: no images, but {len(archives)} archives ({archives[0]!r}, …): unpack them, or use"
            f" --data {_archive_url(f'{root}/{archives[0]}')}"
        )
    kinds = ", ".join(f"{count} {kind}" for kind, count in _kinds(passed_over))
    found = f"found {kinds}, which porter does not read; " if kinds else ""
    return (
        f"{one_line(root)}: no images found; {found}supported:  {', '.join(sorted(IMAGE_SUFFIXES))}"
        " and files that start like an image"
    )


def _archive_url(path: str) -> str:
    """What reads an archive as it is; a compressed tar would be unpacked anew for each image."""
    return f"{'zip' if path.lower().endswith('.zip') else 'tar'}://::{one_line(path)}"


def archive_advice(path: Path) -> str:
    """What to do with an archive that was given for a folder; empty where it is none."""
    name = path.name.lower()
    if not name.endswith(ARCHIVES):
        return ""
    url = f", or use --data {_archive_url(str(path))}" if name.endswith((".zip", ".tar")) else ""
    return f"an archive. Unpack it and use its folder{url}"


def warnings_of(ids: Iterable[str], passed_over: Iterable[str]) -> Iterator[Message]:
    """One line for each kind of file that has the look of an image and is not read."""
    lacking = Counter(
        suffix
        for image_id in ids
        if (suffix := PurePosixPath(image_id).suffix.lower()) in UNREADABLE_SUFFIXES
        or lacks_reader(suffix_format(image_id))
    )
    for suffix, count in sorted(lacking.items()):
        yield Message(
            "{count} {suffix} files cannot be read and count as wrong: Pillow on this machine does not "
            "support the format. Convert them to PNG",
            count=count,
            suffix=suffix,
        )
    for kind, count in _kinds(passed_over):
        if kind == HIDDEN:
            yield Message("{count} images are skipped: their names begin with a dot", count=count)
        else:
            yield Message(
                "{count} {suffix} files are skipped: porter does not read the format", count=count, suffix=kind
            )


HIDDEN = "hidden"


def _kinds(passed_over: Iterable[str]) -> list[tuple[str, int]]:
    """How many there are of each kind that has the look of an image."""
    counts: Counter[str] = Counter()
    for name in passed_over:
        suffix = PurePosixPath(name).suffix.lower()
        if any(part.startswith(".") for part in PurePosixPath(name).parts):
            # macOS leaves a file `._NAME` beside every file that it writes to a foreign disk: none is a lost image.
            counts[HIDDEN] += suffix in IMAGE_SUFFIXES and not PurePosixPath(name).name.startswith("._")
        elif suffix in OTHER_SUFFIXES:
            counts[suffix] += 1
    return sorted((kind, count) for kind, count in counts.items() if count)


def _walk(root: Path, passed_over: list[str]) -> Iterator[str]:
    """Identifiers in no particular order; `passed_over` takes those of all other files."""
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
                passed_over.append(prefix + entry.name)
            elif _holds(entry.is_dir):
                real = Path(os.path.realpath(entry.path)) if entry.is_symlink() else trail[-1] / entry.name
                if not (entry.is_symlink() and _leads_back(real, trail)):
                    pending.append((Path(entry.path), f"{prefix}{entry.name}/", (*trail, real)))
            elif _is_image(entry):
                yield prefix + entry.name
            else:
                passed_over.append(prefix + entry.name)


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
            head = file.read(SNIFF_BYTES)
            return sniff(head) not in ("", "PPM") or bool(foreign(head))
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
