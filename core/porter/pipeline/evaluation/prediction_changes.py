"""Reference against artefact, image by image: flips, their margins, and the paired statistics of the drop."""

from __future__ import annotations

import math
from array import array
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from porter.contracts.task import Task
from porter.pipeline.evaluation.pairing import compare_paired
from porter.pipeline.evaluation.resampling import resampled_drop, with_few_changes
from porter.records.changes import Changes, Flip
from porter.records.evaluation import Metric
from porter.records.manifest import Item
from porter.records.paired import PairedComparison, ResampledDrop

FLIPS_KEPT = 50


@dataclass
class Answers:
    """What one evaluation answered, item by item, in a few bytes each."""

    answers: list[Hashable] = field(default_factory=list)
    """None where there is none."""
    rankings: array[int] = field(default_factory=lambda: array("q"))
    """Hash of the task's ranking; comparable within this process."""
    margins: array[float] = field(default_factory=lambda: array("d"))
    """NaN where there is none."""
    scores: array[float] = field(default_factory=lambda: array("d"))
    resamples: tuple[float, ...] = ()
    """The gate's metric on each resample of the samples; empty: the task has no such figure."""
    gate: Metric | None = None
    """The gate's metric on the samples themselves."""

    def add(self, task: Task, prediction: Any | None, score: float = 0.0) -> None:
        """Keep the next item's answer; items come in the manifest's order."""
        self.answers.append(None if prediction is None else task.answer(prediction))
        self.rankings.append(0 if prediction is None else hash(task.ranking(prediction)))
        margin = None if prediction is None else task.margin(prediction)
        self.margins.append(math.nan if margin is None else margin)
        self.scores.append(score)


def changes(
    task: Task, items: Sequence[Item], reference: Answers, candidate: Answers, max_drop: float | None = None
) -> Changes:
    """Compare the answers to the same items; without `max_drop` nothing is said of accuracy."""
    pairs = list(zip(reference.answers, candidate.answers, strict=True))
    flipped = [index for index, (a, b) in enumerate(pairs) if not task.is_same(a, b)]
    ranks = zip(reference.rankings, candidate.rankings, strict=True)
    moved = sum(a != b for a, b in ranks)
    judged = max_drop is not None and len(items) > 0
    share = reference.gate is None or reference.gate.hits is not None
    binary = judged and share and all(score in (0.0, 1.0) for score in chain(reference.scores, candidate.scores))
    return Changes(
        images=len(items),
        flipped=len(flipped),
        reordered=moved - sum(reference.rankings[i] != candidate.rankings[i] for i in flipped),
        flips=tuple(
            Flip(
                id=items[index].id,
                label=task.label_text(items[index]),
                reference=_shown(pairs[index][0]),
                candidate=_shown(pairs[index][1]),
                margin=None if math.isnan(reference.margins[index]) else reference.margins[index],
            )
            for index in flipped[:FLIPS_KEPT]
        ),
        paired=_paired(reference.scores, candidate.scores, max_drop) if binary and max_drop is not None else None,
        resampled=None if binary or max_drop is None else _resampled(reference, candidate, len(items), max_drop),
    )


def _resampled(reference: Answers, candidate: Answers, samples: int, allowed: float) -> ResampledDrop | None:
    one, other = reference.gate, candidate.gate
    if one is None or other is None:
        return None
    sign = 1 if one.higher_is_better else -1
    drop = sign * (one.value - other.value)
    higher = one.higher_is_better
    found = resampled_drop(reference.resamples, candidate.resamples, drop, samples, allowed, higher=higher)
    pairs = list(zip(reference.scores, candidate.scores, strict=True))
    lost, gained = sum(a > b for a, b in pairs), sum(a < b for a, b in pairs)
    return found if found is None or one.unit != "percent" else with_few_changes(found, lost, gained)


def _paired(reference: Sequence[float], candidate: Sequence[float], max_drop: float) -> PairedComparison:
    return compare_paired([s == 1 for s in reference], [s == 1 for s in candidate], min(max_drop, 100.0))


def _shown(answer: Hashable) -> str:
    return "" if answer is None else str(answer)
