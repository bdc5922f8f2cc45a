"""The usual suspects of preprocessing: what each would change in the pipeline that a spec declares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from porter.diagnose.preprocessing.recipe import Recipe, declared
from porter.diagnose.preprocessing.resizers import OPENCV
from porter.records.message import Message
from porter.records.spec import PreprocessSpec
from porter.records.suspects import Suspect

_PILLOW = ("bicubic", "nearest", "lanczos", "bilinear")
_ANTIALIASED_ELSEWHERE = ("bilinear", "bicubic")
_SHIFTS = {"right": (0, 1), "left": (0, -1), "down": (1, 0), "up": (-1, 0), "diagonal": (1, 1)}
_MARGIN = 0.875
"""Share of the short side that the crop takes, by the custom of ImageNet's 224 of 256."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One suspect and the fields of the recipe that it sets. Two that set the same field exclude each other."""

    suspect: Suspect
    fields: Mapping[str, Any]

    def apply(self, recipe: Recipe) -> Recipe:
        """The recipe with this fault."""
        return replace(recipe, **self.fields)


def changes(spec: PreprocessSpec, *, opencv: bool) -> tuple[Change, ...]:
    """The suspects that differ from what `spec` declares, the most usual first; OpenCV's only where it is there."""
    base = declared(spec)
    found = [*_channels(spec, base), *(_opencv() if opencv else ()), *_resampling(spec), *_normalising(spec)]
    found += [*_sizes(spec), *_letterboxes(spec), *_pictures(), *_layouts(), *_roundings()]
    return tuple(change for change in found if change.apply(base) != base)


def _change(name: str, title: Message, **fields: Any) -> Change:
    return Change(suspect=Suspect(name=name, title=title), fields=fields)


def _channels(spec: PreprocessSpec, base: Recipe) -> Iterator[Change]:
    other = "RGB" if spec.channels == "BGR" else "BGR"
    instead = Message("{other} instead of {declared}", other=other, declared=spec.channels)
    yield _change("bgr", instead, order=base.order[::-1])
    yield _change(
        "planes-reversed",
        Message("channels reversed after normalisation (RGB to BGR), each with the correct mean and std"),
        flipped=True,
    )


def _opencv() -> Iterator[Change]:
    for name in OPENCV:
        yield _change(
            f"opencv-{name}", Message("OpenCV's resize, {name}", name=f"INTER_{name.upper()}"), method=f"opencv:{name}"
        )


def _resampling(spec: PreprocessSpec) -> Iterator[Change]:
    declared_filter = spec.interpolation
    if declared(spec).method.startswith("opencv:"):
        yield from _by_pillow(declared_filter)
        return
    if declared_filter in _ANTIALIASED_ELSEWHERE:
        yield _change("no-antialias", Message("resized without antialiasing"), method=f"plain:{declared_filter}")
        yield _change(
            "no-antialias-bytes",
            Message("resized without antialiasing, in bytes (as OpenCV does)"),
            method=f"bytes:{declared_filter}",
        )
    yield from _by_pillow(declared_filter)
    if declared_filter in _ANTIALIASED_ELSEWHERE:
        yield _change(
            "half-pixel-aligned",
            Message("resized half a pixel off (align_corners, no antialiasing)"),
            method=f"aligned:{declared_filter}",
        )
        yield _change(
            "half-pixel-asymmetric",
            Message("resized half a pixel off (asymmetric coordinates, no antialiasing)"),
            method=f"asymmetric:{declared_filter}",
        )
    yield _change("float-resize", Message("resized in float, not rounded to bytes"), method=f"float:{declared_filter}")


def _by_pillow(declared_filter: str) -> Iterator[Change]:
    for name in _PILLOW:
        yield _change(
            f"pillow-{name}",
            Message("{other} interpolation instead of {declared}", other=name, declared=declared_filter),
            method=f"pillow:{name}",
        )


def _normalising(spec: PreprocessSpec) -> Iterator[Change]:
    zeros, ones = (0.0,) * len(spec.mean), (1.0,) * len(spec.std)
    if spec.divisor != 1:
        yield _change(
            "divisor-missing",
            Message("not divided by {divisor:g} (input is 0..255, should be 0..1)", divisor=spec.divisor),
            divisor=1.0,
        )
        yield _change(
            "divisor-twice", Message("divided by {divisor:g} twice", divisor=spec.divisor), divisor=spec.divisor**2
        )
    else:
        yield _change(
            "divisor-255", Message("divided by 255 once too often (input is 0..1, should be 0..255)"), divisor=255.0
        )
    yield _change("mean-missing", Message("mean not subtracted"), mean=zeros)
    yield _change("std-missing", Message("not divided by std"), std=ones)
    yield _change("mean-std-missing", Message("neither mean nor std applied"), mean=zeros, std=ones)
    yield _change("half-range", Message("v / 127.5 - 1 instead of mean and std"), divisor=127.5, mean=ones, std=ones)
    if all(spec.mean):
        yield _change("mean-std-exchanged", Message("mean and std swapped"), mean=spec.std, std=spec.mean)
    yield _change(
        "mean-std-reversed", Message("mean and std in reverse channel order"), mean=spec.mean[::-1], std=spec.std[::-1]
    )


def _sizes(spec: PreprocessSpec) -> Iterator[Change]:
    short = min(spec.crop)
    if spec.fit != "cover":
        title = Message("resized directly to the crop size, aspect ratio not kept")
        yield _change("exif", Message("rotated by EXIF orientation"), oriented=True)
        yield _change("squash", title, short=None, stretch=spec.crop, letterbox=None)
        return
    wide = round(short / _MARGIN)
    yield _change("corner-floor", Message("crop corner rounded down"), corner="floor")
    yield _change("corner-ceil", Message("crop corner rounded up"), corner="ceil")
    yield _change("corner-zero", Message("cropped at the top left corner instead of the centre"), corner="zero")
    for name, (down, right) in _SHIFTS.items():
        title = Message("crop shifted {down} pixels down and {right} pixels right", down=down, right=right)
        yield _change(f"crop-{name}", title, offset=(down, right))
    yield _change("exif", Message("rotated by EXIF orientation"), oriented=True)
    yield _change(
        "squash", Message("resized directly to the crop size, aspect ratio not kept"), short=None, stretch=spec.crop
    )
    yield _change(
        "squash-crop",
        Message("resized to {size}×{size}, aspect ratio not kept, then cropped", size=spec.resize),
        short=None,
        stretch=(spec.resize, spec.resize),
    )
    if spec.squash is not None:
        title = Message("short side resized to {short}, aspect ratio kept", short=spec.resize)
        yield _change("aspect-kept", title, short=spec.resize, stretch=None)
    title = Message("short side resized to {short}, the crop size", short=short)
    yield _change("no-margin", title, short=short, stretch=None)
    title = Message("short side resized to {wide}, should be {declared}", wide=wide, declared=spec.resize)
    yield _change("margin", title, short=wide, stretch=None)
    yield _change("no-resize", Message("cropped without a resize"), short=None, stretch=None)
    yield _change("long-round", Message("long side rounded to nearest, should be down"), long_side="round")
    yield _change("long-floor", Message("long side rounded down, should be to nearest"), long_side="floor")


def _layouts() -> Iterator[Change]:
    yield _change("transposed", Message("height and width swapped"), layout="cwh")
    yield _change("hwc-as-chw", Message("values in the order H×W×C, read as C×H×W"), layout="hwc-as-chw")
    yield _change("hwc", Message("shape H×W×C, not transposed to C×H×W"), layout="hwc")


def _letterboxes(spec: PreprocessSpec) -> Iterator[Change]:
    mean = tuple(min(255, max(0, round(value * spec.divisor))) for value in spec.mean)
    own = mean if spec.channels == "RGB" else mean[::-1]
    for name, colour in (("0", (0,) * 3), ("114", (114,) * 3), ("128", (128,) * 3), ("255", (255,) * 3), ("mean", own)):
        title = Message("letterbox: the whole image fits the crop, filled with {colour}", colour=name)
        yield _change(f"letterbox-{name}", title, letterbox=colour)


def _pictures() -> Iterator[Change]:
    yield _change("mirrored", Message("mirrored: left and right swapped"), mirrored="sides")
    yield _change("upside-down", Message("upside down"), mirrored="upside-down")
    for gamma in (2.2, 1 / 2.2):
        yield _change(f"gamma-{gamma:.2f}", Message("gamma {gamma:.3g} applied", gamma=gamma), gamma=gamma)


def _roundings() -> Iterator[Change]:
    for kind in ("float16", "bfloat16"):
        yield _change(kind, Message("rounded to {type}", type=kind), rounded=kind)
    for decimals in range(4):
        title = Message("rounded to {decimals} decimals after normalisation", decimals=decimals)
        yield _change(f"decimals-{decimals}", title, rounded=str(decimals))
    for parts in (8, 16, 32, 64, 128, 256):
        title = Message("rounded to steps of 1/{parts} after normalisation, as in fixed point", parts=parts)
        yield _change(f"steps-{parts}", title, rounded=f"1/{parts}")
    for low, high in ((0.0, 1.0), (-1.0, 1.0)):
        title = Message("clipped to {low:g}..{high:g} after normalisation", low=low, high=high)
        yield _change(f"clipped{low:g}", title, clip=(low, high))
