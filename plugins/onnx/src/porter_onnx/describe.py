"""One spec from the yaml and the ONNX file: the file is believed, the yaml adds, and neither may contradict."""

from __future__ import annotations

from dataclasses import dataclass, replace
from operator import lt
from pathlib import Path

from porter import BadInput, ModelSpec, OnnxFacts, PreprocessSpec, TensorSpec, did_you_mean, one_line
from porter_onnx.config import CLASSIFICATION, DTYPES, LAYOUTS, Layout, OnnxConfig, PreprocessConfig

CHANNELS = (3, 1)
"""Channels that an image may have: colours or grey."""
FREE = ("long_side", "none")
"""Values of `fit` with which images keep a shape of their own."""
IMAGENET_WITH_BACKGROUND = 1001
CHANNEL_AXIS: dict[Layout, int] = {"NCHW": 1, "NHWC": 3}


@dataclass(frozen=True, kw_only=True)
class _Both:
    """The two sources, and errors that name both."""

    config: OnnxConfig
    facts: OnnxFacts
    file: str
    """The ONNX file's path, for error messages."""

    def clash(self, key: str, given: object, found: str) -> BadInput:
        """The yaml says `given` under `key`, the file something else."""
        return self.config.error(key, f"{one_line(given)}, but {self.file} {found}")


def describe(config: OnnxConfig, facts: OnnxFacts, path: Path, model: str, precision: str = "fp32") -> ModelSpec:
    """The spec of the ONNX file at `path`, read into `facts`; `model` is the name on the command line, `precision` what
    the file computes in.

    The scored output comes first, whatever the file's order. Raises `BadInput` where the yaml contradicts the file,
    or neither says what is needed.
    """
    both = _Both(config=config, facts=facts, file=one_line(path))
    if facts.opset < 1:
        raise BadInput(f"{both.file}: imports no operators of the default ONNX domain, so it has no opset")
    inputs, pipeline = _inputs(both)
    scored, others = _outputs(both, inputs[0].shape[:1] == (1,))
    classes, scored = _classes(both, scored)
    variant = config.about.get("name", path.stem)
    return ModelSpec(
        name=model,
        variant=variant,
        task=config.task,
        title=config.about.get("title", variant),
        description=config.about.get("description", ""),
        paper=config.about.get("paper", ""),
        code=config.about.get("code", ""),
        licence=config.about.get("licence", ""),
        inputs=inputs,
        outputs=(scored, *others),
        preprocess=pipeline,
        num_classes=classes,
        class_names=config.names,
        opset=facts.opset,
        precision=precision,
        checkpoint=str(path),
        published=config.reference,
        facts={**_facts(facts), **config.facts},
    )


def _inputs(both: _Both) -> tuple[tuple[TensorSpec, ...], PreprocessSpec | None]:
    """Inputs, that of the image first, and how an image becomes that."""
    given = both.config.preprocess
    if given is None:
        asked = [key for key in ("name", "layout", "dtype", "size") if getattr(both.config.input, key) is not None]
        if asked:
            raise both.config.error(f"input.{asked[0]}", "is of an image, and there is no preprocess. Leave it out")
        if not both.facts.inputs:
            raise BadInput(f"{both.file}: has no input")
        return tuple(map(_free_batch, both.facts.inputs)), None
    image = _image(both)
    others = tuple(_free_batch(tensor) for tensor in both.facts.inputs if tensor.name != image.name)
    layout = _layout(both, image)
    channels = _channels(both, image, layout)
    size = None
    if given.fit in FREE:
        _require_free(both, image, layout)
    else:
        size = _size(both, image, layout)
    sizes: tuple[int | str, int | str] = size or ("H", "W")
    shape = (channels, *sizes) if layout == "NCHW" else (*sizes, channels)
    sized = replace(image, shape=(image.shape[0], *shape))
    return (sized, *others), _preprocess(both, given, image.dtype, size, channels)


def _image(both: _Both) -> TensorSpec:
    """The input that takes a batch of images that porter can feed."""
    inputs, asked = both.facts.inputs, both.config.input
    names = ", ".join(one_line(tensor.name) for tensor in inputs) or "none"
    if not inputs or (len(inputs) > 1 and both.config.task == CLASSIFICATION):
        problem = f"has {len(inputs)} inputs ({names}); porter supports one image input"
        raise BadInput(f"{both.file}: {problem} of task {CLASSIFICATION}" if inputs else f"{both.file}: {problem}")
    found = [tensor for tensor in inputs if asked.name in (None, tensor.name)]
    if not found:
        raise both.clash("input.name", repr(asked.name), f"names its input {names if inputs[1:] else repr(names)}")
    if len(found) > 1:
        raise both.config.error("input.name", f"missing, and {both.file} has {names}. Name the one that takes images")
    [tensor] = found
    name = one_line(tensor.name)
    if asked.dtype is not None and asked.dtype != tensor.dtype:
        raise both.clash("input.dtype", asked.dtype, f"takes {tensor.dtype}")
    if tensor.dtype not in DTYPES:
        raise BadInput(f"{both.file}: input {name!r} is {tensor.dtype}; porter supports {' or '.join(DTYPES)}")
    if len(tensor.shape) != 4:
        raise BadInput(f"{both.file}: input {name!r} has shape {_dims(tensor)}; a batch of images has four dimensions")
    return _free_batch(tensor)


def _layout(both: _Both, tensor: TensorSpec) -> Layout:
    """The layout that the yaml gives, or the one in which the file has the channels of an image."""
    asked = both.config.input.layout
    found = {layout: tensor.shape[axis] for layout, axis in CHANNEL_AXIS.items()}
    possible = [layout for layout, count in found.items() if count in CHANNELS or isinstance(count, str)]
    if not possible:
        raise BadInput(f"{both.file}: its input is {_dims(tensor)}; porter supports images of 3 channels, or of 1")
    if asked is not None:
        if asked not in possible:
            raise both.clash("input.layout", asked, f"takes {_dims(tensor)}")
        return asked
    for count in CHANNELS:
        if likely := [layout for layout in possible if found[layout] == count]:
            break
    else:
        likely = possible
    if len(likely) > 1:
        choices = " or ".join(LAYOUTS)
        raise both.config.error("input.layout", f"missing, and {both.file} has {_dims(tensor)}. Set {choices}")
    return likely[0]


def _channels(both: _Both, tensor: TensorSpec, layout: Layout) -> int:
    """Channels of the image: the file's, else by the yaml's order of them."""
    given = both.config.preprocess
    order = None if given is None else given.channels
    found = tensor.shape[CHANNEL_AXIS[layout]]
    asked = None if order is None else 1 if order == "GRAY" else 3
    if isinstance(found, str):
        return asked or 3
    if asked not in (None, found):
        raise both.clash("preprocess.channels", order, f"takes {_dims(tensor)}")
    return found


def _require_free(both: _Both, tensor: TensorSpec, layout: Layout) -> None:
    """Raise `BadInput` unless the model takes images of any height and width."""
    axes, given = tensor.shape[2:] if layout == "NCHW" else tensor.shape[1:3], both.config.preprocess
    if any(isinstance(size, int) for size in axes):
        fit = "" if given is None else given.fit
        raise both.clash("preprocess.fit", fit, f"takes {_dims(tensor)}, images of one size. Use letterbox or cover")
    if both.config.input.size is not None:
        raise both.config.error("input.size", "says nothing where images keep a shape of their own. Leave it out")


def _size(both: _Both, tensor: TensorSpec, layout: Layout) -> tuple[int, int]:
    """Height and width that the model takes: the file's, else the yaml's."""
    asked, given = both.config.input.size, both.config.preprocess
    crop = None if given is None else given.crop
    wanted = asked or crop
    axes = tensor.shape[2:] if layout == "NCHW" else tensor.shape[1:3]
    if wanted is None:
        if any(isinstance(n, str) for n in axes):
            raise both.config.error("input.size", f"missing, and dynamic in {both.file}. Set [height, width]")
        wanted = (0, 0)
    height, width = (n if isinstance(n, int) else wanted[axis] for axis, n in enumerate(axes))
    if asked not in (None, (height, width)):
        raise both.clash("input.size", list(asked), f"takes {_dims(tensor)}")
    if crop not in (None, (height, width)):
        source = f"takes {_dims(tensor)}" if asked is None else f"is fed input.size {list(asked)}"
        raise both.clash("preprocess.crop", list(crop), source)
    return height, width


def _outputs(both: _Both, lone: bool) -> tuple[TensorSpec, tuple[TensorSpec, ...]]:
    """The scored output, and the others; `lone`: the graph takes one image at a time."""
    outputs, asked = {tensor.name: tensor for tensor in both.facts.outputs}, both.config.output
    names = ", ".join(map(one_line, outputs)) or "none"
    if not outputs or (asked is None and len(outputs) != 1 and both.config.task == CLASSIFICATION):
        raise both.config.error("output", f"missing, and {both.file} has {names}. Name the one to score")
    if asked is not None and asked not in outputs:
        raise both.clash("output", repr(asked), f"has {names}{did_you_mean(asked, outputs)}")
    for name in both.config.outputs:
        if name not in outputs:
            raise both.clash("outputs", repr(name), f"has {names}{did_you_mean(name, outputs)}")
    scored = outputs.pop(asked if asked is not None else next(iter(outputs)))
    first, *others = (_rows(both, tensor, lone) for tensor in (scored, *outputs.values()))
    return first, tuple(others)


def _rows(both: _Both, tensor: TensorSpec, lone: bool) -> TensorSpec:
    """The output with what the yaml says of its rows."""
    tensor = _free_batch(tensor)
    given = both.config.outputs.get(tensor.name)
    if given is None:
        return tensor
    key, shape, name = f"outputs.{tensor.name}", tensor.shape, one_line(tensor.name)
    if given.listed:
        if not lone:
            problem = "true, but batches may have several images. Say by index_column or counts whose a row is"
            raise both.config.error(f"{key}.listed", problem)
        return replace(tensor, shape=("rows", *shape[1:]))
    if given.counts is not None:
        others = [one.name for one in both.facts.outputs if one.name != tensor.name]
        if given.counts not in others:
            shown = ", ".join(map(one_line, others)) or "none"
            hint = did_you_mean(given.counts, others)
            raise both.clash(f"{key}.counts", repr(given.counts), f"has {shown} beside {name}{hint}")
        return replace(tensor, counts=given.counts)
    column = given.index_column
    if column is not None and (len(shape) != 2 or (isinstance(shape[1], int) and column >= shape[1])):
        raise both.clash(f"{key}.index_column", column, f"gives {name} as {_dims(tensor)}")
    return replace(tensor, index_column=column)


def _classes(both: _Both, scored: TensorSpec) -> tuple[int | None, TensorSpec]:
    """Number of classes without the background, and the output with its columns filled in."""
    labels, config = both.config.labels, both.config
    if config.task != CLASSIFICATION:
        return _named(both, labels.classes or len(config.names) or None), scored
    name = one_line(scored.name)
    if not scored.shape:  # neither the file nor inference of its shapes says it
        scored = replace(scored, shape=("N", "columns"))
    batch, *sizes = scored.shape
    wide = [size for size in sizes if size != 1] or sizes[:1]
    if len(wide) != 1 or not scored.dtype.startswith("float"):
        raise BadInput(
            f"{both.file}: output {name!r} is {scored.dtype} {_dims(scored)}; "
            f"task {CLASSIFICATION} needs float scores, images × classes"
        )
    [columns] = wide
    if columns == IMAGENET_WITH_BACKGROUND and labels.background_class is None and labels.classes is None:
        problem = f"missing, and output {name!r} of {both.file} has {columns} columns. Is the first one background?"
        raise config.error("labels.background_class", f"{problem} true or false")
    background = int(labels.background_class or False)
    if isinstance(columns, str):
        if labels.classes is None:
            raise config.error("labels.classes", f"missing, and output {name!r} of {both.file} is dynamic")
        columns = labels.classes + background
    classes = columns - background
    if classes < 1 or labels.classes not in (None, classes):
        extra = " with the background class" if background else ""
        hint = "" if labels.classes != columns - 1 else "; labels.background_class: true drops the first column"
        found = f"has output {name!r} of {columns} columns{extra}{hint}"
        raise both.clash("labels.classes", labels.classes if labels.classes is not None else "0", found)
    shape = (batch, *(columns if size == wide[0] else size for size in sizes))
    return _named(both, classes), replace(scored, shape=shape)


def _named(both: _Both, classes: int | None) -> int | None:
    """`classes`, where there are as many names, or none."""
    names = both.config.names
    if names and classes is not None and len(names) != classes:
        hint = ". Leave the background class out" if len(names) == classes + 1 else ""
        raise both.config.error("labels.names", f"{len(names)} names for {classes} classes{hint}")
    return classes


def _preprocess(
    both: _Both, given: PreprocessConfig, dtype: str, size: tuple[int, int] | None, channels: int
) -> PreprocessSpec:
    """The pipeline to an image of `size` (None: of any) and as many channels."""
    resize = given.resize or (0,)
    squash = (resize[0], resize[1]) if len(resize) == 2 else None
    if given.fit == "cover" and size is not None and any(map(lt, squash or (resize[0],) * 2, size)):
        shown = "×".join(map(str, resize))
        raise both.config.error("preprocess.resize", f"{shown} pixels cannot be cropped to {size[0]}×{size[1]}")
    divisor, mean, std = _scaling(both, given, channels) if dtype.startswith("float") else _whole(both, given, dtype)
    if given.pad is not None and len(given.pad) > channels:
        raise both.config.error("preprocess.pad", f"{len(given.pad)} values for one channel")
    plain = PreprocessSpec()
    options = {
        key: getattr(plain, key) if value is None else value
        for key in ("long_side", "interpolation", "pad", "pad_at", "enlarge", "multiple", "box_scale")
        for value in [getattr(given, key)]
    }
    return PreprocessSpec(
        fit=given.fit,
        resize=min(resize),
        squash=squash,
        crop=size or (0, 0),
        channels=given.channels or ("GRAY" if channels == 1 else "RGB"),
        divisor=divisor,
        mean=mean if len(mean) == channels else mean[:1] * channels,
        std=std if len(std) == channels else std[:1] * channels,
        **options,
    )


def _scaling(both: _Both, given: PreprocessConfig, channels: int) -> tuple[float, tuple[float, ...], tuple[float, ...]]:
    """Divisor, mean and standard deviation of a float input. The last two are never guessed."""
    divisor = 255.0 if given.divisor is None else given.divisor
    found = []
    for key, values in (("mean", given.mean), ("std", given.std)):
        if values is None:
            usual = "[0.485, 0.456, 0.406]" if key == "mean" else "[0.229, 0.224, 0.225]"
            hint = f". Many ImageNet models use {usual}" if channels > 1 else ""
            raise both.config.error(f"preprocess.{key}", f"missing, and not in the ONNX file{hint}")
        if len(values) > channels:
            raise both.config.error(f"preprocess.{key}", f"{len(values)} values for one channel")
        found.append(values)
    mean, std = found
    if not all(0 <= value <= 255 / divisor for value in mean):
        shown, top = ", ".join(f"{value:g}" for value in mean), f"{255 / divisor:g}"
        raise both.config.error("preprocess.mean", f"{shown} is outside 0..{top}, the range with divisor {divisor:g}")
    return divisor, mean, std


def _whole(both: _Both, given: PreprocessConfig, dtype: str) -> tuple[float, tuple[float, ...], tuple[float, ...]]:
    """The identity: an input of whole numbers takes the grey levels themselves."""
    for key, value in (("divisor", 1.0), ("mean", 0.0), ("std", 1.0)):
        asked = getattr(given, key)
        if asked is not None and any(one != value for one in (asked if isinstance(asked, tuple) else (asked,))):
            raise both.clash(f"preprocess.{key}", asked, f"takes {dtype}, the grey levels 0..255 as they are")
    return 1.0, (0.0,), (1.0,)


def _facts(facts: OnnxFacts) -> dict[str, str]:
    """What the documents should say of the file beyond its tensors."""
    marks = ("quantize", "qlinear", "integer")
    quantised = [f"{n} × {name}" for name, n in facts.operators.items() if any(mark in name.lower() for mark in marks)]
    found = {"ONNX file made by": facts.producer, "Quantised operators": ", ".join(quantised)}
    return {name: value for name, value in found.items() if value}


def _free_batch(tensor: TensorSpec) -> TensorSpec:
    """The tensor with a symbolic batch called N, and plain names for whatever else is free."""
    if not tensor.shape:
        return tensor
    first, *rest = tensor.shape
    named = (_plain(size, axis) if isinstance(size, str) else size for axis, size in enumerate(rest, start=1))
    return replace(tensor, shape=("N" if isinstance(first, str) else first, *named))


def _plain(name: str, axis: int) -> str:
    """The name of a free size, or one made up for what is none: an exporter writes `height/4`, or nothing."""
    return name if name.isidentifier() and name != "N" else f"free{axis}"


def _dims(tensor: TensorSpec) -> str:
    return "×".join(one_line(n) for n in tensor.shape) or "not declared"
