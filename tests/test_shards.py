"""Shards: every image in one, each beginning where a batch does, and answers in order whatever is lost."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from porter.pipeline.evaluation.executors.shards import AHEAD, LONGEST, Plan, Shard, shards


@given(
    first=st.integers(0, 50),
    images=st.integers(0, 3000),
    batch=st.integers(1, 40),
    workers=st.integers(1, 70),
)
def test_every_image_is_in_one_shard_of_whole_batches(first: int, images: int, batch: int, workers: int) -> None:
    start = first * batch
    found = list(shards(start, start + images, batch, workers))
    assert [place for shard in found for place in range(shard.start, shard.stop)] == list(range(start, start + images))
    assert all(shard.start % batch == 0 and 0 < shard.stop - shard.start <= LONGEST * batch for shard in found)
    assert [shard.number for shard in found] == list(range(len(found)))


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), workers=st.integers(1, 6), loss=st.floats(0, 0.4))
def test_answers_leave_in_order_whoever_is_lost(seed: int, workers: int, loss: float) -> None:
    chance = random.Random(seed)
    plan: Plan[int] = Plan(shards(0, 500, 4, workers))
    hands: list[list[Shard]] = [[] for _ in range(workers)]
    left: list[int] = []
    while not plan.done:
        hand = chance.choice(hands)
        if len(hand) < 2 and (shard := plan.take(workers)) is not None:
            assert shard.number < plan.turn + AHEAD * workers
            hand.append(shard)
        elif hand and chance.random() < loss:
            first = plan.give_back(list(hand))
            assert first == hand[0] and plan.losses[first.number] >= 1
            hand.clear()
        elif hand:
            shard = hand.pop(0)
            left.extend(plan.answered(shard, shard.number))
    assert left == list(range(len(list(shards(0, 500, 4, workers)))))


def test_a_lost_worker_that_had_nothing_costs_nothing() -> None:
    plan: Plan[int] = Plan(shards(0, 8, 4, 1))
    assert plan.give_back([]) is None and plan.losses == {}
    assert not Plan[int](iter(())).take(1) and Plan[int](iter(())).done
