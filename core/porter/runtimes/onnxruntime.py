"""ONNX Runtime: the embedded default runtime."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from porter import hookimpl
from porter.contracts.runtime import BuildRequest, Runtime, RuntimeStatus, Session, SessionOptions
from porter.errors import BadInput, Missing, did_you_mean, one_line
from porter.hashes import file_digest
from porter.records.artefact import Artefact, SessionInfo

if TYPE_CHECKING:
    import numpy as np

NAME = "onnxruntime"
DEFAULT_PROVIDER = "CPUExecutionProvider"
ADVICE = "pip install onnxruntime"


class OnnxRuntimeSession(Session):
    """One `InferenceSession` with the outputs of the graph, in its order.

    `optimise` False switches every graph optimisation off: each node runs as the file has it.
    """

    def __init__(self, path: Path, artefact: Artefact, options: SessionOptions, *, optimise: bool = True) -> None:
        ort = _onnxruntime()
        provider = _provider(ort, options.provider)
        settings = ort.SessionOptions()
        settings.intra_op_num_threads = options.threads
        settings.inter_op_num_threads = 1
        settings.log_severity_level = 4  # what goes wrong is raised as well
        if not optimise:
            settings.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        try:
            self._session = ort.InferenceSession(str(path), settings, providers=[provider])
        except Exception as error:  # the runtime's exceptions share no base of their own
            raise BadInput(f"{path}: ONNX Runtime cannot load it: {one_line(error)}") from None
        used = self._session.get_providers()
        if used[0] != provider:
            raise Missing(f"provider {provider} was asked for, ONNX Runtime uses {used[0]}: check its installation")
        self._input = self._session.get_inputs()[0]
        self._outputs = [output.name for output in self._session.get_outputs()]
        batch = self._input.shape[0] if self._input.shape else None
        used_settings = self._session.get_session_options()
        plain = used_settings.graph_optimization_level == ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        self.info = SessionInfo(
            runtime=f"unoptimised {NAME}" if plain else NAME,
            version=ort.__version__,
            precision=artefact.precision,
            provider=used[0],
            threads=used_settings.intra_op_num_threads,
            batch=batch if isinstance(batch, int) else None,
        )

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        try:
            values = self._session.run(self._outputs, {self._input.name: batch})
        except Exception as error:  # as above
            raise BadInput(f"ONNX Runtime: {one_line(error)}") from None
        return dict(zip(self._outputs, values, strict=True))


class OnnxRuntime(Runtime):
    """Runs the exported ONNX file as it is."""

    name = NAME

    def status(self) -> RuntimeStatus:
        try:
            version = importlib.metadata.version(NAME)
            providers = tuple(_onnxruntime().get_available_providers())
        except (importlib.metadata.PackageNotFoundError, Missing):
            return RuntimeStatus(available=False, advice=ADVICE)
        return RuntimeStatus(available=True, version=version, devices=providers, precisions=("fp32",))

    def require(self, precision: str, provider: str | None) -> None:
        super().require(precision, provider)
        _provider(_onnxruntime(), provider)

    def build(self, request: BuildRequest) -> Artefact:
        return Artefact(
            runtime=NAME,
            precision="fp32",
            path=str(request.onnx.relative_to(request.folder.parent)),
            batch=request.spec.fixed_batch,
            command="the exported ONNX file, as it is",
            sha256=file_digest(request.onnx),
            size_bytes=request.onnx.stat().st_size,
        )

    def open(self, artefact: Artefact, path: Path, options: SessionOptions) -> Session:
        return OnnxRuntimeSession(path, artefact, options)


@hookimpl
def porter_runtimes() -> Sequence[Runtime]:
    return (OnnxRuntime(),)


def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise Missing(f"ONNX Runtime cannot be imported ({one_line(error)}): {ADVICE}") from None
    return onnxruntime


def _provider(ort: Any, asked: str | None) -> str:
    available = ort.get_available_providers()
    if asked is None:
        return DEFAULT_PROVIDER
    short = {name.removesuffix("ExecutionProvider").lower(): name for name in available}
    provider = short.get(asked.lower(), asked)
    if provider not in available:
        raise Missing(
            f"this ONNX Runtime has no provider {one_line(asked)!r}{did_you_mean(asked, available)}; "
            f"it has {', '.join(available)}"
        )
    return str(provider)
