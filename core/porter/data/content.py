"""content: one hash for a manifest, and one for all of its images."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from porter.data.noting import digest_of_sample
from porter.data.store import ImageStore, open_store
from porter.errors import BadInput, one_line
from porter.files.outward import cell, visible
from porter.records.manifest import Item, Manifest


def content_sha256(manifest: Manifest) -> str:
    """SHA-256 over the digests of all image files, in order. Raises `BadInput` where one cannot be read."""
    whole, store = hashlib.sha256(), open_store(manifest.root)
    with ThreadPoolExecutor(4) as pool:
        for some in _pieces(manifest.items, 1000):
            for digest in pool.map(partial(_digest, store), some):
                whole.update(bytes.fromhex(digest))
    return whole.hexdigest()


def manifest_sha256(manifest: Manifest) -> str:
    """Hash of the manifest: its `id TAB label` lines, in order, as predictions.csv spells them; of a sample that is not
    simply the file `id`, with what it is behind."""
    digest = hashlib.sha256()
    for item in manifest.items:
        rest = "" if (item.path, item.others, item.box, item.text) == ("", (), None, "") else f"\t{item}"
        digest.update(f"{visible(item.id)}\t{cell(str(item.label))}{rest}\n".encode())
    return digest.hexdigest()


def _pieces(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """A pool's map hands out everything at once, which costs a kilobyte an image."""
    return (items[start : start + size] for start in range(0, len(items), size))


def _digest(store: ImageStore, item: Item) -> str:
    try:
        return digest_of_sample(store, item)
    except OSError as error:
        raise BadInput(f"{one_line(store.name(item.file))}: cannot be read: {error.strerror or error}") from None
