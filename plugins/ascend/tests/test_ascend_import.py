"""`porter import ascend`: recorded figures into a record, and whatever does not fit together by its name."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from figures import rounded_twice, unfounded
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny import TinyPlugin

from porter import (
    BadInput,
    ImportRequest,
    Missing,
    Progress,
    RunRecord,
    State,
    create_registry,
    import_results,
    main,
    read_record,
)
from porter_ascend import plugin
from porter_ascend.found import collect

SHARED = Path(__file__).resolve().parents[3] / "../shared/ascend"
GUIDE = SHARED / "guide"
needs_guide = pytest.mark.skipif(not GUIDE.is_dir(), reason="the recorded delivery is not here")
CARD = {1: 623.9, 4: 898.432, 8: 994.056, 16: 1078.048, 32: 1086.248}
"""Images a second of a card with four devices, as the recorded delivery gives them."""
PURE = "[INFO] ave_throughputRate: {rate}samples/s, ave_latency: {latency}ms\n"


def imported(folder: Path, out: Path, **options: Any) -> RunRecord:
    registry = create_registry([("tiny", TinyPlugin()), ("ascend", plugin)])
    return import_results(
        ImportRequest(runtime="ascend", folder=folder, **{"model": "tiny", **options}), out, registry, Progress()
    )


def told(record: RunRecord) -> list[str]:
    assert record.imported is not None
    return [f"{one.kind}: {one.text}" for one in record.imported.findings]


# --- the recorded delivery -------------------------------------------------------------------------------------------


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    return int(stopped.value.code or 0)


@pytest.fixture(scope="module")
def guide(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    if not GUIDE.is_dir():
        pytest.skip("the recorded delivery is not here")
    out = tmp_path_factory.mktemp("guide") / "out"
    options = ("--model", "hrnet", "--variant", "w18", "--devices-per-card", "4", "--out", str(out))
    assert run("import", "ascend", str(GUIDE), *options) == 0
    return read_record(out)


@needs_guide
@pytest.mark.parametrize("options", [(), ("--model", "hrnet")])
def test_the_reports_name_the_model(tmp_path: Path, options: tuple[str, ...]) -> None:
    pytest.importorskip("porter_hrnet")
    assert run("import", "ascend", str(GUIDE), *options, "--out", str(tmp_path)) == 0
    model = read_record(tmp_path).model
    assert model is not None and (model.name, model.variant) == ("hrnet", "w18")


def test_the_recorded_accuracy_passes_against_the_published_one(guide: RunRecord) -> None:
    [evaluation] = guide.evaluations
    assert (evaluation.metric("top1").value, evaluation.metric("top5").value) == (76.46, 93.14)
    assert guide.model is not None and guide.model.published is not None
    assert (guide.model.published.value("top1"), guide.model.published.value("top5")) == (76.8, 93.4)
    [comparison] = guide.comparisons
    assert comparison.passed and comparison.drop == pytest.approx(0.34)
    assert {v.name: v.state for v in guide.verdicts}["accuracy"] is State.PASS


def test_the_recorded_speed_of_a_card_is_computed_and_that_of_a_device_kept(guide: RunRecord) -> None:
    pure = {one.batch: one for one in guide.performance if "random values" in str(one.input)}
    assert {batch: round(one.card.images_per_second, 3) if one.card else 0 for batch, one in pure.items()} == CARD
    assert pure[16].images_per_second == 269.512
    assert {(one.card and one.card.devices, one.clock) for one in guide.performance} == {(4, "benchmark")}
    assert pure[16].source == "PureInfer_bs16.log"


def test_the_recorded_times_are_called_what_they_are(guide: RunRecord) -> None:
    """`ave_latency` is the time of one image; the tool gives no time of a batch, and none is made up."""
    [sixteen] = [one for one in guide.performance if one.batch == 16]
    assert sixteen.tool_ms_per_image == 3.73541 and sixteen.ms_per_image == pytest.approx(1000 / 269.512)
    assert sixteen.latency.median_ms is None and sixteen.latency.mean_ms is None
    assert (sixteen.load_ms, sixteen.first_run_ms, sixteen.warmup_runs, sixteen.steady) == (None,) * 4
    [first] = [one for one in guide.performance if one.batch == 1 and "random values" in str(one.input)]
    assert first.calls == 20


def test_the_recorded_rates_of_the_path_are_kept(guide: RunRecord) -> None:
    assert guide.imported is not None
    [whole] = guide.imported.dataset_runs
    assert (whole.images_per_second, whole.wall_seconds, whole.images) == (125.08, 399.743, 50_000)
    assert {one.name: one.images_per_second for one in whole.modules} == {
        "data read": 132.686,
        "preprocess": 132.548,
        "infer": 125.448,
        "post": 125.448,
    }
    device = next(one for one in guide.performance if one.source.startswith("perf_vision"))
    assert (device.batch, device.images_per_second) == (1, 156.216)


def test_what_the_recorded_files_do_not_say_is_not_reported(guide: RunRecord) -> None:
    assert told(guide) == []
    assert {one.session.precision for one in guide.performance} == {"not reported"}
    assert guide.environment is None and guide.artefacts == () and guide.data is None
    assert guide.imported is not None and guide.imported.measured_on == "not reported"
    assert any("only the number of images" in str(note) for note in guide.imported.notes)
    assert {source.path for source in guide.imported.sources} == {
        path.name for path in GUIDE.iterdir() if path.name != "FACTS.md"
    }


@needs_guide
def test_the_tools_notes_are_chinese_in_the_chinese_document(tmp_path: Path) -> None:
    pytest.importorskip("porter_hrnet")
    assert run("import", "ascend", str(GUIDE), "--out", str(tmp_path)) == 0
    document = (tmp_path / "README.zh.md").read_text(encoding="utf-8")
    assert "工具不提供整批时延" in document and "what benchmark calls" not in document
    assert run("report", str(tmp_path)) == 0
    assert (tmp_path / "README.zh.md").read_text(encoding="utf-8") == document
    record = read_record(tmp_path)
    assert record.templates == ("ascend",)


@needs_guide
def test_the_documents_state_figures_of_the_record_each_with_one_rounding(tmp_path: Path) -> None:
    pytest.importorskip("porter_hrnet")
    assert (
        run("import", "ascend", str(GUIDE), "--model", "hrnet", "--variant", "w18", "--out", str(tmp_path / "out")) == 0
    )
    record = json.loads((tmp_path / "out/run.json").read_text())
    for name in ("README.md", "README.zh.md"):
        document = (tmp_path / "out" / name).read_text()
        assert unfounded(document, record) == [] and rounded_twice(document, record) == {}
        assert "RESULTS" in document and str(GUIDE.resolve()) not in document


@needs_guide
def test_a_lower_accuracy_fails(tmp_path: Path) -> None:
    shutil.copytree(GUIDE, tmp_path / "guide")
    result = tmp_path / "guide/result.json"
    result.write_text(result.read_text().replace("76.46%", "75.79%"))
    options = ("--model", "hrnet", "--variant", "w18", "--out", str(tmp_path / "out"))
    assert run("import", "ascend", str(tmp_path / "guide"), *options) == 1
    document = (tmp_path / "out/README.md").read_text()
    assert "drop 1.01 points, limit 1.00" in document


@needs_guide
def test_a_card_is_shown_only_where_it_was_asked_for(tmp_path: Path) -> None:
    options = ("--model", "hrnet", "--variant", "w18", "--out", str(tmp_path / "out"))
    assert run("import", "ascend", str(GUIDE), *options) == 0
    assert {one.card for one in read_record(tmp_path / "out").performance} == {None}


# --- what does not fit together --------------------------------------------------------------------------------------

ACCURACY = {"Number of images": "7", "Number of classes": "3", "Top1 accuracy": "85.71%", "Top2 accuracy": "100.0%"}


def write_scores(folder: Path, **changes: str) -> Path:
    values = {**ACCURACY, **changes}
    document = {"title": "t", "value": [{"key": key, "value": value} for key, value in values.items()]}
    (folder / "result.json").write_text(json.dumps(document))
    return folder


def write_outputs(folder: Path, count: int = 7, *, wrong: tuple[int, ...] = ()) -> Path:
    """Outputs in which image k is of class k mod 3, and the label file beside the folder."""
    place = folder / "out_bs4"
    place.mkdir(parents=True)
    for k in range(count):
        scores = np.zeros(3, np.float32)
        scores[(k + (k in wrong)) % 3] = 1
        (place / f"image{k}_1.txt").write_text(" ".join(f"{x:f}" for x in scores))
    labels = folder.parent / "labels.txt"
    labels.write_text("".join(f"image{k}.JPEG {k % 3}\n" for k in range(7)))
    return labels


@pytest.fixture
def back(tmp_path: Path) -> Path:
    folder = tmp_path / "back"
    folder.mkdir()
    return folder


def test_predictions_are_scored_by_the_models_task(tmp_path: Path, back: Path) -> None:
    labels = write_outputs(back, wrong=(3,))
    write_scores(back)
    record = imported(back, tmp_path / "out", labels=labels)
    [evaluation] = record.evaluations
    assert (evaluation.name, evaluation.batch, evaluation.scored) == ("ascend-bs4", 4, 7)
    assert evaluation.metric("top1").hits == 6
    assert told(record) == ["missing: no speed: no readable report"]
    assert (tmp_path / "out/predictions.csv").read_text().splitlines()[4].startswith("image3.JPEG,0,ascend-bs4")


def test_a_missing_prediction_counts_as_wrong_and_is_named(tmp_path: Path, back: Path) -> None:
    labels = write_outputs(back, 6)
    write_scores(back, **{"Top1 accuracy": "100.0%"})
    record = imported(back, tmp_path / "out", labels=labels)
    [evaluation] = record.evaluations
    assert (evaluation.listed, evaluation.scored, evaluation.unreadable) == (7, 6, 1)
    assert evaluation.metric("top1").count == 7 and evaluation.metric("top1").hits == 6
    assert told(record)[:2] == [
        "missing: `out_bs4` contains outputs of 6 of 7 images; missing ones (such as image6) count as wrong",
        "inconsistent: `result.json` states Top-1 100.00%, the predictions of ascend-bs4 give 85.71%",
    ]


def test_an_accuracy_of_other_images_than_the_labels_is_named(tmp_path: Path, back: Path) -> None:
    labels = write_outputs(back)
    write_scores(back, **{"Number of images": "8", "Top1 accuracy": "100.0%"})
    record = imported(back, tmp_path / "out", labels=labels)
    assert "inconsistent: `result.json` covers 8 images, ascend-bs4 covers 7" in told(record)
    shutil.rmtree(back / "out_bs4")
    record = imported(back, tmp_path / "other", labels=labels)
    assert "inconsistent: `result.json` covers 8 images, the label file lists 7" in told(record)


def test_predictions_without_a_label_are_named(tmp_path: Path, back: Path) -> None:
    labels = write_outputs(back, 9)
    record = imported(back, tmp_path / "out", labels=labels)
    assert told(record)[0].startswith(
        "inconsistent: `out_bs4` contains outputs of 2 images without a label (such as image7"
    )


def test_predictions_without_any_labels_are_refused(tmp_path: Path, back: Path) -> None:
    write_outputs(back)
    with pytest.raises(BadInput, match=r"predictions found, but no labels\. Use --labels FILE"):
        imported(back, tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "text", "finding"),
    [
        ("PureInfer_bs4.log", PURE.format(rate=100, latency=40), "fits 100 images/s as the time of a batch of 4"),
        ("PureInfer_bs4.log", PURE.format(rate=100, latency=5), "contradict each other"),
        ("PureInfer.log", PURE.format(rate=100, latency=10), "`PureInfer.log` states no batch size; ignored"),
        (
            "PureInfer_bs8.log",
            "[INFO] PureInfer result saved in ./result/PureInfer_perf_of_net_bs4_in_device_0.txt\n"
            + PURE.format(rate=100, latency=10),
            "`PureInfer_bs8.log` is named for batch 8 but contains the model `net_bs4`",
        ),
        (
            "run_bs4_summary.json",
            '{"NPU_compute_time": {"mean": 10, "count": 3}, "throughput": 100, "args": ["--batchsize", "4"]}',
            "throughput 100 images/s is not 1000 × 4 / 10 ms",
        ),
        (
            "run_bs8_summary.json",
            '{"NPU_compute_time": {"mean": 10}, "throughput": 400, "args": ["--batchsize", "4"]}',
            "was run at batch 4, but its name says 8",
        ),
        (
            "run_bs4_summary.json",
            '{"NPU_compute_time": {"mean": 10, "count": 3}, "throughput": 400, "npu_compute_time_list": [10, 10]}',
            "states 3 calls but lists 2",
        ),
        (
            "PureInfer_bs4.log",
            PURE.format(rate="nan", latency=10),
            "unreadable: `PureInfer_bs4.log`: ave_throughputRate",
        ),
    ],
)
def test_figures_that_contradict_each_other_are_named(
    tmp_path: Path, back: Path, name: str, text: str, finding: str
) -> None:
    write_scores(back)
    (back / name).write_text(text)
    record = imported(back, tmp_path / "out")
    assert any(finding in one for one in told(record)), told(record)


def test_a_time_that_is_a_batchs_is_not_taken_for_an_images(tmp_path: Path, back: Path) -> None:
    (back / "PureInfer_bs4.log").write_text(PURE.format(rate=100, latency=40))
    [one] = imported(back, tmp_path / "out").performance
    assert (one.ms_per_image, one.latency.mean_ms, one.images_per_second) == (10, 40, 100)


def test_a_batch_size_without_a_report_is_named(tmp_path: Path, back: Path) -> None:
    (back / "PureInfer_bs4.log").write_text(PURE.format(rate=100, latency=10))
    record = imported(back, tmp_path / "out", batch_sizes=(1, 4, 8))
    assert told(record)[:2] == [f"missing: no report gives the speed at batch {batch}" for batch in (1, 8)]


def test_a_log_and_a_report_of_one_run_count_once(tmp_path: Path, back: Path) -> None:
    (back / "PureInfer_bs4.log").write_text(PURE.format(rate=100, latency=10))
    (back / "PureInfer_perf_of_net_bs4_in_device_0.txt").write_text(PURE.format(rate=100, latency=10))
    record = imported(back, tmp_path / "out")
    assert len(record.performance) == 1
    (back / "PureInfer_perf_of_net_bs4_in_device_0.txt").write_text(PURE.format(rate=200, latency=5))
    assert any("states 100 images/s" in one for one in told(imported(back, tmp_path / "out")))


def test_the_rate_on_the_data_set_is_held_against_pure_inference(tmp_path: Path, back: Path) -> None:
    (back / "PureInfer_bs1.log").write_text(PURE.format(rate=100, latency=10))
    (back / "perf_vision_batchsize_1_device_0.txt").write_text(
        "[e2e] throughputRate: 50, latency: 2000\n"
        "[infer] throughputRate: 50, Interface throughputRate: 80, moduleLatency: 20\n"
    )
    write_scores(back, **{"Number of images": "200"})
    record = imported(back, tmp_path / "out")
    assert any("80 images/s on the data set" in one and "100 by pure inference" in one for one in told(record))
    assert any("ran 100 images, `result.json` covers 200" in one for one in told(record))


# --- the way in ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({}, "nothing to import; supported: perf_vision"),
        ({"folder": "absent"}, "absent: no such folder"),
        ({"model": None}, "cannot tell which model this is. Use --model NAME"),
        ({"model": "tinny"}, "unknown model 'tinny'. Did you mean 'tiny'"),
        ({"variant": "w18"}, "--variant w18: model 'tiny' has tiny"),
        ({"variant": "tiny", "config": Path("c.yaml")}, "--config and --variant cannot be combined"),
    ],
)
def test_what_cannot_be_imported_is_one_line(tmp_path: Path, back: Path, options: dict[str, Any], why: str) -> None:
    folder = tmp_path / options.pop("folder", "back")
    if options:
        write_scores(back)
    with pytest.raises(BadInput, match=why):
        imported(folder, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_without_the_plugin_the_command_says_so(back: Path, tmp_path: Path) -> None:
    registry = create_registry(disabled=("ascend",))
    with pytest.raises(Missing, match=r"unknown runtime 'ascend'.*disabled.*: ascend"):
        import_results(ImportRequest(runtime="ascend", folder=back), tmp_path / "out", registry, Progress())


def test_a_folder_with_two_files_for_one_output_is_a_finding(tmp_path: Path, back: Path) -> None:
    labels = write_outputs(back)
    write_scores(back)
    (back / "out_bs4/image0_1.npy").write_bytes(b"x")
    record = imported(back, tmp_path / "out", labels=labels)
    assert (
        told(record)[0].startswith("unreadable: `out_bs4`: ") and "a second file for the same output" in told(record)[0]
    )
    assert record.evaluations[0].scored is None  # as `result.json` states it


def test_nothing_of_use_names_the_first_broken_file(tmp_path: Path, back: Path) -> None:
    (back / "PureInfer_bs1.log").write_bytes(b"\xff\xfe")
    with pytest.raises(BadInput, match=r"nothing to import; PureInfer_bs1\.log: .*UTF-16"):
        imported(back, tmp_path / "out")


def test_no_folder_of_another_kind_is_written_over(tmp_path: Path, back: Path) -> None:
    write_scores(back)
    out = tmp_path / "out"
    out.mkdir()
    (out / "README.md").write_text("mine")
    with pytest.raises(BadInput, match="contains files that no import wrote"):
        imported(back, out)
    (out / "README.md").unlink()
    imported(back, out)
    imported(back, out)


def test_the_documents_are_made_again_from_the_record_alone(tmp_path: Path, back: Path) -> None:
    labels = write_outputs(back)
    imported(back, tmp_path / "out", labels=labels, devices_per_card=2)
    names = ("README.md", "README.zh.md", "reproduce.sh", "report.html")
    first = {name: (tmp_path / "out" / name).read_bytes() for name in names}
    with pytest.raises(SystemExit) as stopped:
        main(["report", str(tmp_path / "out")])
    assert stopped.value.code in (0, 1)
    assert {name: (tmp_path / "out" / name).read_bytes() for name in names} == first
    assert "import ascend" in first["reproduce.sh"].decode() and "porter run" not in first["reproduce.sh"].decode()


NAMES = (
    *("PureInfer_bs4.log", "perf_vision_batchsize_1_device_0.txt", "run_bs1_summary.json", "result.json"),
    *("results.json", "kit.json", "any.log", "image_0.txt", "image_0.npy", "PureInfer_perf_of_x_bs1_in_device_0.txt"),
)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(NAMES), st.binary(max_size=120), min_size=1))
def test_no_content_of_a_folder_breaks_an_import(tmp_path: Path, contents: dict[str, bytes]) -> None:
    """Every file is taken, or broken for a reason on one line."""
    with tempfile.TemporaryDirectory(dir=tmp_path) as place:
        for name, content in contents.items():
            (Path(place) / name).write_bytes(content)
        found = collect(Path(place))
        assert all(reason and "\n" not in reason for _, reason in found.broken)


def test_what_is_no_file_is_passed_over(back: Path) -> None:
    os.mkfifo(back / "PureInfer_bs1.log")
    os.mkfifo(back / "image_0.txt")
    (back / "loop").symlink_to(back)
    assert collect(back).is_empty
