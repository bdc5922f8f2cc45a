"""gate: whether an accuracy is close enough to another, and what speaks against an artefact.

The verdicts, the search for int8 and the choice of `--precision auto` ask here; nothing else in porter says PASS.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from porter.documents.unanswered_images import reasons_of
from porter.pipeline.judge.covered import is_wrong
from porter.pipeline.judge.speed_marks import impossible
from porter.records.artefact import Artefact
from porter.records.choice import Outcome
from porter.records.evaluation import Evaluation, Metric
from porter.records.message import Message, Text
from porter.records.record import Comparison, RunRecord

ROUNDING = 1e-9
"""A billionth of a point: the rounding of two percentages, never a lost image."""


@dataclass(frozen=True, kw_only=True)
class Gated:
    """What became of one figure at the gate."""

    drop: float | None
    """What it lost against the baseline, in its own unit; negative: it is better; None: there is nothing to compare."""
    passed: bool | None
    """None: nothing can be said."""


def gated(metric: Metric | None, baseline: float | None, allowed: float) -> Gated:
    """A metric against the figure that it is compared with; it may lose `allowed`."""
    if metric is None or baseline is None:
        return Gated(drop=None, passed=None)
    sign = 1 if metric.higher_is_better else -1
    drop = sign * (baseline - metric.value)
    return Gated(drop=drop, passed=drop <= allowed + ROUNDING)


def doubts(evaluation: Evaluation) -> Iterator[Text]:
    """What makes an evaluation fail whatever it is compared with."""
    if evaluation.nonfinite:
        yield Message(
            "{nonfinite} of {listed} images have NaN or infinite outputs and count as wrong",
            nonfinite=evaluation.nonfinite,
            listed=evaluation.listed,
        )
    if evaluation.mostly_unanswered and not evaluation.nonfinite:
        yield reasons_of(evaluation)
    elif evaluation.chance:
        yield evaluation.chance


def objection(record: RunRecord, artefact: Artefact) -> tuple[Outcome, Text] | None:
    """What speaks most against delivering an artefact, by what the record says of it; None: nothing does."""
    evaluation = record.evaluation(artefact.id)
    parity = next((one for one in record.parity if one.candidate == artefact.id), None)
    if parity is not None and (not parity.passed or is_wrong(record, artefact.id)):
        return Outcome.BROKEN, Message("parity with the loaded model fails")
    if parity is None:
        return Outcome.UNMEASURED, Message("not compared with the loaded model")
    judged = [one for one in record.comparisons if one.evaluation == artefact.id and one.passed is not None]
    if evaluation is None or not judged:
        return Outcome.UNMEASURED, Message("not scored")
    if evaluation.nonfinite:
        return Outcome.DOUBTFUL, Message("{count} images have NaN or infinite outputs", count=evaluation.nonfinite)
    failed = next((one for one in judged if not one.passed), None)
    if failed is not None:
        return Outcome.INACCURATE, _loss(failed)
    if evaluation.chance:
        return Outcome.DOUBTFUL, evaluation.chance
    if impossible(record, artefact.id):
        return Outcome.DOUBTFUL, Message("its speed is impossible")
    return None


def _loss(failed: Comparison) -> Message:
    return Message(
        "drop of {drop:.2f} points from {against} (limit {allowed:g})",
        drop=failed.drop,
        against=Message("the reference") if failed.against == "reference" else Message("the published figure"),
        allowed=failed.allowed,
    )
