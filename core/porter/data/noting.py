"""Of one sample: the store as its plugin reads from it, and the hash of all that it is made from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from porter.data.images_in import Listing
from porter.data.store import ImageStore
from porter.errors import PluginError, one_line
from porter.records.manifest import Item


class Noting(ImageStore):
    """Hands on, and notes the content of the files that were read; from one thread."""

    def __init__(self, store: ImageStore, item: Item) -> None:
        super().__init__(store.root)
        self._store, self._item = store, item
        self._read: dict[str, bytes] = {}

    def find(self) -> Listing:
        return self._store.find()

    def read(self, image_id: str) -> bytes:
        """The bytes of a file that the item names. Raises `PluginError` for another, of which nobody would see that it
        changed."""
        if image_id not in self._item.files:
            raise PluginError(
                f"porter_read of {one_line(self._item.id)} reads {one_line(image_id)}, which is none of the item's "
                "files: name it in Item.path or Item.others"
            )
        content = self._store.read(image_id)
        self._read[image_id] = hashlib.sha256(content).digest()
        return content

    def name(self, image_id: str) -> str:
        return self._store.name(image_id)

    @property
    def noted(self) -> bytes:
        """See `sample_digest`; a file that was not read so far is read."""
        for name in self._item.files:
            if name not in self._read:
                self.read(name)
        return sample_digest(self._item, [self._read[name] for name in self._item.files])


def digest_of_sample(store: ImageStore, item: Item) -> str:
    """`sample_digest` in hexadecimal digits, from the files as they are now. Raises what `store.read` does."""
    return sample_digest(item, [bytes.fromhex(store.digest(name)) for name in item.files]).hex()


def digest_or_empty(store: ImageStore, item: Item) -> str:
    """The same; empty where a file cannot be read."""
    try:
        return digest_of_sample(store, item)
    except OSError:
        return ""


def sample_digest(item: Item, digests: Sequence[bytes]) -> bytes:
    """SHA-256 of what a sample is: its one file's, or over its text, its box and all of its files."""
    if len(digests) == 1 and not item.text and item.box is None:
        return digests[0]
    whole = hashlib.sha256(f"{item.text}\n{item.box}\n".encode())
    for digest in digests:
        whole.update(digest)
    return whole.digest()
