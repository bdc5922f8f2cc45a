"""Shards: what each worker is given at a time, who has what, and the order in which answers leave."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

A = TypeVar("A")
LONGEST = 16
"""Batches in a shard, at most: what is answered again where a worker is lost, and what its answers take on the way."""
ROUNDS = 8
"""Shards for each worker, at least, so that all end at about the same time."""
AHEAD = 4
"""Shards for each worker that may be answered or under way before the next in order has come."""


@dataclass(frozen=True)
class Shard:
    """Consecutive images of the manifest. It begins where a batch does, so that it gives the same batches anywhere."""

    number: int
    """Its place among the shards."""
    start: int
    """Place of its first image in the manifest."""
    stop: int
    """Place after its last."""


def shards(start: int, stop: int, batch: int, workers: int) -> Iterator[Shard]:
    """Cut the images from `start` up to `stop` into shards of whole batches; the last one may end early."""
    batches = -(-(stop - start) // batch)
    size = batch * min(LONGEST, max(1, batches // (ROUNDS * workers)))
    for number, first in enumerate(range(start, stop, size)):
        yield Shard(number, first, min(first + size, stop))


@dataclass
class Plan(Generic[A]):
    """The shards of one evaluation: still to be given out, given out, and answered but waiting for their turn."""

    waiting: Iterator[Shard]
    """Not given out yet, in order."""
    again: deque[Shard] = field(default_factory=deque)
    """Given out to a worker that was lost."""
    answers: dict[int, A] = field(default_factory=dict)
    """By number."""
    losses: dict[int, int] = field(default_factory=dict)
    """Workers that ended while they answered a shard, by its number."""
    out: int = 0
    """Shards given out and not answered."""
    turn: int = 0
    """Number of the shard whose answers leave next."""
    _next: Shard | None = None

    def take(self, workers: int) -> Shard | None:
        """The next shard to give out; None where there is none, or enough is ahead of the slowest."""
        if self.again:
            self.out += 1
            return self.again.popleft()
        if self._next is None:
            self._next = next(self.waiting, None)
        shard = self._next
        if shard is None or shard.number >= self.turn + AHEAD * max(1, workers):
            return None
        self._next = None
        self.out += 1
        return shard

    def give_back(self, lost: list[Shard]) -> Shard | None:
        """Take back what a lost worker had, the one first that it was answering, which is returned."""
        self.out -= len(lost)
        self.again = deque(sorted((*self.again, *lost), key=lambda shard: shard.number))
        if not lost:
            return None
        self.losses[lost[0].number] = self.losses.get(lost[0].number, 0) + 1
        return lost[0]

    def answered(self, shard: Shard, answer: A) -> Iterator[A]:
        """Note the answers to a shard; gives all whose turn has come."""
        self.out -= 1
        self.answers[shard.number] = answer
        while self.turn in self.answers:
            self.turn += 1
            yield self.answers.pop(self.turn - 1)

    @property
    def done(self) -> bool:
        """Whether every answer has left."""
        if self._next is None:
            self._next = next(self.waiting, None)
        return self._next is None and not (self.again or self.out or self.answers)
