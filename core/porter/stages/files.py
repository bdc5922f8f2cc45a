"""Streams kept on disk between stages that run alone: one file an image, none of them trusted without its index."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from porter.errors import BadInput, one_line
from porter.hashes import file_digest
from porter.records.manifest import Manifest
from porter.records.store import write_whole
from porter.stages.prepare import Batch, Prepared
from porter.stages.scoring import Answered

if TYPE_CHECKING:
    import numpy as np

TENSORS, OUTPUTS, INDEX = "tensors", "outputs", "index.json"
NAMES_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What became of one image."""

    id: str
    reason: str = ""
    """Why there is no file; empty where there is one."""
    digest: str = ""
    """SHA-256 of the image file."""
    conversions: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Index:
    """The list behind a folder of arrays."""

    key: str
    """Hash of all that made the arrays; another key means other arrays."""
    entries: tuple[Entry, ...]


def manifest_sha256(manifest: Manifest) -> str:
    """Hash of the manifest: its `id TAB label` lines, in order."""
    digest = hashlib.sha256()
    for item in manifest.items:
        digest.update(f"{item.id}\t{item.label}\n".encode())
    return digest.hexdigest()


class ArrayFolder:
    """`NNNNNNNN.npz` for the N-th image of the manifest, and `index.json`, which is written last."""

    def __init__(self, folder: Path, key: str, manifest: Manifest) -> None:
        self.folder, self.key, self.manifest = folder, key, manifest

    def exists(self) -> bool:
        """Whether the folder holds arrays of this key. Raises `BadInput` where its index cannot be read."""
        path = self.folder / INDEX
        if not path.exists():
            return False
        return self._index().key == self.key

    def write(self, entries: Iterable[tuple[Entry, dict[str, np.ndarray] | None]]) -> tuple[Entry, ...]:
        """Write one file an entry that has arrays, then the index. Returns the entries."""
        import numpy as np

        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / INDEX).unlink(missing_ok=True)
        listed: list[Entry] = []
        for number, (entry, arrays) in enumerate(entries):
            path = self._path(number)
            if arrays is None:
                path.unlink(missing_ok=True)
            else:
                temporary = path.with_suffix(".part")
                with temporary.open("wb") as stream:
                    np.savez(stream, **arrays)  # type: ignore[arg-type]
                temporary.replace(path)
            listed.append(entry)
        write_whole(self.folder / INDEX, msgspec.json.encode(Index(key=self.key, entries=tuple(listed))))
        return tuple(listed)

    def read(self) -> Iterator[tuple[int, Entry, dict[str, np.ndarray] | None]]:
        """Every entry in order. Raises `BadInput` naming what is missing before the first is read."""
        entries = self._index().entries
        ids = [item.id for item in self.manifest.items]
        if [entry.id for entry in entries] != ids:
            raise BadInput(f"{self.folder}: its index lists other images than the manifest; make it again")
        missing = [e.id for n, e in enumerate(entries) if not e.reason and not self._path(n).exists()]
        if missing:
            some = ", ".join(one_line(name) for name in missing[:NAMES_SHOWN])
            more = f" and {len(missing) - NAMES_SHOWN} more" if len(missing) > NAMES_SHOWN else ""
            raise BadInput(
                f"{self.folder}: {len(missing)} of {len(entries)} files are gone, those of {some}{more}; make it again"
            )
        for number, entry in enumerate(entries):
            self._require_unchanged(entry)
            yield number, entry, None if entry.reason else self._load(number)

    def _require_unchanged(self, entry: Entry) -> None:
        """An image that was replaced after its array was made would be scored by what it no longer shows."""
        path = Path(self.manifest.root) / entry.id
        if entry.digest and file_digest(path) != entry.digest:
            raise BadInput(f"{one_line(path)}: changed since {self.folder} was made from it; make that again")

    def _load(self, number: int) -> dict[str, np.ndarray]:
        import numpy as np

        path = self._path(number)
        try:
            with np.load(path, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
        except Exception as error:  # zipfile, zlib and numpy each raise their own for a damaged file
            raise BadInput(
                f"{path}: damaged ({type(error).__name__}: {one_line(error)}); make {self.folder} again"
            ) from None

    def _index(self) -> Index:
        path = self.folder / INDEX
        try:
            return msgspec.json.decode(path.read_bytes(), type=Index)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BadInput(f"{path}: not an index: {one_line(error)}; delete {self.folder}") from None

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:08d}.npz"


def tensor_entries(
    prepared: Iterable[Prepared], manifest: Manifest
) -> Iterator[tuple[Entry, dict[str, np.ndarray] | None]]:
    """Prepared images as entries of a folder of tensors."""
    for one in prepared:
        entry = _entry(one, manifest)
        yield entry, None if one.array is None else {"tensor": one.array}


def read_tensors(folder: ArrayFolder) -> Iterator[Prepared]:
    """The folder of tensors as a stream of prepared images."""
    for number, entry, arrays in folder.read():
        yield _prepared(number, entry, None if arrays is None else arrays["tensor"])


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


def read_outputs(folder: ArrayFolder) -> Iterator[Answered]:
    """The folder of outputs as a stream of answered batches of one image."""
    for number, entry, arrays in folder.read():
        one = _prepared(number, entry, None)
        batch = Batch(indices=() if arrays is None else (number,), array=None, members=(one,))
        outputs = {} if arrays is None else {name: values[None] for name, values in arrays.items()}
        yield Answered(batch=batch, outputs=outputs, infer_seconds=0.0)


def _entry(one: Prepared, manifest: Manifest) -> Entry:
    return Entry(
        id=manifest.items[one.index].id,
        reason=one.reason,
        digest=one.digest.hex(),
        conversions=one.conversions,
    )


def _prepared(number: int, entry: Entry, array: np.ndarray | None) -> Prepared:
    return Prepared(
        index=number,
        array=array,
        reason=entry.reason,
        digest=bytes.fromhex(entry.digest),
        conversions=entry.conversions,
    )
