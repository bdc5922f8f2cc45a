"""Whether wrong labels explain a low accuracy: which fault, and the accuracy without it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from porter.diagnose.labels.hypotheses import Hypothesis, hypotheses
from porter.machine.statistics import binomial_tail, wilson
from porter.records.suspects import LabelFinding

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

SIGNIFICANCE = 0.001
"""Largest corrected p of a finding."""
LEAST_ACCURACY = 0.10
"""Least share of right answers that a finding gives. Wrong answers are alike within a class, so among hundreds of
offsets some one is right for a few classes by chance; the binomial test, which takes images as independent, would let
it pass. A fault of the labels alone gives back the accuracy of the model."""
TIMES_CHANCE, MOST_ASKED = 5, 0.50
"""It gives that many times the share that chance gives, or at least half where this would be more than half."""

_PERMUTATIONS = frozenset({"shift", "background", "folder-order"})


def explain_labels(
    answers: Sequence[int],
    labels: Sequence[int],
    num_classes: int,
    names: Sequence[str] = (),
    ids: Sequence[str] = (),
) -> tuple[LabelFinding, ...]:
    """The faults of the labels that would explain the answers, the most accurate first; nothing is applied.

    An order of the classes that is learned from the answers comes last: it has as many freedoms as there are classes.

    answers: top-1 class of every image, -1 where there is none. labels: class of every image, as used for scoring.
    names: name of the folder of each class, by class, "" for a class without one; () where labels are not from folders.
    ids: the images' names in the order of the labels; without them, orders by name are not tried.

    A fault is reported where, without it,
    - chance would hardly give as many right answers: binomial test against the share of hits that independent answers
      and labels of the same frequencies have, times the number of hypotheses tried, at most `SIGNIFICANCE`;
    - the right answers are at least twice, or the wrong ones at most half, of what they are now, and the two 95%
      intervals lie apart;
    - the share of right answers reaches `LEAST_ACCURACY` and `TIMES_CHANCE` times chance (at most `MOST_ASKED`);
    - it is not clearly worse than the best one, its interval wholly below;
    - it is no permutation of any kind where a shift or an order of folders, which are permutations, explains as much.

    Raises ValueError for lengths that differ and for numbers outside 0..num_classes-1.
    """
    import numpy as np

    given, true = np.asarray(answers, np.int64), np.asarray(labels, np.int64)
    _check(given, true, num_classes, names, ids)
    if not len(true):
        return ()
    tried = list(hypotheses(given, true, num_classes, names, ids))
    total = sum(one.tried for one in tried)
    found = [finding for one in tried if (finding := _judge(one, given, true, num_classes, total)) is not None]
    found.sort(key=lambda finding: -finding.accuracy)  # stable: of equals, the more usual fault comes first
    best = [finding for finding in found if finding.interval.high >= found[0].interval.low]
    named = any(finding.name in _PERMUTATIONS for finding in best)
    last = [finding for finding in best if finding.name == "permutation"]
    return (*(finding for finding in best if finding not in last), *([] if named else last))


def _judge(
    hypothesis: Hypothesis, answers: Integers, labels: Integers, num_classes: int, total: int
) -> LabelFinding | None:
    """The hypothesis as a finding, or None where it does not pass."""
    given, before, after = answers[hypothesis.rows], labels[hypothesis.rows], hypothesis.labels
    count, now, hits = len(given), int((given == before).sum()), _hits(given, after)
    chance = _chance(given, after, num_classes)
    asked = max(LEAST_ACCURACY, min(MOST_ASKED, TIMES_CHANCE * chance))
    if hits < asked * count or not (hits >= 2 * now or 2 * (count - hits) <= count - now):
        return None
    interval = wilson(hits, count)
    if interval.low <= wilson(now, count).high:
        return None
    p_value = min(1.0, total * binomial_tail(hits, count, chance))
    if p_value > SIGNIFICANCE:
        return None
    return LabelFinding(
        name=hypothesis.name,
        title=hypothesis.title,
        remedy=hypothesis.remedy,
        hits=hits,
        count=count,
        accuracy=100 * hits / count,
        interval=interval,
        hits_now=now,
        p_value=p_value,
        examples=hypothesis.examples,
    )


def _hits(answers: Integers, labels: Integers) -> int:
    return int(((answers == labels) & (answers >= 0)).sum())


def _chance(answers: Integers, labels: Integers, num_classes: int) -> float:
    """Expected share of hits, were answers and labels of these frequencies drawn independently."""
    import numpy as np

    given = np.bincount(answers[answers >= 0], minlength=num_classes)
    wanted = np.bincount(labels[labels >= 0], minlength=num_classes)
    return float(given @ wanted) / len(answers) ** 2


def _check(answers: Integers, labels: Integers, num_classes: int, names: Sequence[str], ids: Sequence[str]) -> None:
    count = len(labels)
    if len(answers) != count or len(ids) not in (0, count) or len(names) not in (0, num_classes):
        raise ValueError(
            f"{len(answers)} answers, {count} labels and {len(ids)} ids; {len(names)} names of {num_classes} classes"
        )
    if count and not (labels.min() >= 0 and answers.min() >= -1 and max(labels.max(), answers.max()) < num_classes):
        raise ValueError(f"labels must lie in 0..{num_classes - 1}, answers in -1..{num_classes - 1}")
