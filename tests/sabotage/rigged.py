"""A plugin in one file: a model and a runtime that do what the config and `--option rig.fault` say, and say nothing.

It imports from `porter` alone, as any outsider's plugin does.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from porter import (
    Artefact,
    BuildRequest,
    Exported,
    ExportRequest,
    Latency,
    Loaded,
    LoadReport,
    LoadRequest,
    Measured,
    ModelOffer,
    ModelRequest,
    ModelSpec,
    OpenRequest,
    PreprocessSpec,
    Published,
    PublishedMetric,
    Runtime,
    RuntimeOption,
    RuntimeStatus,
    Session,
    SessionInfo,
    TensorSpec,
    file_digest,
    find_weights,
    hookimpl,
    load_into,
    read_checkpoint,
    read_yaml,
)

CLASSES, SIDE = 16, 28
TRUE_PREPROCESS = PreprocessSpec(resize=32, crop=(SIDE, SIDE))
WARM = 30  # calls by which a session is past scoring, and is being timed


def network(variant: str = "") -> Any:
    """Float32 N×3×28×28 to N×16 scores. `wide` has more channels, `folded` no BatchNorm, `scaled` normalises itself."""
    import torch
    from torch import nn

    class Scaled(nn.Module):
        def __init__(self, body: nn.Module) -> None:
            super().__init__()
            self.body = body

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (TRUE_PREPROCESS.mean, TRUE_PREPROCESS.std))
            return self.body((image - mean) / std)

    def block(inputs: int, outputs: int) -> list[nn.Module]:
        norm: list[nn.Module] = [] if variant == "folded" else [nn.BatchNorm2d(outputs)]
        return [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=variant == "folded"), *norm, nn.ReLU()]

    width = 12 if variant == "wide" else 8
    body = nn.Sequential(*block(3, width), *block(width, 16), nn.Flatten(), nn.Linear(16 * 7 * 7, CLASSES))
    return Scaled(body) if variant == "scaled" else body


@hookimpl
def porter_models() -> Sequence[ModelOffer]:
    return [ModelOffer(name="rigged", title="Discs on a ground", variants=())]


@hookimpl
def porter_describe(request: ModelRequest) -> ModelSpec:
    said = read_yaml(request.config) if request.config else {}
    declared = {k: tuple(v) if isinstance(v, list) else v for k, v in said.get("preprocess", {}).items()}
    published = None
    if "published" in said:
        metric = PublishedMetric(name="top1", value=said["published"])
        published = Published(source="a paper", dataset="its images", images=64, metrics=(metric,))
    return ModelSpec(
        name=request.model,
        task="classification",
        title="Discs on a ground",
        variant=said.get("variant", ""),
        inputs=(TensorSpec(name="image", shape=("N", 3, SIDE, SIDE)),),
        outputs=(TensorSpec(name="class", shape=("N", CLASSES)),),
        preprocess=dataclasses.replace(TRUE_PREPROCESS, **declared),
        num_classes=CLASSES,
        published=published,
        facts={key: str(said[key]) for key in ("weights", "export") if key in said},
    )


@hookimpl
def porter_load(request: LoadRequest) -> Loaded:
    """What `weights` of the config says is done to them, under a report that all is well."""
    import torch

    fault = request.spec.facts.get("weights", "")
    torch.manual_seed(1)
    module = network(request.spec.variant)
    body = module.body if request.spec.variant == "scaled" else module
    assert request.checkpoint is not None
    raw = read_checkpoint(request.checkpoint)
    weights = find_weights(raw, weights="state_dict_ema" if fault == "ema" else request.weights)
    if not fault:
        return Loaded(spec=request.spec, module=module.eval(), report=load_into(body, weights))
    own = body.state_dict()
    kept = {
        "random": lambda name: False,
        "no-layer": lambda name: not name.startswith("3."),
        "no-statistics": lambda name: "running" not in name,
        "ema": lambda name: True,
        "fitting": lambda name: own[name].shape == weights.entries[name].shape,
    }[fault]
    body.load_state_dict({k: v for k, v in weights.entries.items() if k in own and kept(k)}, strict=False)
    report = LoadReport(
        format=weights.format,
        safe=True,
        weights="state_dict",
        expected=len(own),
        loaded=len(own),
        parameters=sum(p.numel() for p in module.parameters()),
    )
    return Loaded(spec=request.spec, module=module.eval(), report=report)


@hookimpl
def porter_export(loaded: Loaded, request: ExportRequest) -> Exported | None:
    """Where the config says so, a graph of BatchNorms that go by the batch, as in training mode."""
    if loaded.spec.facts.get("export") != "training":
        return None
    import warnings

    import torch

    class Training(torch.nn.Module):
        def __init__(self, norm: torch.nn.BatchNorm2d) -> None:
            super().__init__()
            self.norm = norm

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            mean = x.mean((0, 2, 3), keepdim=True)
            spread = ((x - mean) ** 2).mean((0, 2, 3), keepdim=True) + self.norm.eps
            return (x - mean) / spread.sqrt() * self.norm.weight[:, None, None] + self.norm.bias[:, None, None]

    layers = [Training(one) if isinstance(one, torch.nn.BatchNorm2d) else one for one in loaded.module]
    names: dict[str, Any] = {"input_names": ["image"], "output_names": ["class"], "opset_version": request.opset}
    axes, image = {"image": {0: "N"}, "class": {0: "N"}}, torch.zeros(1, 3, SIDE, SIDE)
    with warnings.catch_warnings():  # that this exporter is the older one
        warnings.simplefilter("ignore")
        module = torch.nn.Sequential(*layers).eval()
        torch.onnx.export(module, (image,), str(request.path), dynamic_axes=axes, dynamo=False, **names)
    return Exported(path=request.path, exporter="torch", call="torch.onnx.export(module, ...)")


class RigSession(Session):
    def __init__(self, request: OpenRequest) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = max(request.threads // request.streams, 1)
        self._fault = str(request.options.get("fault", ""))
        path, export = request.path, request.path.with_name(request.path.name.replace("-rig-fp32", ""))
        if self._fault == "other-file" and export.exists():
            path = export
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._precision = request.artefact.precision
        self.info = SessionInfo(
            runtime="rig",
            version="1",
            precision=self._precision,
            provider="cpu",
            threads=request.threads,
            streams=request.streams,
            batch=request.batch,
        )
        self._lock, self._calls, self._first = threading.Lock(), 0, 0
        self._buffers: dict[tuple[str, int], np.ndarray] = {}
        self._before: dict[tuple[str, int], np.ndarray] = {}
        self._cache: dict[bytes, dict[str, np.ndarray]] = {}
        self._random = np.random.default_rng(0)
        self._ring: dict[tuple[str, int], list[np.ndarray]] = {}

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        [(given, batch)] = feeds.items()
        with self._lock:
            self._calls += 1
            calls = self._calls
            self._first = self._first or threading.get_ident()
        names = [each.name for each in self._session.get_outputs()]
        stands = [self._before.get((name, len(batch))) for name in names]
        if self._fault in ("constant", "skipped") and calls > WARM and all(rows is not None for rows in stands):
            kept = self._fault == "skipped"
            return {name: rows if kept else np.zeros_like(rows) for name, rows in zip(names, stands, strict=True)}
        if self._fault == "cached" and batch.tobytes() in self._cache:
            return self._cache[batch.tobytes()]
        if self._fault == "colours":
            batch = np.ascontiguousarray(batch[:, ::-1])
        for _ in range(50 if self._fault == "cached" else 1):  # a network that is worth a cache
            found = self._session.run(names, {given: batch})
        outputs = "fp16" if self._fault == "fp16-outputs" else self._precision
        outputs = "fp32" if self._fault == "float" else outputs
        pairs = zip(names, found, strict=True)
        answer = {name: self._wrong(name, rounded(rows, outputs), calls) for name, rows in pairs}
        if self._fault == "cached":
            self._cache[batch.tobytes()] = answer
        return answer

    def _wrong(self, name: str, rows: np.ndarray, calls: int) -> np.ndarray:
        count, fault = len(rows), self._fault
        place = name, count
        before, self._before[place] = self._before.get(place, rows), rows.copy()
        if fault == "batch-8" and count == 8:
            return rows * np.float32(1.02)
        if fault == "shuffled" and count >= 4:
            return rows[::-1].copy()
        if fault == "last-row" and count >= 4:
            rows[-1] = rows[0]
        if fault == "last-row-near" and count >= 4:
            rows[-1] *= np.float32(1.02)
        if fault == "nan" and count >= 8:
            rows[3] = np.nan
        if fault == "neighbours" and count > 3:
            return rows + np.float32(0.02) * np.roll(rows, 1, axis=0)
        if fault == "place" and count > 3:
            rows[count // 2] += np.float32(0.05)
        if fault == "buffer":
            buffer = self._buffers.setdefault(place, np.empty_like(rows))
            buffer[:] = rows
            return buffer
        if fault == "ring":
            ring = self._ring.setdefault(place, [np.empty_like(rows) for _ in range(3)])
            ring[calls % 3][:] = rows
            return ring[calls % 3]
        if fault == "unfinished":
            empty = np.zeros_like(rows)
            threading.Timer(0.01, np.copyto, (empty, rows)).start()
            return empty
        if fault == "first-call" and calls == 1:
            return np.zeros_like(rows)
        if fault == "softmax":
            powers = np.exp(rows - rows.max(axis=1, keepdims=True))
            return powers / powers.sum(axis=1, keepdims=True)
        if fault == "before" and count >= 8:
            return before
        if fault == "second-stream" and threading.get_ident() != self._first:
            return rows * np.float32(1.05)
        if fault == "late" and calls > WARM:
            return rows * np.float32(1.05)
        if fault == "random":
            return rows + self._random.normal(0, 0.01, rows.shape).astype(np.float32)
        if fault == "swallowed" and count == 4:
            return np.zeros_like(rows)
        return rows

    def measure(self, batch: int) -> Measured | None:
        """Under the fault `tool`: seconds where milliseconds are meant."""
        if self._fault != "tool":
            return None
        told = Latency(median_ms=0.00002 * batch)
        speed = {"ms_per_image": 0.02, "images_per_second": 50_000.0, "calls": 50, "warmup_runs": 5}
        return Measured(tool="rigbench", input="random values", latency=told, **speed)


class Rig(Runtime):
    name = "rig"
    options = (
        RuntimeOption(name="fault", default="", help="What it gets wrong."),
        RuntimeOption(name="compiled", default="", help="A file that an earlier build left."),
    )

    def status(self) -> RuntimeStatus:
        return RuntimeStatus(available=True, version="1", devices=("cpu",), precisions=("fp32", "bf16", "fp16", "int8"))

    def build(self, request: BuildRequest) -> Artefact:
        import onnx

        path = request.folder / f"{request.onnx.stem}-rig-{request.precision}.onnx"
        model = onnx.load(str(request.options.get("compiled") or request.onnx))
        fault = str(request.options.get("fault", ""))
        rounding = fault if fault in ("fp16", "bf16") else request.precision
        if rounding in ("fp16", "bf16") and fault != "float":
            round_weights(model, rounding)
        if fault in ("int8-undone", "int8-half"):
            undo_quantisation(model, keep=0 if fault == "int8-undone" else 1)
        onnx.save(model, path)
        return Artefact(
            runtime=self.name,
            precision=request.precision,
            path=str(path.relative_to(request.folder.parent)),
            command="rigc",
            sha256=file_digest(path),
            size_bytes=path.stat().st_size,
        )

    def open(self, request: OpenRequest) -> Session:
        return RigSession(request)


def rounded(values: np.ndarray, precision: str) -> np.ndarray:
    """float32 values to the nearest that `precision` has, as float32; fp32 and int8 leave them."""
    if precision == "fp16":
        return values.astype(np.float16).astype(np.float32)
    if precision == "bf16":
        bits = values.copy().view(np.uint32)
        return ((bits + 0x7FFF + (bits >> 16 & 1)) & np.uint32(0xFFFF0000)).view(np.float32)
    return values


def round_weights(model: Any, precision: str) -> None:
    from onnx import numpy_helper

    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32:
            tensor.CopyFrom(numpy_helper.from_array(rounded(values, precision), tensor.name))


def undo_quantisation(model: Any, *, keep: int) -> None:
    """All matrix layers but the last `keep` run in float: without QuantizeLinear and DequantizeLinear before them."""
    from onnx import helper, numpy_helper

    graph = model.graph
    made = {name: node for node in graph.node for name in node.output}
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    layers = [node for node in graph.node if node.op_type in ("Conv", "Gemm", "MatMul")]
    for layer in layers[: len(layers) - keep]:
        for place, name in enumerate(layer.input):
            node = made.get(name)
            if node is None or node.op_type != "DequantizeLinear":
                continue
            stored, scale, zero = node.input
            step, centre = values[scale], values[zero]
            if stored in values:
                axis = next((each.i for each in node.attribute if each.name == "axis"), 0)
                shape = [-1 if d == axis else 1 for d in range(values[stored].ndim)] if step.ndim else []
                steps = values[stored].astype(np.float32) - centre.astype(np.float32).reshape(shape)
                given = (steps * step.reshape(shape)).astype(np.float32)
                graph.initializer.append(numpy_helper.from_array(given, f"{name}_float"))
            else:  # what the quantiser saturates may stand for a ReLU
                source, ends = made[stored].input[0], np.iinfo(centre.dtype)
                bounds = [f"{name}_low", f"{name}_high"]
                for bound, end in zip(bounds, (ends.min, ends.max), strict=True):
                    limit = np.array((end - float(centre)) * float(step), np.float32)
                    graph.initializer.append(numpy_helper.from_array(limit, bound))
                clip = helper.make_node("Clip", [source, *bounds], [f"{name}_float"])
                graph.node.insert(list(graph.node).index(node), clip)
            layer.input[place] = f"{name}_float"


@hookimpl
def porter_runtimes() -> Sequence[Runtime]:
    return [Rig()]
