"""Figures of speed that cannot be right, or must be read with care: lying runtimes on a clock of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from convnet import colour_network
from onnx import TensorProto, helper
from tiny import TinyPlugin, start, write_photos

from porter import Artefact, BuildRequest, OnnxRuntime, OpenRequest, Session, hookimpl
from porter.contracts.measured import Measured
from porter.errors import ExitCode
from porter.graphs.multiply_adds import multiply_adds
from porter.machine.work import Work, meter
from porter.pipeline.judge.speed_marks import Timing, beyond_arithmetic, marks_of, marks_of_tool, multiplied
from porter.pipeline.run import Run
from porter.pipeline.speed.by_own_tool import performance_of
from porter.pipeline.speed.call_levels import two_levels
from porter.pipeline.speed.cycle import Cycle, batches_of
from porter.pipeline.speed.timing import is_steady, latency_of, timed
from porter.records.artefact import SessionInfo
from porter.records.performance import Latency, Performance
from porter.records.precision import PRECISIONS

Outputs = dict[str, np.ndarray]
INFO = SessionInfo(runtime="any", version="1", precision="fp32", provider="CPU", threads=1)


class Clock:
    """Time that passes only where a runtime says so, and a little each time it is read."""

    def __init__(self) -> None:
        self.now, self._lock = 0.0, threading.Lock()

    def perf_counter(self) -> float:
        self.now += 1e-6
        return self.now

    def takes(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    for module in ("timing", "bench", "cycle"):
        clocked = SimpleNamespace(perf_counter=found.perf_counter)
        monkeypatch.setattr(f"porter.pipeline.speed.{module}.time", clocked)
    monkeypatch.setattr("porter.pipeline.speed.bench.meter", lambda: lambda: Work(wall=1.0, busy=1.0, idle=0.0))
    return found


class Told(Session):
    """A session whose every call is `told`: it is given the honest one, the batch and the number of the call."""

    def __init__(self, honest: Session, told: Callable[..., Outputs]) -> None:
        self._honest, self._told, self._calls = honest, told, 0
        self.info = replace(honest.info, runtime="told")

    def run(self, feeds: Mapping[str, np.ndarray]) -> Outputs:
        [(name, batch)] = feeds.items()
        self._calls += 1
        return self._told(lambda values: self._honest.run({name: values}), batch, self._calls)


class Telling(OnnxRuntime):
    name = "told"

    def __init__(self, told: Callable[..., Outputs]) -> None:
        self._told = told

    def build(self, request: BuildRequest) -> Artefact:
        return replace(super().build(request), runtime=self.name)

    def open(self, request: OpenRequest) -> Session:
        return Told(super().open(request), self._told)


class Offering(TinyPlugin):
    def __init__(self, runtime: Any, network: Any = None) -> None:
        super().__init__(network=network)
        self._runtime = runtime

    @hookimpl
    def porter_runtimes(self) -> tuple[Any, ...]:
        return (self._runtime,)


def benched(folder: Path, told: Callable[..., Outputs], **options: Any) -> Run:
    labels = write_photos(folder / "val", [0, 1, 2] * 4)
    given = {"runtimes": ("told",), "batch_sizes": (2,), "bench_seconds": 0.2, **options}
    run = start(folder / "out", folder / "val", labels, plugin=Offering(Telling(told), colour_network()), **given)
    run.export()
    run.code = run.bench()  # type: ignore[attr-defined]
    return run


def checks(run: Run) -> set[str]:
    return {mark.check for one in run.record.performance for mark in one.marks}


def speed_of(run: Run) -> str:
    found = [one for one in run.record.verdicts if one.name == "speed"]
    return "\n".join(str(line) for one in found for line in (one.state, *one.evidence))


def test_an_honest_runtime_has_no_mark(tmp_path: Path, clock: Clock) -> None:
    def told(honest: Any, batch: np.ndarray, number: int) -> Outputs:
        clock.takes(0.05 if number == 1 else 0.005)
        return dict(honest(batch))

    run = benched(tmp_path, told)
    assert checks(run) == set() and run.code is ExitCode.OK and not speed_of(run)  # type: ignore[attr-defined]
    [one] = run.record.performance
    assert one.operations_per_second and one.processors == 1.0 and not one.levels and one.steady
    assert one.calls is not None and one.calls >= 38


def test_what_is_answered_from_memory_is_no_speed(tmp_path: Path, clock: Clock) -> None:
    kept: dict[bytes, Outputs] = {}

    def told(honest: Any, batch: np.ndarray, number: int) -> Outputs:
        key = batch.tobytes()
        if key not in kept:
            clock.takes(0.02)
            kept[key] = dict(honest(batch))
        clock.takes(0.0005)
        return kept[key]

    run = benched(tmp_path, told)
    assert "from-memory" in checks(run)
    assert run.code is ExitCode.VERDICT_FAILED  # type: ignore[attr-defined]
    assert speed_of(run).startswith(
        "fail\n1 figure is impossible\ntold-fp32 at batch 2: a call takes 20.50 ms with new"
    )
    run.deliver()
    document = (tmp_path / "out/README.md").read_text()
    assert "impossible: a call takes 20.50 ms" in document
    assert "impossible" in (tmp_path / "out/report.html").read_text()


def test_outputs_that_change_or_stay_while_calls_are_timed_are_told(tmp_path: Path, clock: Clock) -> None:
    first: list[Outputs] = []

    def stale(honest: Any, batch: np.ndarray, number: int) -> Outputs:
        clock.takes(0.005)
        first.append({name: values.copy() for name, values in honest(batch).items()})
        return first[0] if number > 9 else first[-1]

    assert "other-outputs" in checks(benched(tmp_path / "stale", stale))
    first.clear()

    def deaf(honest: Any, batch: np.ndarray, number: int) -> Outputs:
        clock.takes(0.005)
        return {name: np.ones_like(values) for name, values in honest(batch).items()}

    assert "same-outputs" in checks(benched(tmp_path / "deaf", deaf))


def test_two_levels_have_no_median_between_them(tmp_path: Path, clock: Clock) -> None:
    def told(honest: Any, batch: np.ndarray, number: int) -> Outputs:
        clock.takes(0.004 if number % 5 < 2 else 0.010)
        return dict(honest(batch))

    run = benched(tmp_path, told)
    [one] = run.record.performance
    assert [round(level.median_ms) for level in one.levels] == [4, 10]
    assert round(one.latency.median_ms or 0) == 10 and one.steady is False and checks(run) == {"two-levels"}
    assert run.code is ExitCode.OK  # type: ignore[attr-defined]


def test_calls_that_slow_down_after_the_first_are_marked(tmp_path: Path, clock: Clock) -> None:
    def told(honest: Any, batch: np.ndarray, number: int) -> Outputs:
        clock.takes(0.002 if number == 1 else 0.02)
        return dict(honest(batch))

    assert checks(benched(tmp_path, told)) == {"first-call"}


def test_a_rate_above_all_arithmetic_fails() -> None:
    size = 4096
    found = beyond_arithmetic(replace_rate(1e6), 2 * size**2, PRECISIONS["fp32"], of_processor=1e11)
    assert found and found[0].impossible and found[0].check == "arithmetic"
    assert not beyond_arithmetic(replace_rate(1e3), 2 * size**2, PRECISIONS["fp32"], of_processor=1e11)
    assert not beyond_arithmetic(replace_rate(3e4), 2 * size**2, PRECISIONS["int8"], of_processor=1e11)
    assert not beyond_arithmetic(replace_rate(1e9), 2 * size**2, PRECISIONS["fp32"], of_processor=None)


def replace_rate(rate: float) -> Any:
    found = Measured(
        tool="a tool",
        input="zeros",
        latency=Latency(),
        calls=10,
        warmup_runs=1,
        ms_per_image=1000 / rate,
        images_per_second=rate,
    )
    return performance_of("one", INFO, 1, found)


def timing(**given: Any) -> Timing:
    whole = {"first": 0.01, "median": 0.01, "callers": 1, "levels": (), "work": Work(wall=3.0, busy=3.0, idle=3.0)}
    return Timing(**{**whole, **given})


def threads_marked(
    threads: int, busy: float, idle: float | None, median: float = 0.02, waited: float | None = None, callers: int = 1
) -> bool:
    seen = {"busy": 3 * busy, "idle": None if idle is None else 3 * idle, "waited": waited and 3 * waited}
    timed = timing(first=median, median=median, work=Work(wall=3.0, **seen), callers=callers)
    found = marks_of(timed, replace(INFO, threads=threads, streams=callers))
    assert all(mark.check in ("threads", "waiting") and not mark.impossible for mark in found)
    return bool(found)


def test_processors_and_threads_must_fit() -> None:
    assert threads_marked(1, 2.0, 0.0), "claims one thread and burns two processors"
    assert threads_marked(2, 1.0, 1.0), "claims two and uses one, while the other had nothing to do"
    assert threads_marked(1, 0.05, 1.9), "sleeps instead of working"
    assert not threads_marked(1, 1.0, 1.0) and not threads_marked(2, 1.9, 0.1) and not threads_marked(2, 1.3, 0.7)
    assert not threads_marked(2, 1.0, 0.0), "another process had the second processor"
    assert not threads_marked(1, 0.4, 0.1) and not threads_marked(2, 1.0, None)
    assert threads_marked(1, 2.0, 0.0, median=0.0001), "one caller has but one thread of Python's"
    assert not threads_marked(2, 3.0, 0.0, median=0.0005, callers=2), "beside such short calls Python's own time counts"
    assert threads_marked(2, 1.0, 0.9, callers=2), "calls of two streams, one after the other"
    assert not marks_of(timing(), replace(INFO, threads=None)), "it does not run on processors"


def test_what_others_take_is_told_from_what_a_session_leaves() -> None:
    assert not threads_marked(1, 0.4, 0.0, waited=0.6), "it waited for a processor"
    assert threads_marked(1, 0.4, 0.0, waited=0.0), "it slept beside other work"
    assert threads_marked(1, 1.0, 0.0, waited=1.0), "two threads on the one processor that was left"
    assert not threads_marked(2, 1.0, 0.0, waited=1.0, callers=2)
    assert threads_marked(2, 0.6, 0.0, waited=0.4, callers=2), "one call at a time, whatever else runs"


def test_a_rate_that_was_multiplied_is_marked() -> None:
    def by_tool(batch: int, ms: float) -> Performance:
        rate = 1000 * batch / ms
        given = {"tool": "bench", "input": "", "calls": 9, "warmup_runs": 1}
        found = Measured(latency=Latency(mean_ms=ms), ms_per_image=ms / batch, images_per_second=rate, **given)
        return performance_of("one", INFO, batch, found)

    assert not [one.marks for one in multiplied([by_tool(1, 2.0), by_tool(8, 14.0)]) if one.marks]
    assert [len(one.marks) for one in multiplied([by_tool(1, 2.0), by_tool(8, 2.0)])] == [0, 1]


def test_calls_that_others_slow_down_are_not_marked() -> None:
    starved = Work(wall=3.0, busy=1.2, idle=0.0)
    assert not marks_of(timing(first=0.001, work=starved), INFO)
    assert [one.check for one in marks_of(timing(first=0.001), INFO)] == ["first-call"]


def test_the_meter_sees_work_and_children() -> None:
    ended = meter()
    sum(n * n for n in range(200_000))
    found = ended()
    assert found.busy > 0 and found.wall > 0 and (found.idle is None or found.idle >= 0)
    assert Work(wall=2.0, busy=3.0, idle=1.0).processors == 1.5 and Work(wall=2.0, busy=3.0, idle=1.0).spare == 0.5


@pytest.mark.parametrize(
    ("rate", "streams", "check"),
    [
        (400.0, 1, ""),
        (410.0, 1, ""),
        (4000.0, 1, "impossible"),
        (1500.0, 4, ""),
        (150.0, 1, "low"),
        (20.0, 1, "impossible"),
    ],
)
def test_a_tools_throughput_must_fit_its_latency(rate: float, streams: int, check: str) -> None:
    found = marks_of_tool(replace(INFO, streams=streams), 4, Latency(mean_ms=10.0), rate, 1000 / rate)
    assert ["impossible" if mark.impossible else "low" for mark in found] == ([check] if check else [])
    assert not marks_of_tool(INFO, 4, Latency(), rate, None), "it gives no latency of a batch"


def test_times_of_a_tool_that_contradict_each_other_are_impossible() -> None:
    assert not marks_of_tool(INFO, 1, Latency(min_ms=1.0, median_ms=2.0, p99_ms=4.0), 500.0, 2.0)
    for latency, ms in ((Latency(min_ms=3.0, median_ms=2.0), 2.0), (Latency(), 16.0)):
        [mark] = marks_of_tool(INFO, 1, latency, 500.0, ms)
        assert (mark.check, mark.impossible) == ("own-times", True)


def test_one_level_is_one_whatever_its_shape() -> None:
    generator = np.random.default_rng(0)
    shapes = (
        generator.normal(5, 0.3, 600),
        generator.uniform(4, 12, 600),
        3 + generator.exponential(2, 600),
        np.concatenate([generator.normal(5, 0.1, 570), generator.uniform(8, 30, 30)]),
        np.full(600, 5.0),
        np.array([1.0, 9.0] * 5),
    )
    for times in shapes:
        assert two_levels((times / 1000).tolist()) == ()
    humps = np.concatenate([generator.normal(5, 0.2, 300), generator.normal(9, 0.4, 300)]) / 1000
    low, high = two_levels(humps.tolist())
    assert round(low.median_ms) == 5 and round(high.median_ms) == 9 and low.share_percent == 50
    generator.shuffle(humps)
    assert not is_steady(humps.tolist())
    median = latency_of(humps.tolist()).median_ms
    assert median is not None and median > 7.5, "a time that calls took, not one between the humps"


def test_the_least_time_is_kept_for_fast_calls_too(clock: Clock) -> None:
    found = timed(lambda: clock.takes(0.00002), 1.0)
    assert found.calls > 20_000 and found.wall >= 0.99


def test_two_batches_differ_even_of_one_image() -> None:
    images = [{"image": np.arange(12, dtype=np.float32).reshape(1, 3, 4) + 100 * n} for n in range(3)]
    first, second = (batch["image"] for batch in batches_of(images, 2))
    assert first.shape == second.shape == (2, 1, 3, 4)
    assert not any(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    alone, mirrored = (batch["image"] for batch in batches_of(images[:1], 2))
    np.testing.assert_array_equal(mirrored, alone[..., ::-1])


def test_a_cycle_keeps_the_last_outputs_of_each_batch() -> None:
    batches = [{"x": np.zeros((1, 2), np.float32)}, {"x": np.ones((1, 2), np.float32)}]
    cycle = Cycle(lambda feeds: {"y": feeds["x"] * 2}, batches)
    for _ in range(5):
        cycle()
    np.testing.assert_array_equal(cycle.last["y"], np.zeros((1, 2)))
    assert not cycle.is_moved() and set(cycle.first_seconds) == {0, 1}
    assert not cycle.is_deaf(batches)


def test_multiply_adds_are_counted_from_shapes() -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], group=2),
        helper.make_node("GlobalAveragePool", ["c"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "v"], ["y"], transB=1),
    ]
    weights = [
        helper.make_tensor("w", TensorProto.FLOAT, [8, 2, 3, 3], np.ones(144)),
        helper.make_tensor("v", TensorProto.FLOAT, [200, 8], np.ones(1600)),
    ]
    given = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4, 10, 12])]
    result = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 200])]
    model = helper.make_model(helper.make_graph(nodes, "g", given, result, weights))
    onnx.checker.check_model(model)
    assert multiply_adds(model) == 8 * 10 * 12 * 2 * 9 + 200 * 8
