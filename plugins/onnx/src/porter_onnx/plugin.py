"""An ONNX file that exists already, described by a small yaml: delivered as it is, verified and measured."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from porter import (
    BadInput,
    Exported,
    ExportRequest,
    Loaded,
    LoadRequest,
    ModelOffer,
    ModelRequest,
    ModelSpec,
    OpenRequest,
    Session,
    classify,
    hookimpl,
    one_line,
)

if TYPE_CHECKING:
    import numpy as np

NAME = "onnx"


@hookimpl
def porter_models() -> Sequence[ModelOffer]:
    """One name for every ONNX file; the yaml says which."""
    return [ModelOffer(name=NAME, title="Existing ONNX file", variants=(), needs_checkpoint=False)]


@hookimpl
def porter_describe(request: ModelRequest) -> ModelSpec:
    """The spec of the file that the yaml, or else `--checkpoint`, names."""
    from porter import facts_of, own_precision, read_onnx, require_digest
    from porter_onnx.config import read_config
    from porter_onnx.describe import describe

    if request.config is None:
        raise BadInput(f"model {NAME!r} needs --config YAML, which names the file and says how images are preprocessed")
    config = read_config(request.config)
    path = request.checkpoint or config.model
    if path is None:
        raise config.error("model", "missing. Name the .onnx file here, or use --checkpoint FILE")
    if config.sha256 is not None and request.checkpoint is None:
        require_digest(path, config.sha256)
    model = read_onnx(path)
    facts = facts_of(model, path.stat().st_size)
    return describe(config, facts, path, request.model, own_precision(model))


@hookimpl
def porter_load(request: LoadRequest) -> Loaded:
    """The file itself; the reference runs it in ONNX Runtime with every graph optimisation off."""
    import onnx

    from porter import LoadReport, all_tensors, facts_of, read_onnx
    from porter_onnx.mending import mended

    path = Path(request.spec.checkpoint)
    if request.weights is not None:
        raise BadInput(f"--weights {one_line(request.weights)}: an ONNX file has one set of weights")
    model = read_onnx(path)
    tensors = list(all_tensors(model))
    report = LoadReport(
        format="onnx",
        safe=True,
        weights="graph",
        expected=len(tensors),
        loaded=len(tensors),
        parameters=facts_of(model, path.stat().st_size).parameters,
        dtypes=tuple(sorted({onnx.TensorProto.DataType.Name(tensor.data_type).lower() for tensor in tensors})),
    )
    if not mended(model):
        return Loaded(spec=request.spec, module=path, reference=_reference(request, path), report=report)
    with tempfile.TemporaryDirectory(prefix="porter-onnx-") as place:  # it is read whole when it is opened
        written = Path(place) / path.name
        written.write_bytes(model.SerializeToString())
        return Loaded(spec=request.spec, module=path, reference=_reference(request, written), report=report)


def _reference(request: LoadRequest, path: Path) -> Session:
    from porter import Artefact, OnnxRuntimeSession, usable_threads

    artefact = Artefact(runtime="onnxruntime", precision=request.spec.precision, path=str(path))
    threads = request.threads or usable_threads()
    opening = OpenRequest(artefact=artefact, path=path, spec=request.spec, threads=threads)
    return OnnxRuntimeSession(opening, optimise=False)


@hookimpl
def porter_export(loaded: Loaded, request: ExportRequest) -> Exported:
    """A copy, byte for byte, but for declarations of sizes and shapes that no runtime or checker would take."""
    from porter import read_onnx
    from porter_onnx.mending import mended

    spec: ModelSpec = loaded.spec
    source: Path = loaded.module
    if request.opset != spec.opset:
        raise BadInput(
            f"--opset {request.opset}: {one_line(source)} has opset {spec.opset} and is delivered as it is. "
            "Omit --opset"
        )
    model = read_onnx(source)
    if done := mended(model):
        request.path.write_bytes(model.SerializeToString())
        how, call = f"the file as it was given, {done}", f"correct what {source} declares"
    else:
        shutil.copyfile(source, request.path)
        how, call = "the file as it was given", f"copy {source}"
    return Exported(path=request.path, exporter=how, call=call, source=source)


@hookimpl
def porter_infer(session: Session, feeds: Mapping[str, np.ndarray], spec: ModelSpec) -> Mapping[str, np.ndarray] | None:
    """Hand the batch over in the layout that the model takes; None, so that the task's own is asked, if it is that."""
    import numpy as np

    tensor = spec.inputs[0]
    image = feeds[tensor.name]
    if spec.preprocess is None or not _is_channels_last(image.shape[1:], tensor.shape[1:]):
        return None
    return session.run({**feeds, tensor.name: np.ascontiguousarray(image.transpose(0, 2, 3, 1))})


def _is_channels_last(found: Sequence[int], declared: Sequence[int | str]) -> bool:
    """Whether a model takes C×H×W images otherwise: its number of channels is known, so a free size is none."""
    if isinstance(declared[0], str):
        return True
    return any(isinstance(size, int) and size != have for have, size in zip(found, declared, strict=True))


@hookimpl
def porter_postprocess(outputs: Mapping[str, np.ndarray], spec: ModelSpec) -> Sequence[Any] | None:
    """Scores without further axes of size 1 and without a background column; the rest is the task's own."""
    from porter_onnx.config import CLASSIFICATION

    scored = spec.outputs[0]
    if spec.task != CLASSIFICATION or spec.num_classes is None:
        return None
    scores = outputs[scored.name]
    columns = scores.reshape(len(scores), math.prod(scores.shape[1:]))  # N×C×1×1 is N×C
    return classify(columns[:, 1:] if columns.shape[1] == spec.num_classes + 1 else columns)
