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
from porter.contracts.requests import Exported, ExportRequest, Loaded, LoadRequest, ModelOffer, ModelRequest, Source
from porter.contracts.runtime import Runtime, Session
from porter.contracts.task import Task
from porter.records.manifest import Item
from porter.records.spec import ModelSpec

if TYPE_CHECKING:
    import numpy as np

    from porter.data.store import ImageStore

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
def porter_read(item: Item, store: ImageStore, spec: ModelSpec) -> Any:
    """Read one sample of the manifest. Called from several threads at once.

    Core's default decodes the image file `item.file` to an `Image` (uint8 H×W×3 RGB), with the item's box. What another
    kind of sample is read to is between this hook and `porter_preprocess`. `store.read` gives the bytes of a file below
    the data folder; core notes what was read, so that results hold only as long as the files do. Raises `ImageError`
    where the sample is damaged: it then counts as wrong.

    Example:
        >>> from porter import ImageError, hookimpl
        >>> @hookimpl
        ... def porter_read(item, store):
        ...     import numpy as np
        ...     sound = store.read(item.file)[44:]  # a wave file of 16 bits, behind its head
        ...     if not sound:
        ...         raise ImageError("no sound behind the head of the file")
        ...     return np.frombuffer(sound, "<i2")

    Since: 0.1
    """


@hookspec(firstresult=True)
def porter_preprocess(
    sample: Any, spec: ModelSpec, out: Mapping[str, np.ndarray] | None
) -> np.ndarray | Mapping[str, np.ndarray] | None:
    """One sample, as `porter_read` gave it, to the model's inputs by name, without the batch; of a model with one
    input that array alone will do. Called from several threads at once.

    Core's default is the reference pipeline that `spec.preprocess` declares, bit for bit: float32 C×H×W, or the same in
    the input's own type. A plugin's own must agree with it, or with `porter_reference`, or the verdict "preprocessing"
    fails. Samples may give arrays of different shapes where the model's inputs have free sizes.

    `out` is the sample's row of a batch, an array for each input of a fixed size, or None. Who fills these and returns
    them saves a copy; any other array is copied.

    Example:
        >>> import numpy as np
        >>> from porter import hookimpl
        >>> @hookimpl
        ... def porter_preprocess(sample, spec):
        ...     height, width = spec.preprocess.crop
        ...     corner = sample.pixels[:height, :width].astype(np.float32) / 255
        ...     return corner.transpose(2, 0, 1)

    Since: 0.1
    """


@hookspec(firstresult=True)
def porter_reference(sample: Any, spec: ModelSpec) -> np.ndarray | Mapping[str, np.ndarray] | None:
    """What `porter_preprocess` should give for a sample: the pipeline of the model's authors, as slow as it may be.

    Core's default is the pipeline that `spec.preprocess` declares. A model whose pipeline cannot be declared answers
    here with its authors' own code, and the verdict "preprocessing" compares with that.

    Example:
        >>> import numpy as np
        >>> from porter import hookimpl
        >>> @hookimpl
        ... def porter_reference(sample, spec):
        ...     return np.log1p(np.abs(np.fft.rfft(sample / 32768))).astype(np.float32)

    Since: 0.1
    """


@hookspec(firstresult=True)
def porter_infer(session: Session, feeds: Mapping[str, np.ndarray], spec: ModelSpec) -> Mapping[str, np.ndarray] | None:
    """Run one batch (by input name, N rows each) and return every output by name, N rows each.

    Core's default is `session.run(feeds)`. `spec` says what the model takes. Called from several threads at once.
    Outputs that have rows of their own number for each sample come as the graph gives them: core divides them by
    `TensorSpec.index_column` and `TensorSpec.counts`.

    Example:
        >>> from porter import hookimpl
        >>> @hookimpl
        ... def porter_infer(session, feeds):
        ...     return session.run({"image": feeds["image"].transpose(0, 2, 3, 1)})  # this model takes N×H×W×C

    Since: 0.1
    """


@hookspec(firstresult=True)
def porter_postprocess(
    outputs: Mapping[str, np.ndarray], spec: ModelSpec, sources: Sequence[Source]
) -> Sequence[Any] | None:
    """Turn outputs (N rows each) into N predictions of the kind that the model's task scores.

    That kind is the task's `prediction_type`: `Classified` for `classification`, whose default takes the first output
    as N×C scores. Of an output with rows of its own number for each sample, `outputs[name][i]` is K×… of sample i.
    `sources[i]` has its item and the size of its image; `porter.to_image` gives the transform from the input to it.

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
        ...     def run(self, feeds):
        ...         outputs = self.model.run(None, dict(feeds))
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
