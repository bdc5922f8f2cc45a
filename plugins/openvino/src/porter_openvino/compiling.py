"""OpenVINO's CPU device: models read and compiled, with the precision that really runs read back.

On a processor with bf16, OpenVINO computes in bf16 unless `INFERENCE_PRECISION_HINT` says otherwise; one that lacks the
precision asked for gets another without a word. So the hint is always given, and afterwards both the hint and the
executed graph are read.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from porter import BadInput, Missing, one_line

NAME = "openvino"
ADVICE = "pip install 'openvino>=2025.0'"
DEVICE = "CPU"
INT8 = "int8"
ELEMENT_TYPES = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
"""Precision: OpenVINO's name for it."""
HINTS = {**ELEMENT_TYPES, INT8: "f32"}
"""Precision: what is computed in floating point. An int8 graph says itself what is to be int8; the rest is float32."""
LAYERS = {**{element: name for name, element in ELEMENT_TYPES.items()}, "i8": INT8, "u8": INT8}
"""Precision of an executed layer in OpenVINO's words: in porter's."""
CAPABILITIES = {"fp32": "FP32", "bf16": "BF16", "fp16": "FP16", INT8: "INT8"}
"""Precision: its name among a device's `OPTIMIZATION_CAPABILITIES`."""
MATRIX_LAYERS = frozenset({"Convolution", "Deconvolution", "FullyConnected", "MatMul"})
"""Layers of an executed graph in which nearly all arithmetic of a network takes place."""
REDUCED = frozenset({"bf16", "fp16"})


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """A compiled model, and what OpenVINO says of it."""

    model: Any
    """`openvino.CompiledModel`."""
    precision: str
    """Precision of the inference hint, as read back; `int8` where it is float32 and an int8 graph was compiled."""
    threads: int
    """Inference threads, as read back."""
    streams: int
    """Requests that run at once, as read back."""
    layers: dict[str, int]
    """Matrix layers of the executed graph by the precision that they run in."""
    from_cache: bool
    """Whether OpenVINO took it from its cache and compiled nothing."""


def import_openvino() -> Any:
    """The package. Raises `Missing` with the way to get it."""
    try:
        import openvino
    except ImportError as error:
        raise Missing(f"OpenVINO cannot be imported ({one_line(error)}). Run: {ADVICE}") from None
    return openvino


def cpu_precisions() -> tuple[str, ...]:
    """The precisions that OpenVINO offers on this CPU. Raises `Missing` where it has no CPU device."""
    core = import_openvino().Core()
    try:
        found = core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES")
    except RuntimeError as error:
        raise Missing(f"OpenVINO has no CPU device on this machine: {reason(error)}") from None
    return tuple(precision for precision, capability in CAPABILITIES.items() if capability in found)


def read_model(path: Path) -> Any:
    """An `openvino.Model` from ONNX or IR. Raises `BadInput` where OpenVINO cannot read the file."""
    core = import_openvino().Core()
    try:
        return core.read_model(str(path))
    except RuntimeError as error:
        raise BadInput(f"{path}: OpenVINO cannot read it: {reason(error)}") from None


def compile_model(
    model: Any, label: str, precision: str, threads: int, cache: Path | None = None, streams: int = 1
) -> Compiled:
    """Compile for the CPU: for latency, or for `streams` requests at once that share the threads.

    OpenVINO makes no more streams than threads: `Compiled.streams` says how many. `cache` is a folder for the compiled
    blob. OpenVINO checks the head of a blob and nothing else: one flipped bit in the middle loads without a word and
    computes something else (tried with 2026.4: outputs off by 0.3), so the folder must be one of `porter.blobs`.

    `label` names the model in errors. Raises `Missing` where another precision or number of threads is in use than was
    asked for, `BadInput` where the model cannot be compiled.
    """
    core = import_openvino().Core()
    settings = {
        "INFERENCE_PRECISION_HINT": HINTS[precision],
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY" if streams == 1 else "THROUGHPUT",
        "NUM_STREAMS": streams,
        # Else a latency hint counts cores where `threads` counts logical processors.
        "ENABLE_HYPER_THREADING": True,
    }
    if cache is not None:
        settings["CACHE_DIR"] = str(cache)
    try:
        compiled = core.compile_model(model, DEVICE, settings)
        hint = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        used = int(compiled.get_property("INFERENCE_NUM_THREADS"))
        parallel = int(compiled.get_property("NUM_STREAMS"))
        from_cache = cache is not None and bool(compiled.get_property("LOADED_FROM_CACHE"))
        nodes = _executed(compiled)
    except RuntimeError as error:
        raise BadInput(f"{label}: OpenVINO cannot compile it: {reason(error)}") from None
    layers = Counter(LAYERS.get(element, element) for kind, element in nodes if kind in MATRIX_LAYERS)
    everywhere = Counter(LAYERS.get(element, element) for _, element in nodes)
    floats = LAYERS.get(hint, hint)
    found = Compiled(
        model=compiled,
        precision=INT8 if precision == INT8 and floats == "fp32" else floats,
        threads=used,
        streams=parallel,
        layers=dict(sorted(layers.items())),
        from_cache=from_cache,
    )
    _require_precision(found, precision, everywhere)
    if used != threads:
        raise Missing(f"OpenVINO uses only {used} of {threads} threads. Use --threads {used}")
    return found


def reason(error: Exception) -> str:
    """What an exception of OpenVINO's says, without the places in its sources."""
    passed_over = ("Exception from ", "Check '", "FrontEnd API failed")
    lines = [line for line in str(error).splitlines() if not line.startswith(passed_over)]
    return one_line(" ".join(lines)) or type(error).__name__


def _executed(compiled: Any) -> list[tuple[str, str]]:
    """Type and precision of every layer of the executed graph."""
    infos = [node.get_rt_info() for node in compiled.get_runtime_model().get_ops()]
    return [
        (info["layerType"].astype(str), info["runtimePrecision"].astype(str))
        for info in infos
        if "layerType" in info and "runtimePrecision" in info
    ]


def _require_precision(found: Compiled, asked: str, everywhere: Counter[str]) -> None:
    reduced = {name: count for name, count in everywhere.items() if name in REDUCED}
    if found.precision != asked:
        used = found.precision
    elif asked in ("fp32", INT8) and reduced:
        used = _counts(reduced)
    elif asked != "fp32" and found.layers and not found.layers.get(asked):
        used = _counts(found.layers)
    else:
        return
    raise Missing(
        f"OpenVINO computes in {used} where {asked} was asked for. "
        f"Use --precision with what this CPU has: {', '.join(cpu_precisions())}"
    )


def _counts(layers: dict[str, int]) -> str:
    return ", ".join(f"{name} ({count} layers)" for name, count in layers.items())
