"""The verdict on the data: what is odd about images and labels, from which share on no figure is to be believed."""

from __future__ import annotations

import io
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny import TinyPlugin, start, write_photos

from porter.data.look_alikes import look_alikes
from porter.errors import ExitCode
from porter.images.appearance import PRINT_BYTES, Appearance, appearance_of, picture_print
from porter.pipeline.judge.data_evidence import RULES
from porter.pipeline.run import Run
from porter.records.audited import Oddity
from porter.records.record import State, Verdict


def verdict(run: Run) -> Verdict:
    return next(one for one in run.record.verdicts if one.name == "data")


def said(run: Run) -> str:
    return "\n".join(map(str, verdict(run).evidence))


def kinds(run: Run) -> dict[Oddity, int]:
    assert run.record.audit is not None
    return {one.kind: one.count for one in run.record.audit.oddities}


def scored(out: Path, data: Path, labels: Path, **options: object) -> Run:
    run = start(out, data, labels, **options)  # type: ignore[arg-type]
    run.export(), run.evaluate()
    return run


def lines_of(labels: Path) -> list[list[str]]:
    return [line.rsplit(" ", 1) for line in labels.read_text().splitlines()]


def rewrite(labels: Path, lines: Sequence[Sequence[str]]) -> None:
    labels.write_text("".join(f"{name} {label}\n" for name, label in lines))


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Forty photographs in `val` and their label file."""
    return write_photos(tmp_path / "val", [k % 3 for k in range(40)])


def test_a_sound_set_has_nothing_odd(tmp_path: Path, labels: Path) -> None:
    run = scored(tmp_path / "out", tmp_path / "val", labels)
    assert verdict(run).state is State.PASS and kinds(run) == {}
    assert said(run) == "40 images and labels checked, 40 distinct files"
    run.deliver()
    for name in ("README.md", "report.html"):
        assert "40 images and labels checked, 40 distinct files" in (tmp_path / "out" / name).read_text()
    assert "已检查 40 张图片及其标签" in (tmp_path / "out/README.zh.md").read_text()


def test_each_oddity_is_counted_and_named(tmp_path: Path, labels: Path) -> None:
    val = tmp_path / "val"
    (val / "photo 000.jpg").write_bytes(b"<html>404</html>")
    shutil.copy(val / "photo 001.jpg", val / "photo 004.jpg")  # of the same label
    Image.new("RGB", (9, 9), (250, 40, 30)).save(val / "photo 006.jpg")
    turned = Image.open(val / "photo 007.jpg")
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(val / "photo 007.jpg", exif=exif)
    run = scored(tmp_path / "out", val, labels)
    assert kinds(run) == {Oddity.UNREADABLE: 1, Oddity.COPIES: 1, Oddity.SMALLER: 1, Oddity.TURNED: 1}
    assert verdict(run).state is State.PASS
    for line in (
        "1 of 40 images cannot be read: photo 000.jpg",
        "1 of 40 images are byte-identical copies of another image: photo 004.jpg",
        "1 of 40 images are smaller than the crop: photo 006.jpg",
        "1 of 40 images have an EXIF orientation, which is not applied: photo 007.jpg",
    ):
        assert line in said(run)


@pytest.mark.parametrize(
    ("broken", "drop", "state"),
    [(1, 1.0, State.PASS), (2, 1.0, State.FAIL), (2, 5.0, State.PASS), (4, 100.0, State.PASS), (5, 100.0, State.FAIL)],
)
def test_more_unreadable_images_than_the_allowed_drop_fail(
    tmp_path: Path, labels: Path, broken: int, drop: float, state: State
) -> None:
    for number in range(broken):
        (tmp_path / f"val/photo {number:03}.jpg").write_bytes(b"")
    run = scored(tmp_path / "out", tmp_path / "val", labels, max_drop=drop)
    assert verdict(run).state is state and f"{broken} of 40 images cannot be read" in said(run)
    beyond = f"above {min(drop, 10):g}%, no accuracy is meaningful"
    assert (beyond in said(run)) is (state is State.FAIL)


def test_one_image_under_two_labels_fails(tmp_path: Path, labels: Path) -> None:
    shutil.copy(tmp_path / "val/photo 001.jpg", tmp_path / "val/photo 005.jpg")
    run = scored(tmp_path / "out", tmp_path / "val", labels)
    assert verdict(run).state is State.FAIL and kinds(run) == {Oddity.CONTRADICTED: 2}
    assert "photo 001.jpg, photo 005.jpg" in said(run) and verdict(run).advice


def test_a_set_of_copies_fails(tmp_path: Path, labels: Path) -> None:
    for number in range(3, 40):
        shutil.copy(tmp_path / f"val/photo {number % 3:03}.jpg", tmp_path / f"val/photo {number:03}.jpg")
    run = scored(tmp_path / "out", tmp_path / "val", labels)
    assert verdict(run).state is State.FAIL and "37 of 40 images are byte-identical copies" in said(run)
    assert "3 distinct files" in said(run)


def test_classes_without_images_and_a_single_label_are_notes(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [1] * 6)
    run = scored(tmp_path / "out", tmp_path / "val", labels)
    assert verdict(run).state is State.PASS
    assert "2 of 3 classes have no image: 0 red, 2 blue" in said(run)
    assert "every image has the same label: 1 green" in said(run)


def test_random_labels_are_told_from_an_untrained_model(tmp_path: Path) -> None:
    import torch

    labels = write_photos(tmp_path / "val", [k % 3 for k in range(90)])
    drawn = random.Random(5)
    rewrite(labels, [(name, str(drawn.randrange(3))) for name, _ in lines_of(labels)])
    run = scored(tmp_path / "random", tmp_path / "val", labels)
    assert verdict(run).state is State.FAIL and "the labels look random" in said(run)
    untrained = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, 3))
    with torch.no_grad():
        untrained[2].weight.mul_(0.01)
    run = scored(tmp_path / "untrained", tmp_path / "val", labels, plugin=TinyPlugin(network=untrained.eval()))
    assert verdict(run).state is State.PASS


@pytest.mark.parametrize("share", [0.05, 0.1])
def test_the_label_noise_of_a_real_set_is_no_fault(tmp_path: Path, share: float) -> None:
    labels = write_photos(tmp_path / "val", [k % 3 for k in range(120)])
    lines = lines_of(labels)
    for number in random.Random(1).sample(range(120), int(share * 120)):
        lines[number][1] = str((int(lines[number][1]) + 1) % 3)
    rewrite(labels, lines)
    run = start(tmp_path / "out", tmp_path / "val", labels)
    assert run.everything() is ExitCode.OK


def test_shifted_labels_fail_the_data(tmp_path: Path, labels: Path) -> None:
    rewrite(labels, [(name, str((int(label) + 1) % 3)) for name, label in lines_of(labels)])
    run = scored(tmp_path / "out", tmp_path / "val", labels)
    assert verdict(run).state is State.FAIL and str(verdict(run).evidence[0]).startswith("labels: every label is 1")
    assert "look random" not in said(run)
    assert next(one for one in run.record.verdicts if one.name == "preprocessing").state is not State.FAIL


def test_it_is_not_run_before_images_are_scored(tmp_path: Path, labels: Path) -> None:
    run = start(tmp_path / "out", tmp_path / "val", labels)
    run.export(), run.verify()
    assert verdict(run).state is State.NOT_RUN and run.record.audit is None


def test_what_was_journalled_or_written_as_tensors_says_the_same(tmp_path: Path, labels: Path) -> None:
    shutil.copy(tmp_path / "val/photo 001.jpg", tmp_path / "val/photo 004.jpg")
    run = scored(tmp_path / "out", tmp_path / "val", labels)
    first = run.record.audit
    again = start(tmp_path / "out", tmp_path / "val", labels, fresh=False)
    again.evaluate()
    assert again.record.evaluations[0].end_to_end is not None and again.record.evaluations[0].end_to_end.resumed == 40
    assert again.record.audit == first
    shutil.rmtree(tmp_path / "out/cache")
    again.preprocess(), again.infer(), again.evaluate()
    assert again.record.evaluations[0].end_to_end.source == "outputs" and again.record.audit == first


def test_a_copy_of_another_quality_shows_the_same_picture() -> None:
    from porter_hrnet.plugin import SAMPLE

    pictures = [Image.open(path).convert("RGB") for path in sorted((SAMPLE / "val").iterdir())[:40]]
    copies = []
    for picture in pictures:
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=80)
        copies.append(Image.open(stream).convert("RGB"))
    prints = [picture_print(np.asarray(one)) or bytes(PRINT_BYTES) for one in (*pictures, *copies)]
    stacked = np.frombuffer(b"".join(prints), np.uint8).reshape(-1, PRINT_BYTES)
    ratios = np.array([one.width / one.height for one in (*pictures, *copies)], np.float32)
    found = list(look_alikes(stacked, ratios))
    assert len(found) >= 30 and all(high == low + 40 for low, high in found)


def test_plain_pictures_and_digits_are_no_look_alikes() -> None:
    assert picture_print(np.full((40, 40, 3), 200, np.uint8)) == b""
    generator = np.random.default_rng(2)
    strokes = np.zeros((200, 28, 28, 3), np.uint8)
    for picture in strokes:  # thin strokes of several slants on black, as digits are
        for row in range(4, 24):
            column = int(14 + (row - 14) * generator.uniform(-0.1, 0.1) + generator.integers(-2, 3))
            picture[row, column : column + 2] = 255
    prints = b"".join(picture_print(one) or bytes(PRINT_BYTES) for one in strokes)
    found = list(look_alikes(np.frombuffer(prints, np.uint8).reshape(-1, PRINT_BYTES), np.ones(200, np.float32)))
    assert found == []


def test_the_appearance_of_an_image(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 50, 3), dtype=np.uint8)
    data = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 8
    Image.fromarray(pixels).save(data, "PNG", exif=exif)
    found = appearance_of(data.getvalue(), pixels)
    assert found == Appearance(30, 50, 8, found.print) and len(found.print) == 2 * PRINT_BYTES


def test_every_oddity_has_its_rule() -> None:
    assert set(RULES) == set(Oddity)
