"""The workers of one evaluation on Ray: they come, answer, are lost, and are replaced."""

from __future__ import annotations

import re
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from porter.contracts.progress import Progress
from porter.errors import BadInput, Missing, PluginError, PorterError, one_line
from porter.pipeline.evaluation.executors.base import Answering, Work
from porter.pipeline.evaluation.executors.ray_worker import Arrived, Opened, Order, Worker, order_for
from porter.pipeline.evaluation.executors.shards import Plan, Shard, shards
from porter.pipeline.evaluation.shapes import JudgedBatch

POLL = 0.2
"""Seconds after which a wait for the workers looks whether the user has interrupted it."""
IN_HAND = 2
"""Shards that a worker has at a time, so that it need not wait for the next."""
LOSSES = 3
"""Workers that may end over one shard, or before they have opened their session, until the run stops."""
PATIENCE = 60.0
"""Seconds without a worker after which the user is told so."""


KEYWORDS = {"CPU": "num_cpus", "GPU": "num_gpus", "memory": "memory"}
"""Resources that Ray finds by itself, and the arguments by which it takes them; others must be declared to it."""

BECAUSE = ("The actor is dead because", "The actor died because")
"""How the line of Ray's messages begins that says more than that an actor has died."""

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(eq=False)
class _Member:
    """One worker as this process sees it."""

    actor: Any
    node: str = ""
    opened: bool = False
    shards: deque[Shard] = field(default_factory=deque)
    """Those it has, the one first that it is answering."""


class Crew(Answering):
    """Gives the answers in order, whoever found them. `ray` is the module, connected; `count` workers are asked for."""

    def __init__(self, ray: Any, work: Work, count: int, resources: dict[str, float]) -> None:
        self._ray, self._work, self._count = ray, work, count
        self._progress: Progress = work.job.progress
        self._order: Order = order_for(work)
        options = {KEYWORDS[name]: amount for name, amount in resources.items() if name in KEYWORDS}
        others = {name: amount for name, amount in resources.items() if name not in KEYWORDS}
        self._kind = ray.remote(Worker).options(
            **options, resources=others, max_restarts=0, max_task_retries=0, scheduling_strategy="SPREAD"
        )
        self._search_path = [str(Path(folder).absolute()) for folder in sys.path]
        self._handed = ray.put(_packed(ray, self._order))
        self._members: list[_Member] = []
        self._calls: dict[Any, tuple[_Member, Shard | None]] = {}
        """Calls that have not come back, with who does them and the shard that they answer."""
        self._sent: list[list[Any]] | None = None
        self._unopened = 0
        """Workers lost before they had opened a session, since the last one that did."""
        self._processors = {self._order.installed.processor}
        self._most = 0
        self._told = time.monotonic()
        """When somebody was last there, or the user was told that nobody is."""
        self._plan: Plan[list[JudgedBatch]] | None = None

    def start(self) -> None:
        """Have the workers come, and wait until one has opened its session: what really runs must be known before the
        first answer."""
        for _ in range(self._count):
            self._hire()
        while self._plan is None:
            for call in self._back():
                list(self._settle(call))

    @property
    def workers(self) -> int:
        return self._most

    def __iter__(self) -> Iterator[JudgedBatch]:
        assert self._plan is not None
        while not self._plan.done:
            self._feed()
            for call in self._back():
                for batches in self._settle(call):
                    yield from batches

    def close(self) -> None:
        """End all workers, whatever they are at."""
        for member in self._members:
            self._ray.kill(member.actor)
        self._members.clear()
        self._calls.clear()

    def _hire(self) -> None:
        member = _Member(self._kind.remote(self._search_path))
        self._members.append(member)
        self._calls[member.actor.arrive.remote(self._handed)] = member, None

    def _back(self) -> list[Any]:
        """The calls that have come back, after a short wait where there is none."""
        calls = list(self._calls)
        back = list(self._ray.wait(calls, num_returns=1, timeout=POLL)[0])
        now = time.monotonic()
        if back or any(member.opened for member in self._members):
            self._told = now
        elif now - self._told > PATIENCE:
            self._told = now
            self._progress.note("no worker yet: the cluster may be busy or starting machines")
        return back

    def _feed(self) -> None:
        """Give every open worker as many shards as it should have in hand."""
        assert self._plan is not None
        items = self._work.job.data.items
        for _ in range(IN_HAND):
            for member in self._members:
                if not member.opened or len(member.shards) >= IN_HAND:
                    continue
                shard = self._plan.take(self._count)
                if shard is None:
                    return
                member.shards.append(shard)
                call = member.actor.answer.remote(shard.start, items[shard.start : shard.stop])
                self._calls[call] = member, shard

    def _settle(self, call: Any) -> Iterator[list[JudgedBatch]]:
        """Take what a call brought back; gives the answers whose turn has come."""
        if call not in self._calls:  # of a worker that was lost in the meantime
            return
        member, shard = self._calls.pop(call)
        try:
            result = self._ray.get(call)
        except self._ray.exceptions.RayTaskError as error:
            raise self._fault(member, error) from None
        except self._ray.exceptions.RayError as error:  # the process or its machine has ended, or cannot be reached
            self._lose(member, error)
            return
        if isinstance(result, Arrived):
            self._arrived(member, result)
        elif isinstance(result, Opened):
            self._opened(member, result)
        else:
            assert self._plan is not None and shard is not None
            member.shards.remove(shard)  # not always its first: Ray may show the later of two answers first
            yield from self._plan.answered(shard, result)

    def _arrived(self, member: _Member, arrived: Arrived) -> None:
        member.node = arrived.node
        if arrived.processor not in self._processors:
            self._processors.add(arrived.processor)
            self._progress.note(
                f"worker on {arrived.node}: another CPU ({arrived.processor}); the last digits of its scores may differ"
            )
        self._calls[member.actor.open.remote(self._contents() if arrived.lacks_files else None)] = member, None

    def _contents(self) -> list[list[Any]]:
        """The files of the bundle in the object store, put there once, when the first worker lacks them."""
        if self._sent is None:
            self._sent = [[self._ray.put(piece) for piece in file.chunks()] for file in self._order.bundle.files]
        return self._sent

    def _opened(self, member: _Member, opened: Opened) -> None:
        if self._plan is None:
            total = len(self._work.job.data.items)
            self.info = opened.info
            self._plan = Plan(shards(self._work.start, total, opened.batch, self._count))
        elif opened.info != self.info:
            raise PluginError(
                f"worker on {member.node}: its session differs from that of the first worker "
                f"({one_line(opened.info)}, not {one_line(self.info)})"
            )
        member.opened, self._unopened = True, 0
        self._most = max(self._most, sum(one.opened for one in self._members))

    def _lose(self, member: _Member, error: Exception) -> None:
        """Have another worker answer what a lost one had, unless that has cost too many already."""
        if getattr(error, "actor_init_failed", False):
            told = str(error)
            where = re.search(r"\bip=([^,)]+)", told)
            raise Missing(
                f"a worker on {where[1] if where else 'a machine of the cluster'} cannot start: {_last_line(told)}. "
                "Install the same on every machine"
            )
        reason = _reason(error)
        self._members.remove(member)
        self._calls = {call: one for call, one in self._calls.items() if one[0] is not member}
        self._ray.kill(member.actor)  # it may live on where nobody can reach it
        if not member.opened:
            self._unopened += 1
            if self._unopened >= LOSSES:
                raise PluginError(f"{self._name}: {LOSSES} workers ended before their session was open; {reason}")
        elif self._plan is not None:
            shard = self._plan.give_back(list(member.shards))
            if shard is not None and self._plan.losses[shard.number] >= LOSSES:
                items = self._work.job.data.items
                raise PluginError(
                    f"{self._name}: {LOSSES} workers ended while they processed the images "
                    f"{one_line(items[shard.start].id)} to {one_line(items[shard.stop - 1].id)}; {reason}"
                )
        self._progress.note(
            f"a worker was lost{f' on {member.node}' * bool(member.node)}: {reason}. Another is starting"
        )
        self._hire()

    @property
    def _name(self) -> str:
        return self._work.subject.name

    def _fault(self, member: _Member, error: Any) -> Exception:
        """What was raised in a worker, as it would have been raised here."""
        cause = error.cause
        if isinstance(cause, PorterError):
            return type(cause)(str(cause))
        where = member.node or "a machine of the cluster"
        return PluginError(f"{self._name}: a worker on {where} raised {type(cause).__name__}: {_last_line(str(cause))}")


def _packed(ray: Any, order: Order) -> bytes:
    try:
        packed: bytes = ray.cloudpickle.dumps(order)
    except Exception as error:  # an object can raise anything when it is pickled
        raise BadInput(f"the plugins of this run cannot be sent to workers: {one_line(error)}") from None
    return packed


def _last_line(told: str) -> str:
    """Where Ray's messages have what was raised."""
    return one_line(_COLOURS.sub("", told).strip().rpartition("\n")[2])


def _reason(error: Exception) -> str:
    """The first line of what Ray says: the rest are its guesses."""
    lines = [line.strip() for line in _COLOURS.sub("", str(error)).splitlines() if line.strip()]
    told = next((line for line in lines if line.startswith(BECAUSE)), lines[0] if lines else "")
    return one_line(told.partition(" Worker exit detail:")[0]) or type(error).__name__
