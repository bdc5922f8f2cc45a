"""ONNX Runtime: the embedded default runtime."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from porter.builtin.ort_layers import layers_of, placement_of, record_placement
from porter.contracts.probe import Probe
from porter.contracts.rows import count_of
from porter.contracts.runtime import BuildRequest, OpenRequest, ProbeRequest, Runtime, RuntimeStatus, Session
from porter.errors import BadInput, Missing, did_you_mean, one_line
from porter.files.hashes import file_digest
from porter.hookspecs import hookimpl
from porter.records.artefact import Artefact, SessionInfo
from porter.records.message import Message

if TYPE_CHECKING:
    import numpy as np

NAME = "onnxruntime"
INT8 = "int8"
DEFAULT_PROVIDER = "CPUExecutionProvider"
ADVICE = "pip install onnxruntime"
OTHER_BUILDS = (
    "other providers come in other builds, each in place of this one: onnxruntime-gpu (CUDA, TensorRT), "
    "onnxruntime-openvino, onnxruntime-cann"
)

ELSEWHERE = frozenset(
    f"{name}ExecutionProvider"
    for name in (
        *("CUDA", "Tensorrt", "NvTensorRTRTX", "ROCM", "MIGraphX", "CANN", "Dml", "CoreML", "QNN", "VitisAI", "Rknpu"),
        *("WebGpu", "Nnapi"),
    )
)
"""Providers of devices of their own: while one of them works, the processors are free."""

OF_FILES = frozenset({"fp16", "bf16"})
"""Precisions that a file may come in, and that none is built in."""

_layers: dict[str, dict[str, int]] = {}
"""Of each int8 file, by its SHA-256: its layers by the precision that they run in."""


class OnnxRuntimeSession(Session):
    """`InferenceSession` with the outputs of the graph, in its order: one for each stream that has threads of its own,
    one for all where a stream is the thread that calls.

    `optimise` False switches every graph optimisation off: each node runs as the file has it.
    """

    def __init__(self, request: OpenRequest, *, optimise: bool = True) -> None:
        ort = _onnxruntime()
        provider, path = _provider(ort, request.provider), request.path
        self._precision, self._optimise, self._streams = request.artefact.precision, optimise, request.streams
        self._path, self._threads = path, request.threads
        self._came_so = request.spec.precision == request.artefact.precision
        per_stream = max(1, request.threads // request.streams)

        def opened(optimised: str = "") -> Any:
            settings = ort.SessionOptions()
            settings.intra_op_num_threads = per_stream
            settings.inter_op_num_threads = 1
            if request.yielding:
                settings.add_session_config_entry("session.force_spinning_stop", "1")
            settings.log_severity_level = 4  # what goes wrong is raised as well
            settings.optimized_model_filepath = optimised
            if not optimise:
                settings.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
            if provider != DEFAULT_PROVIDER:
                record_placement(settings)
            return ort.InferenceSession(str(path), settings, providers=[provider])

        try:
            self._session = opened()
            others = [opened() for _ in range(request.streams - 1)] if per_stream > 1 else []
        except Exception as error:  # the runtime's exceptions share no base of their own
            raise BadInput(f"{path}: cannot be loaded by ONNX Runtime: {one_line(error)}") from None
        used = self._session.get_providers()
        if used[0] != provider:
            raise Missing(f"provider {provider}: not in use, ONNX Runtime runs on {used[0]}. Check its installation")
        self._placement = {} if provider == DEFAULT_PROVIDER else placement_of(self._session)
        if self._placement and not self._placement.get(provider):
            took = ", ".join(f"{name} ({count} nodes)" for name, count in self._placement.items())
            raise Missing(f"provider {provider}: runs none of the graph (all on {took}). Check its installation")
        self._free: SimpleQueue[Any] = SimpleQueue()
        """One entry for each further call that can be made at once."""
        for n in range(request.streams):
            self._free.put(others[n - 1] if others and n else self._session)
        self._opened = opened
        self._batch = batch_of(self._session.get_inputs())
        self._outputs = [one.name for one in self._session.get_outputs() if one.type.startswith("tensor")]

    @functools.cached_property
    def info(self) -> SessionInfo:  # type: ignore[override]
        """Read when it is asked for, after loading was timed: for int8 the session is opened once more."""
        ort = _onnxruntime()
        settings = self._session.get_session_options()
        plain = settings.graph_optimization_level == ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        provider = self._session.get_providers()[0]
        on_cpu = provider == DEFAULT_PROVIDER
        layers = self._layers() if self._precision == INT8 and on_cpu and self._optimise else {}
        if layers and INT8 not in layers and not self._came_so:
            raise Missing(
                f"ONNX Runtime runs none of {layers['fp32']} convolutions and matrix products in int8 on this CPU. "
                "Use --precision fp32"
            )
        threads = None if provider in ELSEWHERE else settings.intra_op_num_threads * self._streams
        return SessionInfo(
            runtime=f"unoptimised {NAME}" if plain else NAME,
            version=ort.__version__,
            precision=self._precision,
            provider=provider,
            threads=threads,
            streams=self._streams,
            batch=self._batch,
            layers=layers,
            placement=self._placement,
            announced={} if threads in (None, self._threads) else {"threads": _evenly(self._streams)},
        )

    def _layers(self) -> dict[str, int]:
        """They depend on the file and this process, and take as long to find as the session takes to open."""
        content = file_digest(self._path)  # that of the record may be of the file before somebody changed it
        if content not in _layers:
            _layers[content] = layers_of(self._opened)
        return _layers[content]

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        session = self._free.get()
        try:
            values = session.run(self._outputs, dict(feeds))
        except Exception as error:  # as above
            if re.search(r"allocat|bad_alloc", str(error)):
                raise BadInput(
                    f"ONNX Runtime: not enough memory for a batch of {count_of(feeds)}. Use a smaller one in "
                    f"--batch-sizes or --batch ({one_line(error)[:200]})"
                ) from None
            raise BadInput(f"ONNX Runtime: {one_line(error)}") from None
        finally:
            self._free.put(session)
        return dict(zip(self._outputs, values, strict=True))


class OnnxRuntime(Runtime):
    """Runs the exported ONNX file as it is, and its quantised form for int8."""

    name = NAME
    probes = True
    as_it_is = True

    def status(self) -> RuntimeStatus:
        try:
            ort = _onnxruntime()
        except Missing:
            return RuntimeStatus(available=False, advice=ADVICE)
        # The version of the module: builds with other providers are distributed under other names.
        return RuntimeStatus(
            available=True,
            version=str(ort.__version__),
            devices=tuple(ort.get_available_providers()),
            precisions=("fp32", INT8),
            advice=OTHER_BUILDS,
        )

    def require(self, precision: str, provider: str | None) -> None:
        if precision not in OF_FILES:  # it has no kernels of these for every operator, and widens what lacks one
            super().require(precision, provider)
        _provider(_onnxruntime(), provider)

    def build(self, request: BuildRequest) -> Artefact:
        return Artefact(
            runtime=NAME,
            precision=request.precision,
            path=str(request.onnx.relative_to(request.folder.parent)),
            batch=request.spec.fixed_batch,
            command=Message("the quantised ONNX file, used as it is")
            if request.precision == INT8 and request.spec.precision != INT8
            else Message("the exported ONNX file, used as it is"),
            sha256=file_digest(request.onnx),
            size_bytes=request.onnx.stat().st_size,
        )

    def open(self, request: OpenRequest) -> Session:
        return OnnxRuntimeSession(request)

    def probe(self, request: ProbeRequest) -> Probe:
        """Runs the graph in the types that it is written in, whatever the precision."""
        from porter.graphs.onnx_probe import OnnxProbe

        probe = OnnxProbe.read(request.onnx, threads=request.threads)
        if request.artefact is not None:
            probe.label = request.artefact.id
        return probe


@hookimpl
def porter_runtimes() -> Sequence[Runtime]:
    return (OnnxRuntime(),)


def batch_of(inputs: Sequence[Any]) -> int | None:
    """The only batch size that a graph takes, as ONNX Runtime describes its inputs; None: any."""
    sizes = [one.shape[0] for one in inputs if one.shape]
    return next((size for size in sizes if isinstance(size, int)), None)


def _evenly(streams: int) -> Message:
    """Why a session has another number of threads than was asked for."""
    return Message("all {streams} streams have the same number of threads", streams=streams)


def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise Missing(f"ONNX Runtime cannot be imported ({one_line(error)}). Run: {ADVICE}") from None
    return onnxruntime


def _provider(ort: Any, asked: str | None) -> str:
    available = ort.get_available_providers()
    if asked is None:
        return DEFAULT_PROVIDER
    known = ort.get_all_providers()
    short = {name.removesuffix("ExecutionProvider").lower(): name for name in known}
    provider = short.get(asked.lower(), asked)
    if provider not in available:
        way_out = f"; {OTHER_BUILDS}" if provider in known else did_you_mean(asked, [*available, *short])
        raise Missing(
            f"provider {one_line(asked)!r}: not in this ONNX Runtime. Available: {', '.join(available)}{way_out}"
        )
    return str(provider)
