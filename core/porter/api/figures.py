"""The figures of a record as plain Python: lists of dictionaries, a dictionary a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from porter.pipeline.evaluation.subject import REFERENCE
from porter.records.record import RunRecord

Rows = list[dict[str, Any]]


def verdicts(record: RunRecord) -> Rows:
    """See `Result.verdicts`."""
    return [
        {
            "name": one.name,
            "title": str(one.title),
            "state": one.state.value,
            "evidence": [str(line) for line in one.evidence],
            "note": str(one.note),
            "advice": [str(line) for line in one.advice],
        }
        for one in record.verdicts
    ]


def accuracy(record: RunRecord) -> Rows:
    """See `Result.accuracy`."""
    compared = {(one.evaluation, one.metric): one for one in record.comparisons if one.against == REFERENCE}
    rows = []
    for evaluation in record.evaluations:
        for metric in evaluation.metrics:
            against = compared.get((evaluation.name, metric.name))
            rows.append(
                {
                    "artefact": evaluation.name,
                    "metric": metric.name,
                    "title": str(metric.title),
                    "value": metric.value,
                    "unit": metric.unit,
                    "low": None if metric.interval is None else metric.interval.low,
                    "high": None if metric.interval is None else metric.interval.high,
                    "images": metric.count,
                    "hits": metric.hits,
                    "drop": None if against is None else against.drop,
                    "allowed": None if against is None else against.allowed,
                    "passed": None if against is None else against.passed,
                }
            )
    return rows


def performance(record: RunRecord) -> Rows:
    """See `Result.performance`."""
    return [
        {
            "artefact": one.artefact,
            "batch": one.batch,
            "precision": one.session.precision,
            "provider": one.session.provider,
            "threads": one.session.threads,
            "streams": one.session.streams,
            "images_per_second": one.images_per_second,
            "ms_per_image": one.ms_per_image,
            "median_ms": one.latency.median_ms,
            "p90_ms": one.latency.p90_ms,
            "p99_ms": one.latency.p99_ms,
            "min_ms": one.latency.min_ms,
            "max_ms": one.latency.max_ms,
            "spread_percent": one.latency.spread_percent,
            "load_ms": one.load_ms,
            "first_run_ms": one.first_run_ms,
            "calls": one.calls,
            "steady": one.steady,
            "marks": [str(mark.text) for mark in one.marks],
        }
        for one in record.performance
    ]


FIGURES: dict[str, Callable[[RunRecord], Rows]] = {
    "accuracy": accuracy,
    "performance": performance,
    "verdicts": verdicts,
}
"""Name of a frame: its rows."""
