"""The journal of an evaluation: whatever happens to its file, what is replayed is what was written, and a beginning."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from porter.files.hashes import file_digest
from porter.pipeline.evaluation.journal import Journal
from porter.pipeline.evaluation.shapes import Judged, JudgedBatch
from porter.records.artefact import SessionInfo
from porter.records.manifest import Item, Manifest

SESSION = SessionInfo(runtime="r", version="1", precision="fp32", provider="cpu", threads=1)


@dataclass(frozen=True)
class Answer:
    classes: tuple[int, ...]
    scores: tuple[float, ...]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    root = tmp_path_factory.mktemp("images")
    for number in range(12):
        (root / f"{number}.jpg").write_bytes(bytes([number]) * 20)
    items = tuple(Item(f"{number}.jpg", 0) for number in range(12))
    return Manifest(root=str(root), items=items, found=12, selection="all", labels_from="")


def batches_of(manifest: Manifest, size: int = 4) -> list[JudgedBatch]:
    generator = random.Random(5)
    images = [
        Judged(
            status="ok",
            prediction=Answer((number, 1), (generator.random(), 1e-45 * number)),
            digest=file_digest(Path(manifest.root) / item.id),
            conversions=("cmyk",) if number == 3 else (),
        )
        for number, item in enumerate(manifest.items)
    ]
    images[5] = Judged(status="unreadable", reason="cut off", digest=images[5].digest)
    return [
        JudgedBatch(start=start, images=tuple(images[start : start + size]), seconds={"infer": 0.25})
        for start in range(0, len(images), size)
    ]


def written(path: Path, manifest: Manifest, key: str = "k") -> list[JudgedBatch]:
    batches = batches_of(manifest)
    journal = Journal(path, key, Answer)
    journal.start(SESSION)
    for number, batch in enumerate(batches, start=1):
        journal.append(batch, wall=float(number))
    journal.close()
    return batches


def test_what_is_written_is_replayed_to_the_last_digit(tmp_path: Path, manifest: Manifest) -> None:
    batches = written(tmp_path / "j", manifest)
    journal = Journal(tmp_path / "j", "k", Answer)
    assert list(journal.replay(manifest)) == batches
    assert (journal.session, journal.wall) == (SESSION, 3.0) and journal.at


@pytest.mark.parametrize("prediction", [0, 0.0, "", (), False])
def test_a_prediction_that_is_falsy_is_one(tmp_path: Path, manifest: Manifest, prediction: Any) -> None:
    journal = Journal(tmp_path / "j", "k", type(prediction))
    image = Judged(status="ok", prediction=prediction, digest=file_digest(Path(manifest.root) / "0.jpg"))
    journal.start(SESSION)
    journal.append(JudgedBatch(start=0, images=(image,)), wall=1.0)
    journal.close()
    [found] = Journal(tmp_path / "j", "k", type(prediction)).replay(manifest)
    assert found.images == (image,) and found.images[0].prediction is not None


def test_it_goes_on_after_the_last_line_that_holds(tmp_path: Path, manifest: Manifest) -> None:
    batches = written(tmp_path / "j", manifest)
    whole = (tmp_path / "j").read_bytes()
    (tmp_path / "j").write_bytes(whole[:-7])
    journal = Journal(tmp_path / "j", "k", Answer)
    assert list(journal.replay(manifest)) == batches[:2]
    journal.start(SESSION)
    journal.append(batches[2], wall=3.0)
    journal.close()
    again = Journal(tmp_path / "j", "k", Answer)
    assert list(again.replay(manifest)) == batches


def test_another_key_replays_nothing(tmp_path: Path, manifest: Manifest) -> None:
    written(tmp_path / "j", manifest)
    assert list(Journal(tmp_path / "j", "other", Answer).replay(manifest)) == []


def test_an_image_that_changed_ends_the_replay(tmp_path: Path, manifest: Manifest) -> None:
    batches = written(tmp_path / "j", manifest)
    changed = Path(manifest.root) / manifest.items[6].id
    before = changed.read_bytes()
    changed.write_bytes(before[::-1][:-1] + b"x")
    try:
        assert list(Journal(tmp_path / "j", "k", Answer).replay(manifest)) == batches[:1]
    finally:
        changed.write_bytes(before)


@settings(max_examples=300)
@given(st.data())
def test_no_damage_to_the_file_is_taken_for_an_answer(
    tmp_path_factory: pytest.TempPathFactory, manifest: Manifest, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("journal") / "j"
    batches = written(path, manifest)
    whole = path.read_bytes()
    kind = data.draw(st.sampled_from(["cut", "flip", "insert", "drop line", "swap lines"]))
    place = data.draw(st.integers(0, len(whole) - 1))
    lines = whole.splitlines(keepends=True)
    number = data.draw(st.integers(0, len(lines) - 1))
    match kind:
        case "cut":
            damaged = whole[:place]
        case "flip":
            damaged = whole[:place] + bytes([whole[place] ^ 1 << data.draw(st.integers(0, 7))]) + whole[place + 1 :]
        case "insert":
            damaged = whole[:place] + data.draw(st.binary(min_size=1, max_size=9)) + whole[place:]
        case "drop line":
            damaged = b"".join(lines[:number] + lines[number + 1 :])
        case _:
            damaged = b"".join(lines[:number] + lines[number:][::-1])
    path.write_bytes(damaged)
    found = list(Journal(path, "k", Answer).replay(manifest))
    assert found == batches[: len(found)]
