"""How figures came about: kept, resumed, spread over workers, unsettled, tuned. The READMEs and report.html say so."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from figures import figures, unfounded
from tiny import start, write_photos

from porter.documents.deliver import render
from porter.documents.grid import Column, grid
from porter.documents.languages import CHINESE, ENGLISH
from porter.documents.markdown import table, when
from porter.records.evaluation import Execution
from porter.records.kit import Kit
from porter.records.message import Message
from porter.records.performance import Copy, Latency
from porter.records.record import RunRecord
from porter.records.tuning import Gain, Setting, Tuning

README, REPORT = "README.md.j2", "report.html.j2"
WHEN = "2026-01-02T03:04:05+00:00"


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    folder = tmp_path_factory.mktemp("conditions")
    labels = write_photos(folder / "val", [0, 1, 2] * 4)
    run = start(folder / "out", folder / "val", labels, batch_sizes=(1, 4))
    run.everything()
    return run.record


def documents(record: RunRecord) -> tuple[str, str]:
    """The English README and the report; the Chinese README has the same figures, and all are the record's."""
    english, chinese = (render(README, record, language=language) for language in (ENGLISH, CHINESE))
    assert figures(english) == figures(chinese)
    assert unfounded(english, msgspec.json.decode(msgspec.json.encode(record))) == []
    return english, render(REPORT, record)


def test_figures_of_an_earlier_run_are_dated(record: RunRecord) -> None:
    assert all("earlier run" not in document for document in documents(record))
    speed = tuple(replace(one, measured=WHEN) for one in record.performance)
    for document in documents(replace(record, performance=speed, kept=("load", "parity", "performance"))):
        assert f"not measured again by the last command: parity, speed (measured {when(WHEN)})." in document


def test_images_answered_elsewhere_or_before_are_counted(record: RunRecord) -> None:
    work = (Execution(executor="ray", workers=3, images=8), Execution(executor="local", workers=1, images=4))
    assert all(one.end_to_end is not None for one in record.evaluations)
    spread = tuple(
        replace(one, executions=work, end_to_end=replace(one.end_to_end, resumed=4)) for one in record.evaluations
    )
    for document in documents(replace(record, evaluations=spread)):
        told = "pytorch fp32 (reference), onnxruntime fp32: "
        assert document.count(f"{told}8 images were inferred by 3 workers of ray") == 1
        assert document.count(f"{told}4 of the 12 predictions come from an earlier command") == 1
        assert "workers of local" not in document


def test_speed_is_shown_with_its_conditions(record: RunRecord) -> None:
    first = record.performance[0]
    unsettled = replace(
        first,
        settled=False,
        steady=False,
        warmup_spread_percent=37.5,
        copies=(Copy(direction=Message("to the device"), latency=Latency(median_ms=1.25)),),
        session=replace(first.session, streams=2, threads=2, loaded_from_cache=True, placement={"Here": 5}),
    )
    other = replace(record, performance=(unsettled, *record.performance))
    english, report = documents(other)
    for document in (english, report):
        assert "warm-up never settled (37.5% apart)" in document and "compiled model loaded from disk" in document
        assert "nodes by provider: Here 5" in document and "to the device" in document
    plain = f"| onnxruntime-fp32 | 1 | {first.session.threads} | 1 | "
    assert "| onnxruntime-fp32 | 1 | 2 | 2 | " in english and plain in english, (
        "settings of one batch size are told apart"
    )


def test_calls_that_waited_in_line_are_told(record: RunRecord) -> None:
    first = record.performance[0]
    waited = replace(first, queued=2, session=replace(first.session, streams=2, threads=2))
    told = "With queued calls a stream always has the next batch ready"
    assert not any(told in document for document in documents(record))
    english, report = documents(replace(record, performance=(*record.performance, waited)))
    assert told in english and told in report
    assert "| onnxruntime-fp32 | 1 | 2 | 2 + 2 queued | " in english and ">2 + 2 queued</td>" in report
    assert "2 streams + 2 queued" in report, "the drawing tells its lines apart"


def test_tuning_and_kits_are_told(record: RunRecord) -> None:
    best, plain = Setting(threads=1, streams=1, batch=4), Setting(threads=2, streams=1, batch=4)
    gain = Gain(
        best=best,
        plain=plain,
        best_value=120.5,
        plain_value=100.25,
        gain_percent=20.2,
        turns=5,
        least_gain_percent=-1.5,
    )
    tuning = Tuning(artefact="onnxruntime-fp32", trials=(), throughput=gain, latency=gain, seconds=9.5, measured=WHEN)
    kit = Kit(
        runtime="device",
        lacks="a chip",
        path="kit",
        list="kit/kit.json",
        sha256="ab" * 32,
        script="run.sh",
        take_back="porter import device out/kit",
        target="Chip1",
        precision="fp16",
        batches=(1, 4),
        scored=(1,),
        images=12,
        size_bytes=4321,
    )
    english, report = documents(replace(record, tunings=(tuning,), kits=(kit,)))
    assert "| onnxruntime-fp32 | most images/s | 1 | 1 | 4 | 120.50 | 100.25 | 20.2 | -1.5 |" in english
    for document in (english, report):
        assert "Everything on the runtime device (Chip1): this machine lacks it." in document


def test_a_column_in_which_nothing_is_known_is_left_out() -> None:
    columns: list[Column[tuple[str, None, float | None]]] = [
        Column(title="x", read=lambda row: row[0]),
        Column(title="y", read=lambda row: row[1]),
        Column(title="z", read=lambda row: row[2], form=".0f"),
    ]
    assert table(grid(columns, [("a", None, 1.2), ("b", None, None)]), str).splitlines() == [
        "| x | z |",
        "| --- | ---: |",
        "| a | 1 |",
        "| b | – |",
    ]
