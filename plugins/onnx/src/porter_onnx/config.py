"""The yaml beside an ONNX file: what the file cannot say of how it is fed and what its answers mean.

The keys are listed in the plugin's README. What both the yaml and the file say must agree; `porter_onnx.describe`
sees to that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from porter import BadInput, Published, PublishedMetric, Section, one_line, read_lines, read_yaml

Layout = Literal["NCHW", "NHWC"]
Interpolation = Literal["bilinear", "bicubic", "nearest", "lanczos"]
Channels = Literal["RGB", "BGR"]

CLASSIFICATION = "classification"
LAYOUTS = ("NCHW", "NHWC")
DTYPES = ("float32", "uint8")
MOST_PIXELS = 8192
"""Longest side of an input image."""
MOST_CLASSES = 1_000_000

ABOUT_KEYS = ("name", "title", "description", "paper", "code", "licence")
KEYS = ("model", "sha256", *ABOUT_KEYS, "task", "input", "output", "preprocess", "labels", "reference")
INPUT_KEYS = ("name", "layout", "dtype", "size")
PREPROCESS_KEYS = ("resize", "crop", "interpolation", "channels", "divisor", "mean", "std")
LABELS_KEYS = ("classes", "names", "background_class")
METRICS = tuple(f"top{k}" for k in range(1, 6))
REFERENCE_KEYS = ("source", "dataset", "images", *METRICS, "image_pattern", "note")


@dataclass(frozen=True, kw_only=True)
class InputConfig:
    """The input as the yaml has it; None: not given."""

    name: str | None
    layout: Layout | None
    dtype: str | None
    size: tuple[int, int] | None
    """Height and width in pixels."""


@dataclass(frozen=True, kw_only=True)
class PreprocessConfig:
    """The preprocessing as the yaml has it; None: not given."""

    resize: int
    crop: tuple[int, int] | None
    """Height and width in pixels."""
    interpolation: Interpolation
    channels: Channels
    divisor: float | None
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None


@dataclass(frozen=True, kw_only=True)
class LabelsConfig:
    """The classes as the yaml has them, the background class not counted; None: not given."""

    classes: int | None
    names: tuple[str, ...]
    background_class: bool | None


@dataclass(frozen=True, kw_only=True)
class OnnxConfig:
    """All that the yaml says."""

    where: str
    """The yaml's path, for error messages."""
    model: Path | None
    sha256: str | None
    about: dict[str, str]
    """Those of `ABOUT_KEYS` that are given."""
    task: str
    input: InputConfig
    output: str | None
    preprocess: PreprocessConfig
    labels: LabelsConfig
    reference: Published | None

    def error(self, key: str, problem: str) -> BadInput:
        """The error to raise for a key of the yaml."""
        return BadInput(f"{self.where}: {key}: {problem}")


def read_config(path: Path) -> OnnxConfig:
    """Read the yaml at `path`; paths in it are relative to its folder.

    Raises:
        BadInput: one line with the file, the key and what is wrong with it.
    """
    # As text: a hash, a class or a licence that looks like a number must stay as it is written.
    top = Section(read_yaml(path, as_text=True), one_line(path), absent="missing, and the ONNX file cannot say it")
    top.refuse_unknown(KEYS)
    task = top.text("task", CLASSIFICATION)
    return OnnxConfig(
        where=top.where,
        model=_model(top, path.parent) if top.has("model") else None,
        sha256=_sha256(top),
        about={key: top.text(key) for key in ABOUT_KEYS if top.has(key)},
        task=task,
        input=_input(top.section("input", optional=True)),
        output=_optional_text(top, "output"),
        preprocess=_preprocess(top.section("preprocess", optional=True)),
        labels=_labels(top.section("labels", optional=True), path.parent, task),
        reference=_reference(top.section("reference"), task) if top.has("reference") else None,
    )


def _model(top: Section, folder: Path) -> Path:
    name = top.text("model")
    if not name.strip():
        raise top.error("model", "empty; name the .onnx file, or leave the key out and give --checkpoint FILE")
    return folder / name


def _sha256(top: Section) -> str | None:
    digest = _optional_text(top, "sha256")
    if digest is not None and not re.fullmatch("[0-9A-Fa-f]{64}", digest):
        raise top.error("sha256", f"64 hex digits are needed, found {len(digest)} characters")
    return digest


def _input(section: Section) -> InputConfig:
    section.refuse_unknown(INPUT_KEYS)
    return InputConfig(
        name=_optional_text(section, "name"),
        layout=cast("Layout", section.choice("layout", LAYOUTS)) if section.has("layout") else None,
        dtype=section.choice("dtype", DTYPES) if section.has("dtype") else None,
        size=_optional_size(section, "size"),
    )


def _preprocess(section: Section) -> PreprocessConfig:
    section.refuse_unknown(PREPROCESS_KEYS)
    interpolations = ("bilinear", "bicubic", "nearest", "lanczos")
    return PreprocessConfig(
        resize=section.integer("resize", most=MOST_PIXELS),
        crop=_optional_size(section, "crop"),
        interpolation=cast("Interpolation", section.choice("interpolation", interpolations, "bilinear")),
        channels=cast("Channels", section.choice("channels", ("RGB", "BGR"), "RGB")),
        divisor=section.number("divisor", least=1e-6) if section.has("divisor") else None,
        mean=_optional_channels(section, "mean"),
        std=_optional_channels(section, "std", least=1e-9),
    )


def _labels(section: Section, folder: Path, task: str) -> LabelsConfig:
    section.refuse_unknown(LABELS_KEYS)
    background = section.boolean("background_class") if section.has("background_class") else None
    if background and task != CLASSIFICATION:
        raise section.error("background_class", f"is for task {CLASSIFICATION} only, not {one_line(task)!r}")
    return LabelsConfig(
        classes=section.integer("classes", most=MOST_CLASSES) if section.has("classes") else None,
        names=_class_names(section, folder) if section.has("names") else (),
        background_class=background,
    )


def _class_names(section: Section, folder: Path) -> tuple[str, ...]:
    """A list of names, or the path of a file with one a line."""
    value = section.required("names")
    if not isinstance(value, str):
        return section.texts("names")
    return tuple(name for _, name in read_lines(folder / value, "list of class names"))


def _reference(section: Section, task: str) -> Published:
    section.absent = "missing; a published figure needs it"
    if task != CLASSIFICATION:
        raise section.error("", f"published figures are read for task {CLASSIFICATION} only, not {one_line(task)!r}")
    section.refuse_unknown(REFERENCE_KEYS)
    metrics = tuple(PublishedMetric(name=key, value=_percent(section, key)) for key in METRICS if section.has(key))
    if not metrics:
        raise section.error("", f"holds no figure; give top1 (or another of {', '.join(METRICS)})")
    return Published(
        source=section.text("source"),
        dataset=section.text("dataset"),
        images=section.integer("images"),
        metrics=metrics,
        image_pattern=_pattern(section),
        note=section.text("note", ""),
    )


def _percent(section: Section, key: str) -> float:
    value = section.number(key, least=0, most=100)
    if 0 < value <= 1:
        raise section.error(key, f"{value:g} looks like a fraction; give percent, e.g. 76.8")
    return value


def _pattern(section: Section) -> str:
    pattern = section.text("image_pattern", "")
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise section.error("image_pattern", f"not a regular expression: {one_line(error)}") from None
    return pattern


def _optional_text(section: Section, key: str) -> str | None:
    return section.text(key) if section.has(key) else None


def _optional_size(section: Section, key: str) -> tuple[int, int] | None:
    """Height and width, or one number for both."""
    if not section.has(key):
        return None
    sizes = section.integers(key, most=MOST_PIXELS)
    if len(sizes) > 2:
        raise section.error(key, f"one or two numbers are needed (height, width), found {len(sizes)}")
    return sizes[0], sizes[-1]


def _optional_channels(section: Section, key: str, least: float = -1e6) -> tuple[float, ...] | None:
    """One value for each of three channels, or a single one for all."""
    if not section.has(key):
        return None
    values = section.numbers(key, least=least, most=1e6)
    if len(values) not in (1, 3):
        raise section.error(key, f"one or three numbers are needed, found {len(values)}")
    return values if len(values) == 3 else values * 3
