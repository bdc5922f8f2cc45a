"""The yaml beside an ONNX file: what the file cannot say of how it is fed and what its answers mean.

The keys are listed in the plugin's README. What both the yaml and the file say must agree; `porter_onnx.describe`
sees to that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from msgspec import Meta, Struct, structs

from porter import (
    BadInput,
    Published,
    PublishedMetric,
    from_yaml,
    leads_out,
    one_line,
    read_lines,
    read_yaml,
    yaml_fault,
)

Layout = Literal["NCHW", "NHWC"]
Interpolation = Literal[
    "bilinear", "bicubic", "nearest", "lanczos", "opencv_linear", "opencv_cubic", "opencv_area", "opencv_nearest"
]
Channels = Literal["RGB", "BGR", "GRAY"]
Fit = Literal["cover", "letterbox", "long_side", "none", "box"]

Dtype = Literal["float32", "float16", "uint8", "int32", "int64"]
T = TypeVar("T")

CLASSIFICATION = "classification"
LAYOUTS, DTYPES = get_args(Layout), get_args(Dtype)
MOST_PIXELS = 8192
"""Longest side of an input image."""
ABOUT_KEYS = ("name", "title", "description", "paper", "code", "licence")
METRICS = tuple(f"top{k}" for k in range(1, 6))
ABSENT = "missing, and not in the ONNX file"
FITS: dict[str, tuple[Fit, ...]] = {
    "resize": ("cover", "long_side"),
    "crop": ("cover", "letterbox", "box"),
    "long_side": ("cover", "long_side"),
    "interpolation": ("cover", "letterbox", "long_side", "box"),
    "pad": ("letterbox", "long_side", "none", "box"),
    "pad_at": ("letterbox",),
    "enlarge": ("letterbox",),
    "multiple": ("long_side", "none"),
    "box_scale": ("box",),
}
"""Keys of the preprocessing that say something with these values of `fit` alone."""

Pixels = Annotated[int, Meta(ge=1, le=MOST_PIXELS)]
Size = Annotated[tuple[Pixels, ...], Meta(min_length=1, max_length=16)]
"""Height and width, or one number for both."""
Levels = Annotated[tuple[Annotated[int, Meta(ge=0, le=255)], ...], Meta(min_length=1, max_length=16)]
"""Grey levels, one a channel or one for all."""
Means = Annotated[tuple[Annotated[float, Meta(ge=-1e6, le=1e6)], ...], Meta(min_length=1, max_length=16)]
Deviations = Annotated[tuple[Annotated[float, Meta(ge=1e-9, le=1e6)], ...], Meta(min_length=1, max_length=16)]
"""One value for each channel, or a single one for all."""
Percent = Annotated[float, Meta(ge=0, le=100)]


class InputConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The input as the yaml has it; None: not given."""

    name: str | None = None
    layout: Layout | None = None
    dtype: Dtype | None = None
    size: Size | None = None


class PreprocessConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The preprocessing as the yaml has it; None: not given."""

    fit: Fit = "cover"
    resize: Size | None = None
    crop: Size | None = None
    long_side: Literal["floor", "round"] | None = None
    interpolation: Interpolation | None = None
    pad: Levels | None = None
    pad_at: Literal["both", "end"] | None = None
    enlarge: bool | None = None
    multiple: Pixels | None = None
    box_scale: Annotated[float, Meta(ge=0.01, le=100)] | None = None
    channels: Channels | None = None
    divisor: Annotated[float, Meta(ge=1e-6, le=1e9)] | None = None
    mean: Means | None = None
    std: Deviations | None = None


class OutputConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the rows of an output are each image's; not given at all: one row an image."""

    index_column: Annotated[int, Meta(ge=0, le=65_535)] | None = None
    counts: str | None = None
    listed: bool = False
    """Rows of their own number, in a graph that takes one image at a time."""


WAYS = {
    "model": "a .onnx file may lie elsewhere. Give any other with --checkpoint FILE, or copy it there",
    "labels.names": "copy the file there, or write the names into the yaml",
}
"""The way out for a path that leads out of the folder of the yaml, which may be somebody else's."""


class LabelsConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The classes as the yaml has them, the background class not counted; None: not given."""

    classes: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    names: str | tuple[str, ...] = ()
    """Names, or the path of a file with one a line."""
    background_class: bool | None = None


class ReferenceConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Published figures as the yaml has them."""

    source: str
    dataset: str
    images: Annotated[int, Meta(ge=1, le=1_000_000_000)]
    top1: Percent | None = None
    top2: Percent | None = None
    top3: Percent | None = None
    top4: Percent | None = None
    top5: Percent | None = None
    image_pattern: str = ""
    note: str = ""


class Document(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole yaml; None: not given."""

    model: str | None = None
    sha256: str | None = None
    name: str | None = None
    title: str | None = None
    description: str | None = None
    paper: str | None = None
    code: str | None = None
    licence: str | None = None
    task: str = CLASSIFICATION
    input: InputConfig = InputConfig()
    output: str | None = None
    outputs: dict[str, OutputConfig] = {}
    preprocess: PreprocessConfig | None = None
    labels: LabelsConfig = LabelsConfig()
    facts: dict[str, str] = {}
    reference: ReferenceConfig | None = None


@dataclass(frozen=True, kw_only=True)
class OnnxConfig:
    """All that the yaml says."""

    where: str
    """The yaml's path, for error messages."""
    document: dict[str, Any]
    """The yaml as it was read."""
    model: Path | None
    sha256: str | None
    about: dict[str, str]
    """Those of `ABOUT_KEYS` that are given."""
    task: str
    input: InputConfig
    output: str | None
    outputs: dict[str, OutputConfig]
    preprocess: PreprocessConfig | None
    """None: the task's plugin preprocesses by code of its own."""
    labels: LabelsConfig
    names: tuple[str, ...]
    """Names of the classes, the background class not counted; empty: not given."""
    facts: dict[str, str]
    """Shown in the documents, and read by the tasks that have settings."""
    reference: Published | None

    def error(self, key: str, problem: str) -> BadInput:
        """The error to raise for a key of the yaml."""
        return yaml_fault(self.document, self.where, key, problem)


def read_config(path: Path) -> OnnxConfig:
    """Read the yaml at `path`; paths in it are relative to its folder, and stay there but for that of a `.onnx` file.

    Raises:
        BadInput: one line with the file, the line, the key and what is wrong with it.
    """
    # As text: a hash, a class or a licence that looks like a number must stay as it is written.
    document, where = read_yaml(path, as_text=True), one_line(path)
    if "reference" in document and (task := document.get("task", CLASSIFICATION)) != CLASSIFICATION:
        problem = f"published figures are supported for task {CLASSIFICATION} only, not {one_line(task)!r}"
        raise yaml_fault(document, where, "reference", problem)
    found = from_yaml(document, Document, where, ABSENT)
    for key, problem in _faults(found):
        raise yaml_fault(document, where, key, problem)
    names = found.labels.names
    for key, name in (("model", found.model), ("labels.names", names)):
        if isinstance(name, str) and leads_out(path.parent, name) and not (key == "model" and _is_onnx(path, name)):
            problem = f"{one_line(name)!r} leads out of the folder of the yaml; {WAYS[key]}"
            raise yaml_fault(document, where, key, problem)
    if isinstance(names, str):
        names = tuple(name for _, name in read_lines(path.parent / names, "list of class names"))
    return OnnxConfig(
        where=where,
        document=document,
        model=None if found.model is None else path.parent / found.model,
        sha256=found.sha256,
        about={key: value for key in ABOUT_KEYS if (value := getattr(found, key)) is not None},
        task=found.task,
        input=structs.replace(found.input, size=_repeated(found.input.size, 2)),
        output=found.output,
        outputs=found.outputs,
        preprocess=_sized(found.preprocess),
        labels=found.labels,
        names=names,
        facts=found.facts,
        reference=_published(found.reference),
    )


def _is_onnx(path: Path, name: str) -> bool:
    """Whether a path leads to a file that is named as ONNX files are, links followed: such a one may lie elsewhere, as
    nothing of it is shown unless it is a model."""
    try:
        return (path.parent / name).resolve().suffix == ".onnx"
    except (OSError, ValueError, RuntimeError):
        return False


def _faults(found: Document) -> Iterator[tuple[str, str]]:
    """What no type says of one key, and what two keys say of each other: the key, and the problem."""
    if found.model is not None and not found.model.strip():
        yield "model", "empty. Name the .onnx file, or leave the key out and use --checkpoint FILE"
    if found.sha256 is not None and not re.fullmatch("[0-9A-Fa-f]{64}", found.sha256):
        yield "sha256", f"64 hex digits are needed, found {len(found.sha256)} characters"
    if found.input.size is not None and len(found.input.size) > 2:
        yield "input.size", f"expected one or two numbers (height, width), found {len(found.input.size)}"
    if found.preprocess is not None:
        yield from _faults_of_preprocess(found.preprocess)
    elif found.task == CLASSIFICATION:
        yield "preprocess", ABSENT
    if found.outputs and found.task == CLASSIFICATION:
        yield "outputs", f"task {CLASSIFICATION} scores one row an image. Name it by output, or set task"
    for name, output in found.outputs.items():
        if [output.index_column is not None, output.counts is not None, output.listed].count(True) != 1:
            yield f"outputs.{name}", "one of index_column, counts and listed: true is needed"
    if found.labels.background_class and found.task != CLASSIFICATION:
        yield "labels.background_class", f"is for task {CLASSIFICATION} only, not {one_line(found.task)!r}"
    if found.reference is not None:
        figures = [(key, value) for key in METRICS if (value := getattr(found.reference, key)) is not None]
        for key, value in figures:
            if 0 < value <= 1:
                yield f"reference.{key}", f"{value:g} looks like a fraction. Use percent, e.g. 76.8"
        if not figures:
            yield "reference", f"has no figure. Set top1 (or another of {', '.join(METRICS)})"
        try:
            re.compile(found.reference.image_pattern)
        except (re.error, RecursionError, OverflowError) as error:
            yield "reference.image_pattern", f"not a regular expression: {one_line(error)}"


def _faults_of_preprocess(given: PreprocessConfig) -> Iterator[tuple[str, str]]:
    """What no type says of one key of the preprocessing, and keys that say nothing with its `fit`."""
    for key, fits in FITS.items():
        if getattr(given, key) is not None and given.fit not in fits:
            yield f"preprocess.{key}", f"says nothing with fit {given.fit}, only with {' or '.join(fits)}. Leave it out"
    if given.resize is None and given.fit in FITS["resize"]:
        yield "preprocess.resize", ABSENT
    for key, size in (("preprocess.crop", given.crop), ("preprocess.resize", given.resize)):
        if size is not None and len(size) > 2:
            yield key, f"expected one or two numbers (height, width), found {len(size)}"
    if given.fit == "long_side" and given.resize is not None and len(given.resize) > 1:
        yield "preprocess.resize", f"expected one number, of the long side, found {len(given.resize)}"
    if given.long_side is not None and given.resize is not None and len(given.resize) > 1:
        yield "preprocess.long_side", "says nothing where resize has both sides. Leave it out"
    if given.pad is not None and given.fit in FITS["multiple"] and given.multiple is None:
        yield "preprocess.pad", "says nothing without multiple. Set that, or leave pad out"
    for key, values in (("mean", given.mean), ("std", given.std), ("pad", given.pad)):
        if values is not None and len(values) not in (1, 3):
            yield f"preprocess.{key}", f"expected one or three numbers, found {len(values)}"


def _sized(given: PreprocessConfig | None) -> PreprocessConfig | None:
    """The preprocessing with a crop of two sides."""
    return None if given is None else structs.replace(given, crop=_repeated(given.crop, 2))


def _published(given: ReferenceConfig | None) -> Published | None:
    if given is None:
        return None
    return Published(
        source=given.source,
        dataset=given.dataset,
        images=given.images,
        metrics=tuple(
            PublishedMetric(name=key, value=value) for key in METRICS if (value := getattr(given, key)) is not None
        ),
        image_pattern=given.image_pattern,
        note=given.note,
    )


def _repeated(values: tuple[T, ...] | None, count: int) -> tuple[T, ...] | None:
    """A single value for each of `count`."""
    return values * count if values is not None and len(values) == 1 else values
