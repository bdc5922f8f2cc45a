"""Where the images of a data set lie: a folder, or what fsspec reaches by a URL."""

from __future__ import annotations

import abc
import errno
import hashlib
import re
import threading
import time
from contextlib import nullcontext
from pathlib import Path, PurePosixPath
from typing import Any

from porter.data.images_in import Listing, find_images, no_images, warnings_of
from porter.errors import BadInput, Missing, one_line
from porter.files.limits import limit_of, over
from porter.files.received import TooLarge
from porter.files.urls import is_url
from porter.images.formats import IMAGE_SUFFIXES
from porter.images.image_file import read_image_file

TRIES = 3
"""Times that a file behind a URL is asked for before the run stops."""
WAIT = 0.5
"""Seconds before the second try; twice as many before the next."""
READS_AT_ONCE = 16
"""Files behind a URL that are asked for at a time: an answer takes long, and costs this machine nothing."""


class ImageStore(abc.ABC):
    """The images of one data set, by identifier: the path below `root`, with `/` between its parts."""

    def __init__(self, root: str) -> None:
        self.root = root
        """Absolute path of the folder, or its URL: what `Manifest.root` says."""

    @property
    def reads_at_once(self) -> int:
        """Calls of `read` that should be under way at a time beside the work on what they bring; 0: a read takes so
        little that it is part of that work."""
        return 0

    def list(self) -> tuple[str, ...]:
        """Identifiers of all images, sorted by code point. Raises `BadInput` where there is none."""
        return self.find().ids

    @abc.abstractmethod
    def find(self) -> Listing:
        """The same, with a warning for each kind of image that is not read."""

    @abc.abstractmethod
    def read(self, image_id: str) -> bytes:
        """The bytes of one image. Called from several threads at once.

        Raises OSError where that one file is at fault, and `BadInput` where the storage does not answer: an image
        must not count as unreadable because the network was down.
        """

    @abc.abstractmethod
    def name(self, image_id: str) -> str:
        """Path or URL of one image, for messages."""

    def digest(self, image_id: str) -> str:
        """SHA-256 of one image in hexadecimal digits. Raises what `read` does."""
        return hashlib.sha256(self.read(image_id)).hexdigest()


def open_store(root: str | Path) -> ImageStore:
    """The images below a folder or URL.

    Raises `Missing` where fsspec, or its driver for the URL's scheme, is not installed, and `BadInput` for a scheme
    that it does not know.
    """
    return _Remote(str(root)) if is_url(str(root)) else _Local(Path(root))


class _Local(ImageStore):
    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder.absolute()))
        self._folder = folder

    def find(self) -> Listing:
        images = find_images(self._folder)
        self.root = str(self._folder.resolve())
        return images

    def read(self, image_id: str) -> bytes:
        return read_image_file(self._folder / image_id)

    def name(self, image_id: str) -> str:
        return str(self._folder / image_id)


class _Remote(ImageStore):
    def __init__(self, url: str) -> None:
        super().__init__(url.rstrip("/"))
        self._files, self._folder = _filesystem(self.root)
        self._archive = threading.Lock() if _is_archive(self._files) else None
        """Held while one file is read: all files of an archive come through one, whose place is that of whoever moved
        it last (`tarfile.ExFileObject`)."""

    @property
    def reads_at_once(self) -> int:
        return READS_AT_ONCE if self._archive is None else 1

    def find(self) -> Listing:
        """An image is a file with one of `IMAGE_SUFFIXES`: to look into each of the others would take a request each.

        Names and folders that begin with a dot are passed over, as in a local folder.
        """
        try:
            found = self._files.find(self._folder)
        except Exception as error:  # every driver has errors of its own: of the network, of rights, of configuration
            raise BadInput(f"{one_line(self.root)}: cannot be listed: {_reason(error)}") from None
        names = [path.removeprefix(self._folder).lstrip("/") for path in found]
        ids = sorted(name for name in names if _is_image(name))
        passed_over = [name for name in names if not _is_image(name)]
        if not ids:
            raise BadInput(no_images(self.root, passed_over))
        return Listing(ids=tuple(ids), warnings=tuple(warnings_of(ids, passed_over)))

    def read(self, image_id: str) -> bytes:
        path = f"{self._folder}/{image_id}" if self._folder else image_id
        for attempt in range(TRIES):
            try:
                return self._bytes(path)
            except (FileNotFoundError, IsADirectoryError, TooLarge):
                raise
            except Exception as error:  # as above
                if attempt + 1 == TRIES:
                    raise BadInput(
                        f"{one_line(self.name(image_id))}: cannot be read in {TRIES} attempts: {_reason(error)}. "
                        "Repeat the command to resume"
                    ) from None
            time.sleep(WAIT * 2**attempt)
        raise AssertionError("unreachable")

    def _bytes(self, path: str) -> bytes:
        # Inside an archive a few bytes may stand for gigabytes. Elsewhere a range would cost some servers' answer.
        what = "image file" if self._archive is None else "image file in an archive"
        end = limit_of(what) + 1 if "::" in self.root else None
        with self._archive or nullcontext():
            data = bytes(self._files.cat_file(path, end=end))
        if len(data) > limit_of(what):
            raise TooLarge(errno.EFBIG, over(what), path)
        return data

    def name(self, image_id: str) -> str:
        return f"{self.root}/{image_id}"


def _filesystem(url: str) -> tuple[Any, str]:
    """The file system behind a URL, and the folder's path in it, without a `/` behind."""
    try:
        from fsspec.core import url_to_fs
    except ModuleNotFoundError:
        raise Missing(
            f"--data {one_line(url)}: URLs need fsspec. Run in the clone of porter: pip install -e '.[fsspec]'"
        ) from None
    if "reference" in re.split("://|::", url):
        raise BadInput(
            f"--data {one_line(url)}: reference:// renders templates from the data. Use the images themselves"
        )
    try:
        files, folder = url_to_fs(url)
    except ImportError as error:  # fsspec names the package: "Install s3fs to access S3"
        raise Missing(f"--data {one_line(url)}: the driver of this URL is not installed: {one_line(error)}") from None
    except Exception as error:  # every driver has errors of its own
        raise BadInput(f"--data {one_line(url)}: cannot be opened: {_reason(error)}") from None
    return files, str(folder).rstrip("/")


def _is_archive(files: Any) -> bool:
    """Whether an archive is among the file systems that lie behind each other."""
    from fsspec.archive import AbstractArchiveFileSystem

    while files is not None and not isinstance(files, AbstractArchiveFileSystem):
        files = getattr(files, "fs", None)
    return files is not None


def _is_image(name: str) -> bool:
    parts = PurePosixPath(name).parts
    hidden = any(part.startswith(".") for part in parts)
    return bool(parts) and not hidden and PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES


def _reason(error: Exception) -> str:
    return one_line(error) or type(error).__name__
