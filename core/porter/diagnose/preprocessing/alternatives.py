"""The usual alternatives to a declared pipeline, as labels can tell them apart: one list from the usual faults."""

from __future__ import annotations

from collections.abc import Iterator

from porter.diagnose.preprocessing.recipe import declared
from porter.diagnose.preprocessing.usual_faults import Change, changes
from porter.records.message import Message
from porter.records.spec import PreprocessSpec
from porter.records.suspects import Suspect

USUAL = frozenset(
    {
        *("bgr", "opencv-linear", "opencv-cubic", "no-antialias-bytes"),
        *("pillow-bicubic", "pillow-nearest", "pillow-lanczos", "pillow-bilinear"),
        *("mean-missing", "mean-std-reversed", "exif", "squash", "squash-crop", "aspect-kept"),
        *("no-margin", "margin", "mirrored"),
        *("divisor", "unit-range", "signed-range", "imagenet", "clip"),
    }
)
"""Faults that leave a good part of an accuracy, and move answers enough to show."""
GROSS = frozenset(
    {
        *("divisor-twice", "std-missing", "mean-std-exchanged", "no-resize", "transposed", "hwc-as-chw"),
        *("upside-down", "byte-range", "caffe", "normalised-twice"),
    }
)
"""Faults that leave little of an accuracy: a model that is mostly right has none of them."""
EXIF, AS_DECLARED = "exif", "declared"
GEOMETRY = frozenset({"oriented", "mirrored", "short", "stretch", "layout"})
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
    base, wanted = declared(spec), USUAL | (GROSS if gross else frozenset())
    if opencv:  # its own resize is there
        wanted -= {"no-antialias-bytes"}
    if spec.crop[0] != spec.crop[1]:  # it has another shape
        wanted -= {"transposed"}
    found, seen = list[Change](), {base}
    for change in (*changes(spec, opencv=opencv), *_ranges(spec)):
        recipe = change.apply(base)
        if change.suspect.name not in wanted or not (geometry or GEOMETRY.isdisjoint(change.fields)):
            continue
        if recipe not in seen:
            seen.add(recipe)
            found.append(change)
    return tuple(found)


def as_declared() -> Change:
    """The reference pipeline of the spec itself, where the model's plugin has another one."""
    return _change(AS_DECLARED, Message("the declared preprocessing"))


def _ranges(spec: PreprocessSpec) -> Iterator[Change]:
    """What a grey level becomes."""
    if spec.divisor != IMAGENET["divisor"] and max(spec.mean) <= 1.0:  # said before a family that has it as well
        yield _change("divisor", Message("divisor 255 (values 0..1) before mean and std"), divisor=IMAGENET["divisor"])
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
        Message("Caffe preprocessing: BGR, values 0..255 minus the mean colour"),
        order=(2, 1, 0),
        divisor=1.0,
        mean=CAFFE,
        std=ONES,
    )
    twice = tuple(mean * (1 + std) for mean, std in zip(spec.mean, spec.std, strict=True))
    yield _change(
        "normalised-twice", Message("mean and std applied twice"), mean=twice, std=tuple(std**2 for std in spec.std)
    )


def _change(name: str, title: Message, **fields: object) -> Change:
    return Change(suspect=Suspect(name=name, title=title), fields=fields)
