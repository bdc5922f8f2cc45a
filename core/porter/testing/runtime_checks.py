"""Checks of the runtimes that a plugin offers, on a graph of two nodes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from porter.contracts.runtime import (
    BuildRequest,
    OpenRequest,
    OptionValue,
    ProbeRequest,
    Runtime,
    RuntimeOption,
    RuntimeStatus,
    Session,
)
from porter.errors import PorterError
from porter.files.hashes import file_digest
from porter.machine.host import usable_threads
from porter.pipeline.job.as_asked import FIELDS, differences
from porter.pipeline.job.targets import needs_calibration
from porter.pipeline.verify import compare
from porter.records.artefact import Artefact, SessionInfo
from porter.records.parity import Tolerance
from porter.records.spec import ModelSpec, PreprocessSpec, TensorSpec
from porter.runfolder.layout import MODELS
from porter.testing.session_behaviour import session_behaviour
from porter.testing.tried_model import Problem, Subject

if TYPE_CHECKING:
    import numpy as np

HOOK = "porter_runtimes"
PRECISION = "fp32"
"""The one whose outputs are compared: what a coarser one may be off by, its models decide."""
OPTION_NAME = re.compile(r"\w[\w-]*")
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
        elif problem := _option_problem(runtime):
            yield Problem(HOOK, f"{runtime.name!r}: {problem}")
        else:
            for precision in status.precisions:
                if not needs_calibration(runtime, precision, SPEC):
                    yield from _works(runtime, precision, subject.folder / "runtimes" / runtime.name / precision)


def _works(runtime: Runtime, precision: str, folder: Path) -> Iterator[Problem]:
    models = folder / MODELS
    models.mkdir(parents=True)
    weights = _write_graph(models / "two-nodes.onnx")
    request = BuildRequest(
        onnx=models / "two-nodes.onnx", spec=SPEC, folder=models, precision=precision, options=_options(runtime)
    )
    said = f"{runtime.name!r} at {precision}"
    try:
        artefact = runtime.build(request)
        problem = _artefact_problem(runtime, artefact, precision, folder)
        if problem:
            yield Problem(HOOK, f"build() of {said}: {problem}")
            return
        artefact = replace(artefact, options=_options(runtime))
        for opening in _openings(artefact, folder):
            with closing(runtime.open(opening)) as session:
                yield from _as_asked(said, opening, session.info)
                if precision == PRECISION:
                    wrong = list(_answers(runtime, session, weights))
                    yield from wrong or session_behaviour(said, session, weights)
        if runtime.probes and precision == PRECISION:
            yield from _probes(runtime, artefact, folder, weights)
    except PorterError as error:
        yield Problem(HOOK, f"{said} says that it is available, but: {error}")


def _openings(artefact: Artefact, folder: Path) -> Iterator[OpenRequest]:
    """A session for any batch size, one for a single size, and one of two streams where there are processors for it."""
    plain = OpenRequest(
        artefact=artefact, path=folder / artefact.path, spec=SPEC, options=dict(artefact.options), threads=1
    )
    yield plain
    yield replace(plain, batch=artefact.batch or 2)
    if usable_threads() > 1:
        yield replace(plain, threads=2, streams=2)


def _as_asked(said: str, request: OpenRequest, info: SessionInfo) -> Iterator[Problem]:
    """What the session says of itself is what was asked for, or announced."""
    if not isinstance(info, SessionInfo):
        yield Problem(HOOK, f"the session of {said}: its `info` is {type(info).__name__}, it must be SessionInfo")
        return
    for one in differences(request, info):
        fewer = one.field == "streams" and info.streams < request.streams  # core then asks for fewer
        if one.field not in info.announced and not fewer:
            way_out = "what runs must be what was asked for, or stand in SessionInfo.announced with the reason"
            yield Problem(HOOK, f"the session of {said}, {one}; {way_out}")
    for name in sorted(info.announced.keys() - FIELDS):
        listed = ", ".join(FIELDS)
        yield Problem(HOOK, f"the session of {said} announces {name!r}, which is none of {listed}")


def _artefact_problem(runtime: Runtime, artefact: Artefact, precision: str, folder: Path) -> str:
    if artefact.runtime != runtime.name or artefact.precision != precision:
        return f"asked for {runtime.name} {precision}, the artefact says {artefact.runtime} {artefact.precision}"
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
        got = session.run({"image": batch}).get("class")
        parity = compare("class", rows, batch.reshape(rows, -1) @ weights, got, Tolerance())
        if not parity.passed:
            off = parity.problem or f"the output is off by {parity.max_abs_error:.3g} (allowed {parity.allowed:.3g})"
            yield Problem(HOOK, f"run() of {runtime.name!r} at batch {rows}: {off}")


def _options(runtime: Runtime) -> dict[str, OptionValue]:
    """The runtime's own options at their defaults."""
    return {option.name: option.default for option in runtime.options}


def _option_problem(runtime: Runtime) -> str:
    """What is wrong with the options that a runtime declares; empty where nothing is."""
    seen: set[str] = set()
    for option in runtime.options:
        if not isinstance(option, RuntimeOption):
            return f"options has a {type(option).__name__} in it, not a RuntimeOption"
        if not OPTION_NAME.fullmatch(option.name):
            return f"option {option.name!r}: letters, digits, _ and - make a name"
        if option.name in seen:
            return f"option {option.name!r} is declared twice"
        if not option.help.strip() or "\n" in option.help:
            return f"option {option.name!r}: help is one line that says what it does"
        if option.choices and option.default not in option.choices:
            return f"option {option.name!r}: its default {option.default!r} is none of its choices"
        seen.add(option.name)
    return ""


def _probes(runtime: Runtime, artefact: Artefact, folder: Path, weights: np.ndarray) -> Iterator[Problem]:
    """A probe gives the values inside the graph, by the names that they have in the ONNX file."""
    import numpy as np

    request = ProbeRequest(
        onnx=folder / "models/two-nodes.onnx",
        precision=PRECISION,
        threads=1,
        artefact=artefact,
        path=folder / artefact.path,
        spec=SPEC,
        options=dict(artefact.options),
    )
    with closing(runtime.probe(request)) as probe:
        if not isinstance(getattr(probe, "label", None), str) or not probe.label:
            yield Problem(HOOK, f"probe() of {runtime.name!r}: label must say what reports call it")
        if "class" not in probe.names():
            yield Problem(HOOK, f"probe() of {runtime.name!r}: names() lacks the graph's own output 'class'")
            return
        batch = np.random.default_rng(1).standard_normal((1, 3, 8, 8), dtype=np.float32)
        flat = batch.reshape(1, -1)
        wanted = {"flat": flat, "class": flat @ weights}
        got = probe.fetch([name for name in wanted if name in probe.names()], {"image": batch})
        for name, values in got.items():
            parity = compare(name, 1, wanted[name], np.asarray(values), Tolerance())
            if not parity.passed:
                yield Problem(HOOK, f"probe() of {runtime.name!r}: the value of {name!r} is not the graph's")


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
