"""The processors of this machine, shared out between preprocessing and inference."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

MOST_STREAMS = 4
"""Batches that an evaluation infers at once, unless it is told: each takes memory of its own."""


def streams_for(count: int) -> int:
    """How many batches to infer at once on `count` processors, each on as many threads.

    Threads that share a batch wait for each other at every layer; those with a batch of their own never do.
    """
    return next(streams for streams in range(MOST_STREAMS, 0, -1) if count % streams == 0)


def end(started: Collection[Future[Any]]) -> None:
    """Have nothing of what was started go on: what has not begun never does, the rest is waited for."""
    wait([one for one in started if not one.cancel()])  # a cancelled one ends when a thread comes to it, maybe this one


class Processors:
    """`count` of them. Whoever works takes one for each of its threads: more threads than processors would hold each
    other up, fewer would leave some idle."""

    def __init__(self, count: int) -> None:
        self.count = self._free = count
        self._batches = 0
        """Batches that wait for theirs."""
        self._changed = threading.Condition()
        self.pool = ThreadPoolExecutor(count, thread_name_prefix="porter-worker")
        """A thread for each, which goes from one image or batch to the next without waiting for another thread."""

    @contextmanager
    def for_image(self) -> Iterator[None]:
        """One of them, to preprocess on, once no batch waits."""
        with self._changed:
            self._changed.wait_for(lambda: self._free and not self._batches)
            self._free -= 1
        try:
            yield
        finally:
            self._give_back(1)

    @contextmanager
    def for_batch(self, threads: int) -> Iterator[None]:
        """As many as a batch is inferred on; 0: it is inferred elsewhere. No image is begun before."""
        taken = min(threads, self.count)
        with self._changed:
            self._batches += 1
            try:
                self._changed.wait_for(lambda: self._free >= taken)
                self._free -= taken
            finally:
                self._batches -= 1
        try:
            yield
        finally:
            self._give_back(taken)

    def _give_back(self, taken: int) -> None:
        with self._changed:
            self._free += taken
            self._changed.notify_all()
