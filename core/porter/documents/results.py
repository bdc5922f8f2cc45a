"""The rows of the results table, with which every document begins: published figure, reference, every artefact."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from porter.documents.drawings.lines import REFERENCE, names, speeds_of
from porter.records.evaluation import Metric
from porter.records.interval import Interval
from porter.records.message import Message, Text
from porter.records.performance import Performance
from porter.records.record import Comparison, RunRecord

PUBLISHED = "published"


@dataclass(frozen=True, kw_only=True)
class Result:
    """One row: what became of an artefact, the reference or the published figure."""

    name: str
    """The artefact's id, `reference` or `published`; of a kit its runtime and data type."""
    title: Text
    """As documents name it."""
    passed: bool | None = None
    """None: neither passed nor failed."""
    state: Text = ""
    """What fails, or what was not done; empty where it passes, and where nothing is judged."""
    metric: Metric | None = None
    """The gate metric."""
    published: float | None = None
    """The published value of the gate metric, in its row."""
    compared: Comparison | None = None
    """Against the reference, or else the published figure."""
    drop_interval: Interval | None = None
    """Of the drop against the reference, image by image."""
    best: Performance | None = None
    """Where its throughput is highest; of a finalist of `--precision auto` as measured in turns with the others."""
    size_mib: float | None = None
    """Of all files of the artefact."""
    chosen: bool = False
    """Whether `--precision auto` chose it."""


def results(record: RunRecord) -> tuple[Result, ...]:
    """All rows: what the rest is compared with, then artefacts that pass, the chosen one and then the fastest first,
    those that fail, and those without figures."""
    artefacts = sorted(_artefacts(record), key=lambda one: (_rank(one), not one.chosen, -_rate(one)))
    return (*_published(record), *_reference(record), *artefacts, *_elsewhere(record))


def best_of(measured: tuple[Performance, ...]) -> Performance | None:
    """The highest throughput that can be right; where none can, the highest."""
    possible = tuple(one for one in measured if not any(mark.impossible for mark in one.marks))
    return max(possible or measured, key=lambda one: one.images_per_second, default=None)


def _published(record: RunRecord) -> Iterator[Result]:
    published, gate = None if record.model is None else record.model.published, _gate(record)
    if published is not None and published.value(gate) is not None:
        yield Result(name=PUBLISHED, title=Message("published"), published=published.value(gate))


def _reference(record: RunRecord) -> Iterator[Result]:
    evaluation = record.evaluation(REFERENCE)
    if evaluation is not None:
        found = next((one for one in record.states if one.name == REFERENCE), None)
        state, passed = ("", None) if found is None else (found.state, found.passed)
        title, metric = evaluation.title, _metric(record, REFERENCE)
        yield Result(name=REFERENCE, title=title, passed=passed, state=state, metric=metric)


def _artefacts(record: RunRecord) -> Iterator[Result]:
    states = {one.name: one for one in record.states if one.name != REFERENCE}
    for name in dict.fromkeys((*names(record), *states)):
        state = states.get(name)
        compared = {one.against: one for one in record.comparisons if one.evaluation == name and one.drop is not None}
        evaluation = record.evaluation(name)
        paired = None if evaluation is None or evaluation.changes is None else evaluation.changes.judged
        yield Result(
            name=name,
            title=name,
            passed=None if state is None else state.passed,
            state="" if state is None else state.state,
            metric=_metric(record, name),
            compared=compared.get(REFERENCE) or compared.get(PUBLISHED),
            drop_interval=paired.interval if paired is not None and REFERENCE in compared else None,
            best=_fastest(record, name),
            size_mib=None if state is None else state.size_mib,
            chosen=record.choice is not None and record.choice.chosen == name,
        )


def _fastest(record: RunRecord, name: str) -> Performance | None:
    best = best_of(speeds_of(record, name))
    finalists = () if record.choice is None else (one for one in record.choice.candidates if one.final is not None)
    candidate = next((one for one in finalists if one.artefact == name), None)
    if best is None or candidate is None or candidate.final is None or candidate.setting is None:
        return best
    final, setting = candidate.final, candidate.setting
    return replace(
        best,
        batch=setting.batch,
        queued=setting.queued,
        session=replace(best.session, threads=setting.threads, streams=setting.streams),
        images_per_second=final.images_per_second,
        latency=replace(best.latency, median_ms=final.median_ms),
        steady=None,
    )


def _elsewhere(record: RunRecord) -> Iterator[Result]:
    """What was asked for and runs on other machines alone."""
    for kit in record.kits:
        name = f"{kit.runtime}-{kit.precision}"
        title = Message("{artefact} ({target})", artefact=name, target=kit.target)
        yield Result(name=name, title=title, state=Message("not measured"))


def _metric(record: RunRecord, name: str) -> Metric | None:
    evaluation, gate = record.evaluation(name), _gate(record)
    return None if evaluation is None else next((one for one in evaluation.metrics if one.name == gate), None)


def _gate(record: RunRecord) -> str:
    """The metric that is compared, or where nothing was compared the task's first."""
    first = next((one.metrics[0].name for one in record.evaluations if one.metrics), "")
    return next((one.metric for one in record.comparisons), first)


def _rank(one: Result) -> int:
    return 2 if one.passed is None else 0 if one.passed else 1


def _rate(one: Result) -> float:
    return 0.0 if one.best is None else one.best.images_per_second
