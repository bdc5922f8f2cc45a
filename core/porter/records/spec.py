"""What a model is: its tensors, its preprocessing, and what its authors publish."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Literal

import msgspec


@dataclass(frozen=True, kw_only=True)
class TensorSpec:
    """A named input or output of a model."""

    name: str
    """As the ONNX file spells it."""
    shape: tuple[int | str, ...]
    """Sizes in order; a string is a symbolic size, `"N"` the batch."""
    dtype: str = "float32"
    """numpy's name of the type."""


@dataclass(frozen=True, kw_only=True)
class PreprocessSpec:
    """The reference pipeline: decode to RGB, resize the short side, centre crop, scale, normalise, C×H×W.

    A value v (0..255) of channel c becomes `(v / divisor - mean[c]) / std[c]`, each step in float32.
    """

    resize: int
    """Pixels of the short side after the resize; the long side is `resize * long / short`, see `long_side`."""
    squash: tuple[int, int] | None = None
    """Height and width after a resize that does not keep the aspect, the lesser of them `resize`; None: it is kept."""
    crop: tuple[int, int]
    """Height and width of the centre crop, in pixels; its corner is `int(round((size - crop) / 2))`."""
    long_side: Literal["floor", "round"] = "floor"
    """How the long side becomes whole: cut off, as torchvision does, or rounded, which keeps the shape closer."""
    interpolation: Literal["bilinear", "bicubic", "nearest", "lanczos"] = "bilinear"
    """Pillow's filter of that name, antialiased when shrinking."""
    channels: Literal["RGB", "BGR"] = "RGB"
    """Order of the channels that the model takes; mean and std are in this order."""
    divisor: float = 255.0
    """What turns grey levels into the unit of mean and std."""
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    """Subtracted from each channel."""
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    """Divides each channel."""

    @property
    def id(self) -> str:
        """Twelve hex digits that change whenever any field does."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:12]


@dataclass(frozen=True, kw_only=True)
class PublishedMetric:
    """One published figure."""

    name: str
    """The task's name of the metric, e.g. `top1`."""
    value: float
    """The figure, in `unit`."""
    unit: str = "percent"
    """Unit of `value`."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """Accuracy that the model's authors publish, and the images that it holds for."""

    source: str
    """Where the figures are published."""
    dataset: str
    """Name of the set of images."""
    images: int
    """Number of images behind the figures."""
    metrics: tuple[PublishedMetric, ...]
    """The figures."""
    image_pattern: str = ""
    """Regular expression that every image's file name in that set matches in full; empty: no such rule."""
    note: str = ""
    """What a reader must know beside them."""

    def value(self, name: str) -> float | None:
        """The published value of metric `name`, or None."""
        return next((m.value for m in self.metrics if m.name == name), None)


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """One variant of a model, resolved from its config: all that the core needs to know of it."""

    name: str
    """The name on the command line."""
    task: str
    """Name of a task that some plugin offers through `porter_tasks`."""
    inputs: tuple[TensorSpec, ...]
    """Inputs of the network; the first takes the images."""
    outputs: tuple[TensorSpec, ...]
    """Outputs of the network, in order."""
    preprocess: PreprocessSpec
    """How an image becomes the input."""
    variant: str = ""
    """Which of the model's variants; part of file names."""
    title: str = ""
    """Heading of the documents."""
    description: str = ""
    """What the model is, in a sentence or two."""
    paper: str = ""
    """Where it is described."""
    code: str = ""
    """Where its authors' code is."""
    code_commit: str = ""
    """The commit of that code which the plugin was held against; empty: none in particular."""
    licence: str = ""
    """Licence of the weights."""
    num_classes: int | None = None
    """Number of classes; None: the task has no classes."""
    class_names: tuple[str, ...] = ()
    """Names of the classes, by index; empty: not known."""
    opset: int | None = None
    """The ONNX opset that the model comes with; None: whatever is asked for."""
    precision: str = "fp32"
    """Data type that the exported file computes in: another one where the model comes as a file that is quantised, or
    in half precision, already."""
    checkpoint: str = ""
    """Path of the weights, where the config names the file; empty: they come by `--checkpoint` alone."""
    published: Published | None = None
    """What its authors publish; None: nothing."""
    facts: dict[str, str] = field(default_factory=dict)
    """Further facts for the documents, e.g. the published number of parameters."""
    translations: dict[str, dict[str, str]] = field(default_factory=dict)
    """Texts of the model (description, facts, what is shipped) in other languages: `{"zh": {ENGLISH: CHINESE}}`. A text
    without one stays as it is."""

    @property
    def fixed_batch(self) -> int | None:
        """The only batch size that the model takes; None: any."""
        batch = self.inputs[0].shape[0] if self.inputs and self.inputs[0].shape else None
        return batch if isinstance(batch, int) else None
