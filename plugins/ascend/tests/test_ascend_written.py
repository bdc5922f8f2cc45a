"""What Ascend's tools really write, in every version of them: what is taken from it, and what is said of the rest."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from tiny import TinyPlugin

from porter import ImportRequest, Progress, RunRecord, create_registry, import_results
from porter_ascend import plugin

TIMES = {"min": 10.1, "max": 12.4, "mean": 10.6, "median": 10.5, "percentile(99%)": 12.2, "count": 8}
RATE = 1509.433962264151
NPU = "[INFO] NPU_compute_time (ms): min = 10.1, max = 12.4, mean = 10.6, median = 10.5, percentile(99%) = 12.2\n"
OLD = f"[INFO] throughput (1000*batchsize/NPU_compute_time): {RATE}\n"
NEW = f"[INFO] throughput 1000*batchsize.mean(16)/NPU_compute_time.mean(10.6): {RATE}\n"
NAUGHT = "[INFO] {kind}_latency (ms): min = 0.0, max = 0.0, mean = 0.0, median = 0.0, percentile(99%) = 0.0\n"
SMALL = (
    "[INFO] load model ./net_bs1.om success\n[INFO] throughput 1000*batchsize(1)/NPU_compute_time.mean(2.0): 500.0\n"
)
MSAME = (
    "[INFO] load model ./net_bs4.om success\nInference time: 9ms\nInference time: 6ms\n"
    "Inference average time : 7.50 ms\nInference average time without first time: 6.00 ms\n"
)


def summary(*words: str, rate: float = RATE, **more: Any) -> str:
    times = {**TIMES, "mean": 16_000 / rate}
    document = {"filesinfo": {}, "args": list(words), "NPU_compute_time": times, "throughput": rate, **more}
    return json.dumps(document)


def imported(folder: Path, out: Path, **options: Any) -> RunRecord:
    registry = create_registry([("tiny", TinyPlugin()), ("ascend", plugin)])
    asked = ImportRequest(runtime="ascend", folder=folder, **{"model": "tiny", **options})
    return import_results(asked, out, registry, Progress())


def written(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


COMMAND = ("/usr/lib/ais_bench/__main__.py", "--model", "./net.om", "--batchsize", "16")


@pytest.mark.parametrize(
    ("name", "text", "speeds"),
    [
        ("result_summary.json", summary(*COMMAND), [(16, RATE)]),
        ("2022_12_05-10_19_11_summary.json", summary(*COMMAND), [(16, RATE)]),
        ("result/device0_0_summary.json", summary(*COMMAND), [(16, RATE)]),
        ("sumary.json", summary("ais_infer.py", "--model=net.om", "--batchsize=16"), [(16, RATE)]),
        ("result_summary.json", summary("msit", "benchmark", "-om", "net.om", "--batch-size", "16"), [(16, RATE)]),
        ("result_summary.json", summary("--model", "net.om", "--dymBatch", "16"), [(16, RATE)]),
        ("result_summary.json", summary("--model", "net.om", "--dymShape", "image:16,3,224,224"), [(16, RATE)]),
        ("result_summary.json", summary("--model", "net.om"), [(16, RATE)]),  # by the rate and the mean time
        ("pure.log", NAUGHT.format(kind="H2D") + NPU + NAUGHT.format(kind="D2H") + NEW, [(16, RATE)]),
        ("infer.log", NPU + OLD, [(16, RATE)]),
        ("infer_bs16.log", OLD, [(16, RATE)]),
        ("bench_bs_16.txt", NPU + NEW, [(16, RATE)]),  # named as an output is
        ("nohup.out", NPU + NEW, [(16, RATE)]),
        ("batch16.json", summary(*COMMAND), [(16, RATE)]),  # renamed
        ("all.log", SMALL + NPU + NEW, [(1, 500.0), (16, RATE)]),  # two runs in one log
        ("msame.log", MSAME, [(4, 4000 / 6)]),
    ],
)
def test_the_speed_of_every_version(tmp_path: Path, name: str, text: str, speeds: list[tuple[int, float]]) -> None:
    record = imported(written(tmp_path / "back", {name: text}), tmp_path / "out")
    assert [(one.batch, one.images_per_second) for one in record.performance] == speeds
    assert record.imported is not None
    assert [str(one.text) for one in record.imported.findings] == [
        "no accuracy: no predictions and no readable file with an accuracy"
    ]


def test_a_time_of_naught_was_not_measured(tmp_path: Path) -> None:
    text = NAUGHT.format(kind="H2D") + NPU + NAUGHT.format(kind="D2H") + NEW
    [one] = imported(written(tmp_path / "back", {"pure.log": text}), tmp_path / "out").performance
    assert (one.latency.median_ms, one.latency.min_ms, one.copies) == (10.5, 10.1, ())


DEVICES = "i:0 device_0 throughput:{first}\ni:1 device_1 throughput:{second}\n[INFO] summary throughput:900.0\n"
PAIR = "[INFO] throughput 1000*batchsize.mean(1)/NPU_compute_time.mean({mean}): {rate}\n"


@pytest.mark.parametrize(
    "files",
    [
        {
            "result/device0_0_summary.json": summary(*COMMAND, "--device", "0,1", rate=500.0),
            "result/device1_1_summary.json": summary(*COMMAND, "--device", "0,1", rate=400.0),
        },
        {
            "run.log": PAIR.format(mean=2.0, rate=500.0)
            + PAIR.format(mean=2.5, rate=400.0)
            + DEVICES.format(first=500.0, second=400.0)
        },
    ],
)
def test_of_several_devices_the_speed_is_that_of_one(tmp_path: Path, files: dict[str, str | bytes]) -> None:
    record = imported(written(tmp_path / "back", files), tmp_path / "out")
    [one] = record.performance
    assert one.images_per_second == 500.0
    assert record.imported is not None
    assert any("device 1 of the same run reached 400 images/s" in str(note) for note in record.imported.notes)
    assert "device 1 of the same run reached 400 images/s" in (tmp_path / "out/README.md").read_text()
    assert not any(one.kind == "inconsistent" for one in record.imported.findings)


LABELS = ("a.jpg 0", "b.jpg 1", "c.jpg 2", "d.jpg 0")
SCORES = {"a": (9.0, 0.0, 0.0), "b": (0.0, 9.0, 0.0), "c": (0.0, 0.0, 9.0), "d": (9.0, 0.0, 0.0)}


def outputs(form: str, places: dict[str, str]) -> dict[str, str | bytes]:
    return {place: struct.pack(form, *SCORES[image]) for image, place in places.items()}


@pytest.mark.parametrize(
    "places",
    [
        {"a": "a_0.bin", "b": "b_0.bin", "c": "c_0.bin", "d": "d_0.bin"},
        {"a": "a_output_0.bin", "b": "b_output_0.bin", "c": "c_output_0.bin", "d": "d_output_0.bin"},  # msame
        {"a": "device0_0/a_0.bin", "b": "device1_1/b_0.bin", "c": "device0_0/c_0.bin", "d": "device1_1/d_0.bin"},
    ],
)
def test_outputs_of_every_tool_are_scored(tmp_path: Path, places: dict[str, str]) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(LABELS))
    back = written(tmp_path / "back", outputs("<3f", {image: f"result/{place}" for image, place in places.items()}))
    [one] = imported(back, tmp_path / "out", labels=labels).evaluations
    assert (one.listed, one.scored, one.metric("top1").hits) == (4, 4, 4)


def test_outputs_and_no_report_are_told_in_whole_sentences(tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(LABELS))
    back = written(tmp_path / "back", outputs("<3f", {image: f"{image}_0.bin" for image in SCORES}))
    imported(back, tmp_path / "out", labels=labels)
    english, chinese = ((tmp_path / "out" / name).read_text() for name in ("README.md", "README.zh.md"))
    assert "Measured on another host, imported from `RESULTS`; the files do not say on which, nor with which tool." in (
        english.replace("\\", "")
    )
    assert "| `./` | accuracy of ascend, 4 files |" in english
    assert "文件中未记录主机和工具信息。" in chinese


@pytest.mark.parametrize(
    ("form", "english", "chinese"),
    [
        ("<3e", "6 bytes, 3 float32 values expected: float16?", "是否为 float16？"),
        ("<3fx3x", "4 values, 3 expected: a model with a background class?", "模型是否带背景类？"),
    ],
)
def test_why_outputs_are_of_no_use_reaches_everyone(tmp_path: Path, form: str, english: str, chinese: str) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(LABELS))
    back = written(tmp_path / "back", outputs(form, {image: f"{image}_0.bin" for image in SCORES}))
    out = tmp_path / "out"
    record = imported(back, out, labels=labels)
    line = f"4 of 4 images have no answer and count as wrong: {english} (a.jpg, b.jpg, c.jpg, …)"
    assert line in (out / "README.md").read_text() and line in (out / "report.html").read_text()
    assert chinese in (out / "README.zh.md").read_text()
    accuracy = next(one for one in record.verdicts if one.name == "accuracy")
    assert not any("near chance" in str(text) for text in (*accuracy.evidence, *accuracy.advice))


@pytest.mark.parametrize(
    "content", ["[INFO] acl init success\n", "[ERROR] ais_bench: no throughput\n".encode("utf-16")]
)
def test_a_log_that_is_not_understood_is_said_to_be(tmp_path: Path, content: str | bytes) -> None:
    back = written(tmp_path / "back", {"pure.log": NPU + NEW, "other.log": content})
    record = imported(back, tmp_path / "out")
    assert record.imported is not None
    assert "`other.log`: a tool's log without a line of figures that porter understands; ignored" in [
        str(one.text) for one in record.imported.findings
    ]
