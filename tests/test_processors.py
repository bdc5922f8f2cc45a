"""The processors are shared out: never more threads at work than there are, none idle while there is work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import TinyPlugin, start, write_photos

from porter import hookimpl
from porter.contracts.runtime import Session
from porter.pipeline.evaluation.answer import answer
from porter.pipeline.evaluation.prepare import prepare
from porter.pipeline.job.processors import MOST_STREAMS, Processors, end, streams_for
from porter.records.artefact import SessionInfo


@given(count=st.integers(1, 256))
def test_every_processor_has_its_share_of_the_streams(count: int) -> None:
    streams = streams_for(count)
    assert 1 <= streams <= MOST_STREAMS and count % streams == 0
    assert not any(count % more == 0 for more in range(streams + 1, MOST_STREAMS + 1))


@settings(deadline=None, max_examples=25)
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


def waits(thread: Callable[[], None]) -> threading.Thread:
    started = threading.Thread(target=thread)
    started.start()
    time.sleep(0.05)
    return started


def test_a_batch_goes_before_images_that_have_not_begun() -> None:
    processors, order = Processors(2), list[str]()

    def batch() -> None:
        with processors.for_batch(2):
            order.append("batch")

    def image() -> None:
        with processors.for_image():
            order.append("image")

    with processors.for_image():
        threads = [waits(batch), waits(image)]
        assert order == []  # one processor is free, and kept for the batch
    for thread in threads:
        thread.join(5)
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
    done = list[int]()

    def work(number: int) -> None:
        time.sleep(0.05)
        done.append(number)

    with ThreadPoolExecutor(1) as pool:
        started: list[Future[None]] = [pool.submit(work, number) for number in range(5)]
        time.sleep(0.02)
        end(started)
        assert done == [0]


class Counting(Session):
    """Answers after a while, and says how many calls were under way at most."""

    def __init__(self, threads: int | None, streams: int) -> None:
        self.info = SessionInfo(
            runtime="counting", version="1", precision="fp32", provider="test", threads=threads, streams=streams
        )
        self.most = self.now = 0
        self.names = set[str]()
        self._lock = threading.Lock()

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.names.add(threading.current_thread().name.rpartition("_")[0])
        time.sleep(0.01)
        with self._lock:
            self.now -= 1
        return {"class": batch.mean(axis=(2, 3))}


@pytest.mark.parametrize(
    ("threads", "streams", "most", "where"),
    [(2, 1, 1, "MainThread"), (2, 2, 2, "porter-worker"), (4, 4, 2, "porter-worker"), (None, 3, 3, "porter-stream")],
)
def test_as_many_batches_at_once_as_the_session_has_streams(
    tmp_path: Path, threads: int | None, streams: int, most: int, where: str
) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2] * 8)
    job = start(tmp_path / "out", tmp_path / "val", labels, batch=2, threads=2).job
    session = Counting(threads, streams)
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


class Slow(TinyPlugin):
    """Counts the images that are preprocessed at once."""

    most = now = 0
    lock = threading.Lock()

    @hookimpl
    def porter_preprocess(self, image: Any, spec: Any, out: np.ndarray) -> np.ndarray:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.005)
        with self.lock:
            self.now -= 1
        out[...] = image.pixels[:1, :1].transpose(2, 0, 1)
        return out


def test_no_more_images_at_once_than_processors(tmp_path: Path) -> None:
    labels, plugin = write_photos(tmp_path / "val", [0, 1, 2] * 8), Slow()
    job = start(tmp_path / "out", tmp_path / "val", labels, batch=2, threads=2, plugin=plugin).job
    assert len(list(prepare(job.data))) == 24
    assert plugin.most == 2


def test_a_pass_that_is_left_early_leaves_nothing_running(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2] * 8)
    job = start(tmp_path / "out", tmp_path / "val", labels, batch=2, threads=2).job
    stream = answer(job, Counting(2, 2), prepare(job.data), 2)
    next(iter(stream))
    stream.close()  # type: ignore[attr-defined]
    assert job.processors.pool._work_queue.empty()
    with job.processors.for_batch(2):
        pass
