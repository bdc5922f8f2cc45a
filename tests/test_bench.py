"""porter.pipeline.speed.bench, timing and tune: what is timed, what is called settled, and the best setting found."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tiny import start, write_photos

from porter.errors import BadInput
from porter.machine import host as machine
from porter.pipeline.job.opening import open_artefact
from porter.pipeline.run import Run
from porter.pipeline.speed.finals import setting_of
from porter.pipeline.speed.timing import summed, timed, warm_up
from porter.records.performance import Performance
from porter.records.tuning import Setting

LABELS = [0, 1, 2, 1, 1]


@pytest.fixture
def taking(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Callable[[], None]]:
    """A call that takes each of these times (seconds) in turn, by a clock that nothing else moves."""
    now = 0.0
    monkeypatch.setattr("porter.pipeline.speed.timing.time", SimpleNamespace(perf_counter=lambda: now))

    def taking(times: Iterator[float]) -> Callable[[], None]:
        def call() -> None:
            nonlocal now
            now += next(times)

        return call

    return taking


def started(folder: Path, **options: object) -> Run:
    labels = write_photos(folder / "val", LABELS)
    run = start(folder / "out", folder / "val", labels, **options)
    run.export()
    return run


def test_a_slow_start_is_warmed_away(taking: Callable[..., Callable[[], None]]) -> None:
    call = taking(itertools.chain([0.064] * 4, itertools.repeat(1 / 128)))
    found = warm_up(call, 10.0)
    assert found.settled and found.spread == 0
    # Two windows of two slow calls, then three that agree.
    assert found.calls == 4 + 3 * 13
    assert timed(call, 0.1).seconds == (1 / 128,) * 13


def test_what_never_settles_is_stopped_and_said_to_be_unsettled(taking: Callable[..., Callable[[], None]]) -> None:
    found = warm_up(taking(0.125 * number for number in itertools.count(1)), 2.0)
    assert not found.settled
    assert (found.calls, found.spread) == (6, 0.5), "2.625 s: the first window that ends after the limit is the last"


def test_streams_call_at_once_and_all_calls_count() -> None:
    together: list[int] = []
    inside = 0
    lock, meet = threading.Lock(), threading.Barrier(3)

    def call() -> None:
        nonlocal inside
        with lock:
            inside += 1
            together.append(inside)
            first = len(together) <= 3
        if first:
            meet.wait()
        with lock:
            inside -= 1

    found = timed(call, 0.01, callers=3)
    assert max(together) == 3
    assert found.calls == len(together)


def test_what_a_caller_does_alone_counts_by_its_share() -> None:
    quick, slow = [(0.0, 0.5), (0.5, 1.0)], [(0.0, 4.0), (4.0, 8.0)]
    found = summed([quick, slow])
    assert found.seconds == (0.5, 0.5, 4.0, 4.0) and found.wall == 1.0
    assert (found.done, found.rate) == (2.25, 2.25), "the slow one has then done a quarter of its first call"
    assert summed([[(0.0, 0.0), (0.0, 1.0)]]).done == 2.0


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("streams", [2, 3])
def test_a_session_with_streams_gives_each_call_its_own_outputs(tmp_path: Path, runtime: str, streams: int) -> None:
    pytest.importorskip(runtime)
    usable = machine.usable_threads()
    if runtime == "openvino" and streams > usable:
        pytest.skip("OpenVINO creates at most as many streams as threads")
    run = started(tmp_path, runtimes=(runtime,), threads=usable)
    run.verify()
    job, artefact = run.job, run.record.artefacts[0]
    batches = [{"image": np.full((2, 3, 16, 16), value, np.float32)} for value in range(24)]
    plain = open_artefact(job, artefact, streams=1)
    wanted = [plain.run(batch)["class"] for batch in batches]
    session = open_artefact(job, artefact, streams=streams)
    assert session.info.streams == streams
    found: dict[int, np.ndarray] = {}

    def work(own: range) -> None:
        for n in own:
            found[n] = session.run(batches[n])["class"]

    threads = [threading.Thread(target=work, args=(range(n, 24, 6),)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n, values in enumerate(wanted):
        np.testing.assert_allclose(found[n], values, rtol=1e-5)


def test_streams_change_no_answer(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", LABELS * 3)
    (tmp_path / "val/photo 003.jpg").write_bytes(b"no picture")
    tables = []
    for streams in (1, 2):
        run = start(tmp_path / f"out{streams}", tmp_path / "val", labels, batch=2, streams=streams, threads=1)
        run.export(), run.evaluate()
        assert run.record.evaluations[1].session.streams == streams
        tables.append((tmp_path / f"out{streams}/predictions.csv").read_text())
    assert tables[0] == tables[1]


def test_a_measurement_says_what_it_was_made_under(tmp_path: Path) -> None:
    run = started(tmp_path, batch_sizes=(1, 3))
    run.bench()
    assert [one.batch for one in run.record.performance] == [1, 3]
    for one in run.record.performance:
        assert isinstance(one, Performance)
        assert one.measured and one.settled is not None and one.warmup_spread_percent is not None
        assert one.load_average_before is not None and one.load_average_after is not None
        assert one.peak_memory_mib is not None and one.peak_memory_mib > 10
        assert one.calls is not None and one.calls >= 10
        assert one.steady is False or one.settled
    assert run.record.tunings == ()
    assert run.record.environment is not None and run.record.environment.jpeg_decoder


def test_tuning_tries_every_kind_of_setting_and_measures_its_choice(tmp_path: Path) -> None:
    run = started(tmp_path, batch_sizes=(1, 4), tune=True, threads=None)
    run.bench()
    (tuning,) = run.record.tunings
    tried = {trial.setting for trial in tuning.trials}
    usable = machine.usable_threads()
    assert {Setting(threads=usable, streams=1, batch=1), Setting(threads=usable, streams=usable, batch=4)} <= tried
    assert all(trial.calls > 0 and not trial.problem for trial in tuning.trials)
    assert tuning.throughput.best in tried and tuning.latency.best.batch == 1
    for gain in (tuning.throughput, tuning.latency):
        assert gain.turns >= 5
        assert gain.least_gain_percent <= gain.gain_percent <= gain.most_gain_percent
        if gain.best == gain.plain:
            assert gain.least_gain_percent == gain.most_gain_percent == 0
    assert {tuning.throughput.best, tuning.latency.best} <= {setting_of(one) for one in run.record.performance}
    assert not any(one.queued for one in tried), "ONNX Runtime lines nothing up"


@pytest.mark.parametrize(("least_gain_percent", "chosen"), [(-1000.0, True), (1000.0, False)])
def test_calls_in_line_are_chosen_where_they_gain_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, least_gain_percent: float, chosen: bool
) -> None:
    pytest.importorskip("openvino")
    monkeypatch.setattr("porter.pipeline.speed.tune.QUEUE_GAIN_PERCENT", least_gain_percent)
    run = started(tmp_path, runtimes=("openvino",), batch_sizes=(1,), tune=True, threads=None)
    run.bench()
    (tuning,) = run.record.tunings
    (queued,) = (trial for trial in tuning.trials if trial.setting.queued)
    assert queued.setting.queued == queued.setting.streams and queued.calls > 0 and not queued.problem
    best = tuning.throughput.best
    assert (best.queued > 0) is chosen and best.callers == best.streams * (2 if chosen else 1)
    assert best in {setting_of(one) for one in run.record.performance}
    assert tuning.latency.best.queued == tuning.throughput.plain.queued == 0


def test_more_threads_than_processors_are_refused(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", LABELS)
    with pytest.raises(BadInput, match=r"^--threads 999: only \d+ CPUs?"):
        start(tmp_path / "out", tmp_path / "val", labels, threads=999).everything()
