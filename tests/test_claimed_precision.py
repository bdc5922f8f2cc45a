"""The precision that an artefact claims against its numbers: what contradicts it fails, healthy ones are quiet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from convnet import colour_network
from onnx import TensorProto, helper, numpy_helper
from tiny import TinyPlugin, start, write_photos

from porter import Artefact, BuildRequest, OnnxRuntime, OpenRequest, Session, hookimpl
from porter.graphs.quantize.qdq_layers import quantised_layers
from porter.graphs.rounded_weights import precision_of, round_weights, rounded_to
from porter.pipeline.judge.claimed_precision import told
from porter.pipeline.run import Run
from porter.records.precision import PRECISIONS
from porter.records.precision_signs import PrecisionSigns
from porter.records.record import State, Verdict

LABELS = [0, 1, 2] * 4
Change = Callable[[onnx.ModelProto], None]


class Changing(OnnxRuntime):
    """Builds from the exported file what `change` makes of it, and claims what was asked for."""

    name = "changing"

    def __init__(self, change: Change, layers: dict[str, int] | None = None) -> None:
        self._change, self._layers = change, layers

    def build(self, request: BuildRequest) -> Artefact:
        path = request.folder / f"changed-{request.precision}.bin"
        model = onnx.load(request.onnx)
        self._change(model)
        path.write_bytes(model.SerializeToString())
        return replace(super().build(replace(request, onnx=path)), runtime=self.name)

    def open(self, request: OpenRequest) -> Session:
        asked = request.artefact.precision
        session = super().open(replace(request, artefact=replace(request.artefact, precision="fp32")))
        info = replace(session.info, runtime=self.name, precision=asked)
        session.info = info if self._layers is None else replace(info, layers=self._layers)
        return session


class Offering(TinyPlugin):
    def __init__(self, runtime: Any, network: Any) -> None:
        super().__init__(network=network)
        self._runtime = runtime

    @hookimpl
    def porter_runtimes(self) -> tuple[Any, ...]:
        return (self._runtime,)


def network_of_many_values() -> Any:
    """`colour_network` with weights that no lesser precision has: it still classifies."""
    import torch

    network = colour_network()
    generator = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        parameter.data *= 1 + 0.05 * torch.randn(parameter.shape, generator=generator)
    return network


def verified(folder: Path, runtime: Any, **options: Any) -> Run:
    labels = write_photos(folder / "val", LABELS)
    plugin = Offering(runtime, network_of_many_values())
    run = start(folder / "out", folder / "val", labels, plugin=plugin, runtimes=("changing",), **options)
    run.export(), run.verify()
    return run


def parity(run: Run) -> Verdict:
    return next(one for one in run.record.verdicts if one.name == "parity")


def said(run: Run) -> str:
    return "\n".join(map(str, parity(run).evidence))


def signs(run: Run, place: int = 0) -> PrecisionSigns:
    found = run.record.parity[place].precision
    assert found is not None
    return found


def within(model: onnx.ModelProto) -> None:
    """The last bias, off by what the tolerance of fp32 allows and fp32 never makes."""
    bias = next(one for one in model.graph.initializer if list(one.dims) == [3])
    bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + np.float32(2e-4), bias.name))


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_rounded_weights_are_told_from_the_errors(tmp_path: Path, precision: str) -> None:
    run = verified(tmp_path, Changing(lambda model: round_weights(model, precision)))
    assert parity(run).state is State.FAIL
    assert f"fp32, but its errors match weights rounded to {precision}" in said(run)
    assert signs(run).alike[precision] > 0.9
    assert "does not have the claimed data type: build it again, or request the type that it has" in str(
        parity(run).advice[0]
    )


def test_errors_within_the_tolerance_that_fp32_never_makes_fail(tmp_path: Path) -> None:
    run = verified(tmp_path, Changing(within))
    assert all(one.passed for one in run.record.parity[0].outputs)
    assert parity(run).state is State.FAIL and "have the size of fp16 rounding" in said(run)


def test_a_tolerance_that_was_asked_for_is_the_bound(tmp_path: Path) -> None:
    run = verified(tmp_path, Changing(within), rtol=1e-2)
    assert parity(run).state is State.PASS and "have the size of fp16 rounding" in said(run)


def test_an_int8_that_nobody_quantised_fails(tmp_path: Path) -> None:
    run = start_int8(tmp_path, Changing(lambda model: model.CopyFrom(onnx.load(tmp_path / "out/models/tiny.onnx"))))
    assert parity(run).state is State.FAIL
    assert "claims int8, but its errors are those of a finer data type" in said(run)


def test_an_int8_that_the_runtime_undid_is_counted(tmp_path: Path) -> None:
    run = start_int8(tmp_path, Changing(lambda _model: None, layers={"int8": 1, "fp32": 3}))
    assert parity(run).state is State.FAIL
    assert "1 of 4 convolutions and matrix products run in it: the runtime undid" in said(run)


def start_int8(folder: Path, runtime: Any) -> Run:
    labels = write_photos(folder / "val", LABELS * 3)
    plugin = Offering(runtime, network_of_many_values())
    options = {"runtimes": ("changing",), "precisions": ("int8",), "calibration_images": 6}
    run = start(folder / "out", folder / "val", labels, plugin=plugin, **options)
    run.export()
    exported = run.job.folder / run.record.export.path  # type: ignore[union-attr]
    if exported.name != "tiny.onnx":
        (exported.parent / "tiny.onnx").write_bytes(exported.read_bytes())
    run.verify()
    return run


@pytest.mark.parametrize("threads", [1, 2])
def test_healthy_artefacts_are_quiet_and_int8_is_counted(tmp_path: Path, threads: int) -> None:
    labels = write_photos(tmp_path / "val", LABELS * 3)
    plugin = TinyPlugin(network=network_of_many_values())
    options = {"runtimes": ("onnxruntime", "openvino"), "precisions": ("fp32", "int8"), "calibration_images": 6}
    run = start(tmp_path / "out", tmp_path / "val", labels, plugin=plugin, **{**options, "threads": None})
    run.export(), run.verify()
    assert parity(run).state is State.PASS, said(run)
    for one in run.record.parity:
        assert one.precision is not None and not one.precision.contradictions
    assert "onnxruntime-int8: 4 of 4 convolutions and matrix products run in int8" in said(run)
    assert signs(run).noise is None, "nothing called for a closer look"


def test_small_networks_are_quiet(tmp_path: Path) -> None:
    run = start(tmp_path / "out", tmp_path / "val", write_photos(tmp_path / "val", LABELS), threads=1)
    run.export(), run.verify()
    assert parity(run).state is State.PASS and not signs(run).notes


def test_weights_that_are_fp16_in_the_checkpoint_are_a_note(tmp_path: Path) -> None:
    network = network_of_many_values()
    for parameter in network.parameters():
        parameter.data = parameter.data.half().float()
    labels = write_photos(tmp_path / "val", LABELS)
    run = start(tmp_path / "out", tmp_path / "val", labels, plugin=TinyPlugin(network=network))
    run.export(), run.verify()
    assert parity(run).state is State.PASS
    assert "all its weights are values of fp16, as the model's own are" in said(run)


def test_a_file_whose_weights_alone_were_rounded_fails(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", LABELS)
    run = start(
        tmp_path / "out", tmp_path / "val", labels, plugin=TinyPlugin(network=network_of_many_values()), rtol=1.0
    )
    run.export(), run.verify()
    path = run.job.folder / run.record.artefacts[0].path
    model = onnx.load(path)
    round_weights(model, "bf16")
    onnx.save(model, path)
    run.verify()
    assert parity(run).state is State.FAIL
    assert "all its weights were rounded to bf16; the model's own are not" in said(run)


def judged(precision: str, *, inside: bool = True, **given: Any) -> PrecisionSigns:
    return told(PrecisionSigns(values=1000, **given), "one", PRECISIONS[precision], within=inside, given=False)


def test_a_network_that_amplifies_rounding_is_no_contradiction() -> None:
    sizes = {"fp16": 0.3, "bf16": 2.0}
    assert not judged("fp32", relative_rms=2e-4, noise=4e-5, rounded=sizes, alike={"fp16": 0.1}).contradictions
    assert judged("fp32", relative_rms=2e-4, noise=2e-7, rounded=sizes, alike={"fp16": 0.1}).contradictions


def test_another_fault_is_not_called_rounding() -> None:
    """Outside the tolerance, of another size and unlike: parity fails by itself, and precision is not blamed."""
    found = judged("fp32", inside=False, relative_rms=0.4, noise=1e-7, rounded={"fp16": 5e-4}, alike={"fp16": 0.02})
    assert not found.contradictions and not found.notes


def test_bf16_as_claimed_is_quiet_and_one_that_is_finer_or_coarser_is_not() -> None:
    assert judged("bf16", relative_rms=4e-3, layers={"bf16": 49}) == PrecisionSigns(
        values=1000, relative_rms=4e-3, layers={"bf16": 49}
    )
    found = judged("bf16", relative_rms=1e-6)
    assert "errors are those of a finer data type" in str(found.contradictions[0])
    found = judged("bf16", relative_rms=4e-2, rounded={"bf16": 4e-3}, alike={"bf16": 0.1})
    assert "10 times those of weights rounded to it" in str(found.contradictions[0])
    assert not judged("bf16", relative_rms=1e-2, rounded={"bf16": 4e-3}, alike={"bf16": 0.5}).contradictions
    assert "40 of 49" in str(judged("bf16", relative_rms=4e-3, layers={"bf16": 40, "fp32": 9}).notes[0])


def test_layers_left_in_float_on_purpose_are_said_and_fail_nothing() -> None:
    found = judged("int8", relative_rms=0.01, layers={"int8": 12, "fp32": 37}, graph_int8=12, graph_layers=49)
    assert not found.contradictions
    assert "12 of 49 convolutions and matrix products run in int8" in str(found.notes[0])
    undone = judged("int8", relative_rms=0.01, layers={"int8": 12, "fp32": 37}, graph_int8=49, graph_layers=49)
    assert "12 of 49" in str(undone.contradictions[0])
    assert judged("int8", relative_rms=0.01, graph_int8=0, graph_layers=49).contradictions


def test_rounding_is_that_of_the_formats() -> None:
    values = np.random.default_rng(0).standard_normal(4096).astype(np.float32)
    tensor = helper.make_tensor("x", TensorProto.BFLOAT16, [4096], values)
    np.testing.assert_array_equal(rounded_to(values, "bf16"), numpy_helper.to_array(tensor).astype(np.float32))
    np.testing.assert_array_equal(rounded_to(values, "fp16"), values.astype(np.float16).astype(np.float32))
    assert precision_of([values]) == ""
    assert precision_of([rounded_to(values, "bf16")]) == "bf16"
    assert precision_of([rounded_to(values, "fp16"), rounded_to(values, "bf16")]) == "fp16"
    grid = values.reshape(64, 64)
    step = np.abs(grid).max(axis=1, keepdims=True) / 127
    assert precision_of([np.rint(grid / step) * step]) == "int8" and precision_of([grid]) == ""
    assert precision_of([np.eye(64, dtype=np.float32)]) == "", "too few values to tell"


def test_layers_are_counted_in_either_form() -> None:
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "s", "z"], ["a"]),
        helper.make_node("DequantizeLinear", ["w", "s", "z"], ["b"]),
        helper.make_node("Conv", ["a", "b", "bias"], ["c"]),
        helper.make_node("Conv", ["c", "v"], ["d"]),
        helper.make_node("ConvInteger", ["x", "w"], ["e"]),
    ]
    assert quantised_layers(helper.make_model(helper.make_graph(nodes, "g", [], []))) == (2, 3)
