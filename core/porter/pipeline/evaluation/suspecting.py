"""suspecting: preprocessing and labels tried against each other on the reference's answers, the likelier cause kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from porter.machine.statistics import wilson
from porter.pipeline.evaluation.evaluate import Pass
from porter.pipeline.evaluation.scoring import gate_metric
from porter.pipeline.evaluation.trying import try_alternatives
from porter.pipeline.job.job import Job
from porter.pipeline.judge.verdicts import not_comparable
from porter.pipeline.judge.weights_evidence import weights_evidence
from porter.records.evaluation import Metric
from porter.records.message import Message, Text
from porter.records.record import RunRecord
from porter.records.suspects import LabelFinding
from porter.records.tried import Better, Tried

FAR_BELOW = 10.0
"""Points below the figure that is published for other images from which an accuracy is looked at closely."""
LAST = frozenset({"permutation", "image-order", "rotation"})
"""Faults of the labels that are no cause beside one of the preprocessing: an order learned from answers fits whatever
exchanges classes, and an order of the images does where classes follow each other regularly."""
ROUNDING = 1e-6
MOSTLY_WRONG = 50.0
"""Accuracy in percent below which that of a model without any published figure is."""


def suspected(job: Job, record: RunRecord, reference: Pass) -> RunRecord:
    """Fill `tried` and `label_suspects`; a suspect that another one explains better is left out."""
    labels = job.task.explain_labels(reference.answers.answers, job.data.items, job.spec) or reference.label_faults
    tried = _tried(job, record, reference)
    if tried is not None:
        better = tuple(one for one in tried.better if not any(_worse(one, finding) for finding in labels))
        tried = replace(tried, better=better)
        if better:
            labels = tuple(finding for finding in labels if finding.name not in LAST)
    return replace(record, tried=tried, label_suspects=labels)


def _tried(job: Job, record: RunRecord, reference: Pass) -> Tried | None:
    """None where there is nothing to score with, and where the weights are wrong, or look it and the answers are
    guesses: any other input then seems better."""
    if record.load is not None and not weights_evidence(record.load, record.weights_audit)[1]:
        return None
    if reference.evaluation.chance and record.weights_audit is not None and record.weights_audit.suspicions:
        return None
    metrics, scores = reference.evaluation.metrics, reference.answers.scores
    if not metrics or not scores or min(scores) < 0 or max(scores) > 1:
        return None
    if not job.takes_photos or len(job.spec.inputs) > 1:
        return None
    gate = gate_metric(job, metrics)
    departs = record.preprocessing is not None and not record.preprocessing.passed
    return try_alternatives(
        job.data, scores, reference.turned, _named(gate, scores), poor=_poor(job, reference, gate), departs=departs
    )


def _named(gate: Metric, scores: Sequence[float]) -> Text:
    """What the mean score of an image is called: the gate's metric, where it is that."""
    same = abs(gate.value - 100 * sum(scores) / len(scores)) < ROUNDING
    return gate.title if same else Message("mean score per image")


def _poor(job: Job, reference: Pass, gate: Metric) -> bool:
    """Whether the accuracy is lower than it should be."""
    if reference.evaluation.chance:
        return True
    published = None if job.spec.published is None else job.spec.published.value(gate.name)
    if published is None or gate.unit != "percent":
        return gate.unit == "percent" and gate.higher_is_better and gate.value < MOSTLY_WRONG
    comparable = not not_comparable(job.spec, job.task, job.data.manifest)
    drop = (published - gate.value) * (1 if gate.higher_is_better else -1)
    return drop > (job.request.max_drop if comparable else FAR_BELOW)


def _worse(one: Better, labels: LabelFinding) -> bool:
    """Whether an alternative leaves far more wrong than a fault of the labels does."""
    return wilson(round(one.value * one.images / 100), one.images).high < labels.interval.low
