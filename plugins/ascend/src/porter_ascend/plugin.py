"""Ascend NPUs: atc builds one `.om` for each batch size, and ais_bench or the older benchmark tool runs it.

Where this machine lacks them, the runtime writes a kit that does all of it on a host that has them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from porter import (
    Artefact,
    ArtefactPart,
    BadInput,
    BuildRequest,
    Form,
    Kit,
    KitRequest,
    Metric,
    Missing,
    ModelSpec,
    OnnxFacts,
    OpenRequest,
    PorterError,
    Returned,
    Runtime,
    RuntimeStatus,
    Session,
    TakeBackRequest,
    TensorSpec,
    __version__,
    facts_of,
    file_digest,
    hookimpl,
    one_line,
    read_onnx,
    shell_line,
)
from porter_ascend import atc, chip, forms, kit, scores
from porter_ascend.host import Host
from porter_ascend.om import OmTensors, read_tensors, write_tensors
from porter_ascend.toolkit import Toolkit

NAME = "ascend"
LOGS = "logs"
"""Folder of what the tools print, in the run's folder."""
KIT_ADVICE = "a run with --soc-version NAME writes a kit for such a host"


class Ascend(Runtime):
    """Builds with atc at its own precision for inference, fp16."""

    name = NAME
    own_precision = "fp16"
    fixed_batch = True
    has_kit = True
    takes_back = True
    files = (scores.NAME,)
    templates = kit.TEMPLATES

    def status(self) -> RuntimeStatus:
        try:
            host = Host.find()
        except PorterError as error:
            return RuntimeStatus(available=False, advice=str(error))
        return RuntimeStatus(
            available=host.complete,
            version=host.toolkit.version(),
            devices=tuple(f"{index}: {chip.PREFIX}{name}" for index, name in enumerate(host.chips)),
            precisions=tuple(atc.PRECISION_MODES),
            advice="" if host.complete else f"{host.lacks()}; {KIT_ADVICE}",
            details=host.details(),
        )

    def require(self, precision: str, provider: str | None) -> None:
        super().require(precision, provider)
        device_of(provider)

    def target(self, asked: str | None) -> str:
        return chip.soc_version(asked)

    def build(self, request: BuildRequest) -> Artefact:
        if request.batch is None:
            raise BadInput(f"runtime {NAME} builds for a fixed batch size. Use --batch-sizes")
        inputs = _inputs(request.onnx)
        soc = self.target(request.target)
        wanted = atc.Conversion(
            onnx=request.onnx.resolve(),
            inputs=inputs,
            batch=request.batch,
            soc_version=soc,
            precision=request.precision,
        )
        out = request.folder.parent
        target = request.folder / f"{request.onnx.stem}-{NAME}-{request.precision}-bs{request.batch}.om"
        atc.convert(Toolkit.find(), wanted, target, out / LOGS / f"atc-{target.stem}.log")
        tensors = OmTensors(inputs=inputs, outputs=request.spec.outputs, batch=request.batch, soc_version=soc)
        shown = replace(wanted, onnx=request.onnx.relative_to(out))
        return Artefact(
            runtime=NAME,
            precision=request.precision,
            path=str(target.relative_to(out)),
            batch=request.batch,
            command=shell_line(shown.arguments(str(target.relative_to(out).with_suffix("")))),
            sha256=file_digest(target),
            size_bytes=target.stat().st_size,
            parts=(_part(write_tensors(target, tensors), out),),
        )

    def open(self, request: OpenRequest) -> Session:
        from porter_ascend.session import AscendSession

        host = Host.find()
        if not host.complete:
            raise Missing(f"runtime {NAME}: {host.lacks()}")
        path, tensors = request.path.resolve(), read_tensors(request.path)
        return AscendSession(path, request.artefact.precision, tensors, host, device_of(request.provider))

    def write_kit(self, request: KitRequest) -> Kit:
        document = kit.KitDocument(
            porter=__version__,
            created=request.created,
            spec=replace(request.spec, opset=_facts(request.onnx).opset),
            inputs=_inputs(request.onnx),
            onnx=f"{kit.MODEL}/{request.onnx.name}",
            onnx_sha256=file_digest(request.onnx),
            soc_version=self.target(request.target),
            precision=request.precision,
            batches=request.batches,
            scored=request.scored,
            manifest=replace(request.manifest, items=()),
            made_from=request.made_from,
        )
        host = Host.find()
        built = self._built_here(request) if host.has_atc else ()
        written = kit.write_kit(request.folder, document, request.onnx, request.images, request.manifest.items)
        return Kit(
            runtime=NAME,
            lacks=host.lacks(),
            built=built,
            path=request.folder.name,
            list=f"{request.folder.name}/{kit.DOCUMENT}",
            sha256=written.sha256,
            script=kit.SCRIPT,
            take_back=shell_line(["porter", "import", NAME, str(request.folder)]),
            target=document.soc_version,
            precision=request.precision,
            batches=request.batches,
            scored=request.scored,
            images=written.images,
            size_bytes=written.size_bytes,
        )

    def take_back(self, request: TakeBackRequest) -> Returned:
        from porter_ascend.take_back import returned_from

        return returned_from(request.folder, NAME)

    def documents(self, metrics: Sequence[Metric], spec: ModelSpec) -> Mapping[str, bytes]:
        document = scores.scores_document(metrics, spec)
        return {} if document is None else {scores.NAME: document}

    def _built_here(self, request: KitRequest) -> tuple[Artefact, ...]:
        """What atc makes on this machine, though nothing here can run it: an operator it refuses shows at once."""
        plain = BuildRequest(
            onnx=request.onnx,
            spec=request.spec,
            folder=request.onnx.parent,
            precision=request.precision,
            target=request.target,
        )
        return tuple(self.build(replace(plain, batch=size)) for size in request.batches)


@hookimpl
def porter_runtimes() -> Sequence[Runtime]:
    return (Ascend(),)


@hookimpl
def porter_forms() -> Sequence[Form]:
    return forms.FORMS


def device_of(provider: str | None) -> int:
    """The number of the device; the first one where none is named. Raises `BadInput` for what is no number."""
    if provider is None:
        return 0
    if not (provider.isascii() and provider.isdecimal() and len(provider) <= 4):
        raise BadInput(f"--provider {one_line(provider)!r}: runtime {NAME} needs a device number, e.g. 0")
    return int(provider)


def _inputs(onnx: Path) -> tuple[TensorSpec, ...]:
    """The one input of the file, by its own account: the tools are fed one file an image."""
    inputs = _facts(onnx).inputs
    if len(inputs) != 1:
        raise BadInput(f"{one_line(onnx)}: {len(inputs)} inputs; runtime {NAME} supports models with one input")
    if inputs[0].dtype != "float32":
        name = one_line(inputs[0].name)
        raise BadInput(f"{one_line(onnx)}: input {name!r} is {inputs[0].dtype}; runtime {NAME} supports float32")
    return inputs


def _facts(onnx: Path) -> OnnxFacts:
    return facts_of(read_onnx(onnx), onnx.stat().st_size)


def _part(path: Path, out: Path) -> ArtefactPart:
    return ArtefactPart(path=str(path.relative_to(out)), sha256=file_digest(path), size_bytes=path.stat().st_size)
