"""What a worker holds, as porter sees it: a session, and values inside a graph."""

from __future__ import annotations

import queue
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from porter.contracts.probe import Probe
from porter.contracts.runtime import OpenRequest, Session
from porter.errors import PluginError, one_line
from porter.records.artefact import SessionInfo
from porter.records.message import Message, Text
from porter.worker.process import Worker

if TYPE_CHECKING:
    import numpy as np

ONE_PROCESS = Message("its calls run in one process, one after another")
EVENLY = Message("each process takes an equal share of the threads")
TOLD = {one.name for one in fields(SessionInfo)} - {"runtime", "streams", "environment_sha256"}
"""Fields of `SessionInfo` that a script's session tells in its `info`; the others are porter's to know."""


class WorkerSession(Session):
    """A session whose calls are answered by workers, each by the next that is free. So they are safe from any thread:
    as many run at once as there are processes, the others wait."""

    def __init__(self, info: SessionInfo, workers: Sequence[Worker]) -> None:
        self.info = info
        self._workers = tuple(workers)
        self._free: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        for worker in workers:
            self._free.put(worker)

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        worker = self._free.get()
        try:
            found: dict[str, np.ndarray] = worker.call("run", of="held", feeds=feeds, returns="arrays")
        finally:
            self._free.put(worker)
        return found

    def close(self) -> None:
        close_all(self._workers)


class WorkerProbe(Probe):
    """The object that a script's `probe` returned."""

    def __init__(self, label: str, worker: Worker) -> None:
        self.label = label
        self._worker = worker

    def names(self) -> Sequence[str]:
        return tuple(map(str, self._worker.call("names", of="held")))

    def fetch(self, names: Sequence[str], feed: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        found: dict[str, np.ndarray] = self._worker.call("fetch", list(names), of="held", feeds=feed, returns="arrays")
        return {
            name: values.astype("float32") if values.dtype.kind == "f" else values for name, values in found.items()
        }

    def notes(self) -> Sequence[str]:
        return tuple(map(str, self._worker.call("notes", of="held", optional=True) or ()))

    def close(self) -> None:
        close_all((self._worker,))


def close_all(workers: Sequence[Worker]) -> None:
    """End every one of them, and let what they held go."""
    for worker in workers:
        worker.close()


def session_info(
    runtime: str, version: str, told: Any, request: OpenRequest, processes: int, environment_sha256: str
) -> SessionInfo:
    """What really runs, by the `info` of a script's session. Raises `PluginError` where it does not say it rightly."""
    about = f"runtime {runtime}: the info of its script's session"
    if not isinstance(told, Mapping):
        raise PluginError(f"{about} is {type(told).__name__}, it must be a dict")
    unknown = sorted(map(str, set(told) - TOLD))
    if unknown:
        raise PluginError(f"{about} has {one_line(unknown[0])!r}; known are {', '.join(sorted(TOLD))}")
    values = {"version": version, "threads": None, **told}
    for name in ("precision", "provider"):
        if not isinstance(values.get(name), str):
            raise PluginError(f"{about} lacks {name!r}, which is read back from the runtime")
    announced: dict[str, Text] = {str(name): str(reason) for name, reason in dict(told.get("announced", {})).items()}
    if request.streams > processes:
        announced.setdefault("streams", ONE_PROCESS)
    threads = values["threads"]
    values["threads"] = None if threads is None else int(threads) * processes
    if request.threads % processes:
        announced.setdefault("threads", EVENLY)
    values["announced"] = announced
    return SessionInfo(runtime=runtime, streams=processes, environment_sha256=environment_sha256, **values)
