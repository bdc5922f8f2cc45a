"""The verdicts: weights loaded, model parity, preprocessing parity, data, accuracy; speed where a figure is impossible.

Each stands apart, with its evidence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from porter.contracts.task import Task
from porter.errors import ExitCode
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
from porter.pipeline.judge.covered import coverage, findings_of, is_wrong, said
from porter.pipeline.judge.data_evidence import data_evidence
from porter.pipeline.judge.gate import doubts, gated
from porter.pipeline.judge.labels_say import against_labels, contradicting
from porter.pipeline.judge.speed_marks import impossible
from porter.pipeline.judge.weights_evidence import stated_evidence, weights_evidence
from porter.records.evaluation import Evaluation, Metric
from porter.records.manifest import Manifest
from porter.records.message import Message, Text, Value
from porter.records.paired import PairedVerdict
from porter.records.parity import OutputParity, Parity, PreprocessParity
from porter.records.precision import INT8
from porter.records.record import Comparison, RunRecord, State, Verdict
from porter.records.spec import ModelSpec
from porter.records.unfinished import Failing, Unfinished

REFERENCE, PUBLISHED = "reference", "published"


def exit_code(record: RunRecord) -> ExitCode:
    """1 where a verdict fails, else 0."""
    failed = any(verdict.state is State.FAIL for verdict in record.verdicts) or bool(_unfinished(record))
    return ExitCode.VERDICT_FAILED if failed else ExitCode.OK


def judge(record: RunRecord) -> RunRecord:
    """Fill `verdicts` from the sections that are there; of what `auto` tried, they are about what it chose.

    Speed has a verdict only where a figure cannot be right.
    """
    seen = _of_delivered(record)
    earlier = (_weights(seen), _parity(seen), _preprocessing(seen), _data(seen))
    return replace(record, verdicts=(*earlier, _accuracy(seen, earlier), *_speed(seen)))


def _unfinished(record: RunRecord, *stages: Failing) -> list[Unfinished]:
    """The targets that failed, in these stages or in any; what `auto` tried in vain is none that was asked for."""
    if record.request.is_auto:
        return []
    return [one for one in record.unfinished if one.stage in (stages or tuple(Failing))]


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
    broken = _unfinished(record, Failing.BUILD, Failing.VERIFY)
    if not record.parity and not broken:
        return _verdict("parity", State.NOT_RUN, Message("no artefact was compared with the reference"))
    evidence: list[Text] = []
    for parity in record.parity:
        evidence += [said(one, parity.candidate) for one in findings_of(record, parity.candidate)]
    evidence += [_unbuilt_or_failed(one) for one in broken]
    for parity in record.parity:
        evidence.append(_worst(parity))
        evidence += [_miss(one, parity) for one in parity.outputs if not one.passed]
        evidence += [] if parity.precision is None else [*parity.precision.contradictions, *parity.precision.notes]
        evidence += [text for text in (coverage(record, parity.candidate),) if text]
    passed = not broken and all(one.passed and not is_wrong(record, one.candidate) for one in record.parity)
    state = State.PASS if passed else State.FAIL
    return _verdict("parity", state, *evidence, advice=() if passed else parity_causes(record))


def _unbuilt_or_failed(one: Unfinished) -> Message:
    if one.stage is Failing.BUILD:
        return Message("{artefact}: it was not built: {reason}", artefact=one.artefact, reason=one.reason)
    return Message("{artefact}: its runtime failed", artefact=one.artefact)


def _worst(parity: Parity) -> Message:
    errors = [one.max_abs_error for one in parity.outputs if one.max_abs_error is not None]
    return Message(
        "{candidate} against {reference} at batch {batches}: {worst}, {answer} changed on {flipped} of {images}; "
        "{conclusion}",
        candidate=parity.candidate,
        reference=parity.reference,
        batches=", ".join(dict.fromkeys(str(one.batch) for one in parity.outputs)),
        worst=Message("max abs error {error:.3g}", error=max(errors)) if errors else Message("no comparable output"),
        answer=parity.answer_name,
        flipped=parity.changes.flipped,
        images=parity.changes.images,
        conclusion=parity.conclusion,
    )


def _miss(one: OutputParity, parity: Parity) -> Message:
    if one.problem:
        return Message("batch {batch}: {problem}", batch=one.batch, problem=one.problem)
    figures: dict[str, Value] = {"batch": one.batch, "error": one.max_abs_error, "allowed": one.allowed}
    if parity.binding:
        return Message("batch {batch}: max abs error {error:.3g} over the allowed {allowed:.3g}", **figures)
    return Message(
        "batch {batch}: max abs error {error:.3g} over the allowed {allowed:.3g} ({source})",
        **figures,
        source=parity.bounds_from,
    )


def _preprocessing(record: RunRecord) -> Verdict:
    parity = record.preprocessing
    tried, contradicted = against_labels(record.tried), [] if record.tried is None else contradicting(record.tried)
    advice: tuple[Text, ...] = declaration_advice(record) if contradicted else ()
    if parity is None:
        reason = Message("the model's preprocessing was not compared with its spec")
        return _verdict("preprocessing", State.FAIL if contradicted else State.NOT_RUN, reason, *tried, advice=advice)
    text = Message(
        "{difference}, on {images} images, with the reference pipeline that the model declares",
        difference=_difference(parity),
        images=parity.images,
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
    doubtful = [(e.title, doubt) for e in record.evaluations for doubt in doubts(e)]
    broken = _unfinished(record, Failing.BUILD, Failing.VERIFY, Failing.EVALUATE) if record.evaluations else []
    if not record.evaluations or not (judged or doubtful or broken):
        return _verdict("accuracy", State.NOT_RUN, Message("no artefact was scored"))
    evidence: list[Text] = [_comparison(one) for one in record.comparisons]
    evidence += [_paired(e) for e in record.evaluations if e.changes is not None and e.changes.paired is not None]
    evidence += [Message("{title}: {doubt}", title=title, doubt=doubt) for title, doubt in doubtful]
    evidence += [
        Message("{artefact}: not scored, it was not built", artefact=one.artefact)
        if one.stage is Failing.BUILD
        else Message("{artefact}: not scored, its runtime failed", artefact=one.artefact)
        for one in broken
    ]
    evidence += _search(record)
    stated, contradicted = stated_evidence(record)
    evidence += stated
    # A fault of the labels that explains the answers this well leaves no figure to believe.
    passed = all(one.passed for one in judged) and not (doubtful or broken or record.label_suspects or contradicted)
    advice = () if passed else accuracy_causes(record, judged, earlier)
    verdict = _verdict("accuracy", State.PASS if passed else State.FAIL, *evidence, advice=advice)
    return replace(verdict, note=_too_few(record)) if passed else verdict


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


def _too_few(record: RunRecord) -> Text:
    """That a pass rests on too few images to tell the allowed drop, and how many it would take; else empty."""
    paired = [e.changes.paired for e in record.evaluations if e.changes is not None and e.changes.paired is not None]
    undecided = [one for one in paired if one.verdict is PairedVerdict.UNDECIDED]
    if not undecided:
        return ""
    needed = max((one.needed or 0 for one in undecided), default=0)
    if needed > undecided[0].images:
        return Message("too few images to tell, it would take {needed}", needed=needed)
    return TOLD[PairedVerdict.UNDECIDED]


def _speed(record: RunRecord) -> tuple[Verdict, ...]:
    """That figures of speed cannot be right. It fails, as a document that is delivered would state them; there is none
    that passes, since a speed has no bound to keep."""
    wrong = impossible(record)
    if not wrong:
        return ()
    count = len({(one.artefact, one.batch, one.session.threads, one.session.streams, one.queued) for one, _ in wrong})
    evidence: list[Text] = [
        Message("1 figure cannot be right") if count == 1 else Message("{count} figures cannot be right", count=count)
    ]
    evidence += [
        Message("{artefact} at batch {batch}: {mark}", artefact=one.artefact, batch=one.batch, mark=mark.text)
        for one, mark in wrong
    ]
    return (_verdict("speed", State.FAIL, *evidence, advice=speed_causes(record)),)


def _comparison(one: Comparison) -> Message:
    against = AGAINST.get(one.against, one.against)
    if one.drop is None or one.baseline is None:
        return Message(
            "{evaluation} against {against}: not comparable, {reason}",
            evaluation=one.evaluation,
            against=against,
            reason=one.reason,
        )
    figures: dict[str, Value] = {
        "evaluation": one.evaluation,
        "against": against,
        "metric": one.title,
        "value": one.value,
        "baseline": one.baseline,
        "drop": one.drop,
        "allowed": one.allowed,
    }
    if one.passed:
        return Message(
            "{evaluation} against {against}: {metric} {value:.2f} and {baseline:.2f}, "
            "drop {drop:.2f} within the allowed {allowed:g}",
            **figures,
        )
    return Message(
        "{evaluation} against {against}: {metric} {value:.2f} and {baseline:.2f}, "
        "drop {drop:.2f} beyond the allowed {allowed:g}",
        **figures,
    )


def _paired(evaluation: Evaluation) -> Message:
    """Whether the images suffice to tell the drop: a pass on too few of them is called that."""
    assert evaluation.changes is not None and evaluation.changes.paired is not None
    paired = evaluation.changes.paired
    told = TOLD[paired.verdict]
    if paired.verdict is PairedVerdict.UNDECIDED and paired.needed and paired.needed > paired.images:
        told = Message("too few images to tell; it would take {needed} images", needed=paired.needed)
    return Message(
        "{evaluation}, image by image: {right_to_wrong} right to wrong, {wrong_to_right} wrong to right, "
        "drop {drop:.2f} in [{low:.2f}, {high:.2f}], McNemar's exact p {p:.3g}: {told}",
        evaluation=evaluation.name,
        right_to_wrong=paired.right_to_wrong,
        wrong_to_right=paired.wrong_to_right,
        drop=paired.drop,
        low=paired.interval.low,
        high=paired.interval.high,
        p=paired.p_value,
        told=told,
    )


TITLES = {
    "weights": Message("Weights loaded"),
    "parity": Message("Model parity"),
    "preprocessing": Message("Preprocessing parity"),
    "data": Message("Data"),
    "accuracy": Message("Accuracy"),
    "speed": Message("Speed"),
}
AGAINST = {REFERENCE: Message("the reference"), PUBLISHED: Message("the published figure")}
TOLD = {
    PairedVerdict.WITHIN: Message("no drop beyond the allowed"),
    PairedVerdict.BEYOND: Message("a drop beyond the allowed"),
    PairedVerdict.UNDECIDED: Message("too few images to tell"),
}


def _verdict(name: str, state: State, *evidence: Text, advice: tuple[Text, ...] = ()) -> Verdict:
    return Verdict(name=name, title=TITLES[name], state=state, evidence=evidence, advice=advice)
