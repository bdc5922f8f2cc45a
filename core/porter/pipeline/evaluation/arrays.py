"""Streams kept on disk between stages that run alone: one file an image, none of them trusted without its index."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from porter.contracts.rows import ragged
from porter.data.noting import digest_or_empty as digest_of_item
from porter.data.store import ImageStore, open_store
from porter.errors import BadInput, one_line
from porter.files.checked_lines import line_of, value_of
from porter.files.hashes import digest_or_empty
from porter.files.limits import limit_of
from porter.files.npz import write_npz
from porter.files.received import lines_of, open_regular, read_limited
from porter.files.whole import write_whole
from porter.images.appearance import Appearance
from porter.pipeline.evaluation.shapes import Answered, Batch, Prepared
from porter.records.manifest import Manifest
from porter.records.message import Text
from porter.runfolder.layout import INDEX

if TYPE_CHECKING:
    import numpy as np

NAMES_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What became of one sample."""

    id: str
    reason: Text = ""
    """Why there is no file; empty where there is one."""
    digest: str = ""
    """SHA-256 of the image file."""
    conversions: tuple[str, ...] = ()
    look: Appearance | None = None
    file_sha256: str = ""
    """Of the file of arrays; empty where there is none."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """The first line of an index."""

    key: str
    """Hash of all that made the arrays; another key means other arrays."""
    settings: str
    """What changes their last digits only."""


@dataclass(frozen=True, kw_only=True)
class Index:
    """The list behind a folder of arrays."""

    key: str
    settings: str
    entries: tuple[Entry, ...]


class ArrayFolder:
    """`NNNNNNNN.npz` for the N-th image of the manifest, and `index.jsonl`: a line an image, written after its file.

    `settings` stands for what changes the last digits only (a batch size, threads): arrays of other settings are used,
    and none are added to them.
    """

    def __init__(self, folder: Path, key: str, manifest: Manifest, settings: str = "") -> None:
        self.folder, self.key, self.manifest, self.settings = folder, key, manifest, settings

    def exists(self) -> bool:
        """Whether the folder holds arrays of this key, of every image. Raises `BadInput` where its index is none."""
        if not (self.folder / INDEX).exists():
            return False
        index = read_index(self.folder)
        return index.key == self.key and len(index.entries) == len(self.manifest.items)

    def standing(self) -> tuple[Entry, ...]:
        """The entries that hold, from the first on: of this key, and of an image and a file that have not changed.

        What an interrupted `write` left, or a whole one. A file that was torn or altered ends it.
        """
        try:
            index = read_index(self.folder)
        except BadInput:
            return ()
        if (index.key, index.settings) != (self.key, self.settings) or len(index.entries) > len(self.manifest.items):
            return ()
        with ThreadPoolExecutor(4) as pool:
            holds = pool.map(self._holds, range(len(index.entries)), index.entries)
            pairs = zip(index.entries, holds, strict=True)
            return tuple(entry for entry, _ in takewhile(lambda pair: pair[1], pairs))

    def write(
        self, entries: Iterable[tuple[Entry, dict[str, np.ndarray] | None]], kept: Sequence[Entry] = ()
    ) -> tuple[Entry, ...]:
        """Write one file for each entry that has arrays, and its line of the index. Returns all entries.

        `kept` are those of `standing` that the new ones follow.
        """
        listed = list(kept)
        self.folder.mkdir(parents=True, exist_ok=True)
        head = Head(key=self.key, settings=self.settings)
        write_whole(self.folder / INDEX, b"".join(map(line_of, (head, *listed))))
        with (self.folder / INDEX).open("ab") as index:
            for entry, arrays in entries:
                path = self.folder / name_of(len(listed))
                if arrays is None:
                    path.unlink(missing_ok=True)
                else:
                    entry = replace(entry, file_sha256=_write_arrays(path, arrays))
                index.write(line_of(entry))
                index.flush()
                listed.append(entry)
            os.fsync(index.fileno())
        return tuple(listed)

    def read(self, start: int = 0) -> Iterator[tuple[int, Entry, dict[str, np.ndarray] | None]]:
        """Every entry from place `start` on, in order. Raises `BadInput` naming what is missing before the first."""
        entries = read_index(self.folder).entries
        ids = [item.id for item in self.manifest.items]
        if [entry.id for entry in entries] != ids:
            raise BadInput(f"{self.folder}: its index lists other images than the data. Run `porter preprocess` again")
        missing = [e.id for n, e in enumerate(entries) if not e.reason and not (self.folder / name_of(n)).exists()]
        if missing:
            some = ", ".join(one_line(name) for name in missing[:NAMES_SHOWN])
            more = f" and {len(missing) - NAMES_SHOWN} more" if len(missing) > NAMES_SHOWN else ""
            raise BadInput(
                f"{self.folder}: {len(missing)} of {len(entries)} files are missing ({some}{more}). Run "
                "`porter preprocess` again"
            )
        for number, entry in enumerate(entries[start:], start):
            # Of an image that changed, an array would score what it no longer shows.
            item = self.manifest.items[number]
            if entry.digest and digest_of_item(self._store, item) != entry.digest:
                name = self._store.name(item.file)
                raise BadInput(
                    f"{one_line(name)}: changed after {self.folder} was written. Run `porter preprocess` again"
                )
            yield number, entry, None if entry.reason else self._load(number, entry)

    def _holds(self, number: int, entry: Entry) -> bool:
        """Whether image and file of an entry are what they were."""
        item = self.manifest.items[number]
        if entry.id != item.id or digest_of_item(self._store, item) != entry.digest:
            return False
        return bool(entry.reason) or digest_or_empty(self.folder / name_of(number)) == entry.file_sha256

    @cached_property
    def _store(self) -> ImageStore:
        return open_store(self.manifest.root)

    def _load(self, number: int, entry: Entry) -> dict[str, np.ndarray]:
        import numpy as np

        path = self.folder / name_of(number)
        try:
            data = read_limited(path, limit_of("file of arrays"))
            if hashlib.sha256(data).hexdigest() != entry.file_sha256:
                raise ValueError("not what was written")
            with np.load(io.BytesIO(data), allow_pickle=False) as archive:
                if any(record.compress_type for record in archive.zip.infolist()):  # it could expand without bound
                    raise ValueError("compressed, which porter's own files never are")
                return {name: archive[name] for name in archive.files}
        except Exception as error:  # zipfile, zlib and numpy each raise their own for a damaged file
            raise BadInput(
                f"{path}: damaged ({type(error).__name__}: {one_line(error)}). Run `porter preprocess` again"
            ) from None


def name_of(number: int) -> str:
    """Name of the file of the image at that place of the manifest."""
    return f"{number:08d}.npz"


def read_index(folder: Path) -> Index:
    """The index of a folder of arrays, as far as its lines hold. Raises `BadInput` where it is none."""
    path, entries = folder / INDEX, list[Entry]()
    try:
        with open_regular(path) as stream:
            lines = lines_of(stream)
            head = value_of(next(lines, b""), Head)
            if head is None:
                raise BadInput(f"{path}: not an index. Delete {folder}")
            for line in lines:
                entry = value_of(line, Entry)
                if entry is None:
                    break
                entries.append(entry)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}. Delete {folder}") from None
    return Index(key=head.key, settings=head.settings, entries=tuple(entries))


def _write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> str:
    """Write the arrays, whole or not at all; returns the SHA-256 of the file."""
    buffer = io.BytesIO()
    write_npz(buffer, arrays)
    temporary = path.with_name(f".{path.name}.00000000.part")  # a name that is swept after a kill
    temporary.unlink(missing_ok=True)  # whoever put a link there would have it written through
    temporary.write_bytes(buffer.getbuffer())
    temporary.replace(path)
    return hashlib.sha256(buffer.getbuffer()).hexdigest()


def tensor_entries(
    prepared: Iterable[Prepared], manifest: Manifest
) -> Iterator[tuple[Entry, dict[str, np.ndarray] | None]]:
    """Prepared images as entries of a folder of tensors."""
    for one in prepared:
        entry = _entry(one, manifest)
        yield entry, one.arrays or None


def read_tensors(folder: ArrayFolder, start: int = 0) -> Generator[Prepared, None, None]:
    """The folder of tensors, from place `start` on, as a stream of prepared images."""
    for number, entry, arrays in folder.read(start):
        yield _prepared(number, entry, arrays or {})


def output_entries(
    stream: Iterable[Answered], manifest: Manifest
) -> Iterator[tuple[Entry, dict[str, np.ndarray] | None]]:
    """Answered batches as entries of a folder of outputs, in the manifest's order."""
    for answered in stream:
        rows = {index: row for row, index in enumerate(answered.batch.indices)}
        for one in answered.batch.members:
            row = rows.get(one.index)
            arrays = None if row is None else {name: values[row] for name, values in answered.outputs.items()}
            yield _entry(one, manifest), arrays


def read_outputs(folder: ArrayFolder, listed: Collection[str] = ()) -> Iterator[Answered]:
    """The folder of outputs as a stream of answered batches of one image; `listed` are the outputs of which each has
    rows of its own number."""
    for number, entry, arrays in folder.read():
        one = _prepared(number, entry, {})
        batch = Batch(indices=() if arrays is None else (number,), feeds={}, members=(one,))
        outputs = {name: _one_row(values, name in listed) for name, values in (arrays or {}).items()}
        yield Answered(batch=batch, outputs=outputs, infer_seconds=0.0)


def _entry(one: Prepared, manifest: Manifest) -> Entry:
    return Entry(
        id=manifest.items[one.index].id,
        reason=one.reason,
        digest=one.digest.hex(),
        conversions=one.conversions,
        look=one.look,
    )


def _one_row(values: np.ndarray, is_listed: bool) -> np.ndarray:
    return ragged([values], listed=True) if is_listed else values[None]


def _prepared(number: int, entry: Entry, arrays: dict[str, np.ndarray]) -> Prepared:
    return Prepared(
        index=number,
        arrays=arrays,
        reason=entry.reason,
        digest=bytes.fromhex(entry.digest),
        conversions=entry.conversions,
        look=entry.look,
    )
