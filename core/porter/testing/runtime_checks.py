"""Checks of the runtimes that a plugin offers, on a graph of two nodes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from porter.contracts.runtime import BuildRequest, OpenRequest, ProbeRequest, Runtime, RuntimeStatus, Session
from porter.errors import PorterError
from porter.files.hashes import file_digest
from porter.pipeline.verify import compare
from porter.records.artefact import Artefact
from porter.records.parity import Tolerance
from porter.records.spec import ModelSpec, PreprocessSpec, TensorSpec
from porter.testing.tried_model import Problem, Subject

if TYPE_CHECKING:
    import numpy as np

HOOK = "porter_runtimes"
PRECISION = "fp32"
SPEC = ModelSpec(
    name="two-nodes",
    task="classification",
    num_classes=4,
    inputs=(TensorSpec(name="image", shape=("N", 3, 8, 8)),),
    outputs=(TensorSpec(name="class", shape=("N", 4)),),
    preprocess=PreprocessSpec(resize=8, crop=(8, 8)),
)


def runtimes(subject: Subject) -> Iterator[Problem]:
    """A runtime says whether it is here; one that is here builds, opens and runs a graph, and says what really ran."""
    for runtime in subject.offered(HOOK):
        try:
            status = runtime.status()
        except Exception as error:  # whatever it raises is the finding
            yield Problem(HOOK, f"status() of {runtime.name!r} raised {type(error).__name__}: {error}; it must not")
            continue
        if not isinstance(status, RuntimeStatus):
            yield Problem(HOOK, f"status() of {runtime.name!r} returned {type(status).__name__}, not RuntimeStatus")
        elif not status.available:
            if not status.advice:
                yield Problem(HOOK, f"{runtime.name!r} is not available, and its status does not say how to get it")
        elif PRECISION in status.precisions:
            yield from _works(runtime, subject.folder / "runtimes" / runtime.name)


def _works(runtime: Runtime, folder: Path) -> Iterator[Problem]:
    models = folder / "models"
    models.mkdir(parents=True)
    weights = _write_graph(models / "two-nodes.onnx")
    request = BuildRequest(onnx=models / "two-nodes.onnx", spec=SPEC, folder=models, precision=PRECISION)
    try:
        artefact = runtime.build(request)
        problem = _artefact_problem(runtime, artefact, folder)
        if problem:
            yield Problem(HOOK, f"build() of {runtime.name!r}: {problem}")
            return
        with closing(runtime.open(_opening(artefact, folder))) as session:
            yield from _answers(runtime, session, weights)
        if runtime.probes:
            yield from _probes(runtime, artefact, request.onnx, folder, weights)
    except PorterError as error:
        yield Problem(HOOK, f"{runtime.name!r} says that it is available, but: {error}")


def _opening(artefact: Artefact, folder: Path) -> OpenRequest:
    return OpenRequest(artefact=artefact, path=folder / artefact.path, spec=SPEC, threads=1)


def _artefact_problem(runtime: Runtime, artefact: Artefact, folder: Path) -> str:
    if artefact.runtime != runtime.name or artefact.precision != PRECISION:
        return f"asked for {runtime.name} {PRECISION}, the artefact says {artefact.runtime} {artefact.precision}"
    for file in artefact.files:
        path = folder / file.path
        if not path.is_file():
            return f"the artefact's path {file.path!r} is no file of the run's folder"
        if file.sha256 != file_digest(path):
            return f"the artefact's sha256 is not that of its file {file.path!r}"
    return ""


def _answers(runtime: Runtime, session: Session, weights: np.ndarray) -> Iterator[Problem]:
    import numpy as np

    info = session.info
    if info.runtime != runtime.name or not info.version or not info.provider:
        yield Problem(HOOK, f"SessionInfo of {runtime.name!r} must name runtime, version and provider, found {info}")
    for rows in (1, 2, 3) if info.batch is None else (info.batch,):
        batch = np.random.default_rng(rows).standard_normal((rows, 3, 8, 8), dtype=np.float32)
        got = session.run(batch).get("class")
        parity = compare("class", rows, batch.reshape(rows, -1) @ weights, got, Tolerance())
        if not parity.passed:
            off = parity.problem or f"the output is off by {parity.max_abs_error:.3g} (allowed {parity.allowed:.3g})"
            yield Problem(HOOK, f"run() of {runtime.name!r} at batch {rows}: {off}")


def _probes(runtime: Runtime, artefact: Artefact, onnx: Path, folder: Path, weights: np.ndarray) -> Iterator[Problem]:
    """The values inside, by the names of the ONNX file; a tensor that the runtime fused away may be missing."""
    import numpy as np

    request = ProbeRequest(
        onnx=onnx,
        precision=PRECISION,
        threads=1,
        artefact=artefact,
        path=folder / artefact.path,
        spec=SPEC,
        options={option.name: option.default for option in runtime.options},
    )
    batch = np.random.default_rng(0).standard_normal((artefact.batch or 2, 3, 8, 8), dtype=np.float32)
    wanted = {"flat": batch.reshape(len(batch), -1), "class": batch.reshape(len(batch), -1) @ weights}
    with closing(runtime.probe(request)) as probe:
        names = [name for name in probe.names() if name in wanted]
        if "class" not in names:
            yield Problem(HOOK, f"probe() of {runtime.name!r}: names() lacks the graph's output 'class'")
        for name, got in probe.fetch(names, {"image": batch}).items():
            parity = compare(name, len(batch), wanted[name], got, Tolerance())
            if not parity.passed:
                off = parity.problem or f"is off by {parity.max_abs_error:.3g} (allowed {parity.allowed:.3g})"
                yield Problem(HOOK, f"probe() of {runtime.name!r}: tensor {name!r}: {off}")


def _write_graph(path: Path) -> np.ndarray:
    """Write image → Flatten → MatMul → class at opset 11, with a free batch; returns the weights, float32 192×4."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(0).standard_normal((192, 4)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["image"], ["flat"], axis=1),
            helper.make_node("MatMul", ["flat", "weights"], ["class"]),
        ],
        "two-nodes",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, 8, 8])],
        [helper.make_tensor_value_info("class", TensorProto.FLOAT, ["N", 4])],
        [numpy_helper.from_array(weights, "weights")],
    )
    opsets = [helper.make_opsetid("", 11)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=6, producer_name="porter"), str(path))
    return weights
