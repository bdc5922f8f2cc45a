"""Accuracy of two runs: image by image where they scored the same ones, else by the intervals of the figures.

A difference counts where its 95% interval leaves out zero. Image by image that is Tango's interval of McNemar's table,
which sees a drop that two intervals of percentages hide: the images that both get right say nothing of it.
"""

from __future__ import annotations

from pathlib import Path

from porter.comparing.pairs import pairs
from porter.comparing.predictions import Scores, read_scores
from porter.errors import BadInput
from porter.machine.statistics import interval_of_difference
from porter.pipeline.evaluation.pairing import compare_paired
from porter.records.comparison import ChangeOutcome, MetricChange
from porter.records.evaluation import Evaluation, Metric
from porter.records.interval import Interval
from porter.records.paired import PairedComparison
from porter.records.record import RunRecord

NOT_THE_GATE = "predictions.csv holds the score of each image only in the metric that is compared"


def compare_accuracy(folders: tuple[Path, Path], records: tuple[RunRecord, RunRecord]) -> tuple[MetricChange, ...]:
    """Every metric of every evaluation of either run."""
    first, second = records
    scores, why_not = _scores(folders, records)
    names = pairs([one.name for one in first.evaluations], [one.name for one in second.evaluations])
    found: list[MetricChange] = []
    for one, other in names:
        evaluations = first.evaluation(one), second.evaluation(other)
        paired = None if why_not else _paired(scores, one, other)
        found += _metrics(evaluations, paired, why_not, _gate(records))
    return tuple(found)


def _scores(
    folders: tuple[Path, Path], records: tuple[RunRecord, RunRecord]
) -> tuple[tuple[dict[str, Scores], dict[str, Scores]], str]:
    """The scores of both runs; or, why these are not of the same images, in words."""
    first, second = records
    if not (first.evaluations and second.evaluations):
        return ({}, {}), "one of the runs scored nothing"
    if first.data is None or second.data is None:
        return ({}, {}), "one of the records lists no images"
    if first.data.manifest_sha256 != second.data.manifest_sha256:
        return ({}, {}), "the runs scored other images, or the same ones against other labels"
    contents = first.data.content_sha256, second.data.content_sha256
    if all(contents) and contents[0] != contents[1]:
        return ({}, {}), "images of the same names differ in content"
    try:
        scores = read_scores(folders[0], first), read_scores(folders[1], second)
    except BadInput as error:
        return ({}, {}), str(error)
    for folder, found in zip(folders, scores, strict=True):
        if any(one.manifest_sha256 != first.data.manifest_sha256 for one in found.values()):
            return ({}, {}), f"predictions.csv of {folder} is not of the images that its record lists"
    return scores, ""


def _paired(
    scores: tuple[dict[str, Scores], dict[str, Scores]], first: str, second: str
) -> PairedComparison | str | None:
    """The paired comparison; why there is none; or None where a run lacks the evaluation."""
    one, other = scores[0].get(first), scores[1].get(second)
    if one is None or other is None:
        return None
    if not (one.binary and other.binary):
        return "the score of an image is more than right or wrong"
    return compare_paired([s == 1 for s in one.values], [s == 1 for s in other.values], 0.0)


def _gate(records: tuple[RunRecord, RunRecord]) -> str:
    """Name of the metric that the score of an image is of; empty where no record says."""
    return next((one.metric for record in records for one in record.comparisons), "")


def _metrics(
    evaluations: tuple[Evaluation | None, Evaluation | None],
    paired: PairedComparison | str | None,
    why_not: str,
    gate: str,
) -> list[MetricChange]:
    first, second = evaluations
    metrics = [{metric.name: metric for metric in one.metrics} if one else {} for one in evaluations]
    found = []
    shown_names = [name for one in metrics for name, metric in one.items() if metric.in_documents]
    for number, name in enumerate(dict.fromkeys(shown_names)):
        one, other = metrics[0].get(name), metrics[1].get(name)
        is_gate = name == gate or (not gate and number == 0)
        pairing = paired if is_gate and isinstance(paired, PairedComparison) and _fits(paired, one, other) else None
        said = why_not or (paired if isinstance(paired, str) else "") or ("" if is_gate else NOT_THE_GATE)
        difference = None if one is None or other is None else other.value - one.value
        interval = _interval(one, other, pairing)
        shown = one or other
        assert shown is not None
        found.append(
            MetricChange(
                first_evaluation=first.name if first else "",
                second_evaluation=second.name if second else "",
                metric=name,
                title=str(shown.title),
                unit=shown.unit,
                first=one.value if one else None,
                second=other.value if other else None,
                first_interval=one.interval if one else None,
                second_interval=other.interval if other else None,
                difference=difference,
                difference_interval=interval,
                hidden_loss=_hidden_loss(interval, shown),
                paired=pairing,
                why_not_paired="" if pairing or difference is None else said or "the counts do not match the figures",
                outcome=_outcome(difference, interval, pairing, shown),
            )
        )
    return found


def _fits(paired: PairedComparison, first: Metric | None, second: Metric | None) -> bool:
    """Whether the scores of the images add up to the two figures."""
    if first is None or second is None:
        return False
    hits = (paired.reference_hits, paired.candidate_hits)
    return hits == (first.hits, second.hits) and first.count == second.count == paired.images


def _interval(first: Metric | None, second: Metric | None, paired: PairedComparison | None) -> Interval | None:
    """Of second - first; a paired comparison has it of the drop, which is the other way round."""
    if paired is not None:
        of_drop = paired.interval
        return Interval(
            low=-of_drop.high,
            high=-of_drop.low,
            confidence_percent=of_drop.confidence_percent,
            method=of_drop.method,
        )
    if first is None or second is None or first.interval is None or second.interval is None:
        return None
    return interval_of_difference(first.value, first.interval, second.value, second.interval)


def _hidden_loss(interval: Interval | None, metric: Metric) -> float | None:
    if interval is None:
        return None
    return max(0.0, -interval.low if metric.higher_is_better else interval.high)


def _outcome(
    difference: float | None, interval: Interval | None, paired: PairedComparison | None, metric: Metric
) -> ChangeOutcome:
    if difference is None:
        return ChangeOutcome.UNKNOWN
    flips = paired.right_to_wrong + paired.wrong_to_right if paired else 0
    if difference == 0 and not flips:
        return ChangeOutcome.SAME
    if interval is None:
        return ChangeOutcome.UNKNOWN
    if interval.low <= 0 <= interval.high:
        return ChangeOutcome.WITHIN_NOISE
    return ChangeOutcome.BETTER if (interval.low > 0) == metric.higher_is_better else ChangeOutcome.WORSE
