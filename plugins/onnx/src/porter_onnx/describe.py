"""One spec from the yaml and the ONNX file: the file is believed, the yaml adds, and neither may contradict."""

from __future__ import annotations

from dataclasses import dataclass, replace
from operator import lt
from pathlib import Path

from porter import BadInput, ModelSpec, OnnxFacts, PreprocessSpec, TensorSpec, did_you_mean, one_line
from porter_onnx.config import CLASSIFICATION, DTYPES, LAYOUTS, Layout, OnnxConfig

CHANNELS = 3
"""porter decodes every image to three channels."""
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
    tensor = _input(both)
    layout = _layout(both, tensor)
    size = _size(both, tensor, layout)
    scored, others = _outputs(both)
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
        inputs=(_sized(tensor, layout, size),),
        outputs=(scored, *others),
        preprocess=_preprocess(both, tensor.dtype, size),
        num_classes=classes,
        class_names=config.names,
        opset=facts.opset,
        precision=precision,
        checkpoint=str(path),
        published=config.reference,
        facts=_facts(facts),
    )


def _input(both: _Both) -> TensorSpec:
    """The only input, which must be a batch of images that porter can feed."""
    inputs, asked = both.facts.inputs, both.config.input
    if len(inputs) != 1:
        names = ", ".join(one_line(tensor.name) for tensor in inputs) or "none"
        raise BadInput(f"{both.file}: has {len(inputs)} inputs ({names}); porter supports one image input")
    (tensor,) = inputs
    name = one_line(tensor.name)
    if asked.name is not None and asked.name != tensor.name:
        raise both.clash("input.name", repr(asked.name), f"names its input {name!r}")
    if asked.dtype is not None and asked.dtype != tensor.dtype:
        raise both.clash("input.dtype", asked.dtype, f"takes {tensor.dtype}")
    if tensor.dtype not in DTYPES:
        raise BadInput(f"{both.file}: input {name!r} is {tensor.dtype}; porter supports {' or '.join(DTYPES)}")
    if len(tensor.shape) != 4:
        raise BadInput(f"{both.file}: input {name!r} has shape {_dims(tensor)}; a batch of images has four dimensions")
    return _free_batch(tensor)


def _layout(both: _Both, tensor: TensorSpec) -> Layout:
    """The layout that the yaml gives, or the one in which the file has three channels."""
    asked = both.config.input.layout
    found = {layout: tensor.shape[axis] for layout, axis in CHANNEL_AXIS.items()}
    possible = [layout for layout, count in found.items() if count == CHANNELS or isinstance(count, str)]
    if not possible:
        raise BadInput(f"{both.file}: its input is {_dims(tensor)}; porter supports images of {CHANNELS} channels")
    if asked is not None:
        if asked not in possible:
            raise both.clash("input.layout", asked, f"takes {_dims(tensor)}")
        return asked
    likely = [layout for layout in possible if found[layout] == CHANNELS] or possible
    if len(likely) > 1:
        choices = " or ".join(LAYOUTS)
        raise both.config.error("input.layout", f"missing, and {both.file} has {_dims(tensor)}. Set {choices}")
    return likely[0]


def _size(both: _Both, tensor: TensorSpec, layout: Layout) -> tuple[int, int]:
    """Height and width that the model takes: the file's, else the yaml's."""
    asked, crop = both.config.input.size, both.config.preprocess.crop
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


def _outputs(both: _Both) -> tuple[TensorSpec, tuple[TensorSpec, ...]]:
    """The scored output, and the others."""
    outputs, asked = {tensor.name: tensor for tensor in both.facts.outputs}, both.config.output
    names = ", ".join(map(one_line, outputs))
    if asked is None and len(outputs) != 1:
        raise both.config.error("output", f"missing, and {both.file} has {names or 'none'}. Name the one to score")
    if asked is not None and asked not in outputs:
        near = did_you_mean(asked, outputs)
        raise both.clash("output", repr(asked), f"has {names or 'none'}{near}")
    scored = outputs.pop(asked if asked is not None else next(iter(outputs)))
    return _free_batch(scored), tuple(map(_free_batch, outputs.values()))


def _classes(both: _Both, scored: TensorSpec) -> tuple[int | None, TensorSpec]:
    """Number of classes without the background, and the output with its columns filled in."""
    labels, config = both.config.labels, both.config
    if config.task != CLASSIFICATION:
        return _named(both, labels.classes), scored
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


def _preprocess(both: _Both, dtype: str, size: tuple[int, int]) -> PreprocessSpec:
    given, config = both.config.preprocess, both.config
    squash = (given.resize[0], given.resize[1]) if len(given.resize) == 2 else None
    if any(map(lt, squash or (given.resize[0],) * 2, size)):
        shown = "×".join(map(str, given.resize))
        raise config.error("preprocess.resize", f"{shown} pixels cannot be cropped to {size[0]}×{size[1]}")
    divisor, mean, std = _byte_scaling(both) if dtype == "uint8" else _scaling(both)
    return PreprocessSpec(
        resize=min(given.resize),
        squash=squash,
        crop=size,
        interpolation=given.interpolation,
        channels=given.channels,
        divisor=divisor,
        mean=mean,
        std=std,
    )


def _scaling(both: _Both) -> tuple[float, tuple[float, ...], tuple[float, ...]]:
    """Divisor, mean and standard deviation of a float input. The last two are never guessed."""
    given = both.config.preprocess
    divisor = 255.0 if given.divisor is None else given.divisor
    found = []
    for key, values in (("mean", given.mean), ("std", given.std)):
        if values is None:
            usual = "[0.485, 0.456, 0.406]" if key == "mean" else "[0.229, 0.224, 0.225]"
            problem = f"missing, and not in the ONNX file. Many ImageNet models use {usual}"
            raise both.config.error(f"preprocess.{key}", problem)
        found.append(values)
    mean, std = found
    if not all(0 <= value <= 255 / divisor for value in mean):
        shown, top = ", ".join(f"{value:g}" for value in mean), f"{255 / divisor:g}"
        raise both.config.error("preprocess.mean", f"{shown} is outside 0..{top}, the range with divisor {divisor:g}")
    return divisor, mean, std


def _byte_scaling(both: _Both) -> tuple[float, tuple[float, ...], tuple[float, ...]]:
    """The identity: a uint8 input takes the grey levels themselves."""
    given = both.config.preprocess
    plain = {"divisor": 1.0, "mean": (0.0,) * CHANNELS, "std": (1.0,) * CHANNELS}
    for key, value in plain.items():
        asked = getattr(given, key)
        if asked not in (None, value):
            raise both.clash(f"preprocess.{key}", asked, "takes uint8, the grey levels 0..255 as they are")
    return 1.0, (0.0,) * CHANNELS, (1.0,) * CHANNELS


def _facts(facts: OnnxFacts) -> dict[str, str]:
    """What the documents should say of the file beyond its tensors."""
    marks = ("quantize", "qlinear", "integer")
    quantised = [f"{n} × {name}" for name, n in facts.operators.items() if any(mark in name.lower() for mark in marks)]
    found = {"ONNX file made by": facts.producer, "Quantised operators": ", ".join(quantised)}
    return {name: value for name, value in found.items() if value}


def _sized(tensor: TensorSpec, layout: Layout, size: tuple[int, int]) -> TensorSpec:
    image = (CHANNELS, *size) if layout == "NCHW" else (*size, CHANNELS)
    return replace(tensor, shape=(tensor.shape[0], *image))


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
