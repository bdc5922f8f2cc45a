"""int8: the graph that is made, how it is calibrated, and the search until one passes the gate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from convnet import colour_network
from tiny import SPEC, TinyPlugin, start, write_photos

from porter.errors import BadInput, ExitCode, Missing
from porter.graphs.quantize.int8_graph import float_graph
from porter.graphs.quantize.sensitivity import channel_noise
from porter.pipeline.job.opening import open_artefact
from porter.pipeline.precision import quantize as quantizing
from porter.pipeline.precision.search import Search
from porter.records.quantization import SearchEnd
from porter.records.record import RunRecord, State
from porter.runfolder.record_file import read_record

OUTLIER = 1e4
"""Larger than what eight bits can hold beside the rest; see `convnet`."""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("photos")
    return folder / "val", write_photos(folder / "val", [0, 1, 2] * 10)


def begin(out: Path, photos: tuple[Path, Path], *, outlier: float = 0.0, **options: Any) -> Any:
    plugin = TinyPlugin(network=colour_network(outlier=outlier))
    return start(out, *photos, plugin=plugin, **{"precisions": ("int8",), "batch_sizes": (4,), **options})


def spoil(path: Path, channel: int = 0) -> None:
    """Multiply one scale of the last layer's weights by ten, as a bad tool or hand might."""
    model = onnx.load(path)
    [scale] = [one for one in model.graph.initializer if one.name.startswith("head.weight") and "scale" in one.name]
    values = onnx.numpy_helper.to_array(scale).copy()
    values[channel] *= 10
    scale.CopyFrom(onnx.numpy_helper.from_array(values, scale.name))
    onnx.save(model, path)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, photos: tuple[Path, Path]) -> Any:
    """A run at fp32 and int8 that passes."""
    run = begin(tmp_path_factory.mktemp("run") / "out", photos, precisions=("fp32", "int8"))
    assert run.everything() is ExitCode.OK
    return run


class TestRun:
    def test_the_delivered_file_stays_and_int8_lies_beside_it(self, run: Any) -> None:
        record: RunRecord = run.record
        assert record.export is not None and record.quantization is not None
        assert (record.export.facts.opset, record.quantization.opset) == (11, 17)
        assert record.quantization.float_source == "beside it"
        assert [one.id for one in record.artefacts] == ["onnxruntime-fp32", "onnxruntime-int8"]
        assert sorted(path.name for path in (run.job.folder / "models").iterdir()) == ["tiny-int8.onnx", "tiny.onnx"]

    def test_it_is_static_qdq_with_a_scale_for_each_channel(self, run: Any) -> None:
        model = onnx.load(run.job.folder / run.record.quantization.path)
        constants = {one.name: onnx.numpy_helper.to_array(one) for one in model.graph.initializer}
        restored = {one.output[0]: one for one in model.graph.node if one.op_type == "DequantizeLinear"}
        convolutions = [one for one in model.graph.node if one.op_type == "Conv"]
        assert len(convolutions) == 3 and "DynamicQuantizeLinear" not in {one.op_type for one in model.graph.node}
        for node in convolutions:
            weight = restored[node.input[1]]
            assert constants[weight.input[0]].dtype == np.int8
            assert len(constants[weight.input[1]]) == len(constants[weight.input[0]])
            assert constants[restored[node.input[0]].input[2]].dtype == np.uint8

    def test_int8_kernels_run(self, run: Any) -> None:
        evaluation = run.record.evaluation("onnxruntime-int8")
        assert evaluation.session.layers == {"int8": 4}
        assert evaluation.session.precision == "int8"

    def test_calibration_images_are_never_scored(self, run: Any) -> None:
        record: RunRecord = run.record
        assert record.quantization is not None and record.data is not None
        calibration = record.quantization.calibration
        scored = {item.id for item in run.job.data.items}
        assert (calibration.source, calibration.count, record.data.kept_apart, record.data.listed) == ("data", 6, 6, 24)
        assert not scored & set(calibration.ids)
        assert "kept for calibration" in str(record.data.selection)
        assert {evaluation.listed for evaluation in record.evaluations} == {24}
        text = (run.job.folder / "predictions.csv").read_text()
        assert not [name for name in calibration.ids if name in text]

    def test_the_attempt_is_in_the_record(self, run: Any) -> None:
        found = read_record(run.job.folder).quantization
        assert found == run.record.quantization and found is not None
        [attempt] = found.attempts
        [score] = attempt.scores
        assert (found.passed, found.end, found.chosen, attempt.method) == (True, SearchEnd.PASSED, 1, "minmax")
        assert (score.runtime, score.drop, attempt.quantised_nodes) == ("onnxruntime", 0.0, 4)
        assert score.images_per_second is not None and score.images_per_second > 0

    def test_it_is_kept_by_the_same_command(self, run: Any, photos: tuple[Path, Path]) -> None:
        again = begin(run.job.folder, photos, precisions=("fp32", "int8"), fresh=False)
        assert again.everything() is ExitCode.OK
        assert again.record.quantization == run.record.quantization

    def test_another_gate_searches_anew(self, run: Any, photos: tuple[Path, Path]) -> None:
        again = begin(run.job.folder, photos, precisions=("fp32", "int8"), fresh=False, max_drop=2.0)
        assert again.record.quantization is None and again.record.artefacts == ()

    def test_a_gate_of_float32_alone_leaves_the_artefacts(self, tmp_path: Path, photos: tuple[Path, Path]) -> None:
        begin(tmp_path / "out", photos, precisions=("fp32",)).everything()
        again = begin(tmp_path / "out", photos, precisions=("fp32",), fresh=False, max_drop=2.0)
        assert again.record.artefacts != ()


class TestSearch:
    def test_the_tensor_that_eight_bits_spoil_is_left_in_float(self, tmp_path: Path, photos: tuple[Path, Path]) -> None:
        run = begin(tmp_path / "out", photos, outlier=OUTLIER)
        assert run.everything() is ExitCode.OK
        found = run.record.quantization
        methods = [(one.method, one.passed) for one in found.attempts]
        assert methods == [("minmax", False), ("percentile", False), ("entropy", False), ("minmax", True)]
        assert (found.chosen, found.passed, found.end) == (4, True, SearchEnd.PASSED)
        worst, second = found.sensitivity[:2]
        assert worst.noise > 0.5 > second.noise
        assert found.kept.float_nodes == worst.nodes
        assert "/middle/Conv" in worst.nodes
        assert run.record.evaluation("onnxruntime-int8").session.layers == {"fp32": 2, "int8": 2}

    def test_without_time_the_first_attempt_is_kept_and_the_gate_fails(
        self, tmp_path: Path, photos: tuple[Path, Path]
    ) -> None:
        run = begin(tmp_path / "out", photos, outlier=OUTLIER, search_seconds=0.0)
        assert run.everything() is ExitCode.VERDICT_FAILED
        found = run.record.quantization
        assert (len(found.attempts), found.passed, found.end) == (1, False, SearchEnd.BUDGET)
        accuracy = run.record.verdicts[-1]
        assert accuracy.state is State.FAIL
        assert "int8: none of 1 attempts lost at most 1; the one that lost least was kept" in map(
            str, accuracy.evidence
        )

    def test_the_one_that_loses_least_is_the_best(self, tmp_path: Path, photos: tuple[Path, Path]) -> None:
        run = begin(tmp_path / "out", photos, outlier=OUTLIER, search_seconds=0.0)
        run.everything()
        [made] = run.record.quantization.attempts
        less = replace(made, number=2, scores=tuple(replace(one, drop=1.5) for one in made.scores))
        broken = replace(made, number=3, scores=(), problem="no")
        search = Search.__new__(Search)
        search.made = [_made(broken), _made(made), _made(less)]
        assert search.best.attempt is less

    def test_where_there_are_many_images_some_are_searched_on(
        self, tmp_path: Path, photos: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(quantizing, "SEARCH_IMAGES", 9)
        run = begin(tmp_path / "out", photos)
        run.everything()
        found = run.record.quantization
        assert (found.images, found.listed, found.reference.count) == (9, 24, 9)
        assert run.record.evaluation("onnxruntime-int8").listed == 24


class TestSpoilt:
    def test_a_spoilt_scale_fails_the_gate(self, tmp_path: Path, photos: tuple[Path, Path]) -> None:
        run = begin(tmp_path / "out", photos)
        assert run.everything() is ExitCode.OK
        spoil(tmp_path / "out" / run.record.quantization.path)
        run = begin(tmp_path / "out", photos, fresh=False)
        run.verify()
        assert run.evaluate() is ExitCode.VERDICT_FAILED
        [lost] = [one for one in run.record.comparisons if one.against == "reference"]
        # The class is taken for one other or for both: that turns on rounding, which differs between processors.
        assert not lost.passed and lost.drop in (pytest.approx(100 / 3), pytest.approx(200 / 3))

    def test_the_next_run_makes_it_anew(self, tmp_path: Path, photos: tuple[Path, Path]) -> None:
        run = begin(tmp_path / "out", photos)
        run.everything()
        spoil(tmp_path / "out" / run.record.quantization.path)
        assert begin(tmp_path / "out", photos, fresh=False).everything() is ExitCode.OK


class TestCalibration:
    def test_a_folder_of_the_users(self, tmp_path: Path, photos: tuple[Path, Path]) -> None:
        write_photos(tmp_path / "calibration", [2, 1, 0, 0], size=(30, 22))
        run = begin(tmp_path / "out", photos, calibration=str(tmp_path / "calibration"), calibration_images=3)
        assert run.everything() is ExitCode.OK
        calibration = run.record.quantization.calibration
        assert (calibration.source, calibration.count, calibration.found) == ("folder", 3, 4)
        assert run.record.data.listed == 30

    def test_a_folder_with_a_scored_image_is_refused(self, tmp_path: Path, photos: tuple[Path, Path]) -> None:
        (tmp_path / "calibration").mkdir()
        (tmp_path / "calibration/copy.jpg").write_bytes((photos[0] / "photo 003.jpg").read_bytes())
        run = begin(tmp_path / "out", photos, calibration=str(tmp_path / "calibration"))
        with pytest.raises(BadInput, match=r"copy\.jpg is also scored \(as .*photo 003\.jpg"):
            run.everything()

    def test_the_folder_of_the_scored_images_is_refused(self, tmp_path: Path, photos: tuple[Path, Path]) -> None:
        with pytest.raises(BadInput, match="Use other images, or omit --calibration"):
            begin(tmp_path / "out", photos, calibration=str(photos[0])).everything()

    @pytest.mark.parametrize(("name", "said"), [("nowhere", "no such folder"), ("labels.txt", "a file, not a folder")])
    def test_what_is_no_folder_is_refused(
        self, tmp_path: Path, photos: tuple[Path, Path], name: str, said: str
    ) -> None:
        with pytest.raises(BadInput, match=rf"--calibration .*{name}: {said}"):
            begin(tmp_path / "out", photos, calibration=str(photos[0].parent / name))
        assert not (tmp_path / "out").exists()

    def test_broken_images_are_named_and_passed_over(self, tmp_path: Path, photos: tuple[Path, Path]) -> None:
        write_photos(tmp_path / "calibration", [2, 1, 0], size=(30, 22))
        (tmp_path / "calibration/photo 001.jpg").write_bytes(b"\xff\xd8\xff")
        run = begin(tmp_path / "out", photos, calibration=str(tmp_path / "calibration"))
        assert run.everything() is ExitCode.OK
        calibration = run.record.quantization.calibration
        assert (calibration.count, calibration.unreadable) == (2, ("photo 001.jpg",))

    def test_only_broken_images_are_refused(self, tmp_path: Path, photos: tuple[Path, Path]) -> None:
        (tmp_path / "calibration").mkdir()
        (tmp_path / "calibration/a.jpg").write_bytes(b"\xff\xd8\xff")
        with pytest.raises(BadInput, match=r"none of the 1 calibration images is readable\. Check --calibration"):
            begin(tmp_path / "out", photos, calibration=str(tmp_path / "calibration")).everything()

    def test_too_few_images_to_keep_some_apart(self, tmp_path: Path) -> None:
        labels = write_photos(tmp_path / "val", [0, 1, 2])
        with pytest.raises(BadInput, match=r"3 images are too few to reserve some .* Use --calibration DIR"):
            begin(tmp_path / "out", (tmp_path / "val", labels)).everything()

    def test_changed_images_calibrate_anew(self, tmp_path: Path) -> None:
        labels = write_photos(tmp_path / "val", [0, 1, 2] * 5)
        run = begin(tmp_path / "out", (tmp_path / "val", labels))
        run.everything()
        kept = run.record.quantization.calibration.ids[0]
        (tmp_path / "val" / kept).write_bytes((tmp_path / "val/photo 001.jpg").read_bytes())
        again = begin(tmp_path / "out", (tmp_path / "val", labels), fresh=False)
        assert again.everything() is ExitCode.OK
        assert (
            again.record.quantization.calibration.content_sha256 != run.record.quantization.calibration.content_sha256
        )

    def test_a_task_that_keeps_none_apart_asks_for_a_folder(
        self, tmp_path: Path, photos: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from porter.builtin import classification

        plain = classification.Classification.manifest

        def unaware(task: Any, request: Any) -> Any:
            return plain(task, replace(request, keep_apart=0))

        monkeypatch.setattr(classification.Classification, "manifest", unaware)
        with pytest.raises(
            BadInput, match=r"task 'classification' cannot reserve calibration images. Use --calibration DIR"
        ):
            begin(tmp_path / "out", photos).everything()


class TestGraph:
    def test_an_older_opset_without_a_network_is_refused(self, tmp_path: Path, photos: tuple[Path, Path]) -> None:
        run = start(tmp_path / "out", *photos, plugin=TinyPlugin(spec=replace(SPEC, opset=11)), precisions=("int8",))
        with pytest.raises(BadInput, match=r"--precision int8: the model is ONNX of opset 11, int8 needs 13"):
            run.everything()

    def test_a_newer_one_is_quantised_as_it_is_delivered(self, tmp_path: Path, photos: tuple[Path, Path]) -> None:
        run = begin(tmp_path / "out", photos, opset=13)
        assert run.everything() is ExitCode.OK
        assert (run.record.quantization.float_source, run.record.quantization.opset) == ("exported", 13)

    def test_a_quantised_graph_is_refused(self, tmp_path: Path, photos: tuple[Path, Path]) -> None:
        run = begin(tmp_path / "out", photos)
        run.everything()
        with pytest.raises(BadInput, match="already quantised, contains DequantizeLinear, QuantizeLinear"):
            float_graph(tmp_path / "out" / run.record.quantization.path, tmp_path / "again.onnx")

    def test_every_node_gets_a_name_of_its_own(self, tmp_path: Path) -> None:
        nodes = [onnx.helper.make_node("Relu", [a], [b], name=name) for a, b, name in (("x", "y", ""), ("y", "z", ""))]
        value = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N", 3]) for name in "xz"]
        graph = onnx.helper.make_graph(nodes, "g", value[:1], value[1:])
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
        onnx.save(model, tmp_path / "plain.onnx")
        assert float_graph(tmp_path / "plain.onnx", tmp_path / "ready.onnx") == 13
        ready = onnx.load(tmp_path / "ready.onnx")
        names = [node.name for node in ready.graph.node]
        assert len(set(names)) == len(names) and all(names)
        assert [entry.domain for entry in ready.opset_import] == [""]


class TestChannelNoise:
    def test_one_large_channel_does_not_hide_the_others(self) -> None:
        wanted = np.ones((1, 4, 2, 2))
        wanted[:, 3] = 1e4
        got = wanted.copy()
        got[:, :3] = 0
        assert channel_noise(wanted, got) == pytest.approx(0.75)
        assert channel_noise(wanted, wanted) == 0.0

    def test_dead_channels_and_other_shapes(self) -> None:
        assert channel_noise(np.zeros((1, 2)), np.ones((1, 2))) == 0.0
        assert channel_noise(np.ones((1, 2)), np.ones((1, 3))) == 1.0
        assert channel_noise(np.ones((1, 2)), np.full((1, 2), np.nan)) == 1.0
        assert channel_noise(np.ones(()), np.full((), 1.5)) == 0.5


def test_a_graph_of_which_nothing_is_int8_is_no_int8(tmp_path: Path, photos: tuple[Path, Path]) -> None:
    run = begin(tmp_path / "out", photos)
    run.everything()
    [artefact] = run.record.artefacts
    plain = tmp_path / "out" / run.record.export.path
    (tmp_path / "out" / artefact.path).write_bytes(plain.read_bytes())
    with pytest.raises(Missing, match="runs none of 4 convolutions and matrix products in int8"):
        open_artefact(run.job, artefact, check=False).info  # noqa: B018 - what runs is read back when it is asked for


def _made(attempt: Any) -> Any:
    from porter.graphs.quantize.ranges import METHODS
    from porter.pipeline.precision.search import Made

    return Made(attempt=attempt, path=Path(), method=METHODS[0])
