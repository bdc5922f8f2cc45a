"""The whole run, on a tiny model that really classifies."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from tiny import SPEC, TinyPlugin, start, strongest_channel, write_photos

from porter.errors import BadInput, ExitCode
from porter.records.record import State
from porter.records.spec import Published, PublishedMetric
from porter.runfolder.record_file import read_record, write_record


def rows(out: Path, evaluation: str = "onnxruntime-fp32") -> list[dict[str, str]]:
    with (out / "predictions.csv").open(encoding="utf-8", newline="") as stream:
        return [row for row in csv.DictReader(stream) if row["evaluation"] == evaluation]


def test_everything_is_delivered(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2] * 4)
    run = start(tmp_path / "out", tmp_path / "val", labels)
    assert run.everything() is ExitCode.OK
    out = tmp_path / "out"
    names = {path.name for path in out.rglob("*") if path.is_file()}
    documents = {"README.md", "README.zh.md", "report.html", "reproduce.sh"}
    results = {"run.json", "predictions.csv", "tiny.onnx", *run.record.accuracy_files}
    journals = {"reference.jsonl", "onnxruntime-fp32.jsonl"}
    assert names == documents | results | journals | {"reference-outputs.jsonl"}
    assert {path.name for path in (out / "cache/predictions").iterdir()} == journals
    model = onnx.load(out / "models/tiny.onnx")
    assert [entry.version for entry in model.opset_import] == [11]
    assert [value.name for value in model.graph.input] == ["image"]
    assert [value.name for value in model.graph.output] == ["class"]
    record = read_record(out)
    assert [verdict.state for verdict in record.verdicts] == [State.PASS] * 5
    assert [one.batch for one in record.performance] == [1, 4]
    assert record.evaluations[1].metric("top1").value == 100.0
    assert record.data is not None and (record.data.listed, record.data.decoded, record.data.failed) == (12, 12, 0)


def test_a_short_last_batch_is_scored_whole(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2, 0, 1, 2, 0, 1, 2, 0])
    run = start(tmp_path / "out", tmp_path / "val", labels, batch=4)
    run.everything()
    assert [evaluation.listed for evaluation in run.record.evaluations] == [10, 10]
    assert run.record.evaluations[1].metric("top1").hits == 10
    assert len(rows(tmp_path / "out")) == 10


def test_accuracy_is_hits_over_images_not_a_mean_of_batches(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2, 0, 1])
    labels.write_text(labels.read_text().replace("photo 004.jpg 1", "photo 004.jpg 2"))
    run = start(tmp_path / "out", tmp_path / "val", labels, batch=4)
    run.everything()
    assert run.record.evaluations[1].metric("top1").value == 80.0


def test_unreadable_images_are_named_and_stay_in_the_denominator(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2, 0, 1, 2, 0, 1, 2, 0], size=(200, 160))
    half = tmp_path / "val/photo 001.jpg"
    half.write_bytes(half.read_bytes()[: half.stat().st_size // 2])
    (tmp_path / "val/photo 004.jpg").write_bytes(b"")
    (tmp_path / "val/photo 007.jpg").write_text("<html>404 not found</html>")
    run = start(tmp_path / "out", tmp_path / "val", labels, batch=4, max_drop=100)
    run.everything()
    evaluation = run.record.evaluations[1]
    assert (evaluation.listed, evaluation.scored, evaluation.unreadable) == (10, 7, 3)
    assert [failure.id for failure in evaluation.failures] == [f"photo {n:03}.jpg" for n in (1, 4, 7)]
    assert not any("photo" in str(failure.reason) for failure in evaluation.failures), (
        "the name stands beside the reason"
    )
    assert evaluation.metric("top1").value == 70.0
    assert [row["status"] for row in rows(tmp_path / "out")].count("unreadable") == 3
    assert [row["image"] for row in rows(tmp_path / "out")] == [f"photo {n:03}.jpg" for n in range(10)]


@pytest.mark.parametrize("batch", [1, 3, 16])
def test_the_batch_size_changes_no_answer(tmp_path: Path, batch: int) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2, 1, 1, 2, 0])
    run = start(tmp_path / "out", tmp_path / "val", labels, batch=batch)
    run.export(), run.evaluate()
    assert [row["class1"] for row in rows(tmp_path / "out")] == list("0121120")


def test_stages_alone_give_what_the_whole_run_gives(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2, 1, 1])
    (tmp_path / "val/photo 002.jpg").write_bytes(b"no picture")
    whole = start(tmp_path / "whole", tmp_path / "val", labels)
    whole.everything()
    out = tmp_path / "apart"
    for stage in ("export", "verify", "preprocess", "infer", "evaluate", "bench", "deliver"):
        getattr(start(out, tmp_path / "val", labels, fresh=stage == "export"), stage)()
    assert rows(out) == rows(tmp_path / "whole")
    record = read_record(out)
    assert record.evaluations[0].end_to_end.source == "outputs"
    assert [e.metrics for e in record.evaluations] == [e.metrics for e in whole.record.evaluations]
    assert record.data == whole.record.data
    assert all(verdict.state is not State.NOT_RUN for verdict in record.verdicts)


def test_outputs_deleted_between_stages_are_named(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2, 1, 1, 0, 0, 2, 2, 1])
    run = start(tmp_path / "out", tmp_path / "val", labels)
    run.export(), run.infer()
    for number in (3, 7):
        (tmp_path / f"out/outputs/onnxruntime-fp32/{number:08d}.npz").unlink()
    with pytest.raises(BadInput, match=r"2 of 10 files are missing.*photo 003\.jpg, photo 007\.jpg"):
        start(tmp_path / "out", tmp_path / "val", labels, fresh=False).evaluate()


def test_a_damaged_output_is_named(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2])
    run = start(tmp_path / "out", tmp_path / "val", labels)
    run.export(), run.infer()
    path = tmp_path / "out/outputs/reference/00000001.npz"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(BadInput, match=r"00000001\.npz: damaged"):
        run.evaluate()


def test_a_stage_without_its_forerunner_says_which(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2])
    with pytest.raises(BadInput, match=r"Run `porter export tiny"):
        start(tmp_path / "out", tmp_path / "val", labels).evaluate()


def test_a_changed_option_clears_what_was_measured_with_the_old_one(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2, 1, 1, 0])
    start(tmp_path / "out", tmp_path / "val", labels).everything()
    again = start(tmp_path / "out", tmp_path / "val", labels, fresh=False, limit=3)
    assert again.record.evaluations == () and again.record.parity == () and again.record.data is None
    assert again.record.export is not None
    other = start(tmp_path / "out", tmp_path / "val", labels, fresh=False, opset=13)
    assert other.record.export is None and other.record.performance == ()


def test_a_stage_alone_writes_the_documents_of_its_record(tmp_path: Path) -> None:
    labels, out = write_photos(tmp_path / "val", [0, 1, 2]), tmp_path / "out"
    start(out, tmp_path / "val", labels).everything()
    run = start(out, tmp_path / "val", labels, limit=2, fresh=False)
    run.evaluate()
    documents = {"README.md", "README.zh.md", "report.html", "reproduce.sh"}
    left = {"run.json", "predictions.csv", "models", "cache", *run.record.accuracy_files}
    assert {path.name for path in out.iterdir()} == left | documents
    assert "3 images found, 2 scored" in (out / "README.md").read_text()
    start(out, tmp_path / "val", labels, opset=13, fresh=False).export()
    assert {path.name for path in out.iterdir()} == {"run.json", "models", "cache"} | documents
    assert "**INCOMPLETE: " in (out / "README.md").read_text()


def test_agreement_with_the_reference_is_over_the_images_that_have_an_answer(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2, 0])
    (tmp_path / "val/photo 003.jpg").write_bytes(b"")
    run = start(tmp_path / "out", tmp_path / "val", labels, max_drop=100.0)
    run.everything()
    agreement = run.record.evaluations[1].agreement
    assert agreement is not None and (agreement.hits, agreement.count) == (3, 3)


def test_a_changed_artefact_is_refused(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2])
    run = start(tmp_path / "out", tmp_path / "val", labels)
    run.export(), run.verify()
    path = tmp_path / "out/models/tiny.onnx"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(BadInput, match="changed after this run built"):
        run.evaluate()


def test_verify_judges_the_file_that_is_there(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2])
    run = start(tmp_path / "out", tmp_path / "val", labels)
    run.everything()
    path = tmp_path / "out/models/tiny.onnx"
    model = onnx.load(path)
    weight = next(one for one in model.graph.initializer if list(one.dims) == [3, 3])
    weight.CopyFrom(onnx.numpy_helper.from_array(np.zeros((3, 3), dtype=np.float32), weight.name))
    onnx.save(model, path)
    again = start(tmp_path / "out", tmp_path / "val", labels, fresh=False)
    assert again.verify() is ExitCode.VERDICT_FAILED
    assert str(again.record.artefacts[0].command) == "changed after it was built"
    assert again.record.evaluations == (), "figures of the file before it was changed must not stand"


def test_guessing_never_passes(tmp_path: Path) -> None:
    import torch

    constant = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, 3)).eval()
    with torch.no_grad():
        constant[2].weight.zero_(), constant[2].bias.fill_(1.0)
    labels = write_photos(tmp_path / "val", [0, 1, 2] * 5)
    run = start(tmp_path / "out", tmp_path / "val", labels, plugin=TinyPlugin(network=constant))
    assert run.everything() is ExitCode.VERDICT_FAILED
    evaluation = run.record.evaluations[1]
    assert evaluation.metric("top1").hits == 5, "a constant output must not score above its share"
    assert "no better than guessing" in str(evaluation.chance)
    assert "no better than guessing" in (tmp_path / "out/README.md").read_text()


def test_nan_rows_are_wrong_and_counted(tmp_path: Path) -> None:
    import torch

    class Poisoned(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = strongest_channel()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.inner(x)
            # 0 / 0 where green is the strongest channel.
            gate = (y[:, 1:2] < 0.5).float()
            result: torch.Tensor = y * gate / gate
            return result

    labels = write_photos(tmp_path / "val", [0, 2, 0, 2, 0, 2, 1, 1])
    plugin = TinyPlugin(network=Poisoned().eval())
    run = start(tmp_path / "out", tmp_path / "val", labels, plugin=plugin)
    run.export(), run.evaluate(), run.deliver()
    evaluation = run.record.evaluations[1]
    assert (evaluation.nonfinite, evaluation.scored, evaluation.listed) == (2, 6, 8)
    assert evaluation.metric("top1").value == 75.0
    assert "**NaN or infinite outputs: 2 images.**" in (tmp_path / "out/README.md").read_text()


def test_a_file_that_fails_parity_is_not_scored(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2])
    run = start(tmp_path / "out", tmp_path / "val", labels, plugin=BakedBatch())
    assert run.everything() is ExitCode.VERDICT_FAILED
    states = {verdict.name: verdict.state for verdict in run.record.verdicts}
    assert states["parity"] is State.FAIL and states["accuracy"] is State.NOT_RUN
    assert run.record.evaluations == ()
    assert "**FAIL: Model parity fails: " in (tmp_path / "out/README.md").read_text()


class BakedBatch(TinyPlugin):
    """Exports a graph whose Reshape gives one row, whatever goes in."""

    from porter import hookimpl

    @hookimpl
    def porter_export(self, loaded: Any, request: Any) -> Any:
        from onnx import TensorProto, helper, numpy_helper

        from porter.contracts.requests import Exported

        shape = helper.make_tensor_value_info
        graph = helper.make_graph(
            [
                helper.make_node("GlobalAveragePool", ["image"], ["mean"]),
                helper.make_node("Reshape", ["mean", "rows"], ["flat"]),
                helper.make_node("ReduceMax", ["flat"], ["class"], axes=[2], keepdims=0),
            ],
            "baked",
            [shape("image", TensorProto.FLOAT, ["N", 3, 16, 16])],
            [shape("class", TensorProto.FLOAT, ["M", 3])],
            [numpy_helper.from_array(np.array([1, 3, -1], dtype=np.int64), "rows")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
        onnx.save(model, request.path)
        return Exported(path=request.path, exporter="by hand", call="-")


def published(images: int, pattern: str = "") -> Any:
    metrics = (PublishedMetric(name="top1", value=100.0),)
    known = Published(source="a paper", dataset="colours", images=images, metrics=metrics, image_pattern=pattern)
    return TinyPlugin(replace(SPEC, published=known))


@pytest.mark.parametrize(
    ("plugin", "reason"),
    [
        (published(50000), "6 images, the published figure is for 50,000 of colours"),
        (published(6, r"val_\d+\.jpg"), "6 images are not named as those of colours"),
        (TinyPlugin(), "no published figure for this model"),
    ],
)
def test_the_published_figure_is_compared_only_on_its_own_images(tmp_path: Path, plugin: Any, reason: str) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2, 0, 1, 2])
    run = start(tmp_path / "out", tmp_path / "val", labels, plugin=plugin)
    run.everything()
    comparison = run.record.comparisons[1]
    assert (comparison.against, comparison.passed, str(comparison.reason)) == ("published", None, reason)
    readme = (tmp_path / "out/README.md").read_text()
    assert f"onnxruntime-fp32: not comparable with the published figure, {reason}" in readme


def test_a_drop_against_the_published_figure_fails(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2] * 4)
    labels.write_text(labels.read_text().replace("photo 004.jpg 1", "photo 004.jpg 2"))
    run = start(tmp_path / "out", tmp_path / "val", labels, plugin=published(12, r"photo \d+\.jpg"))
    assert run.everything() is ExitCode.VERDICT_FAILED
    against = run.record.comparisons[1]
    assert against.passed is False and against.drop == pytest.approx(100 / 12)


def test_tensors_of_an_image_that_was_replaced_are_refused(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2])
    run = start(tmp_path / "out", tmp_path / "val", labels)
    run.export(), run.preprocess()
    (tmp_path / "val/photo 001.jpg").write_bytes((tmp_path / "val/photo 002.jpg").read_bytes())
    with pytest.raises(BadInput, match=r"photo 001\.jpg: changed after"):
        run.evaluate()


def test_a_whole_run_measures_and_reads_nothing_that_stages_left(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2])
    run = start(tmp_path / "out", tmp_path / "val", labels)
    run.export(), run.infer()
    again = start(tmp_path / "out", tmp_path / "val", labels)
    again.everything()
    assert [one.end_to_end.source for one in again.record.evaluations] == ["images", "images"]


def test_weights_that_do_not_load_fail_their_verdict_and_end_the_run(tmp_path: Path) -> None:
    class Unloadable(TinyPlugin):
        from porter import hookimpl

        @hookimpl
        def porter_load(self, request: Any) -> Any:
            raise BadInput("w.pth: lacks 1 of the model's 2 entries: 'head.weight'")

    labels = write_photos(tmp_path / "val", [0, 1, 2])
    run = start(tmp_path / "out", tmp_path / "val", labels, plugin=Unloadable())
    with pytest.raises(BadInput, match=r"head\.weight"):
        run.everything()
    states = {verdict.name: verdict.state for verdict in read_record(tmp_path / "out").verdicts}
    assert states == {
        "weights": State.FAIL,
        **dict.fromkeys(("parity", "preprocessing", "data", "accuracy"), State.NOT_RUN),
    }
    assert "head.weight" in (tmp_path / "out/README.md").read_text()


def test_files_that_no_run_wrote_are_left_alone(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2] * 4)
    out = tmp_path / "project"
    out.mkdir()
    (out / "README.md").write_text("mine")
    with pytest.raises(BadInput, match=r"contains a README\.md that no run wrote"):
        start(out, tmp_path / "val", labels)
    assert (out / "README.md").read_text() == "mine"
    start(tmp_path / "out", tmp_path / "val", labels).everything()
    assert start(tmp_path / "out", tmp_path / "val", labels).everything() is ExitCode.OK


def test_the_machine_is_that_of_the_figures(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2])
    start(tmp_path / "out", tmp_path / "val", labels).everything()
    record = read_record(tmp_path / "out")
    assert record.environment is not None
    elsewhere = replace(record.environment, cpu="another")
    write_record(tmp_path / "out", replace(record, environment=elsewhere))
    run = start(tmp_path / "out", tmp_path / "val", labels, fresh=False)
    run.diagnose()
    assert run.record.environment == elsewhere
    run.bench()
    assert run.record.environment != elsewhere


def test_preprocess_alone_names_what_cannot_be_read(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2])
    (tmp_path / "val/photo 001.jpg").write_bytes(b"")
    run = start(tmp_path / "out", tmp_path / "val", labels)
    run.preprocess()
    data = run.record.data
    assert data is not None and (data.listed, data.decoded, data.failed) == (3, 2, 1)
    assert [failure.id for failure in data.failures] == ["photo 001.jpg"]


def test_load_time_is_that_of_opening_and_a_changed_file_is_still_refused(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2])
    run = start(tmp_path / "out", tmp_path / "val", labels)
    run.export(), run.bench()
    path = tmp_path / "out/models/tiny.onnx"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(BadInput, match="changed after this run built"):
        run.bench()
