"""porter.data.noting: what a sample is made from, and that a plugin reads nothing else."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from porter.data.content import content_sha256, manifest_sha256
from porter.data.noting import Noting, digest_of_sample, digest_or_empty, sample_digest
from porter.data.store import ImageStore, open_store
from porter.errors import PluginError
from porter.records.manifest import Item, Manifest

PLAIN = Item("a.bin", 0)
PAIR = Item("pair 1", 0, path="a.bin", others=("b.bin",))


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    (tmp_path / "a.bin").write_bytes(b"left")
    (tmp_path / "b.bin").write_bytes(b"right")
    (tmp_path / "c.png").touch()
    return open_store(str(tmp_path))


def test_an_item_says_which_files_it_is_read_from() -> None:
    assert (PLAIN.file, PLAIN.files) == ("a.bin", ("a.bin",))
    assert (PAIR.file, PAIR.files) == ("a.bin", ("a.bin", "b.bin"))
    text = Item("row 7", 0, text="a sentence")
    assert text.files == () and Item("row 7", 0, text="a caption", path="a.bin").files == ("a.bin",)
    assert Item("row 7", 0, text="a caption", others=("b.bin",)).files == ("b.bin",)


def test_what_is_read_is_handed_on_and_noted(store: ImageStore) -> None:
    noting = Noting(store, PAIR)
    assert (noting.read("a.bin"), noting.read("b.bin")) == (b"left", b"right")
    Path(store.root, "a.bin").write_bytes(b"changed meanwhile")
    assert noting.noted == sample_digest(PAIR, [sha256(b"left"), sha256(b"right")]), "as it was read"
    assert noting.name("a.bin") == store.name("a.bin") and noting.find() == store.find()


def test_a_file_that_was_not_read_is_noted_as_well(store: ImageStore) -> None:
    noting = Noting(store, PAIR)
    noting.read("a.bin")
    assert noting.noted.hex() == digest_of_sample(store, PAIR)


@pytest.mark.parametrize("name", ["b.bin", "../secret", "A.BIN"])
def test_a_file_of_another_sample_is_refused(store: ImageStore, name: str) -> None:
    with pytest.raises(PluginError) as caught:
        Noting(store, PLAIN).read(name)
    assert str(caught.value) == (
        f"porter_read of a.bin reads {name}, which is none of the item's files: name it in Item.path or Item.others"
    )


def test_of_one_whole_file_the_digest_is_that_of_the_file(store: ImageStore) -> None:
    assert digest_of_sample(store, PLAIN) == sha256(b"left").hex()
    assert digest_of_sample(store, Item("a.bin#3", 0, path="a.bin")) == sha256(b"left").hex()


def test_everything_that_a_sample_is_changes_its_digest(store: ImageStore) -> None:
    items = [
        PLAIN,
        PAIR,
        Item("a.bin", 0, others=("a.bin",)),
        Item("b.bin", 0, others=("a.bin",)),
        Item("a.bin", 0, box=(0.0, 0.0, 2.0, 2.0)),
        Item("a.bin", 0, box=(0.0, 0.0, 2.0, 3.0)),
        Item("a.bin", 0, text="a caption", path="a.bin"),
        Item("a.bin", 0, text="a sentence"),
        Item("a.bin", 0, text="another sentence"),
    ]
    before = {digest_of_sample(store, item) for item in items}
    assert len(before) == len(items)
    Path(store.root, "a.bin").write_bytes(b"other")
    after = [digest_of_sample(store, item) for item in items]
    assert sum(one in before for one in after) == 2, "the two sentences alone are the same"


def test_a_file_that_is_gone_has_no_digest(store: ImageStore) -> None:
    Path(store.root, "b.bin").unlink()
    assert digest_or_empty(store, PLAIN) and digest_or_empty(store, PAIR) == ""
    with pytest.raises(OSError, match=r"b\.bin"):
        digest_of_sample(store, PAIR)


def manifest(root: str, *items: Item) -> Manifest:
    return Manifest(root=root, items=items, found=len(items), selection="all", labels_from="nowhere")


def test_a_manifest_is_known_by_what_its_samples_are(store: ImageStore) -> None:
    plain = manifest(store.root, PLAIN)
    line = hashlib.sha256(b"a.bin\t0\n").hexdigest()
    assert manifest_sha256(plain) == line, "of plain files, as it was before samples could be anything else"
    boxed = manifest(store.root, Item("a.bin", 0, box=(0.0, 0.0, 2.0, 2.0)))
    assert manifest_sha256(boxed) != line and content_sha256(boxed) != content_sha256(plain)
    pair = manifest(store.root, PAIR)
    before = content_sha256(pair)
    Path(store.root, "b.bin").write_bytes(b"changed")
    assert content_sha256(pair) != before and content_sha256(plain) == content_sha256(manifest(store.root, PLAIN))
