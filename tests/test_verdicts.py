"""Verdicts that a fault could slip past: NaN, files that do not load, labels that a fault explains, broken batches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from tiny import SIZE, TinyPlugin, start, strongest_channel, write_photos

from porter import hookimpl
from porter.contracts.requests import Image, Loaded, LoadRequest
from porter.errors import ExitCode, PluginError
from porter.images.pipeline import reference_pipeline
from porter.pipeline.run import Run
from porter.records.record import State, Verdict
from porter.records.spec import ModelSpec
from porter.runfolder.record_file import read_record

Edit = Callable[[onnx.ModelProto], None]


@pytest.fixture
def data(tmp_path: Path) -> tuple[Path, Path]:
    """Thirty photographs and their label file."""
    return tmp_path / "val", write_photos(tmp_path / "val", [k % 3 for k in range(30)])


def verdict(run: Run, name: str) -> Verdict:
    return next(one for one in run.record.verdicts if one.name == name)


def all_text(run: Run, name: str) -> str:
    found = verdict(run, name)
    return "\n".join(map(str, (*found.evidence, *found.advice)))


def edit_artefact(run: Run, edit: Edit) -> None:
    path = run.job.folder / run.record.artefacts[0].path
    model = onnx.load(path)
    edit(model)
    onnx.save(model, path)


class Bright(TinyPlugin):
    """A network with NaN for images whose first value is above a bound."""

    def __init__(self, above: float) -> None:
        import torch

        class Network(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.base = strongest_channel()

            def forward(self, x: Any) -> Any:
                scores = self.base(x)
                return torch.where(x[:, 0].mean((1, 2))[:, None] > above, scores * float("nan"), scores)

        super().__init__(network=Network().eval())


class NanPreprocessing(TinyPlugin):
    @hookimpl
    def porter_preprocess(self, sample: Image, spec: ModelSpec) -> np.ndarray:
        return reference_pipeline(sample.pixels, spec.image) * np.float32("nan")


class Training(TinyPlugin):
    @hookimpl
    def porter_load(self, request: LoadRequest) -> Loaded:
        import torch

        loaded = super().porter_load(request)
        network = torch.nn.Sequential(torch.nn.BatchNorm2d(3), strongest_channel()).eval()
        network[0].train()
        return Loaded(spec=loaded.spec, module=network, report=loaded.report)


def test_nan_from_preprocessing_is_no_parity(tmp_path: Path, data: tuple[Path, Path]) -> None:
    run = start(tmp_path / "out", *data, plugin=NanPreprocessing())
    assert run.everything() is ExitCode.VERDICT_FAILED
    assert verdict(run, "preprocessing").state is State.FAIL
    assert "NaN" in all_text(run, "preprocessing") and "max abs difference" not in all_text(run, "preprocessing")


def test_nan_on_some_images_alone_fails_accuracy(tmp_path: Path, data: tuple[Path, Path]) -> None:
    """Reference and artefact lose the same images, the drop is 0, and two thirds are right: still no model to ship."""
    run = start(tmp_path / "out", *data, plugin=Bright(above=0.5))
    run.export(), run.evaluate()
    assert run.record.evaluations[1].nonfinite == 10 and not run.record.evaluations[1].chance
    assert verdict(run, "accuracy").state is State.FAIL
    assert "10 of 30 images have NaN or infinite outputs" in all_text(run, "accuracy")
    run.diagnose()
    assert run.record.diagnosis is not None
    assert any("NaN or infinite outputs on 10 of 30" in str(line) for line in run.record.diagnosis.conclusion)
    assert not any("is float32 scalar: nan" in str(line) for line in run.record.diagnosis.conclusion)


def test_a_module_in_training_mode_fails_the_weights_verdict(tmp_path: Path, data: tuple[Path, Path]) -> None:
    run = start(tmp_path / "out", *data, plugin=Training())
    with pytest.raises(PluginError, match="training mode"):
        run.everything()
    run.record = read_record(tmp_path / "out")
    assert verdict(run, "weights").state is State.FAIL
    assert "training mode" in (tmp_path / "out/README.md").read_text()


def test_a_file_that_the_runtime_refuses_fails_parity(tmp_path: Path, data: tuple[Path, Path]) -> None:
    def unknown_operator(model: onnx.ModelProto) -> None:
        model.graph.node[0].op_type = "NoSuchOperator"

    run = start(tmp_path / "out", *data)
    run.export(), run.verify()
    edit_artefact(run, unknown_operator)
    assert run.verify() is ExitCode.VERDICT_FAILED
    found = verdict(run, "parity")
    assert found.state is State.FAIL and "NoSuchOperator" in all_text(run, "parity")
    assert "changed after it was built" in str(found.advice[0]) and "porter export" in str(found.advice[0])
    assert "porter diagnose run" in str(found.advice[-1])


def test_a_batch_baked_into_a_reshape_is_named(tmp_path: Path, data: tuple[Path, Path]) -> None:
    def bake(model: onnx.ModelProto) -> None:
        flatten = next(node for node in model.graph.node if node.op_type == "Flatten")
        model.graph.initializer.append(numpy_helper.from_array(np.array([1, -1], np.int64), "baked"))
        reshape = helper.make_node("Reshape", [flatten.input[0], "baked"], list(flatten.output), flatten.name)
        flatten.CopyFrom(reshape)

    run = start(tmp_path / "out", *data)
    run.export(), run.verify()
    edit_artefact(run, bake)
    assert run.verify() is ExitCode.VERDICT_FAILED
    assert "outside tolerance" not in str(verdict(run, "parity").evidence[0])
    assert any("the graph has a fixed batch size" in str(line) for line in verdict(run, "parity").advice)


def test_labels_that_a_fault_explains_fail_accuracy_above_chance(tmp_path: Path) -> None:
    """Two of the classes changed places: a third of the answers is right, which is far from proof of anything."""
    truth = [0] * 60 + [1] * 30 + [2] * 30
    labels = write_photos(tmp_path / "val", truth, size=(SIZE, SIZE))
    lines = [line.rsplit(" ", 1) for line in labels.read_text().splitlines()]
    labels.write_text("".join(f"{name} {(0, 2, 1)[int(label)]}\n" for name, label in lines))
    run = start(tmp_path / "out", tmp_path / "val", labels)
    run.export(), run.evaluate()
    assert run.record.evaluations[1].metric("top1").value == 50.0 and not run.record.evaluations[1].chance
    assert run.record.label_suspects
    assert verdict(run, "accuracy").state is State.FAIL
    assert "100.00%" in str(verdict(run, "accuracy").advice[0])


def test_documents_list_causes_with_commands_as_code(tmp_path: Path, data: tuple[Path, Path]) -> None:
    def favour_red(model: onnx.ModelProto) -> None:
        bias = next(one for one in model.graph.initializer if list(one.dims) == [3])
        bias.CopyFrom(numpy_helper.from_array(np.array([100, 0, 0], dtype=np.float32), bias.name))

    run = start(tmp_path / "out_1", *data)
    run.export(), run.verify()
    edit_artefact(run, favour_red)
    run.verify(), run.evaluate(), run.deliver()
    document = (tmp_path / "out_1/README.md").read_text()
    assert "`porter diagnose run OUT`" in document and str(tmp_path) not in document
    assert "| `photo 001.jpg` | 1 | 1 | 0 |" in document
