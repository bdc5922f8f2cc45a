"""The verdicts: weights loaded, model parity, preprocessing parity, data, accuracy; speed where a figure is impossible.

Each stands apart, with its evidence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from porter.contracts.task import Task
from porter.documents.drawings.lines import REFERENCE
from porter.documents.results import PUBLISHED
from porter.errors import ExitCode
from porter.pipeline.judge.accuracy_verdict import accuracy_evidence, hidden_drop, undecided
from porter.pipeline.judge.causes import (
    accuracy_causes,
    data_advice,
    declaration_advice,
    parity_causes,
    preprocessing_advice,
    preprocessing_causes,
    speed_causes,
    weights_causes,
)
from porter.pipeline.judge.data_evidence import data_evidence
from porter.pipeline.judge.gate import doubts, gated
from porter.pipeline.judge.labels_say import against_labels, contradicting
from porter.pipeline.judge.overall_state import artefact_states, overall
from porter.pipeline.judge.parity_verdict import parity_evidence
from porter.pipeline.judge.speed_marks import impossible
from porter.pipeline.judge.weights_evidence import weights_evidence
from porter.records.evaluation import Evaluation, Metric
from porter.records.manifest import Manifest
from porter.records.message import Message, Text
from porter.records.parity import PreprocessParity
from porter.records.record import Comparison, RunRecord, State, Verdict
from porter.records.spec import ModelSpec
from porter.records.unfinished import Failing


def exit_code(record: RunRecord) -> ExitCode:
    """1 where a verdict fails, else 0."""
    failed = any(verdict.state is State.FAIL for verdict in record.verdicts) or bool(record.failed_targets())
    return ExitCode.VERDICT_FAILED if failed else ExitCode.OK


def judge(record: RunRecord) -> RunRecord:
    """Fill `verdicts`, `states` and `overall` from the sections that are there. Of what `auto` tried, the verdicts are
    about what it chose.

    Speed has a verdict only where a figure cannot be right.
    """
    seen = _of_delivered(record)
    earlier = (_weights(seen), _parity(seen), _preprocessing(seen), _data(seen))
    verdicts = (*earlier, _accuracy(seen, earlier), *_speed(seen))
    states = artefact_states(record)
    return replace(
        record, verdicts=verdicts, states=states, overall=overall(replace(seen, verdicts=verdicts, states=states))
    )


def _of_delivered(record: RunRecord) -> RunRecord:
    """The record with what was measured of the artefact that `auto` chose, and of the reference."""
    ids = record.delivered
    if record.choice is None or not record.choice.chosen:
        return record
    return replace(
        record,
        parity=tuple(one for one in record.parity if one.candidate in ids),
        evaluations=tuple(one for one in record.evaluations if one.name in {*ids, REFERENCE}),
        comparisons=tuple(one for one in record.comparisons if one.evaluation in ids),
        performance=tuple(one for one in record.performance if one.artefact in ids),
    )


def compare(record: RunRecord, spec: ModelSpec, task: Task, manifest: Manifest) -> RunRecord:
    """Fill `comparisons`: the gate metric of every artefact against the reference and the published figure."""
    reference = record.evaluation(REFERENCE)
    found = []
    for evaluation in record.evaluations:
        if evaluation is reference or not evaluation.metrics:
            continue
        metric = evaluation.metric(task.gate)
        allowed = record.request.max_drop
        if reference is not None:
            found.append(against(evaluation, metric, REFERENCE, reference.metric(task.gate).value, allowed))
        reason = not_comparable(spec, task, manifest)
        published = None if reason or spec.published is None else spec.published.value(task.gate)
        found.append(against(evaluation, metric, PUBLISHED, published, allowed, reason))
    return replace(record, comparisons=tuple(found))


def not_comparable(spec: ModelSpec, task: Task, manifest: Manifest) -> Text:
    """Why the result cannot be held against the published figure; empty where it can."""
    return other_images(spec, task, len(manifest.items), [item.id for item in manifest.items])


def other_images(spec: ModelSpec, task: Task, count: int, ids: Sequence[str]) -> Text:
    """Why a result on `count` images is not one on those of the published figure; empty where it is.

    `ids` are the images, as far as they are known by name.
    """
    published = spec.published
    if published is None or published.value(task.gate) is None:
        return Message("no published figure for this model")
    if count != published.images:
        return Message(
            "{images} images, the published figure is for {published} of {dataset}",
            images=count,
            published=published.images,
            dataset=published.dataset,
        )
    if published.image_pattern:
        pattern = re.compile(published.image_pattern)
        others = sum(not pattern.fullmatch(PurePosixPath(one).name) for one in ids)
        if others:
            return Message(
                "{others} images are not named as those of {dataset}", others=others, dataset=published.dataset
            )
    return ""


def against(
    evaluation: Evaluation, metric: Metric, against: str, baseline: float | None, allowed: float, reason: Text = ""
) -> Comparison:
    """A metric against a baseline, with what the gate says of it; `reason`: why there is no baseline."""
    found = gated(metric, baseline, allowed)
    return Comparison(
        evaluation=evaluation.name,
        against=against,
        metric=metric.name,
        title=metric.title,
        value=metric.value,
        baseline=baseline,
        drop=found.drop,
        allowed=allowed,
        passed=found.passed,
        reason=reason,
    )


def _weights(record: RunRecord) -> Verdict:
    report = record.load
    if record.load_failure:
        return _verdict("weights", State.FAIL, record.load_failure, advice=weights_causes(record))
    if report is None:
        return _verdict("weights", State.NOT_RUN, Message("the checkpoint was not loaded"))
    evidence, passed = weights_evidence(report, record.weights_audit)
    state = State.PASS if passed else State.FAIL
    return _verdict("weights", state, *evidence, advice=() if passed else weights_causes(record))


def _parity(record: RunRecord) -> Verdict:
    broken = record.failed_targets(Failing.BUILD, Failing.VERIFY)
    if not record.parity and not broken:
        return _verdict("parity", State.NOT_RUN, Message("no artefact was compared with the reference"))
    evidence, passed = parity_evidence(record, broken)
    state = State.PASS if passed else State.FAIL
    return _verdict("parity", state, *evidence, advice=() if passed else parity_causes(record))


def _preprocessing(record: RunRecord) -> Verdict:
    parity = record.preprocessing
    tried, contradicted = against_labels(record.tried), [] if record.tried is None else contradicting(record.tried)
    advice: tuple[Text, ...] = declaration_advice(record) if contradicted else ()
    if parity is None:
        reason = Message("the model's preprocessing was not compared with its spec")
        return _verdict("preprocessing", State.FAIL if contradicted else State.NOT_RUN, reason, *tried, advice=advice)
    if not parity.images and parity.passed:
        return _verdict("preprocessing", State.NOT_RUN, parity.source)
    text = Message(
        "{difference}, on {images} images, with the reference pipeline that the model declares",
        difference=_difference(parity),
        images=parity.images,
    )
    if parity.source:
        text = Message(
            "{difference}, on {images} samples, with {source}",
            difference=_difference(parity),
            images=parity.images,
            source=parity.source,
        )
    explained = () if parity.finding is None else preprocessing_causes(parity.finding)
    state = State.PASS if parity.passed and not contradicted else State.FAIL
    advice = advice if parity.passed else preprocessing_advice(record)
    return _verdict("preprocessing", state, text, *explained, *tried, advice=advice)


def _data(record: RunRecord) -> Verdict:
    if record.audit is None:
        return _verdict("data", State.NOT_RUN, Message("no image was scored here"))
    evidence, failed = data_evidence(record)
    state = State.FAIL if failed else State.PASS
    return _verdict("data", state, *evidence, advice=data_advice(record) if failed else ())


def _difference(parity: PreprocessParity) -> Message:
    if parity.identical:
        return Message("identical bit for bit")
    if parity.max_abs_error is None:
        return Message("not comparable")
    return Message(
        "max abs difference {error:.3g} (allowed {allowed:.3g})", error=parity.max_abs_error, allowed=parity.allowed
    )


def _accuracy(record: RunRecord, earlier: Sequence[Verdict]) -> Verdict:
    judged = [one for one in record.comparisons if one.passed is not None]
    doubtful = any(any(doubts(one)) for one in record.evaluations)
    broken = record.failed_targets(Failing.BUILD, Failing.VERIFY, Failing.EVALUATE) if record.evaluations else ()
    if not record.evaluations or not (judged or doubtful or broken):
        return _verdict("accuracy", State.NOT_RUN, Message("no artefact was scored"))
    evidence, passed = accuracy_evidence(record, broken)
    if not passed:
        advice = accuracy_causes(record, judged, earlier)
        return _verdict("accuracy", State.FAIL, *evidence, advice=advice)
    still_open = undecided(record)
    note = "" if still_open is None else hidden_drop(still_open)
    return replace(_verdict("accuracy", State.PASS, *evidence), note=note)


def _speed(record: RunRecord) -> tuple[Verdict, ...]:
    """That figures of speed cannot be right. It fails, as a document that is delivered would state them; there is none
    that passes, since a speed has no bound to keep."""
    wrong = impossible(record)
    if not wrong:
        return ()
    count = len({(one.artefact, one.batch, one.session.threads, one.session.streams, one.queued) for one, _ in wrong})
    evidence: list[Text] = [
        Message("1 figure is impossible") if count == 1 else Message("{count} figures are impossible", count=count)
    ]
    evidence += [
        Message("{artefact} at batch {batch}: {mark}", artefact=one.artefact, batch=one.batch, mark=mark.text)
        for one, mark in wrong
    ]
    return (_verdict("speed", State.FAIL, *evidence, advice=speed_causes(record)),)


TITLES = {
    "weights": Message("Weights loaded"),
    "parity": Message("Model parity"),
    "preprocessing": Message("Preprocessing parity"),
    "data": Message("Data"),
    "accuracy": Message("Accuracy"),
    "speed": Message("Speed"),
}


def _verdict(name: str, state: State, *evidence: Text, advice: tuple[Text, ...] = ()) -> Verdict:
    return Verdict(name=name, title=TITLES[name], state=state, evidence=evidence, advice=advice)
