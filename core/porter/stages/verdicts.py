"""The four verdicts: weights loaded, model parity, preprocessing parity, accuracy. Each apart, with its evidence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from porter.contracts.task import Task
from porter.records.evaluation import Evaluation, Metric
from porter.records.manifest import Manifest
from porter.records.paired import PairedVerdict
from porter.records.run import Comparison, RunRecord, State, Verdict
from porter.records.spec import ModelSpec
from porter.stages.causes import (
    accuracy_causes,
    parity_causes,
    preprocessing_advice,
    preprocessing_causes,
    weights_causes,
)

REFERENCE, PUBLISHED = "reference", "published"


def judge(record: RunRecord) -> RunRecord:
    """Fill `verdicts` from the sections that are there."""
    earlier = (_weights(record), _parity(record), _preprocessing(record))
    return replace(record, verdicts=(*earlier, _accuracy(record, earlier)))


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
            found.append(_against(evaluation, metric, REFERENCE, reference.metric(task.gate).value, allowed))
        reason = not_comparable(spec, task, manifest)
        published = None if reason or spec.published is None else spec.published.value(task.gate)
        found.append(_against(evaluation, metric, PUBLISHED, published, allowed, reason))
    return replace(record, comparisons=tuple(found))


def not_comparable(spec: ModelSpec, task: Task, manifest: Manifest) -> str:
    """Why the result cannot be held against the published figure; empty where it can."""
    published = spec.published
    if published is None or published.value(task.gate) is None:
        return "no published figure for this model"
    if len(manifest.items) != published.images:
        return f"{len(manifest.items)} images, the published figure is for {published.images} of {published.dataset}"
    if published.image_pattern:
        pattern = re.compile(published.image_pattern)
        others = sum(not pattern.fullmatch(PurePosixPath(item.id).name) for item in manifest.items)
        if others:
            return f"{others} images are not named as those of {published.dataset}"
    return ""


def _against(
    evaluation: Evaluation, metric: Metric, against: str, baseline: float | None, allowed: float, reason: str = ""
) -> Comparison:
    sign = 1 if metric.higher_is_better else -1
    drop = None if baseline is None else sign * (baseline - metric.value)
    return Comparison(
        evaluation=evaluation.name,
        against=against,
        metric=metric.name,
        title=metric.title,
        value=metric.value,
        baseline=baseline,
        drop=drop,
        allowed=allowed,
        # A billionth of a point: the rounding of two percentages, never a lost image.
        passed=None if drop is None else drop <= allowed + 1e-9,
        reason=reason,
    )


def _weights(record: RunRecord) -> Verdict:
    report = record.load
    if record.load_failure:
        return _verdict("weights", State.FAIL, record.load_failure, advice=weights_causes(record))
    if report is None:
        return _verdict("weights", State.NOT_RUN, "the checkpoint was not loaded")
    complete = report.loaded + len(report.forgiven) == report.expected
    forgiven = f", {len(report.forgiven)} absent counters forgiven" if report.forgiven else ""
    skipped = f", {len(report.skipped)} entries of the file without a place in the model" if report.skipped else ""
    text = f"{report.loaded} of {report.expected} entries loaded{forgiven}{skipped}"
    state = State.PASS if complete else State.FAIL
    return _verdict("weights", state, text, advice=() if complete else weights_causes(record))


def _parity(record: RunRecord) -> Verdict:
    if not record.parity:
        return _verdict("parity", State.NOT_RUN, "no artefact was compared with the reference")
    evidence = []
    for parity in record.parity:
        errors = [one.max_abs_error for one in parity.outputs if one.max_abs_error is not None]
        batches = ", ".join(dict.fromkeys(str(one.batch) for one in parity.outputs))
        worst = f"max abs error {max(errors):.3g}" if errors else "no comparable output"
        evidence.append(
            f"{parity.candidate} against {parity.reference} at batch {batches}: {worst}, "
            f"{parity.answer_name} changed on {parity.changes.flipped} of {parity.changes.images}; {parity.conclusion}"
        )
        evidence += [
            f"batch {one.batch}: {_miss(one.problem, one.max_abs_error, one.allowed)}"
            + ("" if parity.binding or one.problem else f" ({parity.bounds_from})")
            for one in parity.outputs
            if not one.passed
        ]
    passed = all(parity.passed for parity in record.parity)
    state = State.PASS if passed else State.FAIL
    return _verdict("parity", state, *evidence, advice=() if passed else parity_causes(record))


def _miss(problem: str, error: float | None, allowed: float | None) -> str:
    return problem or f"max abs error {error:.3g} over the allowed {allowed:.3g}"


def _preprocessing(record: RunRecord) -> Verdict:
    parity = record.preprocessing
    if parity is None:
        return _verdict("preprocessing", State.NOT_RUN, "the model's preprocessing was not compared with its spec")
    same = "identical bit for bit" if parity.identical else _distance(parity.max_abs_error, parity.allowed)
    text = f"{same}, on {parity.images} images, with the reference pipeline that the model declares"
    explained = () if parity.finding is None else preprocessing_causes(parity.finding)
    state = State.PASS if parity.passed else State.FAIL
    advice = () if parity.passed else preprocessing_advice(record)
    return _verdict("preprocessing", state, text, *explained, advice=advice)


def _distance(error: float | None, allowed: float) -> str:
    return "not comparable" if error is None else f"max abs difference {error:.3g} (allowed {allowed:.3g})"


def _accuracy(record: RunRecord, earlier: Sequence[Verdict]) -> Verdict:
    judged = [one for one in record.comparisons if one.passed is not None]
    doubtful = [(e.title, doubt) for e in record.evaluations for doubt in _doubts(e)]
    if not record.evaluations or not (judged or doubtful):
        return _verdict("accuracy", State.NOT_RUN, "no artefact was scored")
    evidence = [_comparison(one) for one in record.comparisons]
    evidence += [_paired(e) for e in record.evaluations if e.changes is not None and e.changes.paired is not None]
    evidence += [f"{title}: {doubt}" for title, doubt in doubtful]
    # A fault of the labels that explains the answers this well leaves no figure to believe.
    passed = all(one.passed for one in judged) and not doubtful and not record.label_suspects
    advice = () if passed else accuracy_causes(record, judged, earlier)
    verdict = _verdict("accuracy", State.PASS if passed else State.FAIL, *evidence, advice=advice)
    return replace(verdict, note=_too_few(record)) if passed else verdict


def _too_few(record: RunRecord) -> str:
    """That a pass rests on too few images to tell the allowed drop, and how many it would take; else empty."""
    paired = [e.changes.paired for e in record.evaluations if e.changes is not None and e.changes.paired is not None]
    undecided = [one for one in paired if one.verdict is PairedVerdict.UNDECIDED]
    if not undecided:
        return ""
    needed = max((one.needed or 0 for one in undecided), default=0)
    return str(PairedVerdict.UNDECIDED) + (f", it would take {needed}" if needed > undecided[0].images else "")


def _doubts(evaluation: Evaluation) -> Iterator[str]:
    """What makes an evaluation fail whatever it is compared with."""
    if evaluation.nonfinite:
        yield f"{evaluation.nonfinite} of {evaluation.listed} images have NaN or infinite outputs, which count as wrong"
    if evaluation.chance:
        yield evaluation.chance


def _comparison(one: Comparison) -> str:
    if one.drop is None or one.baseline is None:
        return f"{one.evaluation} against {one.against}: not comparable, {one.reason}"
    word = "within" if one.passed else "beyond"
    return (
        f"{one.evaluation} against {one.against}: {one.title} {one.value:.2f} and {one.baseline:.2f}, "
        f"drop {one.drop:.2f} {word} the allowed {one.allowed:g}"
    )


def _paired(evaluation: Evaluation) -> str:
    """Whether the images suffice to tell the drop: a pass on too few of them is called that."""
    assert evaluation.changes is not None and evaluation.changes.paired is not None
    paired = evaluation.changes.paired
    interval = f"[{paired.interval.low:.2f}, {paired.interval.high:.2f}]"
    needed = f"; it would take {paired.needed} images" if paired.needed and paired.needed > paired.images else ""
    told = f"{paired.verdict}{needed}" if paired.verdict is PairedVerdict.UNDECIDED else str(paired.verdict)
    return (
        f"{evaluation.name}, image by image: {paired.right_to_wrong} right to wrong, {paired.wrong_to_right} wrong to "
        f"right, drop {paired.drop:.2f} in {interval}, McNemar's exact p {paired.p_value:.3g}: {told}"
    )


TITLES = {
    "weights": "Weights loaded",
    "parity": "Model parity",
    "preprocessing": "Preprocessing parity",
    "accuracy": "Accuracy",
}


def _verdict(name: str, state: State, *evidence: str, advice: tuple[str, ...] = ()) -> Verdict:
    return Verdict(name=name, title=TITLES[name], state=state, evidence=evidence, advice=advice)
