"""The verdict on accuracy: what every artefact keeps of the reference's and of the published accuracy."""

from __future__ import annotations

from collections.abc import Sequence

from porter.documents.columns import AGAINST
from porter.documents.drawings.lines import REFERENCE
from porter.pipeline.judge.gate import doubts
from porter.pipeline.judge.grouping import grouped
from porter.pipeline.judge.weights_evidence import stated_evidence
from porter.records.message import Message, Text, Value
from porter.records.paired import PairedComparison, PairedVerdict, ResampledDrop
from porter.records.precision import INT8
from porter.records.record import Comparison, RunRecord
from porter.records.unfinished import Failing, Unfinished


def accuracy_evidence(record: RunRecord, broken: Sequence[Unfinished]) -> tuple[list[Text], bool]:
    """What fails first, then what was compared, each sentence once; and whether nothing fails.

    `broken` are targets that could not be scored.
    """
    everyone = sum(one.name != REFERENCE for one in record.evaluations)
    judged = [one for one in record.comparisons if one.passed is not None]
    failed = [one for one in judged if not one.passed]
    doubtful: list[tuple[Text, Text]] = [(e.title, doubt) for e in record.evaluations for doubt in doubts(e)]
    stated, contradicted = stated_evidence(record)
    evidence = grouped(((one.evaluation, compared_words(record, one)) for one in failed), everyone)
    evidence += grouped(doubtful, len(record.evaluations), models=True)
    evidence += grouped(((one.artefact, _unscored(one)) for one in broken), everyone)
    evidence += stated if contradicted else []
    evidence += grouped(((one.evaluation, compared_words(record, one)) for one in judged if one.passed), everyone)
    evidence += grouped(((name, _image_by_image(one)) for name, one in paired(record)), everyone)
    evidence += grouped(_not_compared(record), everyone)
    evidence += _search(record)
    evidence += [] if contradicted else stated
    # A fault of the labels that explains the answers this well leaves no figure to believe.
    return evidence, not (failed or doubtful or broken or record.label_suspects or contradicted)


def paired(record: RunRecord) -> list[tuple[str, PairedComparison | ResampledDrop]]:
    """Each artefact that was compared with the reference image by image, and how that ended."""
    return [
        (one.name, one.changes.judged)
        for one in record.evaluations
        if one.changes is not None and one.changes.judged is not None
    ]


def undecided(record: RunRecord) -> PairedComparison | ResampledDrop | None:
    """The comparison that leaves most room for a drop beyond the allowed one; None where every one is decided."""
    found = [one for _, one in paired(record) if one.verdict is PairedVerdict.UNDECIDED]
    return max(found, key=lambda one: one.interval.high, default=None)


def hidden_drop(one: PairedComparison | ResampledDrop) -> Message:
    """How large a drop could hide in so few images, and how many would decide."""
    figures: dict[str, Value] = {"images": one.images, "high": one.interval.high, "allowed": one.allowed}
    if one.needed is None:
        return Message(
            "{images} images cannot rule out a drop of up to {high:.2f} points (limit {allowed:.2f})", **figures
        )
    return Message(
        "{images} images cannot rule out a drop of up to {high:.2f} points (limit {allowed:.2f}); "
        "{needed} would decide",
        **figures,
        needed=one.needed,
    )


def compared_words(record: RunRecord, one: Comparison) -> Message:
    """A metric, what it was compared with, and what it lost."""
    evaluation = record.evaluation(one.evaluation)
    unit = "%" if evaluation is None else evaluation.metric(one.metric).unit
    figures: dict[str, Value] = {
        "against": AGAINST.get(one.against, one.against),
        "metric": one.title,
        "value": one.value,
        "baseline": one.baseline,
        "drop": one.drop,
        "allowed": one.allowed,
    }
    if unit in ("%", "percent"):
        return Message(
            "{metric} {value:.2f}%, {against} {baseline:.2f}%: drop {drop:.2f} points, limit {allowed:.2f}", **figures
        )
    return Message(
        "{metric} {value:.2f} {unit}, {against} {baseline:.2f}: drop {drop:.2f}, limit {allowed:.2f}",
        **figures,
        unit=unit,
    )


def _image_by_image(one: PairedComparison | ResampledDrop) -> Message:
    """Whether the images suffice to tell the drop."""
    if isinstance(one, ResampledDrop):
        return Message(
            "drop {drop:.2f} in [{low:.2f}, {high:.2f}] ({method}): {told}",
            drop=one.drop,
            low=one.interval.low,
            high=one.interval.high,
            method=one.interval.method,
            told=hidden_drop(one) if one.verdict is PairedVerdict.UNDECIDED else TOLD[one.verdict],
        )
    return Message(
        "image by image {right_to_wrong} right to wrong, {wrong_to_right} wrong to right, drop {drop:.2f} points in "
        "[{low:.2f}, {high:.2f}], McNemar's exact p {p:.3g}: {told}",
        right_to_wrong=one.right_to_wrong,
        wrong_to_right=one.wrong_to_right,
        drop=one.drop,
        low=one.interval.low,
        high=one.interval.high,
        p=one.p_value,
        told=hidden_drop(one) if one.verdict is PairedVerdict.UNDECIDED else TOLD[one.verdict],
    )


TOLD = {
    PairedVerdict.WITHIN: Message("a drop beyond the limit is ruled out"),
    PairedVerdict.BEYOND: Message("the drop is beyond the limit"),
}


def _not_compared(record: RunRecord) -> list[tuple[Text, Text]]:
    return [
        (
            one.evaluation,
            Message(
                "not comparable with {against}, {reason}",
                against=AGAINST.get(one.against, one.against),
                reason=one.reason,
            ),
        )
        for one in record.comparisons
        if one.passed is None
    ]


def _unscored(one: Unfinished) -> Message:
    if one.stage is Failing.BUILD:
        return Message("not scored, it was not built")
    return Message("not scored, its runtime failed")


def _search(record: RunRecord) -> list[Text]:
    """That the search for an int8 graph ended without one that passes, where int8 is delivered."""
    found = record.quantization
    int8 = any(one.precision == INT8 and one.id in record.delivered for one in record.artefacts)
    if found is None or found.passed or not int8:
        return []
    return [
        Message(
            "int8: none of {count} attempts lost at most {allowed:g}; the one that lost least was kept",
            count=len(found.attempts),
            allowed=found.allowed,
        )
    ]
