"""Core's answers to the model hooks, asked after a model's own plugin, and its form of the documents."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from porter.contracts.form import Form
from porter.contracts.requests import Exported, ExportRequest, Image, Loaded
from porter.contracts.runtime import Session
from porter.errors import BadInput
from porter.hookspecs import hookimpl
from porter.hosting.plugin_faults import GivenFault, described, passes
from porter.hosting.specs import by
from porter.records.spec import ModelSpec, PreprocessSpec

if TYPE_CHECKING:
    import numpy as np

OPSETS = range(9, 21)
"""What torch's TorchScript exporter writes. The newer exporter ignores the opset that it is asked for below 18."""


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
    axes = {tensor.name: {0: "N"} for tensor in tensors} if request.dynamic_batch else None
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


def example_inputs(spec: ModelSpec) -> tuple[Any, ...]:
    """One tensor an input, of batch 2: an example of batch 1 lets an exporter take the batch for a constant."""
    import torch

    generator = torch.Generator().manual_seed(0)
    return tuple(
        torch.randn([size if isinstance(size, int) else 2 for size in tensor.shape], generator=generator)
        for tensor in spec.inputs
    )


@hookimpl(trylast=True)
def porter_preprocess(image: Image, spec: PreprocessSpec, out: np.ndarray | None) -> np.ndarray:
    """The reference pipeline that the spec declares."""
    from porter.images.pipeline import reference_pipeline

    try:
        return reference_pipeline(image.pixels, spec, out)
    except BadInput as error:
        raise GivenFault("porter_describe", f": {error}") from error


@hookimpl(trylast=True)
def porter_infer(session: Session, batch: np.ndarray) -> Mapping[str, np.ndarray]:
    """The session's own run."""
    return session.run(batch)
