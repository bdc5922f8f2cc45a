"""Core's answers to the model hooks, asked after a model's own plugin, and its form of the documents."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from porter.contracts.form import Form
from porter.contracts.requests import Exported, ExportRequest, Image, Loaded
from porter.contracts.runtime import Session
from porter.errors import BadInput
from porter.hookspecs import hookimpl
from porter.hosting.plugin_faults import GivenFault, described, passes
from porter.hosting.specs import by
from porter.records.manifest import Item
from porter.records.spec import BATCH, ModelSpec, TensorSpec

if TYPE_CHECKING:
    import numpy as np

    from porter.data.store import ImageStore

OPSETS = range(9, 21)
"""What torch's TorchScript exporter writes. The newer exporter ignores the opset that it is asked for below 18."""
EXAMPLE_SIZE = 64
"""Of a free size other than the batch, in the example that a model is traced with."""


@hookimpl
def porter_forms() -> Sequence[Form]:
    """The form of core's own: a model card."""
    from porter.builtin.model_card import ModelCard

    return (ModelCard(),)


@hookimpl(trylast=True)
def porter_export(loaded: Loaded, request: ExportRequest) -> Exported:
    """`torch.onnx.export` by the TorchScript exporter, which honours the opset and writes one file."""
    import torch

    if request.opset not in OPSETS:
        raise BadInput(f"--opset {request.opset}: the exporter writes opset {OPSETS.start} to {OPSETS.stop - 1}")
    spec, module = loaded.spec, loaded.module
    if not isinstance(module, torch.nn.Module):
        kind = type(module).__name__
        raise GivenFault("porter_load", f" gave {kind} as module: give a torch.nn.Module, or write porter_export")
    tensors = (*spec.inputs, *spec.outputs)
    axes = free_axes(tensors) if request.dynamic_batch else None
    was_training = module.training
    module.eval()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what the file became is read back, not guessed from warnings
            torch.onnx.export(
                module,
                example_inputs(spec),
                str(request.path),
                opset_version=request.opset,
                input_names=[tensor.name for tensor in spec.inputs],
                output_names=[tensor.name for tensor in spec.outputs],
                dynamic_axes=axes,
                dynamo=False,
            )
    except Exception as error:
        if passes(error) or isinstance(error, ModuleNotFoundError):
            raise
        taken = ", ".join(f"{tensor.dtype} {by(tensor.shape)}" for tensor in spec.inputs)
        raise GivenFault(
            "porter_load",
            f" gave a module that torch.onnx.export cannot export at opset {request.opset}: {described(error)}; "
            f"it must take {taken} and be traceable",
        ) from error
    finally:
        module.train(was_training)
    call = f"torch.onnx.export(model, example, path, opset_version={request.opset}, dynamo=False, dynamic_axes={axes})"
    return Exported(path=request.path, exporter=f"torch {torch.__version__} TorchScript exporter", call=call)


def free_axes(tensors: Iterable[TensorSpec]) -> dict[str, dict[int, str]]:
    """Of each tensor its sizes that are free, by place, with their names."""
    axes = {
        tensor.name: {n: size for n, size in enumerate(tensor.shape) if isinstance(size, str)} for tensor in tensors
    }
    return {name: free for name, free in axes.items() if free}


def example_inputs(spec: ModelSpec) -> tuple[Any, ...]:
    """One tensor an input, of batch 2: an example of batch 1 lets an exporter take the batch for a constant."""
    import torch

    generator = torch.Generator().manual_seed(0)
    found = []
    for tensor in spec.inputs:
        sizes = [size if isinstance(size, int) else 2 if size == BATCH else EXAMPLE_SIZE for size in tensor.shape]
        kind = getattr(torch, tensor.dtype)
        if kind.is_floating_point:
            found.append(torch.randn(sizes, generator=generator).to(kind))
        else:  # 0 and 1 are indices into anything
            found.append(torch.randint(0, 2, sizes, generator=generator).to(kind))
    return tuple(found)


@hookimpl(trylast=True)
def porter_read(item: Item, store: ImageStore) -> Image:
    """The image file, decoded to RGB."""
    from porter.images.decode import decode

    return Image(id=item.id, pixels=decode(store.read(item.file), item.id).pixels, box=item.box)


@hookimpl(trylast=True)
def porter_preprocess(sample: Any, spec: ModelSpec, out: Mapping[str, np.ndarray] | None) -> Mapping[str, np.ndarray]:
    """The reference pipeline that the spec declares, in the type of the first input."""
    from porter.images.pipeline import reference_pipeline

    pipeline, tensor = spec.preprocess, spec.inputs[0]
    if pipeline is None:
        raise GivenFault("porter_describe", ": preprocess: missing; declare it, or write porter_preprocess")
    if not isinstance(sample, Image):
        raise GivenFault("porter_read", f" gave {type(sample).__name__}, no Image: write porter_preprocess as well")
    row = None if out is None else out.get(tensor.name)
    direct = row if row is not None and str(row.dtype) == "float32" else None
    try:
        values = reference_pipeline(sample.pixels, pipeline, direct, sample.box)
    except BadInput as error:
        raise GivenFault("porter_describe", f": {error}") from error
    return {tensor.name: as_type(values, tensor.dtype)}


@hookimpl(trylast=True)
def porter_reference(sample: Any, spec: ModelSpec) -> Mapping[str, np.ndarray] | None:
    """The pipeline that the spec declares; nothing where it declares none."""
    if spec.preprocess is None or not isinstance(sample, Image):
        return None
    return porter_preprocess(sample, spec, None)


def as_type(values: np.ndarray, dtype: str) -> np.ndarray:
    """float32 values in the type of an input; whole numbers are rounded and cut to its range."""
    import numpy as np

    if dtype in ("float32", "bfloat16"):
        return values
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        values = np.rint(values).clip(limits.min, limits.max)
    found: np.ndarray = values.astype(kind)
    return found


@hookimpl(trylast=True)
def porter_infer(session: Session, feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """The session's own run."""
    return session.run(feeds)
