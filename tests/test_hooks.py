"""Each hook does in a real run what its documentation says. Tiny networks, PyTorch and ONNX Runtime as they are."""

from __future__ import annotations

import csv
import doctest
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image as Pillow
from tiny import SPEC, TinyPlugin, start, strongest_channel, write_photos

from porter import hookimpl, hookspecs
from porter.builtin.classification import Classification, Classified, classify
from porter.builtin.onnxruntime import OnnxRuntime
from porter.checkpoints.read import read_checkpoint
from porter.checkpoints.strict_load import load_into
from porter.checkpoints.unwrap import find_weights
from porter.contracts.progress import Progress
from porter.contracts.requests import (
    Exported,
    ExportRequest,
    Image,
    Loaded,
    LoadRequest,
    ModelOffer,
    ModelRequest,
    Shipped,
)
from porter.contracts.runtime import Runtime, Session
from porter.contracts.task import DataRequest, Task
from porter.data.store import ImageStore
from porter.errors import BadInput, ExitCode, ImageError, PluginError
from porter.hosting.manager import create_registry
from porter.images.pipeline import reference_pipeline
from porter.pipeline.begin import begin
from porter.pipeline.run import Run
from porter.records.manifest import Item, Manifest
from porter.records.record import State
from porter.records.request import RunRequest
from porter.records.spec import ModelSpec, TensorSpec

LABELS = [0, 1, 2] * 4


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A few photos; their labels lie in labels.txt beside the folder."""
    write_photos(tmp_path / "val", LABELS)
    return tmp_path / "val"


def run_of(plugin: object, data: Path, **options: Any) -> Run:
    settings: dict[str, Any] = {"batch_sizes": (4,), **options}
    return start(data.parent / "out", data, data.parent / "labels.txt", plugin=plugin, **settings)


def verdict(run: Run, name: str) -> State:
    return next(one.state for one in run.record.verdicts if one.name == name)


def top1(run: Run) -> list[float]:
    return [evaluation.metric("top1").value for evaluation in run.record.evaluations]


def test_hook_porter_models_offers_a_name_with_what_the_plugin_ships(data: Path) -> None:
    class Shipping(TinyPlugin):
        @hookimpl
        def porter_models(self) -> Sequence[ModelOffer]:
            shipped = Shipped(data=data, labels=data.parent / "labels.txt", note="Photos drawn by this test.")
            return [ModelOffer(name="tiny", title="", variants=(SPEC,), shipped=shipped, needs_checkpoint=False)]

    request = RunRequest(model="tiny", batch_sizes=(1,), bench_seconds=0.0, threads=1)
    registry = create_registry([("shipping", Shipping()), ("other", object())])
    run = begin(data.parent / "out", request, registry, Progress(), "porter run tiny", fresh=True)
    assert run.everything() is ExitCode.OK
    assert str(run.record.shipped) == "data, labels. Photos drawn by this test."
    assert [(one.role, one.shipped) for one in run.record.inputs] == [("labels", True)]
    assert "Photos drawn by this test." in (data.parent / "out/README.md").read_text(encoding="utf-8")


class FromConfig(TinyPlugin):
    """The image size comes from a config."""

    @hookimpl
    def porter_describe(self, request: ModelRequest) -> ModelSpec:
        assert request.config is not None
        try:
            size = json.loads(request.config.read_text())["size"]
        except KeyError as error:
            raise BadInput(f"{request.config}: lacks the key {error}") from None
        inputs = (TensorSpec(name="image", shape=("N", 3, size, size)),)
        preprocess = replace(SPEC.image, resize=size, crop=(size, size))
        return replace(SPEC, name=request.model, inputs=inputs, preprocess=preprocess)


class NeverLoaded(FromConfig):
    @hookimpl
    def porter_load(self, request: LoadRequest) -> Loaded:
        raise AssertionError("preprocessing needs the spec, not the weights")


@pytest.mark.parametrize("size", [8, 12])
def test_hook_porter_describe_makes_the_spec_of_a_config_without_weights(
    data: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that preprocessing alone works where torch is not installed."""
    monkeypatch.setitem(sys.modules, "torch", None)
    config = data.parent / "config.json"
    config.write_text(f'{{"size": {size}}}')
    run = run_of(NeverLoaded(), data, config=str(config))
    run.preprocess()
    with np.load(data.parent / "out/tensors/00000000.npz") as tensors:
        assert tensors["image"].shape == (3, size, size)
    assert run.record.model is not None and run.record.model.image.crop == (size, size)


def test_hook_porter_describe_stops_a_run_before_the_weights_are_read(data: Path) -> None:
    config = data.parent / "config.json"
    config.write_text("{}")
    with pytest.raises(BadInput, match=r"config\.json: lacks the key 'size'"):
        run_of(NeverLoaded(), data, config=str(config)).everything()


class FromCheckpoint(TinyPlugin):
    """The weights come from a checkpoint, through porter.checkpoints."""

    @hookimpl
    def porter_models(self) -> Sequence[ModelOffer]:
        return [ModelOffer(name="tiny", title="", variants=(SPEC,))]

    @hookimpl
    def porter_load(self, request: LoadRequest) -> Loaded:
        assert request.checkpoint is not None
        network = strongest_channel()
        weights = find_weights(read_checkpoint(request.checkpoint), weights=request.weights)
        return Loaded(spec=request.spec, module=network, report=load_into(network, weights))


def test_hook_porter_load_reads_the_checkpoint_and_reports(data: Path) -> None:
    import torch

    network = strongest_channel()
    with torch.no_grad():
        network[2].weight.neg_()  # the weakest channel wins: every answer is wrong
    state = {f"module.{name}": value for name, value in network.state_dict().items()}
    path = data.parent / "weights.pth"
    torch.save({"state_dict": state, "epoch": 3}, path)
    run = run_of(FromCheckpoint(), data, checkpoint=str(path))
    run.everything()
    load = run.record.load
    assert load is not None and (load.loaded, load.prefix, load.beside) == (2, "module.", ("epoch",))
    assert verdict(run, "weights") is State.PASS
    assert top1(run) == [0.0, 0.0]


def test_hook_porter_load_names_a_missing_weight(data: Path) -> None:
    import torch

    state = strongest_channel().state_dict()
    del state["2.bias"]
    torch.save(state, data.parent / "weights.pth")
    with pytest.raises(BadInput, match=r"weights\.pth: missing 1 of 2 entries of the model: '2\.bias'"):
        run_of(FromCheckpoint(), data, checkpoint=str(data.parent / "weights.pth")).export()


class OwnExporter(TinyPlugin):
    """Writes the graph node by node. A wrong opset must not pass."""

    def __init__(self, opset: int | None = None) -> None:
        super().__init__()
        self.opset = opset

    @hookimpl
    def porter_export(self, loaded: Loaded, request: ExportRequest) -> Exported:
        state = {name: value.numpy() for name, value in loaded.module.state_dict().items()}
        graph = onnx.helper.make_graph(
            [
                onnx.helper.make_node("GlobalAveragePool", ["image"], ["mean"]),
                onnx.helper.make_node("Flatten", ["mean"], ["flat"]),
                onnx.helper.make_node("Gemm", ["flat", "weight", "bias"], ["class"], transB=1),
            ],
            "by hand",
            [onnx.helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, ["N", 3, 16, 16])],
            [onnx.helper.make_tensor_value_info("class", onnx.TensorProto.FLOAT, ["N", 3])],
            [
                onnx.numpy_helper.from_array(state["2.weight"], "weight"),
                onnx.numpy_helper.from_array(state["2.bias"], "bias"),
            ],
        )
        opsets = [onnx.helper.make_opsetid("", self.opset or request.opset)]
        onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=6), request.path)
        return Exported(path=request.path, exporter="by hand", call="make_model(graph)")


def test_hook_porter_export_writes_the_file_that_is_delivered(data: Path) -> None:
    run = run_of(OwnExporter(), data)
    assert run.everything() is ExitCode.OK
    export = run.record.export
    assert export is not None and (export.exporter, export.facts.opset, export.facts.nodes) == ("by hand", 11, 3)
    assert onnx.load(data.parent / "out" / export.path).graph.name == "by hand"
    assert top1(run) == [100.0, 100.0]


def test_hook_porter_export_is_not_believed(data: Path) -> None:
    with pytest.raises(PluginError, match="failed: opset is 13, requested is 11") as caught:
        run_of(OwnExporter(opset=13), data).export()
    assert str(caught.value).startswith("plugin 'tiny': porter_export: export check failed")
    assert not list((data.parent / "out").rglob("*.onnx*"))


class OfRawPixels(TinyPlugin):
    """Its samples are bytes without a head, 20×24 pixels each, of which a second file has the brightness."""

    also = "bright.txt"

    @hookimpl
    def porter_read(self, item: Item, store: ImageStore) -> Image:
        content = store.read(item.file)
        if len(content) != 20 * 24 * 3:
            raise ImageError(f"{len(content)} bytes instead of 20×24 pixels")
        bright = int(store.read(self.also))
        return Image(id=item.id, pixels=np.frombuffer(content, np.uint8).reshape(20, 24, 3) // 100 * bright)

    @hookimpl
    def porter_tasks(self) -> Sequence[Task]:
        class WithBrightness(Classification):
            name = "bright"

            def manifest(self, request: DataRequest) -> Manifest:
                found = super().manifest(request)
                return replace(found, items=tuple(replace(one, others=("bright.txt",)) for one in found.items))

        return [WithBrightness()]

    @hookimpl
    def porter_postprocess(self, outputs: Mapping[str, np.ndarray]) -> Sequence[Classified]:
        return classify(outputs["class"])


@pytest.fixture
def raw(data: Path) -> Path:
    for path in data.iterdir():
        with Pillow.open(path) as image:
            path.write_bytes(np.asarray(image).tobytes())
    (data / "bright.txt").write_text("100")
    return data


def test_hook_porter_read_makes_samples_of_what_is_no_image(raw: Path) -> None:
    (raw / "photo 004.jpg").write_bytes(b"short")
    run = run_of(OfRawPixels(replace(SPEC, task="bright")), raw)
    run.everything()
    assert run.record.data is not None and (run.record.data.decoded, run.record.data.failed) == (11, 1)
    [failure] = run.record.data.failures
    assert failure.id == "photo 004.jpg" and "5 bytes instead of 20×24 pixels" in str(failure.reason)
    assert top1(run) == [pytest.approx(100 * 11 / 12)] * 2
    assert verdict(run, "preprocessing") is State.PASS and verdict(run, "parity") is State.PASS


def test_hook_porter_read_may_read_the_files_of_its_item_alone(raw: Path) -> None:
    """Of any other, nobody would see that it changed."""
    plugin = OfRawPixels(replace(SPEC, task="bright"))
    plugin.also = "../labels.txt"
    with pytest.raises(PluginError, match=r"reads \.\./labels\.txt, which is none of the item's files: name it"):
        run_of(plugin, raw).everything()


def test_hook_porter_read_is_asked_again_when_a_further_file_changes(raw: Path) -> None:
    plugin = OfRawPixels(replace(SPEC, task="bright"))
    run = run_of(plugin, raw)
    run.export(), run.preprocess()
    (raw / "bright.txt").write_text("0")
    run = run_of(plugin, raw, fresh=False)
    with pytest.raises(BadInput, match=r"changed after .* was written"):
        run.infer()
    run.preprocess()
    with np.load(raw.parent / "out/tensors/00000000.npz") as tensors:
        assert (tensors["image"] == -1).all(), "black"


class Undeclared(TinyPlugin):
    """A pipeline that no spec declares: levels are squared."""

    def __init__(self, power: float) -> None:
        super().__init__(replace(SPEC, preprocess=None))
        self.power = power

    @hookimpl
    def porter_preprocess(self, sample: Image) -> np.ndarray:
        levels = sample.pixels[:16, :16].astype(np.float32) / 255
        return np.ascontiguousarray((levels**self.power).transpose(2, 0, 1))


class OwnReference(Undeclared):
    @hookimpl
    def porter_reference(self, sample: Image) -> np.ndarray:
        corner = sample.pixels[:16, :16] / 255
        return np.moveaxis(corner * corner, 2, 0).astype(np.float32)


@pytest.mark.parametrize(("power", "state"), [(2, State.PASS), (2.1, State.FAIL)])
def test_hook_porter_reference_is_what_preprocessing_is_held_against(data: Path, power: float, state: State) -> None:
    run = run_of(OwnReference(power), data)
    assert run.everything() is (ExitCode.OK if state is State.PASS else ExitCode.VERDICT_FAILED)
    assert verdict(run, "preprocessing") is state
    [one] = [one for one in run.record.verdicts if one.name == "preprocessing"]
    assert "on 12 samples, with the plugin's own reference" in str(one.evidence[0])
    assert top1(run) == [100.0, 100.0]


class RaisingReference(Undeclared):
    @hookimpl
    def porter_reference(self, sample: Image) -> np.ndarray:
        raise OSError("no such table")


def test_hook_porter_reference_that_raises_is_the_plugin_s_fault(data: Path) -> None:
    with pytest.raises(PluginError, match="plugin 'tiny': porter_reference raised OSError: no such table"):
        run_of(RaisingReference(2), data).everything()


def test_hook_porter_reference_that_nobody_answers_leaves_nothing_to_compare(data: Path) -> None:
    run = run_of(Undeclared(2), data)
    run.everything()
    [one] = [one for one in run.record.verdicts if one.name == "preprocessing"]
    assert one.state is State.NOT_RUN
    assert str(one.evidence[0]) == "nothing to compare with: the plugin's own preprocessing declares no reference"


class OwnPreprocessing(TinyPlugin):
    def __init__(self, channels: slice) -> None:
        super().__init__()
        self.channels = channels

    @hookimpl
    def porter_preprocess(self, sample: Image, spec: ModelSpec) -> np.ndarray:
        array = reference_pipeline(sample.pixels, spec.image)
        return np.ascontiguousarray(array[self.channels])


@pytest.mark.parametrize(
    ("channels", "state", "accuracy"),
    [(slice(None), State.PASS, 100.0), (slice(None, None, -1), State.FAIL, pytest.approx(100 / 3))],
)
def test_hook_porter_preprocess_makes_the_tensors_and_is_held_against_the_spec(
    data: Path, channels: slice, state: State, accuracy: float
) -> None:
    """With channels reversed red is taken for blue: parity of the model holds, parity of preprocessing does not."""
    run = run_of(OwnPreprocessing(channels), data)
    assert run.everything() is (ExitCode.OK if state is State.PASS else ExitCode.VERDICT_FAILED)
    assert verdict(run, "preprocessing") is state
    assert verdict(run, "parity") is State.PASS
    assert top1(run) == [accuracy, accuracy]


class Mirrored(TinyPlugin):
    """Averages an image with its mirror image, on every session."""

    @hookimpl
    def porter_infer(self, session: Session, feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        mirrored = session.run({name: np.ascontiguousarray(values[..., ::-1]) for name, values in feeds.items()})
        return {name: (values + mirrored[name]) / 2 for name, values in session.run(feeds).items()}


def left_half() -> Any:
    """A network that looks at the left half only, so that mirroring shows."""
    import torch

    class LeftHalf(torch.nn.Module):
        def forward(self, image: Any) -> Any:
            return image[:, :, :, :8].mean((2, 3))

    return LeftHalf().eval()


def test_hook_porter_infer_runs_every_batch_of_every_session(data: Path) -> None:
    run = run_of(Mirrored(network=left_half()), data)
    run.everything()
    assert verdict(run, "parity") is State.PASS
    run.preprocess()
    run.infer()
    for number in range(len(LABELS)):
        with np.load(data.parent / f"out/tensors/{number:08d}.npz") as tensors:
            whole = tensors["image"].mean((1, 2))
        for session in ("reference", "onnxruntime-fp32"):
            with np.load(data.parent / f"out/outputs/{session}/{number:08d}.npz") as outputs:
                assert outputs["class"] == pytest.approx(whole, abs=1e-5)


class WithBackground(TinyPlugin):
    """A network of 1 + 3 outputs: the first is no class, and postprocessing takes it off."""

    def __init__(self) -> None:
        import torch

        network = torch.nn.Sequential(*strongest_channel(), torch.nn.ConstantPad1d((1, 0), 99.0)).eval()
        super().__init__(replace(SPEC, outputs=(TensorSpec(name="class", shape=("N", 4)),)), network)

    @hookimpl
    def porter_postprocess(self, outputs: Mapping[str, np.ndarray], spec: ModelSpec) -> Sequence[Classified]:
        return classify(outputs["class"][:, 1:])


def test_hook_porter_postprocess_turns_outputs_into_predictions(data: Path) -> None:
    run = run_of(WithBackground(), data)
    assert run.everything() is ExitCode.OK
    assert top1(run) == [100.0, 100.0]
    with (data.parent / "out/predictions.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["evaluation"] == "onnxruntime-fp32"]
    assert [int(row["class1"]) for row in rows] == LABELS


def documented(hook: str) -> Any:
    """The implementation that the hook's own documentation gives."""
    [test] = doctest.DocTestFinder(recurse=False).find(getattr(hookspecs, hook), hook, globs={})
    doctest.DocTestRunner().run(test, clear_globs=False)
    return test.globs[hook]


def test_hook_porter_runtimes_adds_a_runtime_that_builds_verifies_and_scores(data: Path) -> None:
    """The runtime of the documentation: onnx's own evaluator."""

    class WithRuntime(TinyPlugin):
        porter_runtimes = staticmethod(documented("porter_runtimes"))

    run = run_of(WithRuntime(), data, runtimes=("onnxruntime", "numpy"))
    assert run.everything() is ExitCode.OK
    assert [parity.candidate for parity in run.record.parity] == ["onnxruntime-fp32", "numpy-fp32"]
    assert top1(run) == [100.0, 100.0, 100.0]
    assert {one.artefact for one in run.record.performance} == {"onnxruntime-fp32", "numpy-fp32"}
    assert ("runtime numpy", "tiny") in [(use.role, use.plugin) for use in run.record.plugins]


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda *_: None, "build() of runtime 'second' returned NoneType, must return Artefact"),
        (lambda *_: sys.exit(0), "build() of runtime 'second' raised SystemExit: 0 (test_hooks.py:"),
        (OnnxRuntime.build, "build() of runtime 'second' at fp32 made an artefact of onnxruntime fp32"),
    ],
)
def test_a_runtime_that_builds_something_else_is_named(data: Path, build: Any, says: str) -> None:
    second = type("Second", (OnnxRuntime,), {"name": "second", "build": build})

    class WithRuntime(TinyPlugin):
        @hookimpl
        def porter_runtimes(self) -> list[Runtime]:
            return [second()]

    with pytest.raises(PluginError) as caught:
        run_of(WithRuntime(), data, runtimes=("second",)).everything()
    assert str(caught.value).startswith(f"plugin 'tiny': {says}")


class JudgedByTop2(TinyPlugin):
    """A task of its own: classification, but the gate reads top-2."""

    class ByTop2(Classification):
        name = "top2"
        gate = "top2"

    def __init__(self) -> None:
        super().__init__(replace(SPEC, task="top2"))

    @hookimpl
    def porter_tasks(self) -> Sequence[Task]:
        return [self.ByTop2()]

    @hookimpl
    def porter_postprocess(self, outputs: Mapping[str, np.ndarray]) -> Sequence[Classified]:
        return classify(outputs["class"])


def test_hook_porter_tasks_adds_a_task_that_reads_scores_and_gates(data: Path) -> None:
    run = run_of(JudgedByTop2(), data)
    assert run.everything() is ExitCode.OK
    assert {comparison.metric for comparison in run.record.comparisons} == {"top2"}
    assert ("task", "tiny") in [(use.role, use.plugin) for use in run.record.plugins]
    assert "Top-2 100.00%, the reference 100.00%" in " ".join(map(str, run.record.verdicts[-1].evidence))
