"""A spec that a plugin answered with, checked field by field before anything relies on it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from operator import gt

import msgspec

from porter.errors import did_you_mean, one_line
from porter.images.pipeline import channels_of
from porter.records.spec import BATCH, ModelSpec, PreprocessSpec, TensorSpec

DTYPES = (
    *("float16", "float32", "float64", "bfloat16"),
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool"),
)
"""Types that numpy and ONNX both name, and bfloat16."""


def fits(found: Sequence[int], declared: Sequence[int | str]) -> bool:
    """Whether sizes are those declared; a symbol takes any."""
    return len(found) == len(declared) and all(
        isinstance(size, str) or size == have for have, size in zip(found, declared, strict=True)
    )


def by(sizes: Sequence[int | str]) -> str:
    """Sizes in words: `3×224×224`."""
    return "×".join(map(str, sizes)) or "a single number"


class SpecFault(Exception):
    """A plugin's spec is wrong. The text is one line, and begins with the field."""


def checked_spec(
    spec: ModelSpec, *, own_input: bool = False, own_pixels: bool = False, own_answer: bool = False
) -> ModelSpec:
    """The spec, with a tuple wherever the plugin gave a list. Raises `SpecFault` at the first field that is wrong.

    `own_input`, `own_pixels` and `own_answer` say that the plugin answers porter_infer, porter_preprocess and
    porter_postprocess itself: then how a batch reaches the input, what channels are, and what the outputs mean are its
    own business.
    """
    plain = _typed(spec)
    for problem in chain(
        _tensors(plain),
        () if plain.preprocess is None else _pixels(plain.preprocess, own=own_pixels),
        _lists(plain),
        _input(plain, own=own_input),
        _classes(plain, own=own_answer),
        _published(plain),
    ):
        raise SpecFault(problem)
    return spec if plain == spec or type(spec) is not ModelSpec else plain


def _tensors(spec: ModelSpec) -> Iterator[str]:
    """Names, types and shapes of inputs and outputs."""
    seen: dict[str, str] = {}
    for field in ("inputs", "outputs"):
        tensors: tuple[TensorSpec, ...] = getattr(spec, field)
        if not tensors:
            yield f"{field}: empty, needs at least one"
        for place, tensor in enumerate(tensors):
            path = f"{field}[{place}]"
            if not tensor.name.strip() or not tensor.name.isprintable():
                yield f"{path}.name: {one_line(repr(tensor.name))} cannot name a tensor of an ONNX file"
            if tensor.name in seen:
                yield f"{path}.name: {tensor.name!r} is the name of {seen[tensor.name]}, too"
            seen[tensor.name] = path
            if tensor.dtype not in DTYPES:
                hint = did_you_mean(tensor.dtype, DTYPES)
                yield (
                    f"{path}.dtype: {one_line(tensor.dtype)!r} is not an ONNX type by its numpy name, "
                    f"e.g. float32{hint}"
                )
            yield from _shape(f"{path}.shape", tensor, outward=field == "outputs")


def _lists(spec: ModelSpec) -> Iterator[str]:
    """Outputs with rows of their own number for each sample, and inputs, which have none."""
    names = {tensor.name for tensor in spec.outputs}
    for place, tensor in enumerate(spec.inputs):
        if tensor.index_column is not None or tensor.counts:
            yield f"inputs[{place}]: index_column and counts are of outputs"
    for place, tensor in enumerate(spec.outputs):
        path = f"outputs[{place}]"
        if tensor.counts and tensor.counts not in names - {tensor.name}:
            yield f"{path}.counts: {tensor.counts!r} is the name of no other output{did_you_mean(tensor.counts, names)}"
        column = tensor.index_column
        if column is not None and not _is_column(column, tensor.shape):
            yield f"{path}.index_column: {column}; a column where there are two sizes, the shape is {by(tensor.shape)}"
        elif tensor.is_listed and column is None and not tensor.counts and spec.fixed_batch != 1:
            yield (
                f"{path}.shape: {by(tensor.shape)} has no batch: say by index_column which sample a row belongs to, "
                "or fix the batch of the inputs to 1"
            )


def _is_column(column: int, shape: tuple[int | str, ...]) -> bool:
    return len(shape) == 2 and column >= 0 and (isinstance(shape[1], str) or column < shape[1])


def _shape(path: str, tensor: TensorSpec, *, outward: bool) -> Iterator[str]:
    shape = tensor.shape
    if not shape:
        yield f"{path}: empty; the first size is the batch, 'N' where it is free"
    for size in shape:
        if isinstance(size, int) and size < 1:
            yield f"{path}: size {size}; sizes are positive, a free one is named, as in 'N'"
        if isinstance(size, str) and not size.isidentifier():
            yield f"{path}: {one_line(repr(size))} is no name of a free size; letters, digits and _ make one, as in 'N'"
    if shape and isinstance(shape[0], str) and shape[0] != BATCH and not outward:
        yield f"{path}: the batch is named {shape[0]!r}; porter calls it {BATCH!r}"
    if BATCH in shape[1:]:
        yield f"{path}: {BATCH!r} names the batch, which comes first and once"


def _pixels(preprocess: PreprocessSpec, *, own: bool) -> Iterator[str]:
    """What images become, whoever computes it."""
    yield from _geometry(preprocess)
    channels = channels_of(preprocess)
    if not own and len(preprocess.mean) != channels:
        yield f"preprocess.mean: {len(preprocess.mean)} values; {channels}, one a channel"
    if len(preprocess.std) != len(preprocess.mean):
        yield f"preprocess.std: {len(preprocess.std)} values for {len(preprocess.mean)} of preprocess.mean"
    if not preprocess.mean:
        yield "preprocess.mean: empty; one value a channel"
    if not math.isfinite(preprocess.divisor) or preprocess.divisor == 0:
        yield f"preprocess.divisor: {preprocess.divisor}; the divisor of grey values"
    for field, zero in (("mean", False), ("std", True)):
        for value in getattr(preprocess, field):
            if not math.isfinite(value) or (zero and value == 0):
                yield f"preprocess.{field}: {value} among its values" + (", which divides a channel" if zero else "")


def _geometry(preprocess: PreprocessSpec) -> Iterator[str]:
    """Sizes, and what lies outside of the image."""
    sides = preprocess.fit in ("cover", "long_side")
    if sides and preprocess.resize < 1:
        yield f"preprocess.resize: {preprocess.resize}; at least 1 pixel"
    if not preprocess.is_free and min(preprocess.crop) < 1:
        yield f"preprocess.crop: {by(preprocess.crop)} (height×width); at least 1 pixel each"
    if preprocess.fit == "cover":
        yield from _covering(preprocess)
    channels = channels_of(preprocess)
    if len(preprocess.pad) not in (1, channels) or not all(0 <= level <= 255 for level in preprocess.pad):
        yield f"preprocess.pad: {preprocess.pad}; one grey level of 0 to 255, or {channels} of them"
    if preprocess.multiple < 1:
        yield f"preprocess.multiple: {preprocess.multiple}; at least 1 pixel"
    if not (math.isfinite(preprocess.box_scale) and preprocess.box_scale > 0):
        yield f"preprocess.box_scale: {preprocess.box_scale}; above 0, 1 is the box itself"


def _covering(preprocess: PreprocessSpec) -> Iterator[str]:
    """What goes with a centre crop."""
    if preprocess.squash is not None and min(preprocess.squash) != preprocess.resize:
        least = min(preprocess.squash)
        yield f"preprocess.resize: {preprocess.resize}; {least}, the lesser side of preprocess.squash, goes with it"
    if preprocess.squash is not None and any(map(gt, preprocess.crop, preprocess.squash)):
        yield (
            f"preprocess.crop: {by(preprocess.crop)} (height×width) is larger than preprocess.squash, "
            f"{by(preprocess.squash)}: every image would get a black border"
        )
    if min(preprocess.crop) > preprocess.resize:
        yield (
            f"preprocess.crop: {by(preprocess.crop)} (height×width) is larger than the short side after the resize, "
            f"{preprocess.resize}: every image would get a black border"
        )


def _input(spec: ModelSpec, *, own: bool) -> Iterator[str]:
    """Whether the first input takes what preprocessing gives."""
    if own or spec.preprocess is None:
        return
    tensor, channels, crop = spec.inputs[0], len(spec.preprocess.mean), spec.preprocess.crop
    first, given = "inputs[0].shape", f"N×{channels}×{by(crop)}"
    if spec.preprocess.is_free:
        free = all(isinstance(size, str) for size in tensor.shape[2:])
        if len(tensor.shape) != 4 or not fits((channels,), tensor.shape[1:2]) or not free:
            yield f"{first}: {by(tensor.shape)}; images come as N×{channels}×H×W, of any height and width"
    elif len(tensor.shape) != 4:
        yield (
            f"{first}: {by(tensor.shape)}; images come as {given}, four sizes "
            "(write porter_infer where the model takes them otherwise)"
        )
    elif not fits((channels, *crop), tensor.shape[1:]):
        if fits((*crop, channels), tensor.shape[1:]):
            yield f"{first}: {by(tensor.shape)}; images come as {given}: transpose them in a porter_infer of your own"
        elif not fits((channels,), tensor.shape[1:2]):
            yield f"{first}: {by(tensor.shape)}, {tensor.shape[1]} channels; images come as {given}"
        else:
            yield f"preprocess.crop: {by(crop)} (height×width), but {first} is {by(tensor.shape)}"


def _classes(spec: ModelSpec, *, own: bool) -> Iterator[str]:
    names, classes = len(spec.class_names), spec.num_classes
    if classes is not None and classes < 1:
        yield f"num_classes: {classes}; at least 1, or None where the task has no classes"
    if names and classes is not None and names != classes:
        yield f"class_names: {names} names for num_classes {classes}"
    shape = spec.outputs[0].shape
    if (
        not own
        and not spec.outputs[0].is_listed
        and classes is not None
        and len(shape) == 2
        and not fits((classes,), shape[1:])
    ):
        yield (
            f"outputs[0].shape: {by(shape)} for num_classes {classes} "
            "(write porter_postprocess where its columns are not the classes)"
        )


def _published(spec: ModelSpec) -> Iterator[str]:
    if spec.published is None:
        return
    if spec.published.images < 1:
        yield f"published.images: {spec.published.images}; must be the number of images measured"
    try:
        re.compile(spec.published.image_pattern)
    except (re.error, RecursionError, OverflowError) as error:
        yield f"published.image_pattern: not a regular expression: {one_line(error)}"


def _typed(spec: ModelSpec) -> ModelSpec:
    """The spec as it comes back from a record: dataclasses do not check types, and a record is read with a check."""
    foreign: list[str] = []

    def stand_in(value: object) -> dict[str, str]:
        foreign.append(type(value).__name__)
        return {}

    try:
        return msgspec.convert(msgspec.to_builtins(spec, enc_hook=stand_in), ModelSpec)
    except (msgspec.ValidationError, TypeError) as error:
        text, _, place = one_line(error).partition(" - at `$.")
        if foreign:
            text = text.replace("`object`", f"`{foreign[0]}`")
        raise SpecFault(f"{place.rstrip('`') or 'spec'}: {text[0].lower()}{text[1:]}") from None
