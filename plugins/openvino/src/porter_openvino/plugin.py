"""OpenVINO on the CPU: the exported ONNX file as IR, computed in the precision that was asked for."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from pathlib import Path

from porter import (
    Artefact,
    ArtefactPart,
    BuildRequest,
    Missing,
    OpenRequest,
    Probe,
    ProbeRequest,
    Runtime,
    RuntimeStatus,
    Session,
    file_digest,
    hookimpl,
)
from porter_openvino.compiling import ADVICE, DEVICE, NAME, cpu_precisions, read_model
from porter_openvino.ir import WIDE, fix_batch, name_outputs, require_wide, save
from porter_openvino.probe import OpenVinoProbe
from porter_openvino.session import OpenVinoSession, require_cpu

TEMPLATES = Path(__file__).parent / "templates"
"""What its sentences are in Chinese."""


class OpenVino(Runtime):
    """Builds an IR with float32 weights; the precision is that of the arithmetic, chosen when a session is opened."""

    name = NAME
    queues = True
    probes = True
    templates = TEMPLATES

    def status(self) -> RuntimeStatus:
        try:
            version = importlib.metadata.version(NAME)
            precisions = cpu_precisions()
        except (importlib.metadata.PackageNotFoundError, Missing) as error:
            advice = str(error) if isinstance(error, Missing) else ADVICE
            return RuntimeStatus(available=False, advice=advice)
        return RuntimeStatus(available=True, version=version, devices=(DEVICE,), precisions=precisions)

    def require(self, precision: str, provider: str | None) -> None:
        super().require(precision, provider)
        require_cpu(provider)

    def build(self, request: BuildRequest) -> Artefact:
        batch = request.batch or request.spec.fixed_batch
        size = f"-bs{batch}" if batch else ""
        stem = request.onnx.stem.removesuffix(f"-{request.precision}")
        target = request.folder / f"{stem}-{NAME}-{request.precision}{size}.xml"
        weights = target.with_suffix(".bin")
        model = read_model(request.onnx)
        if request.precision in WIDE:
            require_wide(model, request.onnx, request.precision)
        if batch is not None:
            fix_batch(model, batch, str(request.onnx))
        name_outputs(model, [output.name for output in request.spec.outputs], request.onnx)
        save(model, target, weights)
        graph, values = (_part(path, request.folder.parent) for path in (target, weights))
        return Artefact(
            runtime=NAME,
            precision=request.precision,
            path=graph.path,
            batch=batch,
            command="openvino.save_model(…, compress_to_fp16=False)",
            sha256=graph.sha256,
            size_bytes=graph.size_bytes,
            parts=(values,),
        )

    def open(self, request: OpenRequest) -> Session:
        return OpenVinoSession(request)

    def probe(self, request: ProbeRequest) -> Probe:
        return OpenVinoProbe(request)


@hookimpl
def porter_runtimes() -> Sequence[Runtime]:
    return (OpenVino(),)


def _part(path: Path, run: Path) -> ArtefactPart:
    return ArtefactPart(path=str(path.relative_to(run)), sha256=file_digest(path), size_bytes=path.stat().st_size)
