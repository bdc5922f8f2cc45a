"""The fast ways of porter.images give Pillow's bytes: OpenCV's JPEG decoder, and the resize of a window."""

from __future__ import annotations

import io
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from porter.errors import ImageError
from porter.images import decode as decoding
from porter.images import opencv, resample
from porter.images.decode import decode
from porter.images.geometry import resized_size
from porter.images.jpeg import read_layout
from porter.images.pipeline import reference_pipeline
from porter.records.message import Message
from porter.records.spec import PreprocessSpec


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * 10007 + width).integers(0, 256, (height, width, 3), np.uint8)


def jpeg(pixels: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def ordinary(data: bytes) -> bool:
    layout = read_layout(data)
    return layout is not None and layout.ordinary


def test_both_ways_are_in_use_here() -> None:
    """Else every other test of this file would compare Pillow with itself."""
    assert opencv.unusable() is None
    assert resample.unusable() is None
    assert opencv.decoder().startswith("OpenCV ")


@pytest.mark.usefixtures("without_opencv")
def test_without_opencv_pillow_does_both_and_gives_the_same_bytes() -> None:
    reason = "OpenCV cannot be imported"
    assert reason in str(opencv.unusable()) and reason in str(resample.unusable())
    assert opencv.decoder().startswith("Pillow ")
    data = jpeg(noise(300, 400), quality=90)
    plain = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    np.testing.assert_array_equal(decode(data, "a.jpg").pixels, plain)
    whole = Image.fromarray(plain).resize((341, 256), Image.Resampling.BILINEAR)
    bytes_in = np.asarray(whole.crop((58, 16, 58 + 224, 16 + 224)), np.float32) / np.float32(255)
    spec = PreprocessSpec(resize=256, crop=(224, 224), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    assert reference_pipeline(plain, spec).tobytes() == bytes_in.transpose(2, 0, 1).tobytes()


@settings(max_examples=200)
@given(
    old=st.tuples(st.integers(1, 400), st.integers(1, 400)),
    short=st.integers(1, 300),
    place=st.tuples(*[st.floats(0, 1)] * 4),
    name=st.sampled_from(sorted(resample.SUPPORT)),
)
def test_a_window_has_the_bytes_of_the_whole(
    old: tuple[int, int], short: int, place: tuple[float, ...], name: str
) -> None:
    new = resized_size(*old, short)
    assume(resample.rows_first(old, new) and new[0] * new[1] < 400_000)
    top, left = int(place[0] * (new[0] - 1)), int(place[1] * (new[1] - 1))
    window = 1 + int(place[2] * (new[0] - top - 1)), 1 + int(place[3] * (new[1] - left - 1))
    pixels = noise(*old)
    whole = np.asarray(Image.fromarray(pixels).resize((new[1], new[0]), Image.Resampling[name.upper()]))
    found = resample.resize_window(pixels, new, (top, left), window, name)
    np.testing.assert_array_equal(found, whole[top : top + window[0], left : left + window[1]])


def test_tall_pictures_are_left_to_pillow() -> None:
    """Pillow 13 takes columns before rows there, which gives other bytes."""
    assert not resample.rows_first((500, 200), (320, 128))
    assert resample.rows_first((500, 375), (341, 256)) and resample.rows_first((375, 500), (256, 341))
    assert resample.rows_first((50, 20), (640, 256))


@pytest.mark.parametrize("name", sorted(resample.SUPPORT))
@pytest.mark.parametrize(("old", "new"), [((1500, 2000), (40, 53)), ((600, 900), (500, 750)), ((900, 1300), (16, 23))])
def test_large_pictures_are_worked_on_in_parts(old: tuple[int, int], new: tuple[int, int], name: str) -> None:
    assert resample.covers(old, new, name)
    pixels = np.where(noise(*old) > 127, np.uint8(255), np.uint8(0))  # the largest sums, and what bicubic overshoots
    whole = np.asarray(Image.fromarray(pixels).resize((new[1], new[0]), Image.Resampling[name.upper()]))
    np.testing.assert_array_equal(resample.resize_window(pixels, new, (0, 0), new, name), whole)


def test_other_filters_are_left_to_pillow() -> None:
    assert resample.covers((2000, 2000), (16, 16), "bicubic")
    assert not resample.covers((400, 400), (200, 200), "lanczos")


def test_without_numba_pillow_resizes(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels, spec = noise(90, 120), PreprocessSpec(resize=64, crop=(56, 56))
    fast = reference_pipeline(pixels, spec)
    monkeypatch.setitem(sys.modules, "numba", None)
    resample.unusable.cache_clear()
    try:
        assert "Numba cannot be imported" in str(resample.unusable())
        assert reference_pipeline(pixels, spec).tobytes() == fast.tobytes()
    finally:
        resample.unusable.cache_clear()


def test_where_numba_compiles_nothing_pillow_resizes() -> None:
    script = "from porter.images import resample; print(resample.unusable())"
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "Numba is disabled (NUMBA_DISABLE_JIT)\n"


@pytest.mark.parametrize("fault", ["no folder can be written", "what was kept is damaged"])
def test_compiled_code_that_cannot_be_kept_is_made_again(tmp_path: Path, fault: str) -> None:
    """In a process of its own, whose package and home are read-only or hold rubbish."""
    folder = tmp_path / "kept"
    script = "from porter.images import resample; print(resample.unusable())"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder)}
    if fault == "no folder can be written":
        folder.write_text("a file, where a folder is wanted")
    else:
        subprocess.run([sys.executable, "-c", script], env=environment, check=True)
        kept = [path for path in folder.rglob("*") if path.is_file()]
        assert kept
        for path in kept:
            path.write_bytes(b"rubbish")
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("None\n", 0), done.stderr


@pytest.mark.parametrize("name", sorted(resample.SUPPORT))
@pytest.mark.parametrize("size", [(3000, 4000), (375, 500), (500, 333), (640, 480), (900, 400), (90, 4000), (256, 257)])
def test_sizes_of_real_photos(size: tuple[int, int], name: Any) -> None:
    pixels = noise(*size) // 255 * 255  # black and white: the cubic filter overshoots at every edge
    spec = PreprocessSpec(resize=256, crop=(224, 224), interpolation=name)
    short = min(size)
    height, width = (256 * length // short for length in size)
    whole = Image.fromarray(pixels).resize((width, height), Image.Resampling[name.upper()])
    left, top = round((width - 224) / 2), round((height - 224) / 2)
    plain = np.asarray(whole.crop((left, top, left + 224, top + 224)), np.float32) / np.float32(255)
    plain = (plain - np.array(spec.mean, np.float32)) / np.array(spec.std, np.float32)
    assert reference_pipeline(pixels, spec).tobytes() == plain.transpose(2, 0, 1).tobytes()


@settings(max_examples=60)
@given(
    height=st.integers(1, 130),
    width=st.integers(1, 130),
    quality=st.integers(1, 100),
    subsampling=st.sampled_from(["4:4:4", "4:2:2", "4:2:0"]),
    progressive=st.booleans(),
    restart=st.integers(0, 3),
)
def test_an_ordinary_jpeg_has_pillows_pixels(
    height: int, width: int, quality: int, subsampling: str, progressive: bool, restart: int
) -> None:
    data = jpeg(
        noise(height, width),
        quality=quality,
        subsampling=subsampling,
        progressive=progressive,
        restart_marker_blocks=restart,
    )
    assert ordinary(data)
    wanted = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    np.testing.assert_array_equal(decode(data, "a.jpg").pixels, wanted)
    np.testing.assert_array_equal(opencv.decode_jpeg(data), wanted)


PLAIN = jpeg(noise(40, 56))


def spliced(segment: bytes) -> bytes:
    """A segment put in front of all others."""
    return PLAIN[:2] + segment + PLAIN[2:]


UNUSUAL = {
    "grey": jpeg(noise(9, 9)[:, :, 0]),
    "rgb by its Adobe marker": spliced(b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"),
    "several pictures": spliced(b"\xff\xe2\x00\x06MPF\x00"),
    "bytes between segments": spliced(b"\x00\x00"),
    "a marker within the scan": PLAIN[:-400] + b"\xff\xc5" + PLAIN[-398:],
    "no end": PLAIN[:-2],
    "half": PLAIN[: len(PLAIN) // 2],
    "height of the first scan later": PLAIN.replace(b"\xff\xc0\x00\x11\x08\x00\x28", b"\xff\xc0\x00\x11\x08\x00\x00"),
    "twelve bits": PLAIN.replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc1\x00\x11\x0c"),
}


@pytest.mark.parametrize("case", UNUSUAL)
def test_what_is_not_ordinary_is_left_to_pillow(case: str) -> None:
    assert UNUSUAL[case] != PLAIN
    assert not ordinary(UNUSUAL[case])


def by_pillow(data: bytes, monkeypatch: pytest.MonkeyPatch) -> np.ndarray | None:
    with monkeypatch.context() as patch:
        patch.setattr(decoding, "unusable", lambda: Message("switched off"))
        return outcome(data)


def outcome(data: bytes) -> np.ndarray | None:
    try:
        return decode(data, "a").pixels
    except ImageError:
        return None


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": "4:4:4"}])
def test_a_damaged_jpeg_fares_as_with_pillow(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(11)
    data = jpeg(noise(48, 64), **options)
    for _ in range(120):
        damaged = bytearray(data)
        for _ in range(chance.randint(1, 3)):
            damaged[chance.randrange(len(damaged))] = chance.choice([0, 0xFF, 0xD9, chance.randrange(256)])
        if chance.random() < 0.3:
            damaged = damaged[: chance.randrange(2, len(damaged))] + b"\xff\xd9" * chance.randint(0, 1)
        fast, slow = outcome(bytes(damaged)), by_pillow(bytes(damaged), monkeypatch)
        assert (fast is None) == (slow is None)
        if fast is not None and slow is not None:
            np.testing.assert_array_equal(fast, slow)


def test_real_photos_have_the_bytes_of_a_plain_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(__file__).resolve().parents[1].parent / "shared/data/imagenet-sample/val"
    files = sorted(folder.glob("*"))[::20] if folder.is_dir() else []
    if not files:
        pytest.skip("no sample of real images beside the project")
    through_opencv = 0
    for file in files:
        data = file.read_bytes()
        through_opencv += ordinary(data)
        wanted = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        np.testing.assert_array_equal(decode(data, file.name).pixels, wanted)
    assert through_opencv > 0.9 * len(files)
