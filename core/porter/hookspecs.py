"""The hooks that a plugin can implement.

A plugin is a module (or object) named by an entry point in the group `porter`; it implements any of these
functions under `@porter.hookimpl`, with those of its arguments that it needs, under their names. Names that
begin with `porter_` are kept for hooks. A "first result" hook stops at the first implementation that does not
return None. A model's own plugin is asked first, then plugins that offer no model, then core's defaults; another
model's plugin is never asked. Such a hook can be wrapped, for every model, with `@porter.hookimpl(wrapper=True)`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pluggy

from porter.contracts.form import Form
from porter.contracts.requests import Exported, ExportRequest, Image, Loaded, LoadRequest, ModelOffer, ModelRequest
from porter.contracts.runtime import Runtime, Session
from porter.contracts.task import Task
from porter.records.spec import ModelSpec, PreprocessSpec

if TYPE_CHECKING:
    import numpy as np

hookspec = pluggy.HookspecMarker("porter")
hookimpl = pluggy.HookimplMarker("porter")
"""Marks a function as the implementation of a porter hook."""


@hookspec
def porter_models() -> Sequence[ModelOffer]:  # type: ignore[empty-body]
    """The models that this plugin offers, with their published variants. Must be cheap: import no torch here.

    Example:
        >>> from porter import ModelOffer, hookimpl
        >>> @hookimpl
        ... def porter_models():
        ...     return [ModelOffer(name="tiny", title="A tiny net", variants=())]

    Since: 0.1
    """


@hookspec(firstresult=True)
def porter_describe(request: ModelRequest) -> ModelSpec | None:
    """Resolve a model and its config to one complete spec. Must be cheap: no weights are read.

    Raises `BadInput` where the config is wrong, naming the file and key.

    Example:
        >>> from porter import ModelSpec, PreprocessSpec, TensorSpec, hookimpl
        >>> @hookimpl
        ... def porter_describe(request):
        ...     return ModelSpec(
        ...         name=request.model,
        ...         task="classification",
        ...         num_classes=10,
        ...         inputs=(TensorSpec(name="image", shape=("N", 3, 32, 32)),),
        ...         outputs=(TensorSpec(name="class", shape=("N", 10)),),
        ...         preprocess=PreprocessSpec(resize=36, crop=(32, 32)),
        ...     )

    Since: 0.1
    """


@hookspec(firstresult=True)
def porter_load(request: LoadRequest) -> Loaded | None:
    """Read the checkpoint into the model, strictly, and return it in eval mode with a report.

    `porter.checkpoints` reads checkpoints safely and loads them strictly. Raises `BadInput` where a weight is
    missing or misshapen, naming it.

    Example:
        >>> from porter import Loaded, LoadReport, hookimpl
        >>> @hookimpl
        ... def porter_load(request):
        ...     import torch
        ...     net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 10)).eval()
        ...     report = LoadReport(format="made here", safe=True, weights="", expected=2, loaded=2, parameters=30730)
        ...     return Loaded(spec=request.spec, module=net, report=report)

    Since: 0.1
    """


@hookspec(firstresult=True)
def porter_export(loaded: Loaded, request: ExportRequest) -> Exported | None:
    """Write the ONNX file at `request.path` with the spec's input and output names.

    Core's default calls `torch.onnx.export` on `loaded.module`. Whatever wrote the file, core reads it again
    and checks opset, names, shapes and mode before anything is built on it.

    Example:
        >>> import shutil
        >>> from porter import Exported, hookimpl
        >>> @hookimpl
        ... def porter_export(loaded, request):
        ...     shutil.copyfile(loaded.module, request.path)  # this model is an ONNX file already
        ...     return Exported(path=request.path, exporter="copy", call=f"copy {loaded.module}")

    Since: 0.1
    """


@hookspec(firstresult=True)
def porter_preprocess(image: Image, spec: PreprocessSpec, out: np.ndarray | None) -> np.ndarray | None:
    """One decoded image (uint8 H×W×3 RGB) to one float32 C×H×W array, of the same shape for every image.

    Core's default is the reference pipeline that `spec` declares, bit for bit. A plugin's own must agree with
    it, or the verdict "preprocessing" fails. Called from several threads at once.

    `out` is the image's row of a batch, float32 C×H×W of `spec.crop`, or None. Who fills it and returns it
    saves a copy; any other array is copied.

    Example:
        >>> import numpy as np
        >>> from porter import hookimpl
        >>> @hookimpl
        ... def porter_preprocess(image, spec):
        ...     height, width = spec.crop
        ...     corner = image.pixels[:height, :width].astype(np.float32) / 255
        ...     return corner.transpose(2, 0, 1)

    Since: 0.1
    """


@hookspec(firstresult=True)
def porter_infer(session: Session, batch: np.ndarray, spec: ModelSpec) -> Mapping[str, np.ndarray] | None:
    """Run one batch (float32 N×C×H×W) and return every output by name, N rows each.

    Core's default is `session.run(batch)`. `spec` says what the model takes. Called from several threads at once.

    Example:
        >>> from porter import hookimpl
        >>> @hookimpl
        ... def porter_infer(session, batch):
        ...     return session.run(batch.transpose(0, 2, 3, 1))  # this model takes N×H×W×C

    Since: 0.1
    """


@hookspec(firstresult=True)
def porter_postprocess(outputs: Mapping[str, np.ndarray], spec: ModelSpec) -> Sequence[Any] | None:
    """Turn outputs (N rows each) into N predictions of the kind that the model's task scores.

    That kind is the task's `prediction_type`: `Classified` for `classification`, whose default takes the first output
    as N×C scores.

    Example:
        >>> from porter import classify, hookimpl
        >>> @hookimpl
        ... def porter_postprocess(outputs, spec):
        ...     scores = outputs[spec.outputs[0].name]
        ...     return classify(scores[:, 1:])  # the first column is the background, which is no class

    Since: 0.1
    """


@hookspec
def porter_runtimes() -> Sequence[Runtime]:  # type: ignore[empty-body]
    """The runtimes that this plugin offers. Must be cheap: import the runtime's package only when it is asked.

    Example:
        >>> from porter import Artefact, Runtime, RuntimeStatus, Session, SessionInfo, file_digest, hookimpl
        >>> class NumpySession(Session):  # onnx's own evaluator: slow, and independent of any runtime
        ...     def __init__(self, path):
        ...         import onnx.reference
        ...         self.model = onnx.reference.ReferenceEvaluator(str(path))
        ...         self.info = SessionInfo(
        ...             runtime="numpy",
        ...             version=onnx.__version__,
        ...             precision="fp32",
        ...             provider="numpy",
        ...             threads=1,
        ...             announced={"threads": "it evaluates one operator after the other"},
        ...         )
        ...     def run(self, batch):
        ...         outputs = self.model.run(None, {self.model.input_names[0]: batch})
        ...         return dict(zip(self.model.output_names, outputs))
        >>> class NumpyRuntime(Runtime):
        ...     name = "numpy"
        ...     def status(self):
        ...         return RuntimeStatus(available=True, precisions=("fp32",))
        ...     def build(self, request):
        ...         path = str(request.onnx.relative_to(request.folder.parent))
        ...         size = request.onnx.stat().st_size
        ...         digest = file_digest(request.onnx)
        ...         return Artefact(runtime="numpy", precision="fp32", path=path, sha256=digest, size_bytes=size)
        ...     def open(self, request):
        ...         return NumpySession(request.path)
        >>> @hookimpl
        ... def porter_runtimes():
        ...     return [NumpyRuntime()]

    Since: 0.1
    """


@hookspec
def porter_tasks() -> Sequence[Task]:  # type: ignore[empty-body]
    """The tasks that this plugin offers. A model names its task in its spec.

    Example:
        >>> from porter import Classification, classify, hookimpl
        >>> class ByTop5(Classification):
        ...     name = "classification-top5"
        ...     title = "Image classification, judged by top-5"
        ...     gate = "top5"
        >>> @hookimpl
        ... def porter_tasks():
        ...     return [ByTop5()]
        >>> @hookimpl(trylast=True)
        ... def porter_postprocess(outputs, spec):  # for every model of this task that has none of its own
        ...     return classify(outputs[spec.outputs[0].name]) if spec.task == ByTop5.name else None

    Since: 0.1
    """


@hookspec
def porter_forms() -> Sequence[Form]:  # type: ignore[empty-body]
    """The forms that this plugin offers: documents as a platform publishes them, for `--template NAME`.

    A form is written to a folder of its own name in the run's folder, beside porter's own documents. Must be cheap.

    Example:
        >>> from porter import Form, hookimpl
        >>> class Summary(Form):  # one line, in English; a form with a folder of templates renders them
        ...     name = "summary"
        ...     title = "One line for a release note"
        ...     def files(self, request):
        ...         best = max((one.images_per_second for one in request.record.performance), default=0.0)
        ...         return {"SUMMARY.txt": f"{request.record.model.name}: {best:.2f} images/s".encode()}
        >>> @hookimpl
        ... def porter_forms():
        ...     return [Summary()]

    Since: 0.1
    """
