"""The usual alternatives to a declared pipeline, as labels can tell them apart: one list from the usual faults."""

from __future__ import annotations

from collections.abc import Iterator

from porter.diagnose.preprocessing.recipe import declared
from porter.diagnose.preprocessing.usual_faults import Change, changes
from porter.records.message import Message
from porter.records.spec import PreprocessSpec
from porter.records.suspects import Suspect

TOO_FINE = frozenset(
    {
        *("planes-reversed", "opencv-area", "opencv-nearest", "opencv-lanczos4", "no-antialias", "float-resize"),
        *("corner-floor", "corner-ceil", "long-round", "long-floor", "float16"),
    }
)
"""Faults that move no answer worth the name, or that another one of the list stands for."""
TOLD_WHOLE = frozenset({"divisor-missing", "divisor-255", "mean-std-missing", "half-range"})
"""Faults that are a range of values, which `_ranges` tells whole."""
OTHER_SHAPE = frozenset({"hwc"})
GROSS = frozenset(
    {
        *("divisor-twice", "std-missing", "mean-std-exchanged", "no-resize", "transposed", "hwc-as-chw"),
        *("byte-range", "caffe", "normalised-twice"),
    }
)
"""Faults that leave little of an accuracy: a model that is mostly right has none of them."""
EXIF = "exif"
GEOMETRY = frozenset({"oriented", "mirrored", "short", "stretch", "corner", "long_side", "layout"})
"""Fields of a recipe that move what is in the picture: a label that is no class of the whole image does not follow."""

ZEROS, ONES = (0.0,) * 3, (1.0,) * 3
IMAGENET = {"divisor": 255.0, "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
CLIP = {
    "divisor": 255.0,
    "mean": (0.48145466, 0.4578275, 0.40821073),
    "std": (0.26862954, 0.26130258, 0.27577711),
}
CAFFE = (103.939, 116.779, 123.68)
"""Mean grey levels of blue, green and red, as the first ImageNet models subtract them."""


def alternatives(
    spec: PreprocessSpec, *, opencv: bool, geometry: bool = True, gross: bool = True
) -> tuple[Change, ...]:
    """Those of an image's usual pipelines that differ from what `spec` declares, the most usual first.

    `geometry`: whether those that move the picture are among them; `gross`: whether `GROSS` are.
    """
    base = declared(spec)
    usual = [one for one in changes(spec, opencv=opencv) if one.suspect.name not in TOO_FINE | TOLD_WHOLE | OTHER_SHAPE]
    if opencv:
        usual = [one for one in usual if one.suspect.name != "no-antialias-bytes"]  # OpenCV's own resize is there
    if spec.crop[0] != spec.crop[1]:
        usual = [one for one in usual if one.suspect.name != "transposed"]  # it has another shape
    found, seen = list[Change](), {base}
    for change in (*usual, *_ranges(spec), _mirrored()):
        recipe = change.apply(base)
        if change.suspect.name in GROSS and not gross:
            continue
        if recipe not in seen and (geometry or GEOMETRY.isdisjoint(change.fields)):
            seen.add(recipe)
            found.append(change)
    return tuple(found)


def as_declared() -> Change:
    """The reference pipeline of the spec itself, where the model's plugin has another one."""
    return _change("declared", Message("the pipeline that the spec declares"))


def _ranges(spec: PreprocessSpec) -> Iterator[Change]:
    """What a grey level becomes."""
    colours = slice(None, None, -1 if spec.channels == "BGR" else 1)
    yield _change("unit-range", Message("values 0..1, no mean and std"), divisor=255.0, mean=ZEROS, std=ONES)
    yield _change("byte-range", Message("values 0..255, no mean and std"), divisor=1.0, mean=ZEROS, std=ONES)
    yield _change("signed-range", Message("values -1..1"), divisor=127.5, mean=ONES, std=ONES)
    for name, title, family in (
        ("imagenet", Message("ImageNet's mean and std"), IMAGENET),
        ("clip", Message("CLIP's mean and std"), CLIP),
    ):
        fields = {key: value[colours] if isinstance(value, tuple) else value for key, value in family.items()}
        yield _change(name, title, **fields)
    yield _change(
        "caffe",
        Message("Caffe's way: BGR, values 0..255 less the mean colour"),
        order=(2, 1, 0),
        divisor=1.0,
        mean=CAFFE,
        std=ONES,
    )
    twice = tuple(mean * (1 + std) for mean, std in zip(spec.mean, spec.std, strict=True))
    yield _change(
        "normalised-twice", Message("mean and std applied twice"), mean=twice, std=tuple(std**2 for std in spec.std)
    )


def _mirrored() -> Change:
    return _change("mirrored", Message("mirrored, left and right exchanged"), mirrored=True)


def _change(name: str, title: Message, **fields: object) -> Change:
    return Change(suspect=Suspect(name=name, title=title), fields=fields)
