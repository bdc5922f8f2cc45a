"""The processors are shared out: never more threads at work than there are, none idle while there is work."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from queue import Empty
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import TinyPlugin, start, write_photos

from porter import hookimpl
from porter.contracts.runtime import Session
from porter.errors import PluginError
from porter.pipeline.evaluation.answer import answer
from porter.pipeline.evaluation.prepare import prepare
from porter.pipeline.job.processors import MOST_STREAMS, Processors, end, streams_for
from porter.records.artefact import SessionInfo


@given(count=st.integers(1, 256))
def test_every_processor_has_its_share_of_the_streams(count: int) -> None:
    streams = streams_for(count)
    assert 1 <= streams <= MOST_STREAMS and count % streams == 0
    assert not any(count % more == 0 for more in range(streams + 1, MOST_STREAMS + 1))


@settings(max_examples=25)
@given(
    count=st.integers(1, 5),
    work=st.lists(st.integers(0, 7), min_size=1, max_size=40),
    threads=st.integers(1, 12),
)
def test_never_more_than_there_are(count: int, work: list[int], threads: int) -> None:
    """0 is an image, n a batch on n threads."""
    processors, lock, busy, most = Processors(count), threading.Lock(), 0, 0

    def one(of: int) -> None:
        nonlocal busy, most
        takes = min(max(of, 1), count)
        with processors.for_image() if of == 0 else processors.for_batch(of):
            with lock:
                busy += takes
                most = max(most, busy)
            time.sleep(0.0005)
            with lock:
                busy -= takes

    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(one, work):
            pass
    assert most <= count and busy == 0


class Watched(threading.Condition):
    """Says that somebody waits."""

    def __init__(self) -> None:
        super().__init__()
        self.somebody_waits = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.somebody_waits.set()
        return super().wait(timeout)


def test_a_batch_goes_before_images_that_have_not_begun() -> None:
    processors, order = Processors(2), list[str]()
    processors._changed = watched = Watched()

    def batch() -> None:
        with processors.for_batch(2):
            order.append("batch")

    def image() -> None:
        with processors.for_image():
            order.append("image")
        watched.somebody_waits.set()

    threads = [threading.Thread(target=work) for work in (batch, image)]
    with processors.for_image():
        for thread in threads:
            watched.somebody_waits.clear()
            thread.start()
            watched.somebody_waits.wait()
        assert order == []  # one processor is free, and kept for the batch
    for thread in threads:
        thread.join()
    assert order == ["batch", "image"]


def test_a_batch_that_is_inferred_elsewhere_waits_for_none() -> None:
    processors = Processors(1)
    with processors.for_image(), processors.for_batch(0):
        pass


def test_what_fails_gives_its_processors_back() -> None:
    processors = Processors(2)
    for taken in (processors.for_image, lambda: processors.for_batch(2)):
        with pytest.raises(ZeroDivisionError), taken():
            raise ZeroDivisionError
    with processors.for_batch(2):
        pass


def test_an_end_waits_for_what_runs_and_begins_nothing() -> None:
    done, begun, ending = list[int](), threading.Event(), threading.Event()

    class Last(Future[None]):
        """Is asked to end after all others were."""

        def cancel(self) -> bool:
            ending.set()
            self.set_result(None)
            return False

    def work(number: int) -> None:
        begun.set()
        ending.wait()
        done.append(number)

    with ThreadPoolExecutor(1) as pool:
        started: list[Future[None]] = [pool.submit(work, number) for number in range(5)]
        begun.wait()
        end([*started, Last()])
        assert done == [0]


def test_an_end_waits_for_nothing_that_only_its_own_thread_could_take_up() -> None:
    with ThreadPoolExecutor(1) as pool:
        queued, are_there = list[Future[None]](), threading.Event()

        def work() -> None:
            are_there.wait()
            end(queued)

        ending = pool.submit(work)
        queued.append(pool.submit(lambda: None))
        are_there.set()
        ending.result()
        assert queued[0].cancelled()


class Counting(Session):
    """Answers once `meet` calls are under way, and says how many there were at most."""

    def __init__(self, threads: int | None, streams: int, meet: int) -> None:
        self.info = SessionInfo(
            runtime="counting", version="1", precision="fp32", provider="test", threads=threads, streams=streams
        )
        self.most = self.now = 0
        self.names = set[str]()
        self._lock, self._meet = threading.Lock(), threading.Barrier(meet)

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.names.add(threading.current_thread().name.rpartition("_")[0])
        self._meet.wait()
        with self._lock:
            self.now -= 1
        return {"class": feeds["image"].mean(axis=(2, 3))}


@pytest.mark.parametrize(
    ("threads", "streams", "most", "where"),
    [(2, 1, 1, "MainThread"), (2, 2, 2, "porter-worker"), (4, 4, 2, "porter-worker"), (None, 3, 3, "porter-stream")],
)
def test_as_many_batches_at_once_as_the_session_has_streams(
    tmp_path: Path, threads: int | None, streams: int, most: int, where: str
) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2] * 8)
    job = start(tmp_path / "out", tmp_path / "val", labels, batch=2, threads=2).job
    session = Counting(threads, streams, most)
    answered = list(answer(job, session, prepare(job.data), 2))
    assert [one.batch.indices for one in answered] == [(n, n + 1) for n in range(0, 24, 2)]
    assert session.most == most
    assert {name or "MainThread" for name in session.names} == {where}


@pytest.mark.parametrize(
    ("options", "streams"),
    [
        ({}, 2),
        ({"provider": "CPUExecutionProvider"}, 2),
        ({"provider": "CPU"}, 2),
        ({"provider": "CUDAExecutionProvider"}, 1),
        ({"provider": "CUDAExecutionProvider", "streams": 3}, 3),
        ({"streams": 1}, 1),
    ],
)
def test_a_device_is_given_one_stream_unless_more_are_asked_for(
    tmp_path: Path, options: dict[str, Any], streams: int
) -> None:
    """Each stream may hold the weights once more, and a device has little memory."""
    labels = write_photos(tmp_path / "val", [0, 1, 2])
    run = start(tmp_path / "out", tmp_path / "val", labels, threads=2)
    run.job = replace(run.job, request=replace(run.job.request, **options))
    assert run.job.evaluation_streams == streams
    assert run.job.streams == options.get("streams", 1)


class Together(TinyPlugin):
    """Counts the images that are preprocessed at once, which are two at least."""

    most = now = 0
    lock, meet = threading.Lock(), threading.Barrier(2)

    @hookimpl
    def porter_preprocess(self, sample: Any, out: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.meet.wait()
        with self.lock:
            self.now -= 1
        out["image"][...] = sample.pixels[:1, :1].transpose(2, 0, 1)
        return out


def test_no_more_images_at_once_than_processors(tmp_path: Path) -> None:
    labels, plugin = write_photos(tmp_path / "val", [0, 1, 2] * 8), Together()
    job = start(tmp_path / "out", tmp_path / "val", labels, batch=2, threads=2, plugin=plugin).job
    assert len(list(prepare(job.data))) == 24
    assert plugin.most == 2


def require_nothing_to_begin(pool: ThreadPoolExecutor) -> None:
    with suppress(Empty):
        while True:
            assert pool._work_queue.get_nowait().future.cancelled()


def test_a_pass_that_is_left_early_leaves_nothing_running(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2] * 8)
    job = start(tmp_path / "out", tmp_path / "val", labels, batch=2, threads=2).job
    stream = answer(job, Counting(2, 2, 1), prepare(job.data), 2)
    next(iter(stream))
    stream.close()  # type: ignore[attr-defined]
    require_nothing_to_begin(job.processors.pool)
    with job.processors.for_batch(2):
        pass


class Broken(Counting):
    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        raise ValueError("the wheel fell off")


@pytest.mark.parametrize("streams", [1, 2])
def test_a_session_that_fails_leaves_no_image_under_way(tmp_path: Path, streams: int) -> None:
    """Though its error is kept, and with it all that it passed through."""
    labels = write_photos(tmp_path / "val", [0, 1, 2] * 8)
    job = start(tmp_path / "out", tmp_path / "val", labels, batch=2, threads=2).job
    images = prepare(job.data)
    with pytest.raises(PluginError, match="the wheel fell off") as kept:
        list(answer(job, Broken(2, streams, 1), images, 2))
    assert kept.value.__traceback__ is not None and images.gi_frame is None  # type: ignore[attr-defined]
    require_nothing_to_begin(job.processors.pool)
