"""trying: whether a usual alternative to the declared preprocessing is right more often, beyond chance.

A race, since scoring thirty alternatives on every image would cost thirty evaluations. An alternative can only gain on
images that are wrong now, so all of them run on a few of these first, those that mend a quarter go on to more, and what
is left must not lose what is right. Only the few that come through are held against the declared pipeline on images
evenly spaced over all, right and wrong, with McNemar's exact test. That test counts every alternative that was begun
with, so the race before it costs images and no false alarm. What is tried depends on counts alone, never on a clock.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from porter.data.selection import evenly_spaced
from porter.diagnose.preprocessing.alternatives import AS_DECLARED, EXIF, alternatives, as_declared
from porter.diagnose.preprocessing.recipe import Recipe, declared
from porter.diagnose.preprocessing.resizers import opencv_problem
from porter.diagnose.preprocessing.usual_faults import Change
from porter.machine.statistics import mcnemar_exact
from porter.pipeline.evaluation.rendered import Rendered
from porter.pipeline.job.job import Dataset
from porter.records.message import Message, Text
from porter.records.tried import Better, Tried

SIGNIFICANCE = 0.01
"""Largest corrected p of an alternative that is named."""
STEP = 0.1
"""By how much a score, 0 to 1, must differ to count as gained or lost."""
ROUNDS, CLOSE_ROUNDS = (3, 5, 16), (12, 24, 60)
"""Wrong images of each round of the race; `CLOSE` where the accuracy is poor."""
CLOSE_ROUNDS_ALL = sum(CLOSE_ROUNDS)
KEPT, CLOSE_KEPT = (6, 4, 4), (10, 6, 4)
"""Alternatives that go on after each round, at most, and those that are level with the last of them."""
TESTED = 3
"""Of those that are left, the best that are held against the declared pipeline."""
MENDED = 0.25
"""Share of the wrong images that an alternative must mend to go on, at least; where the accuracy is poor, any."""
HOPE = 0.7
"""Nor may it mend less than that part of what it takes to be better beyond chance."""
RIGHT = 16
"""Right images on which what is left must not lose more than it gains."""
LOOKS = (200, 500, 1000)
"""Images of the test, which ends at the first look that tells; the last is made where there are so many."""
AS_GOOD = 1.0
"""Points below the best one up to which another alternative is named as well."""
DEEPEST = 3
"""Faults that may lie on top of each other."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is raced: the pipeline to beat, and what may beat it."""

    recipe: Recipe
    scores: dict[int, float]
    """Of the pipeline to beat, by place in the manifest."""
    changes: tuple[Change, ...]
    turned: frozenset[int]
    """Images with an EXIF orientation: obeying it can change no others."""


def try_alternatives(
    data: Dataset, scores: Sequence[float], turned: Sequence[int], metric: Text, *, poor: bool, departs: bool
) -> Tried:
    """Hold the usual alternatives against the model's own pipeline, whose `scores` are of every image, 0 to 1.

    `turned` are the images with an EXIF orientation; `departs`: the model's pipeline is not the one that its spec
    declares. Labels that are no classes follow no change of the geometry, so those are not tried with them.
    """
    spec = data.job.spec.preprocess
    assert spec is not None
    whole = all(isinstance(item.label, int) for item in data.items)
    changes = alternatives(spec, opencv=opencv_problem() is None, geometry=whole, gross=poor)
    changes = (as_declared(), *changes) if departs else changes
    if not turned:
        changes = tuple(one for one in changes if one.suspect.name != EXIF)
    asked = Asked(recipe=declared(spec), scores=dict(enumerate(scores)), changes=changes, turned=frozenset(turned))
    least = fewest(len(changes))
    tried = Tried(alternatives=len(changes), images=0, metric=metric, poor=poor)
    if sum(_wrong(score) for score in scores) < least:
        return replace(tried, reason=Message("fewer than {count} predictions are wrong", count=least))
    rendered = Rendered(data, spec, scores)
    with data.job.progress.step("try other preprocessing"):
        better = _deepened(rendered, asked, race(rendered, asked, close=poor), close=poor)
    return replace(tried, images=len(rendered.places), better=better)


def fewest(changes: int) -> int:
    """Images that must be wrong for one of so many alternatives to be better beyond chance by mending them all."""
    return math.ceil(math.log2(2 * max(changes, 1) * len(LOOKS) / SIGNIFICANCE))


def race(rendered: Rendered, asked: Asked, *, close: bool) -> tuple[Better, ...]:
    """The best of the alternatives that are better beyond chance, and those as good, the most usual first."""
    left, seen = asked.changes, 0
    for more, kept in zip(*((CLOSE_ROUNDS, CLOSE_KEPT) if close else (ROUNDS, KEPT)), strict=True):
        seen += more
        _score_together(rendered, asked, left, seen)
        mended = {id(change): _mended(rendered, asked, change, seen) for change in left}
        least = _least(asked, close=close)
        levels = sorted(mended.values(), reverse=True)[:kept]
        bound = max([least, *levels[-1:]])  # those that are level with the last that goes on go on with it
        left = tuple(change for change in left if 0 < mended[id(change)] >= bound)
    gains = {id(change): _gain(rendered, asked, change, seen) for change in left}
    sound = sorted((change for change in left if gains[id(change)] > 0), key=lambda change: -gains[id(change)])
    found = [better for change in sound[:TESTED] if (better := _tested(rendered, asked, change)) is not None]
    best = max((one.value for one in found), default=0.0)
    usual = [change.suspect.name for change in asked.changes]
    as_good = [one for one in found if one.value >= best - AS_GOOD]
    if own := [one for one in as_good if one.suspects[0].name == AS_DECLARED]:
        return (own[0],)  # each other one is right for leaving the model's own pipeline as well
    return tuple(sorted(as_good, key=lambda one: usual.index(one.suspects[0].name)))


def _deepened(rendered: Rendered, asked: Asked, found: tuple[Better, ...], *, close: bool) -> tuple[Better, ...]:
    """With what is better still once the best one is taken for granted: faults seldom come alone."""
    base, taken, further = asked, tuple[Change, ...](), found
    for _ in range(DEEPEST - 1):
        if not further:
            break
        name = further[0].suspects[-1].name
        change = next(one for one in base.changes if one.suspect.name == name)
        taken = (*_beside(taken, change), change)
        base = _on_top(rendered, base, change)
        if sum(map(_wrong, base.scores.values())) < fewest(len(base.changes)):
            break
        further = race(rendered, base, close=close)
        if further:
            last = next(one for one in base.changes if one.suspect == further[0].suspects[0])
            places = _order(_pool(base, last.suspect.name))[: further[0].images]
            suspects = tuple(one.suspect for one in (*_beside(taken, last), last))
            whole = _compared(rendered, asked, last.apply(base.recipe), places)
            found = (replace(whole, suspects=suspects),)
    return found


def _beside(taken: Sequence[Change], change: Change) -> tuple[Change, ...]:
    """What is left of `taken` once `change` has its own way with the fields that it sets."""
    return tuple(one for one in taken if change.fields.keys().isdisjoint(one.fields))


def _on_top(rendered: Rendered, asked: Asked, change: Change) -> Asked:
    """The same question of the pipeline with `change`. Colours keep their mean and std when planes change places."""
    recipe, places = change.apply(asked.recipe), _order(list(asked.scores))
    rendered.score([recipe], places)
    turned = recipe.order != asked.recipe.order
    rest = [_reversed(one) if turned and "order" not in one.fields else one for one in asked.changes if one.fields]
    return Asked(
        recipe=recipe,
        scores={place: rendered.of(recipe, place) for place in places},
        changes=tuple(one for one in rest if one.apply(recipe) != recipe),
        turned=asked.turned,
    )


def _reversed(change: Change) -> Change:
    fields = {name: value[::-1] if name in ("mean", "std") else value for name, value in change.fields.items()}
    return replace(change, fields=fields)


def _score_together(rendered: Rendered, asked: Asked, changes: Sequence[Change], count: int) -> None:
    """Score the wrong images of a round under all changes at once: each image is decoded once, and batches are full."""
    recipes = [change.apply(asked.recipe) for change in changes if change.suspect.name != EXIF]
    rendered.score(recipes, _order(_wrongs(asked, ""), most=CLOSE_ROUNDS_ALL)[:count])


def _wrongs(asked: Asked, name: str) -> list[int]:
    """The wrong images that a change of that name can change."""
    return [place for place in _pool(asked, name) if _wrong(asked.scores[place])]


def _mended(rendered: Rendered, asked: Asked, change: Change, count: int) -> float:
    """Share of up to `count` wrong images, evenly spaced, that the change mends."""
    return _share(rendered, asked, change, _wrongs(asked, change.suspect.name), count, 1)


def _gain(rendered: Rendered, asked: Asked, change: Change, seen: int) -> float:
    """Images that the change seems to gain more than it loses, by a few wrong and a few right ones."""
    pool = _pool(asked, change.suspect.name)
    right = [place for place in pool if not _wrong(asked.scores[place])]
    gained = _mended(rendered, asked, change, seen) * (len(pool) - len(right))
    return gained - _share(rendered, asked, change, right, RIGHT, -1) * len(right)


def _share(
    rendered: Rendered, asked: Asked, change: Change, places: Sequence[int], count: int, direction: int
) -> float:
    """Share of up to `count` of `places` whose score the change moves up (1) or down (-1)."""
    if not places:
        return 0.0
    # Nested, so that a later round adds to an earlier one.
    some = _order(places, most=CLOSE_ROUNDS_ALL)[:count]
    recipe = change.apply(asked.recipe)
    rendered.score([recipe], some)
    return sum(direction * (rendered.of(recipe, place) - asked.scores[place]) >= STEP for place in some) / len(some)


def _tested(rendered: Rendered, asked: Asked, change: Change) -> Better | None:
    """The change against the pipeline to beat, image by image; None where it is not better beyond chance."""
    recipe, places = change.apply(asked.recipe), _order(_pool(asked, change.suspect.name))
    for look in LOOKS:
        some = places[:look]
        rendered.score([recipe], some)
        found = replace(_compared(rendered, asked, recipe, some), suspects=(change.suspect,))
        if found.gained > found.lost and found.p_value <= SIGNIFICANCE:
            return found
        if found.gained <= found.lost or len(some) == len(places):
            return None
    return None


def _compared(rendered: Rendered, asked: Asked, recipe: Recipe, places: Sequence[int]) -> Better:
    """A recipe that was scored on `places` against the pipeline to beat; who compares names the suspects."""
    moves = [rendered.of(recipe, place) - asked.scores[place] for place in places]
    gained, lost = sum(move >= STEP for move in moves), sum(move <= -STEP for move in moves)
    return Better(
        suspects=(),
        images=len(places),
        value=_percent(rendered.of(recipe, place) for place in places),
        declared=_percent(asked.scores[place] for place in places),
        gained=gained,
        lost=lost,
        p_value=min(1.0, mcnemar_exact(gained, lost) * len(asked.changes) * len(LOOKS)),
    )


def _least(asked: Asked, *, close: bool) -> float:
    """The share of wrong images that must be mended to go on."""
    wrong = sum(map(_wrong, asked.scores.values())) * min(1.0, LOOKS[-1] / len(asked.scores))
    return max(0.0 if close else MENDED, HOPE * fewest(len(asked.changes)) / wrong)


def _pool(asked: Asked, name: str) -> list[int]:
    """The images that a change can change."""
    return [place for place in asked.scores if name != EXIF or place in asked.turned]


def _order(places: Sequence[int], most: int = LOOKS[-1]) -> list[int]:
    """Up to `most` of them, evenly spaced, in an order in which the first few are evenly spaced as well."""
    spaced = [places[index] for index in evenly_spaced(len(places), most)] if places else []
    return [place for start in (0, 4, 2, 6, 1, 5, 3, 7) for place in spaced[start::8]]


def _wrong(score: float) -> bool:
    return score <= 1 - STEP


def _percent(scores: Iterable[float]) -> float:
    listed = list(scores)
    return 100 * sum(listed) / len(listed)
