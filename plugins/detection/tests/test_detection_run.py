"""`porter run shapes-detector`, and ports of it that are wrong."""

from __future__ import annotations

import contextlib
import csv
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from lying import Lie, Lying, Outputs
from nms_inside import NAME as NMS
from nms_inside import plugin_of, with_nms
from onnx import numpy_helper

from porter import (
    BadInput,
    ExitCode,
    PluginError,
    Published,
    PublishedMetric,
    Run,
    State,
    hookimpl,
    read_record,
    reference_pipeline,
    testing,
)
from porter_detection import plugin, shapes
from porter_detection.boxes import Detected
from porter_detection.coco_eval import coco_eval, mean_precision
from porter_detection.shapes import CLASSES, SAMPLE, SPEC
from porter_detection.task import Detection
from porter_detection.truth import read

Start = Callable[..., Run]
SCENES = 48


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The whole run on the sample, with nothing named."""
    out = tmp_path_factory.mktemp("shapes") / "out"
    run = testing.start_run(out, shapes, plugin, batch_sizes=(1, 4), bench_seconds=0.0, threads=1)
    assert run.everything() is ExitCode.OK
    return run


def rows(folder: Path, evaluation: str) -> list[dict[str, str]]:
    with (folder / "predictions.csv").open(encoding="utf-8", newline="") as stream:
        return [row for row in csv.DictReader(stream) if row["evaluation"] == evaluation]


def parsed(text: str) -> Detected:
    """What `Detection.row` wrote."""
    boxes = [line.split(" ") for line in text.split("; ") if line]
    return Detected(
        tuple(tuple(map(float, one[2:])) for one in boxes),  # type: ignore[misc]
        tuple(int(one[0]) for one in boxes),
        tuple(float(one[1]) for one in boxes),
    )


def test_every_stage_serves_detection(delivered: Run) -> None:
    record = read_record(delivered.job.folder)
    assert [verdict.state for verdict in record.verdicts] == [State.PASS] * 5
    reference, artefact = record.evaluations
    assert reference.scored == SCENES and reference.metric("map").value > 70
    assert reference.metric("ap50").value > 90 > reference.metric("map_random").value
    assert artefact.metric("map").value == pytest.approx(reference.metric("map").value, abs=0.05)
    assert artefact.changes is not None and artefact.changes.flipped == 0 and artefact.changes.resampled is not None
    assert record.parity[0].changes is not None and record.parity[0].changes.flipped == 0
    assert [(one.against, one.metric, one.passed) for one in record.comparisons] == [
        ("reference", "map", True),
        ("published", "map", None),
    ]
    assert [row[0] for row in reference.tables[0].rows] == list(CLASSES)


def test_the_interval_is_a_bootstrap_over_images(delivered: Run) -> None:
    reference, artefact = delivered.record.evaluations
    for evaluation in (reference, artefact):
        metric = evaluation.metric("map")
        assert metric.interval is not None and metric.interval.low < metric.value < metric.interval.high
        assert 3 < metric.interval.high - metric.interval.low < 20
        assert evaluation.metric("ap50").interval is None


def test_the_figure_is_that_of_what_predictions_csv_says(delivered: Run) -> None:
    written = rows(delivered.job.folder, "reference")
    found = [parsed(row["detections"]) for row in written]
    counts = {len(one.boxes) for one in found}
    assert len(counts) > 5, "each image has a number of its own"
    evaluation = coco_eval([read(row["label"]) for row in written], found, len(CLASSES))
    # predictions.csv leaves out boxes with a score below 0.05, which hardly any precision depends on
    whole = delivered.record.evaluations[0].metric("map").value
    assert 100 * (mean_precision(evaluation) or 0) == pytest.approx(whole, abs=1.0)


def test_an_image_without_shapes_is_an_answer(delivered: Run) -> None:
    empty = [row for row in rows(delivered.job.folder, "reference") if ";" not in row["label"]]
    assert empty and {row["status"] for row in empty} == {"ok"}
    assert any(row["boxes"] == "0" for row in empty)


def test_the_documents_speak_of_boxes_in_both_languages(delivered: Run) -> None:
    english = (delivered.job.folder / "README.md").read_text(encoding="utf-8")
    chinese = (delivered.job.folder / "README.zh.md").read_text(encoding="utf-8")
    value = f"{delivered.record.evaluations[1].metric('map').value:.2f}"
    for text, heading in ((english, "AP by class"), (chinese, "各类别 AP")):
        assert value in text and heading in text and "red disc" in text
        assert "random boxes" not in text and "top-1" not in text.lower()


def test_resume_gives_the_same_figures(delivered: Run, start: Start, tmp_path: Path) -> None:
    run = start(limit=12)
    run.export()
    run.evaluate()
    first = run.record.evaluations
    journals = sorted((run.job.folder / "cache").rglob("*.jsonl"))
    assert journals, "predictions of this task are journalled"
    again = testing.start_run(
        tmp_path / "out", shapes, plugin, fresh=False, limit=12, batch_sizes=(4,), bench_seconds=0.0, threads=1
    )
    again.evaluate()
    assert [one.metrics for one in again.record.evaluations] == [one.metrics for one in first]
    assert again.record.evaluations[0].end_to_end is not None and again.record.evaluations[0].end_to_end.resumed == 12


def test_int8_is_calibrated_and_judged(start: Start) -> None:
    run = start(precisions=("int8",), max_drop=5.0, calibration_images=8)
    assert run.everything() is ExitCode.OK
    evaluation = run.record.evaluation("onnxruntime-int8")
    assert evaluation.listed == SCENES - 8 and evaluation.metric("map").value > 60
    assert evaluation.changes is not None and evaluation.changes.resampled is not None
    if evaluation.changes.flipped:
        flip = evaluation.changes.flips[0]
        assert flip.drawn and flip.thumbnail and re.match(r"\d+ × |no boxes", flip.label)
        assert 'class="drawn"' in (run.job.folder / "report.html").read_text(encoding="utf-8")


def test_a_port_that_exchanges_channels_fails(start: Start) -> None:
    """A plugin whose own pipeline feeds BGR, as a port that reads by OpenCV does."""

    @hookimpl
    def porter_preprocess(sample: Any, spec: Any) -> np.ndarray:
        return reference_pipeline(sample.pixels[:, :, ::-1], spec.preprocess)

    names = ("porter_models", "porter_describe", "porter_load")
    wrong = SimpleNamespace(
        __name__="bgr", porter_preprocess=porter_preprocess, **{name: getattr(shapes, name) for name in names}
    )
    run = start(wrong)
    assert run.everything() is ExitCode.VERDICT_FAILED
    assert "BGR instead of RGB" in (run.job.folder / "README.md").read_text(encoding="utf-8")
    assert failed(run) >= {"preprocessing"} and run.record.evaluations[0].metric("map").value < 10


def test_a_declaration_that_exchanges_channels_is_named(start: Start) -> None:
    @hookimpl
    def porter_describe(request: Any) -> Any:
        assert SPEC.preprocess is not None
        return replace(SPEC, preprocess=replace(SPEC.preprocess, channels="BGR"))

    names = ("porter_models", "porter_load")
    wrong = SimpleNamespace(
        __name__="bgr", porter_describe=porter_describe, **{name: getattr(shapes, name) for name in names}
    )
    run = start(wrong)
    assert run.everything() is ExitCode.VERDICT_FAILED
    assert failed(run) == {"preprocessing"} and not run.record.label_suspects
    tried = run.record.tried
    assert tried is not None and [str(one.title) for one in tried.better][:1] == ["RGB instead of BGR"]


def failed(run: Run) -> set[str]:
    return {verdict.name for verdict in run.record.verdicts if verdict.state is State.FAIL}


@pytest.mark.parametrize(
    ("name", "says"),
    [("mAP", "'detection' has no metric 'mAP'; available: map, "), ("map", "")],
)
def test_a_published_figure_is_one_of_the_task(start: Start, name: str, says: str) -> None:
    figures = Published(
        source="a paper", dataset="COCO", images=5000, metrics=(PublishedMetric(name=name, value=37.0),)
    )

    @hookimpl
    def porter_describe(request: Any) -> Any:
        return replace(SPEC, published=figures)

    given = {one: getattr(shapes, one) for one in ("porter_models", "porter_load")}
    plugin_of_it = SimpleNamespace(__name__="published", porter_describe=porter_describe, **given)
    with pytest.raises(PluginError, match=says) if says else contextlib.nullcontext():
        assert start(plugin_of_it).job.spec.published == figures


def test_the_scorer_s_metrics_are_the_task_s(delivered: Run) -> None:
    for evaluation in delivered.record.evaluations:
        assert {one.name for one in evaluation.metrics} <= set(Detection.metric_names)


class Moved(Lie):
    """Boxes half as large, as by a decoder with another stride."""

    def told(self, honest: Any, batch: np.ndarray, number: int) -> Outputs:
        found = honest(batch)
        return {**found, "boxes": found["boxes"] / 2}


def test_a_runtime_that_moves_boxes_fails_and_is_drawn(start: Start) -> None:
    runtime = SimpleNamespace(__name__="moved", porter_runtimes=hookimpl(lambda: [Lying(Moved)]))
    run = start(shapes, runtime, runtimes=("lying",), atol=1000.0)
    assert run.everything() is ExitCode.VERDICT_FAILED
    evaluation = run.record.evaluation("lying-fp32")
    assert evaluation.metric("map").value < 5 and evaluation.changes is not None
    assert evaluation.changes.flipped > 40 and evaluation.changes.flips[0].drawn
    page = (run.job.folder / "report.html").read_text(encoding="utf-8")
    assert page.count('<li class="drawn">') == 24


def test_a_graph_with_nms_inside_agrees_with_porter_s_own(delivered: Run, start: Start, tmp_path: Path) -> None:
    export = delivered.record.export
    assert export is not None
    graph = with_nms(delivered.job.folder / export.path, tmp_path / "nms.onnx", least=0.001)
    run = start(plugin_of(graph), model=NMS, data=SAMPLE / "images", labels=SAMPLE / "instances.json")
    assert run.everything() is ExitCode.OK
    own = delivered.record.evaluation("onnxruntime-fp32")
    for evaluation in run.record.evaluations:
        assert evaluation.metric("map").value == pytest.approx(own.metric("map").value, abs=0.01)


def test_no_box_in_any_image_is_a_result(delivered: Run, start: Start, tmp_path: Path) -> None:
    export = delivered.record.export
    assert export is not None
    graph = with_nms(delivered.job.folder / export.path, tmp_path / "nms.onnx", least=2.0)
    run = start(plugin_of(graph), model=NMS, data=SAMPLE / "images", labels=SAMPLE / "instances.json")
    assert run.everything() is ExitCode.VERDICT_FAILED
    assert run.record.evaluations[0].metric("map").value == 0 and run.record.evaluations[0].scored == SCENES
    assert "no better than guessing" in (run.job.folder / "README.md").read_text(encoding="utf-8")


def test_yolo_labels_give_the_same_figure(delivered: Run, start: Start, tmp_path: Path) -> None:
    content = json.loads((SAMPLE / "instances.json").read_text(encoding="utf-8"))
    place = {category["id"]: kind for kind, category in enumerate(content["categories"])}
    for image in content["images"]:
        lines = []
        for one in content["annotations"]:
            if one["image_id"] == image["id"]:
                x, y, width, height = one["bbox"]
                middle = (x + width / 2) / image["width"], (y + height / 2) / image["height"]
                shares = (*middle, width / image["width"], height / image["height"])
                lines.append(f"{place[one['category_id']]} " + " ".join(f"{share:.9f}" for share in shares))
        (tmp_path / Path(image["file_name"]).with_suffix(".txt")).write_text("\n".join(lines) + "\n")
    run = start(data=SAMPLE / "images", labels=tmp_path)
    run.export()
    run.evaluate()
    for name in ("map", "ap50"):
        assert run.record.evaluations[0].metric(name).value == pytest.approx(
            delivered.record.evaluations[0].metric(name).value, abs=0.01
        )


def test_an_unreadable_image_counts_as_missed(start: Start, tmp_path: Path) -> None:
    import shutil

    data = tmp_path / "images"
    shutil.copytree(SAMPLE / "images", data)
    labels = json.loads((SAMPLE / "instances.json").read_text(encoding="utf-8"))
    busy = max(labels["images"], key=lambda one: sum(a["image_id"] == one["id"] for a in labels["annotations"]))
    (data / busy["file_name"]).write_bytes(b"\xff\xd8 cut")
    run = start(data=data, labels=SAMPLE / "instances.json")
    run.export()
    run.evaluate()
    reference = run.record.evaluations[0]
    assert reference.unreadable == 1 and reference.scored == SCENES - 1 and reference.metric("map").count == SCENES


def test_labels_that_do_not_fit_are_one_line(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    content = json.loads((SAMPLE / "instances.json").read_text(encoding="utf-8"))
    content["categories"][0]["name"] = "green disc"
    path.write_text(json.dumps(content))
    with pytest.raises(BadInput, match=r"category_id: 1, 'green disc', is no class of the model") as caught:
        start(data=SAMPLE / "images", labels=path).everything()
    assert "\n" not in str(caught.value)


def test_the_sample_has_what_its_origin_says() -> None:
    content = json.loads((SAMPLE / "instances.json").read_text(encoding="utf-8"))
    assert len(content["images"]) == SCENES == len(list((SAMPLE / "images").iterdir()))
    assert [category["id"] for category in content["categories"]] == [1, 2, 5, 9]
    assert (SAMPLE / "ORIGIN.md").read_text(encoding="utf-8").count(str(SCENES))


def test_conformance(tmp_path: Path) -> None:
    images = testing.ImageSet(data=SAMPLE / "images", labels=SAMPLE / "instances.json")
    testing.check_conformance(
        shapes, "shapes-detector", images=images, folder=tmp_path / "out", registry=testing.registry_of(shapes, plugin)
    )


def test_the_exported_graph_holds_the_checkpoint(delivered: Run) -> None:
    export = delivered.record.export
    assert export is not None
    graph = onnx.load(delivered.job.folder / export.path).graph
    grid = [numpy_helper.to_array(one) for one in graph.initializer if list(one.dims) == [256, 2]]
    assert [output.name for output in graph.output] == ["boxes", "scores"] and len(grid) <= 1
