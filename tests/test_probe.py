"""A runtime's probe, as a plugin outside of porter writes one: compared by diagnose, and blamed for its own faults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from graphs import change_weight, edited, images, network
from tiny import start, write_photos

from porter import (
    Artefact,
    BuildRequest,
    OnnxRuntimeSession,
    OpenRequest,
    PluginError,
    Probe,
    ProbeRequest,
    Runtime,
    RuntimeStatus,
    Session,
    file_digest,
    hookimpl,
)
from porter.diagnose.probing import open_probe, probing
from porter.errors import BadInput
from porter.graphs.nodes import diagnose_graphs
from porter.graphs.onnx_probe import OnnxProbe
from porter.hosting.manager import create_registry
from porter.hosting.registry import Registry


class Evaluator(Probe):
    """ONNX's own reference evaluator, which gives every tensor that it is asked for."""

    def __init__(self, request: ProbeRequest) -> None:
        self.label = f"{request.onnx.name} by the book"
        self.model = onnx.load(request.onnx)

    def names(self) -> Sequence[str]:
        return [name for node in self.model.graph.node for name in node.output]

    def fetch(self, names: Sequence[str], feed: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        from onnx.reference import ReferenceEvaluator

        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        del model.graph.output[:]
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
        return dict(zip(names, ReferenceEvaluator(model).run(None, dict(feed)), strict=True))

    def notes(self) -> Sequence[str]:
        return ("every operator as the standard defines it",)


class Book(Runtime):
    """Delivers the ONNX file under a name of its own."""

    name = "book"
    probes = True
    asked: ProbeRequest | None = None

    def status(self) -> RuntimeStatus:
        return RuntimeStatus(available=True, version="1", devices=("cpu",), precisions=("fp32",))

    def build(self, request: BuildRequest) -> Artefact:
        path = request.folder / "tiny.book"
        path.write_bytes(request.onnx.read_bytes())
        digest, size = file_digest(path), path.stat().st_size
        return Artefact(runtime=self.name, precision="fp32", path=f"models/{path.name}", sha256=digest, size_bytes=size)

    def open(self, request: OpenRequest) -> Session:
        return OnnxRuntimeSession(request)

    def probe(self, request: ProbeRequest) -> Any:
        self.asked = request
        return Evaluator(request)


def offering(runtime: Runtime) -> Registry:
    return create_registry([("book", SimpleNamespace(porter_runtimes=hookimpl(lambda: [runtime])))])


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "network.onnx"
    onnx.save(edited(lambda model: change_weight(model, "stage.0.conv2.weight", lambda w: w * 1.1)), path)
    return path


def test_a_third_partys_probe_needs_nothing_of_core(saved: Path) -> None:
    registry = offering(Book())
    assert probing(registry) == ["book", "onnxruntime"]
    candidate, behind = open_probe(registry, "book", ProbeRequest(onnx=saved, precision="fp32", threads=1))
    found = diagnose_graphs(OnnxProbe(network(), "a.onnx", threads=1), candidate, [images()], behind=behind)
    assert found.introduced_by == "growth" and found.candidate == "network.onnx by the book"
    assert found.first is not None and found.first.name == "/stage/stage.0/conv2/Conv"
    assert [row.what for row in found.static] == ["stage.0.conv2.weight"], "of the graph that core read"
    assert "every operator as the standard defines it" in found.notes


@pytest.mark.parametrize(("rounding", "told"), [(0.11, []), (0.05, ["stage.0.conv2.weight"])])
def test_what_a_quantiser_of_its_own_rounds_is_no_fault(rounding: float, told: list[str], saved: Path) -> None:
    candidate, behind = open_probe(
        offering(Book()), "book", ProbeRequest(onnx=saved, precision="fp32", threads=1)
    )  # float32 as it was, 0.1 of the largest value off
    reference = OnnxProbe(network(), "a.onnx", threads=1)
    found = diagnose_graphs(reference, candidate, [images()], behind=behind, rounding=rounding)
    assert [row.what for row in found.static] == told


def test_onnx_runtime_goes_the_same_way_and_is_walked_node_by_node(saved: Path) -> None:
    candidate, behind = open_probe(
        create_registry([]), "onnxruntime", ProbeRequest(onnx=saved, precision="fp32", threads=1)
    )
    assert isinstance(candidate, OnnxProbe) and candidate.graph is behind
    found = diagnose_graphs(OnnxProbe(network(), "a.onnx", threads=1), candidate, [images()], behind=behind)
    assert found.introduced_by == "alone"


def test_a_broken_file_is_refused_before_a_runtime_sees_it(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_text("text")
    book = Book()
    with pytest.raises(BadInput, match=r"bad\.onnx: a text file .*, not an ONNX file"):
        open_probe(offering(book), "book", ProbeRequest(onnx=tmp_path / "bad.onnx", precision="fp32", threads=1))
    assert book.asked is None


class Raising(Book):
    def probe(self, request: ProbeRequest) -> Any:
        raise KeyError("no such tensor")


class Other(Book):
    def probe(self, request: ProbeRequest) -> Any:
        return {"scores": 1}


class Lists(Evaluator):
    def fetch(self, names: Sequence[str], feed: Mapping[str, np.ndarray]) -> Any:
        return {name: array.tolist() for name, array in super().fetch(names, feed).items()}


class Broken(Evaluator):
    def names(self) -> Sequence[str]:
        raise RuntimeError("driver gone")


class WithProbe(Book):
    def __init__(self, probe: type[Evaluator]) -> None:
        self._probe = probe

    def probe(self, request: ProbeRequest) -> Any:
        return self._probe(request)


@pytest.mark.parametrize(
    ("runtime", "message"),
    [
        (Raising(), r"plugin 'book': probe\(\) of runtime 'book' raised KeyError: 'no such tensor' \(test_probe.py:"),
        (Other(), r"plugin 'book': probe\(\) of runtime 'book' returned dict, must return a Probe"),
        (
            WithProbe(Broken),
            r"names\(\) of the probe of runtime 'book' raised RuntimeError: driver gone",
        ),
    ],
)
def test_a_probes_fault_is_laid_at_its_plugin(saved: Path, runtime: Runtime, message: str) -> None:
    with pytest.raises(PluginError, match=message):
        candidate, _ = open_probe(offering(runtime), "book", ProbeRequest(onnx=saved, precision="fp32", threads=1))
        candidate.names()


def test_what_is_no_array_is_a_fault_as_well(saved: Path) -> None:
    request = ProbeRequest(onnx=saved, precision="fp32", threads=1)
    candidate, behind = open_probe(offering(WithProbe(Lists)), "book", request)
    found = diagnose_graphs(OnnxProbe(network(), "a.onnx", threads=1), candidate, [images()], behind=behind)
    assert found.failures == ("plugin 'book': probe() of runtime 'book': fetch() returned list instead of an array",)


class Both:
    """The tiny model's plugin with a runtime beside it."""

    def __init__(self, runtime: Runtime) -> None:
        from tiny import TinyPlugin

        self._tiny, self._runtime = TinyPlugin(), runtime
        for name in ("porter_models", "porter_describe", "porter_load"):
            setattr(self, name, getattr(self._tiny, name))

    @hookimpl
    def porter_runtimes(self) -> Sequence[Runtime]:
        return [self._runtime]


def test_a_run_probes_whatever_probes_and_names_what_does_not(tmp_path: Path) -> None:
    labels, book = write_photos(tmp_path / "val", [0, 1, 2] * 6), Book()
    run = start(tmp_path / "out", tmp_path / "val", labels, plugin=Both(book), runtimes=("onnxruntime", "book"))
    run.everything()
    run.alone("diagnose")
    found = run.record.diagnosis
    assert found is not None and found.sound and found.not_probed == ()
    assert [graph.candidate for graph in found.graphs] == ["onnxruntime-fp32", "book-fp32"]
    assert found.charts == ("diagnosis-onnxruntime-fp32.svg", "diagnosis-book-fp32.svg")
    asked = book.asked
    assert asked is not None and asked.spec is not None and asked.artefact == run.record.artefacts[1]
    assert (asked.onnx.name, asked.path) == ("tiny.book", tmp_path / "out/models/tiny.book")

    book.probes = False
    run.alone("diagnose")
    found = run.record.diagnosis
    assert found is not None and [graph.candidate for graph in found.graphs] == ["onnxruntime-fp32"]
    line = "book-fp32 was not compared node by node: runtime book does not provide values inside the graph"
    assert line in (tmp_path / "out/README.md").read_text()
    assert line in (tmp_path / "out/report.html").read_text()
    assert (
        "book-fp32 未做逐节点比较：推理引擎 book 不提供计算图内部的张量值。"
        in (tmp_path / "out/README.zh.md").read_text()
    )


def test_a_probe_that_fails_in_a_run_is_one_line_of_the_record(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2] * 2)
    run = start(tmp_path / "out", tmp_path / "val", labels, plugin=Both(Raising()), runtimes=("book",))
    run.everything()
    run.alone("diagnose")
    found = run.record.diagnosis
    assert found is not None
    [left] = found.not_probed
    assert left.artefact == "book-fp32" and str(left.reason).startswith("plugin 'tiny': probe() of runtime 'book'")
