"""tensors/ and outputs/: a killed command goes on, nothing torn or altered is kept, and nothing else is done twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import TinyPlugin, start, write_photos

from porter import hookimpl
from porter.contracts.requests import Image
from porter.errors import BadInput
from porter.files.hashes import file_digest
from porter.pipeline.evaluation.arrays import ArrayFolder, Entry, read_index
from porter.records.manifest import Item, Manifest
from porter.runfolder.layout import INDEX

COUNT = 10


class Counting(TinyPlugin):
    """Counts images and batches, and is interrupted at one of them."""

    def __init__(self, image: int | None = None, batch: int | None = None) -> None:
        super().__init__()
        self.images, self.batches, self.stop_image, self.stop_batch = 0, 0, image, batch

    @hookimpl
    def porter_preprocess(self, sample: Image) -> None:
        """Core's default answers."""
        self.images += 1
        if self.images == self.stop_image:
            raise KeyboardInterrupt

    @hookimpl
    def porter_infer(self, session: Any, feeds: Any) -> Any:
        self.batches += 1
        if self.batches == self.stop_batch:
            raise KeyboardInterrupt
        return session.run(feeds)


@pytest.fixture
def photos(tmp_path: Path) -> tuple[Path, Path]:
    labels = write_photos(tmp_path / "val", [0, 1, 2] * 3 + [0])
    (tmp_path / "val/photo 002.jpg").write_bytes(b"no picture")
    return tmp_path / "val", labels


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_preprocess_goes_on_where_it_was_stopped(tmp_path: Path, photos: tuple[Path, Path]) -> None:
    start(tmp_path / "whole", *photos, plugin=Counting()).preprocess()
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        start(out, *photos, plugin=Counting(image=7)).preprocess()
    left = len(read_index(out / "tensors").entries)
    assert 0 < left < COUNT
    again = Counting()
    run = start(out, *photos, plugin=again, fresh=False)
    run.preprocess()
    assert content(out / "tensors") == content(tmp_path / "whole/tensors")
    assert again.images == COUNT - left - (left < 3), "the unreadable image reaches no hook"
    assert run.record.data is not None and (run.record.data.decoded, run.record.data.failed) == (9, 1)


def test_infer_goes_on_at_a_whole_batch_and_is_not_done_twice(tmp_path: Path, photos: tuple[Path, Path]) -> None:
    whole = start(tmp_path / "whole", *photos, plugin=Counting(), batch=4)
    whole.export(), whole.infer()
    out = tmp_path / "out"
    stopped = start(out, *photos, plugin=Counting(batch=3), batch=4)
    stopped.export()
    with pytest.raises(KeyboardInterrupt):
        stopped.infer()
    start(out, *photos, plugin=Counting(), fresh=False, batch=4).infer()
    assert content(out / "outputs") == content(tmp_path / "whole/outputs")
    again = Counting()
    start(out, *photos, plugin=again, fresh=False, batch=4).infer()
    assert (again.images, again.batches) == (0, 0)
    start(out, *photos, plugin=again, fresh=False, batch=3).infer()
    assert again.batches > 0, "outputs of another batch size are not mixed with these"


@pytest.mark.parametrize("what", ["a torn file", "a flipped bit", "a lost file", "an image", "a torn line"])
def test_what_no_longer_holds_is_made_again(tmp_path: Path, photos: tuple[Path, Path], what: str) -> None:
    out, tensors = tmp_path / "out", tmp_path / "out/tensors"
    start(out, *photos, plugin=Counting()).preprocess()
    path = tensors / "00000005.npz"
    match what:
        case "a torn file":
            path.write_bytes(path.read_bytes()[:-9])
        case "a flipped bit":
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            path.write_bytes(data)
        case "a lost file":
            path.unlink()
        case "an image":
            (photos[0] / "photo 005.jpg").write_bytes((photos[0] / "photo 004.jpg").read_bytes())
        case _:
            lines = (tensors / INDEX).read_bytes().splitlines(keepends=True)
            (tensors / INDEX).write_bytes(b"".join(lines[:6]) + lines[6][:-5])
    again = Counting()
    start(out, *photos, plugin=again, fresh=False).preprocess()
    assert again.images == 5
    start(tmp_path / "anew", *photos, plugin=Counting()).preprocess()
    assert content(tensors) == content(tmp_path / "anew/tensors")


def test_a_folder_that_is_not_whole_is_not_evaluated_from(tmp_path: Path, photos: tuple[Path, Path]) -> None:
    run = start(tmp_path / "out", *photos)
    run.export(), run.preprocess()
    index = tmp_path / "out/tensors" / INDEX
    index.write_bytes(index.read_bytes()[:-3])
    run.evaluate()
    assert run.record.evaluations[0].end_to_end.source == "images"


def test_something_else_in_place_of_the_index_is_named(tmp_path: Path, photos: tuple[Path, Path]) -> None:
    run = start(tmp_path / "out", *photos)
    run.export(), run.preprocess()
    (tmp_path / "out/tensors" / INDEX).write_bytes(b'{"key": "x"}\n')
    with pytest.raises(BadInput, match=r"index\.jsonl: not an index. Delete"):
        run.evaluate()
    run.preprocess()
    assert len(read_index(tmp_path / "out/tensors").entries) == COUNT


@settings(max_examples=150)
@given(st.data())
def test_no_damage_is_taken_for_an_array(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    import numpy as np

    root = tmp_path_factory.mktemp("arrays")
    for number in range(4):
        (root / f"{number}.jpg").write_bytes(bytes([number]) * 9)
    items = tuple(Item(f"{number}.jpg", 0) for number in range(4))
    manifest = Manifest(root=str(root), items=items, found=4, selection="all", labels_from="")
    folder = ArrayFolder(root / "tensors", "k", manifest)
    entries = [Entry(id=item.id, digest=file_digest(root / item.id)) for item in items]
    written = folder.write((entry, {"x": np.full(3, n)}) for n, entry in enumerate(entries))
    victim = data.draw(st.sampled_from(sorted((root / "tensors").iterdir())))
    whole = victim.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    damage = data.draw(st.sampled_from(["cut", "flip"]))
    flipped = whole[:place] + bytes([whole[place] ^ 1 << data.draw(st.integers(0, 7))]) + whole[place + 1 :]
    victim.write_bytes(whole[:place] if damage == "cut" else flipped)
    standing = folder.standing()
    assert standing == written[: len(standing)] and len(standing) < len(written)
    if victim.name != INDEX:
        assert standing == written[: int(victim.stem)]


def test_arrays_of_any_name_are_kept(tmp_path: Path) -> None:
    """`numpy.savez` has arguments of its own named `file` and `allow_pickle`."""
    import numpy as np

    (tmp_path / "0.jpg").write_bytes(b"0")
    manifest = Manifest(root=str(tmp_path), items=(Item("0.jpg", 0),), found=1, selection="all", labels_from="")
    folder = ArrayFolder(tmp_path / "tensors", "k", manifest)
    arrays = {name: np.arange(3, dtype=np.float32) for name in ("file", "allow_pickle", "model/x:0", "图像")}
    folder.write([(Entry(id="0.jpg", digest=file_digest(tmp_path / "0.jpg")), arrays)])
    [(_number, _entry, found)] = folder.read()
    assert found is not None and found.keys() == arrays.keys()
    assert all(np.array_equal(found[name], values) for name, values in arrays.items())
