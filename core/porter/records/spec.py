"""What a model is: its tensors, its preprocessing, and what its authors publish."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Literal

import msgspec

BATCH = "N"
"""The name of a free batch."""


@dataclass(frozen=True, kw_only=True)
class TensorSpec:
    """A named input or output of a model."""

    name: str
    """As the ONNX file spells it."""
    shape: tuple[int | str, ...]
    """Sizes in order; a string is a symbolic size, `"N"` the batch."""
    dtype: str = "float32"
    """numpy's name of the type."""
    index_column: int | None = None
    """Of an output with as many rows as all samples of a batch have, such as boxes: the column that says which sample
    of the batch a row belongs to. It is taken out. None: it has one row a sample."""
    counts: str = ""
    """Of an output that is padded to a fixed number of rows for each sample: the output that says how many of them are
    filled. Empty: all."""

    @property
    def is_listed(self) -> bool:
        """Whether each sample has rows of its own number."""
        lone = bool(self.shape) and isinstance(self.shape[0], str) and self.shape[0] != BATCH
        return self.index_column is not None or bool(self.counts) or lone


@dataclass(frozen=True, kw_only=True)
class PreprocessSpec:
    """The reference pipeline of an image: decode to RGB, geometry by `fit`, scale, normalise, C×H×W.

    A value v (0..255) of channel c becomes `(v / divisor - mean[c]) / std[c]`, each step in float32. What lies outside
    of the image is filled before that.
    """

    fit: Literal["cover", "letterbox", "long_side", "none", "box"] = "cover"
    """How the image becomes as large as the input. `cover`: its short side becomes `resize`, or it is squashed, and the
    centre is cropped. `letterbox`: the whole image inside `crop`, with `pad` beside it. `long_side`: its long side
    becomes `resize`; `none`: it keeps its size; both give inputs of any height and width. `box`: the item's box, see
    `box_scale`, is warped to `crop`."""
    resize: int = 0
    """Pixels of the short side (`cover`) or the long side (`long_side`) after the resize; the other side is
    proportional, see `long_side`. 0: `fit` needs none."""
    squash: tuple[int, int] | None = None
    """Height and width after a resize that does not keep the aspect, the lesser of them `resize`; None: it is kept."""
    crop: tuple[int, int] = (0, 0)
    """Height and width of the input in pixels; of a centre crop, its corner is `int(round((size - crop) / 2))`. (0, 0):
    those of the image."""
    long_side: Literal["floor", "round"] = "floor"
    """How the other side becomes whole: cut off, as torchvision does, or rounded, which keeps the shape closer."""
    interpolation: Literal[
        "bilinear", "bicubic", "nearest", "lanczos", "opencv_linear", "opencv_cubic", "opencv_area", "opencv_nearest"
    ] = "bilinear"
    """Pillow's filter of that name, antialiased when shrinking; or OpenCV's, which is not, but for `opencv_area`. A box
    is warped by OpenCV's of that kind in any case."""
    pad: tuple[int, ...] = (0,)
    """Grey level outside of the image, 0..255, in RGB: one for all channels, or one each (`letterbox`, `box`, and
    `multiple`)."""
    pad_at: Literal["both", "end"] = "both"
    """Where `letterbox` pads: on both sides alike, a spare pixel at the end; or below and on the right."""
    enlarge: bool = True
    """Whether `letterbox` enlarges an image that is smaller than the input."""
    multiple: int = 1
    """Height and width of inputs of any size are padded, below and on the right, to a multiple of this."""
    box_scale: float = 1.25
    """`box`: the box is widened around its centre to the aspect of `crop`, then this many times as large."""
    channels: Literal["RGB", "BGR", "GRAY"] = "RGB"
    """Order of the channels that the model takes; mean and std are in this order. GRAY: one channel, ITU-R 601."""
    divisor: float = 255.0
    """What turns grey levels into the unit of mean and std."""
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    """Subtracted from each channel."""
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    """Divides each channel."""

    @property
    def is_free(self) -> bool:
        """Whether inputs are of any height and width."""
        return self.fit in ("long_side", "none")

    @property
    def is_photo(self) -> bool:
        """Whether it is a resize and a centre crop in three colours by Pillow, as most classifiers have it."""
        return self.fit == "cover" and self.channels != "GRAY" and not self.interpolation.startswith("opencv_")

    @property
    def is_usual(self) -> bool:
        """Whether the usual faults can be built into it: a photo's, or a whole image with the same beside it on both
        sides, in three colours."""
        boxed = self.fit == "letterbox" and self.pad_at == "both" and self.enlarge and self.channels != "GRAY"
        return self.is_photo or boxed

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
    """Inputs of the network."""
    outputs: tuple[TensorSpec, ...]
    """Outputs of the network, in order."""
    preprocess: PreprocessSpec | None = None
    """How an image becomes the first input; None: the plugin's `porter_preprocess` alone knows how."""
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
    def image(self) -> PreprocessSpec:
        """The declared preprocessing, for what works on images alone. Raises ValueError where there is none."""
        if self.preprocess is None:
            raise ValueError(f"{self.name} declares no preprocessing of images")
        return self.preprocess

    @property
    def fixed_batch(self) -> int | None:
        """The only batch size that the model takes; None: any."""
        sizes = [tensor.shape[0] for tensor in self.inputs if tensor.shape]
        return next((size for size in sizes if isinstance(size, int)), None)
