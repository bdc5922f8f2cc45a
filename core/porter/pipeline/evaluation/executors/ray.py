"""The executor `ray`: as many workers as a Ray cluster has room for, on one machine or many."""

from __future__ import annotations

import os
import re
import secrets
import signal
import socket
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from porter.errors import BadInput, Missing, one_line
from porter.machine import host as machine
from porter.pipeline.evaluation.executors.base import Answering, EvaluationExecutor, Work
from porter.pipeline.evaluation.executors.crew import KEYWORDS, Crew

PATIENCE = 5.0
"""Seconds to wait for the machine of an address to answer."""
SHARED_MEMORY = "/dev/shm"
OBJECT_STORE = 200 * 2**20
"""Bytes of the object store of a cluster of this machine alone, whose files need not be sent to it."""


TOKEN = "RAY_AUTH_TOKEN"
"""The environment variable with what a client shows to a cluster."""


class Ray(EvaluationExecutor):
    """Shares the images of an evaluation out over workers, each a process with a session of its own.

    Args:
        address: of a cluster that is there (`auto`, `HOST:6379`, `ray://HOST:10001`); None: that of RAY_ADDRESS, or
            else one is started on this machine, and ended by `close`.
        workers: how many to use; None: as many as the cluster has room for.
        resources: what each takes of its machine by Ray's names, e.g. `{"CPU": 4, "GPU": 1}`; the processors are the
            threads of a session unless they are named.

    Workers start from the images: tensors and outputs in the run's folder are not read.
    """

    name = "ray"
    reads_files = False

    def __init__(
        self, address: str | None = None, workers: int | None = None, resources: Mapping[str, float] | None = None
    ) -> None:
        self._address = address or os.environ.get("RAY_ADDRESS")
        self._workers = workers
        self._resources = dict(resources or {})
        self._started = False

    def require(self) -> None:
        """Raise `Missing` where Ray is not installed or cannot start here, and `BadInput` where the cluster cannot be
        reached."""
        _imported()
        if self._address is not None:
            self._connected(1)
        else:
            _require_places()

    @contextmanager
    def answering(self, work: Work) -> Iterator[Answering]:
        needs = {"CPU": float(work.job.threads), **self._resources}
        ray = self._connected(needs["CPU"])
        count = self._count(ray, needs, work)
        with closing(Crew(ray, work, count, needs)) as crew:
            crew.start()
            yield crew

    def close(self) -> None:
        """Leave the cluster; one that was started for this run ends."""
        if self._started:
            import ray

            ray.shutdown()
            self._started = False

    def _connected(self, processors: float) -> Any:
        """Ray, connected to the cluster. One that the calling program has connected to is used as it is."""
        ray = _imported()
        if ray.is_initialized():
            return ray
        options: dict[str, Any] = {"address": self._address, "log_to_driver": False, "logging_level": "ERROR"}
        options["job_config"] = _without_working_folder()
        if self._address is None:
            # Ray listens on every interface: who has no token is refused. One of this run alone lies in no file.
            os.environ.setdefault(TOKEN, secrets.token_hex(32))
            room = max(machine.usable_threads(), int(processors * (self._workers or 1)))
            others = {name: n * (self._workers or 1) for name, n in self._resources.items() if name not in KEYWORDS}
            options |= {"address": "local", "num_cpus": room, "resources": others, "include_dashboard": False}
            options |= {"object_store_memory": OBJECT_STORE}
        else:
            _require_answer(self._address)
        handler = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(**options)
        except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
            raise BadInput(f"--ray-address {one_line(self._address or 'local')}: {one_line(error)}") from None
        except Exception as error:  # Ray's own, which share no base, of a node that does not come up
            raise Missing(
                f"--executor ray: Ray does not start on this machine: {one_line(error)[:300]}. "
                "Use --ray-address of a running cluster, or omit --executor"
            ) from None
        finally:
            if handler is not None and signal.getsignal(signal.SIGTERM) is not handler:
                signal.signal(signal.SIGTERM, handler)  # Ray's own exits at once
        self._started = True
        return ray

    def _count(self, ray: Any, needs: Mapping[str, float], work: Work) -> int:
        """How many workers to ask for. Raises `Missing` where no machine of the cluster has room for one."""
        asked = {name: amount for name, amount in needs.items() if amount > 0}
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        room = sum(min((int(node.get(name, 0) / n) for name, n in asked.items()), default=1) for node in nodes)
        if not room:
            wants = ", ".join(f"{name} {amount:g}" for name, amount in asked.items())
            raise Missing(
                f"no machine of the Ray cluster has room for a worker ({wants}). "
                "Use fewer --threads, or other --worker-resources"
            )
        if self._workers is not None and self._workers > room:
            work.job.progress.note(f"{self._workers} workers requested, the cluster has room for {room}")
        return self._workers or room


class _NoPaths(list[str]):
    """A search path that nothing is added to."""

    def extend(self, paths: Iterable[str]) -> None:
        pass


def _without_working_folder() -> Any:
    """The configuration of a job whose workers do not import from the folder that porter was started in.

    Ray puts that folder first on their search path: a module that lies in a folder of received files would run there.
    """
    from ray.job_config import JobConfig

    config = JobConfig()
    config._py_driver_sys_path = _NoPaths()
    return config


def _require_answer(address: str) -> None:
    """Raise `BadInput` where nothing listens at `HOST:PORT` or `ray://HOST:PORT`: Ray itself would try for minutes."""
    match = re.fullmatch(r"(?:ray://)?(?P<host>[^/]+):(?P<port>[0-9]{1,5})", address)
    if match is None:
        return
    try:
        socket.create_connection((match["host"].strip("[]"), int(match["port"])), timeout=PATIENCE).close()
    except (OSError, OverflowError, UnicodeError) as error:
        raise BadInput(f"--ray-address {one_line(address)}: no answer: {one_line(error)}") from None


def _require_places() -> None:
    """Raise `Missing` where Ray could not write what it needs to start, as in a container that is read-only: it would
    try for a minute, and not say why."""
    places = {SHARED_MEMORY: "its objects", os.environ.get("RAY_TMPDIR") or tempfile.gettempdir(): "its sessions"}
    for place, what in places.items():
        if Path(place).is_dir() and not os.access(place, os.W_OK | os.X_OK):
            raise Missing(
                f"--executor ray: {one_line(place)} cannot be written, but Ray keeps {what} there. Make it writable "
                "(of a container: --tmpfs, --shm-size), use --ray-address of a cluster, or omit --executor"
            )


def _imported() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it reports to its makers unless it is told not to
    try:
        import ray
    except ImportError as error:
        raise Missing(
            f"--executor ray: Ray cannot be imported ({one_line(error)}). Run in the clone of porter: "
            "pip install -e '.[ray]'"
        ) from None
    return ray
