"""The sections of report.html that only some runs have: an import, a choice of precision, int8."""

from __future__ import annotations

import json
from dataclasses import replace

import msgspec
import pytest
from figures import unfounded
from tiny import start, write_photos
from visible import text_of

from porter.documents.deliver import render
from porter.documents.drawings.lines import lines, names
from porter.documents.page import Page
from porter.records.artefact import SessionInfo
from porter.records.calibration import CalibrationData
from porter.records.choice import Candidate, Choice, FinalTiming, Outcome
from porter.records.evaluation import Metric
from porter.records.imported import DatasetRun, Doubt, Imported, ImportFinding, ImportSource, ModuleRate
from porter.records.message import Message
from porter.records.performance import Card, Latency, Performance
from porter.records.quantization import Attempt, AttemptScore, Quantization, SearchEnd, SensitiveTensor
from porter.records.record import RunRecord
from porter.records.tuning import Gain, Setting, Trial, Tuning
from porter.runfolder.record_file import read_record


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    folder = tmp_path_factory.mktemp("finished")
    labels = write_photos(folder / "val", [0, 1, 2] * 2)
    start(folder / "out", folder / "val", labels, max_drop=50.0, languages=("en",)).everything()
    return read_record(folder / "out")


def shown(record: RunRecord) -> str:
    """The text of the page, all of whose numbers are in the record."""
    page = render("report.html.j2", record)
    assert unfounded(text_of(page), json.loads(msgspec.json.encode(record))) == []
    return text_of(page)


def elsewhere(batch: int, rate: float, fed: str) -> Performance:
    """What a tool says that gives a rate and no latency of a call."""
    return Performance(
        artefact=f"device-bs{batch}",
        session=SessionInfo(
            runtime="device", version="", precision="not reported", provider="not reported", threads=None
        ),
        batch=batch,
        input=Message(fed),
        load_ms=None,
        first_run_ms=None,
        warmup_runs=None,
        calls=None,
        latency=Latency(),
        ms_per_image=1000 / rate,
        images_per_second=rate,
        steady=None,
        clock="a tool",
        card=Card(devices=4, images_per_second=4 * rate),
    )


IMPORTED = Imported(
    runtime="device",
    folder="somewhere",
    arguments=(),
    measured_on="not reported",
    tools=("a tool",),
    sources=(ImportSource(path="one.log", sha256="0a" * 32, size_bytes=262, gave=(Message("speed at batch 1"),)),),
    dataset_runs=(
        DatasetRun(
            source="whole.txt",
            batch=None,
            images=50000,
            wall_seconds=399.7,
            images_per_second=125.08,
            modules=(ModuleRate(name="data read", images_per_second=132.7, ms_per_image=7.5),),
        ),
    ),
    findings=(ImportFinding(kind=Doubt.INCONSISTENT, text=Message("`one.log` and <b> differ")),),
)


def test_an_import_says_where_its_figures_come_from(finished: RunRecord) -> None:
    speeds = (elsewhere(1, 156.2, "images"), elsewhere(1, 155.9, "random values"), elsewhere(4, 224.6, "random values"))
    record = replace(
        finished, imported=IMPORTED, performance=speeds, artefacts=(), parity=(), preprocessing=None, environment=None
    )
    page = shown(record)
    assert "inconsistent one.log and <b> differ" in page
    assert "whole.txt – 50,000 399.70 125.08 data read 132.70" in page
    assert (
        "computed, not measured: those of one device × 4 devices on a card" in page
        and "device-bs4 4 224.60 898.40 4.45 random values" in page
    )
    assert "Throughput and latency of a tool are the tool" in page and "Latency: wall time" not in page


def test_artefacts_for_one_batch_size_each_make_one_line(finished: RunRecord) -> None:
    speeds = (elsewhere(1, 156.2, "images"), elsewhere(1, 155.9, "random values"), elsewhere(4, 224.6, "random values"))
    record = replace(finished, artefacts=(), evaluations=(), performance=speeds)
    assert names(record) == ("device",)
    assert [(line.label, sorted(line.points)) for line in lines(record)] == [
        ("device, images", [1]),
        ("device, random values", [1, 4]),
    ]
    assert len({line.look for line in lines(record)}) == 2
    asked = replace(record, request=replace(record.request, batch_sizes=(1, 4, 32)))
    assert list(Page(asked).unmeasured_batches()) == [("device", 32)]


def test_a_choice_shows_all_that_was_tried_and_the_figures_are_of_the_chosen(finished: RunRecord) -> None:
    chosen = finished.artefacts[0].id
    slow = finished.performance[0]
    faster = replace(slow, artefact="other-fp16", images_per_second=10 * slow.images_per_second)
    timing = FinalTiming(rounds=5, calls=15, images_per_second=310.2, lowest=220.3, highest=629.8, median_ms=28.1)
    record = replace(
        finished,
        performance=(*finished.performance, faster),
        choice=Choice(
            baseline=chosen,
            allowed=1.0,
            candidates=(
                Candidate(
                    artefact=chosen,
                    runtime="onnxruntime",
                    precision="fp32",
                    outcome=Outcome.CHOSEN,
                    value=90.25,
                    drop=-1.25,
                    setting=Setting(batch=4, threads=1, streams=1),
                    images_per_second=409.15,
                    latency_ms=19.85,
                    final=timing,
                    ratio=1.0,
                ),
                Candidate(
                    artefact="other-fp16",
                    runtime="other",
                    precision="fp16",
                    outcome=Outcome.INACCURATE,
                    reason=Message("it loses {drop:.2f} points", drop=7.5),
                    drop=7.5,
                ),
            ),
            chosen=chosen,
            reason=Message("it is the only one that is right"),
            measured="then",
        ),
    )
    page = shown(record)
    assert f"{chosen} chosen – 90.25 -1.25 1 1 4 310.20 1.00" in page
    assert "other-fp16 drop above the limit it loses 7.50 points – 7.50 – – – – –" in page
    assert f"{chosen} 5 15 310.20 220.30 629.80 28.10" in page
    best = Page(record).best()
    assert best is not None and best.artefact == chosen, "what was not chosen is no figure of the delivery"


def test_int8_shows_every_attempt(finished: RunRecord) -> None:
    metric = Metric(name="top1", title="Top-1", value=90.0, count=80)
    record = replace(
        finished,
        quantization=Quantization(
            path="models/tiny-int8.onnx",
            sha256="0a" * 32,
            size_bytes=781815,
            opset=17,
            float_source="exported",
            tool="a quantiser 1.2",
            calibration=CalibrationData(source="data", root="val", found=280, ids=("a", "b")),
            images=80,
            listed=80,
            metric="top1",
            reference=metric,
            allowed=1.0,
            attempts=(
                Attempt(number=1, method="minmax", seconds=5.3, problem="the graph cannot be read"),
                Attempt(
                    number=2,
                    method="percentile",
                    options={"percentile": 99.9},
                    float_nodes=("/conv1/Conv",),
                    quantised_nodes=73,
                    scores=(AttemptScore(runtime="onnxruntime", metric=metric, drop=0.0, passed=True),),
                    seconds=6.1,
                    passed=True,
                ),
            ),
            chosen=2,
            passed=True,
            end=SearchEnd.PASSED,
            sensitivity=(SensitiveTensor(tensor="t1", nodes=("/conv1/Conv",), noise=0.0123),),
            budget_seconds=600.0,
            seconds=11.4,
        ),
    )
    page = shown(record)
    assert (
        "Attempt 2 was kept: it passed. The search ended with the first attempt that passed, after 11.4 of 600.0 s."
        in page
    )
    assert "1 minmax – the graph cannot be read 0 0 – – 1.00 5.3" in page
    assert "2 (kept) percentile, percentile 99.9 onnxruntime PASS 73 1 90.00 0.00 1.00 6.1" in page
    assert "Left in float: /conv1/Conv ." in page and "t1 /conv1/Conv 1.23e-02" in page


def test_tuning_shows_the_gain_and_every_trial(finished: RunRecord) -> None:
    best, plain = Setting(threads=2, streams=2, batch=8), Setting(threads=2, streams=1, batch=8)
    gain = Gain(
        best=best,
        plain=plain,
        best_value=520.5,
        plain_value=410.25,
        gain_percent=26.9,
        turns=5,
        least_gain_percent=-0.5,
    )
    trials = (
        Trial(setting=best, calls=31, median_ms=15.2, images_per_second=520.5),
        Trial(setting=plain, calls=0, median_ms=None, images_per_second=None, problem="out of memory"),
    )
    tuning = Tuning(
        artefact="other-fp16",
        trials=trials,
        throughput=gain,
        latency=gain,
        seconds=12.3,
        measured="today",
    )
    page = shown(replace(finished, tunings=(tuning,)))
    assert "other-fp16 most images/s 2 2 8 520.50 410.25 26.9 -0.5 5" in page
    assert "2 1 8 – – 0 out of memory" in page and "The search took 12.3 s" in page
