"""What to look at where a verdict fails: the likely causes, likeliest first, then the command to type next."""

from __future__ import annotations

from collections.abc import Sequence

from porter.pipeline.judge.covered import findings_of
from porter.pipeline.session_checks.check_names import EXPORT, NAN_ROWS, OUTPUTS
from porter.records.artefact import CHANGED
from porter.records.message import Message, Text
from porter.records.parity import Parity
from porter.records.record import Comparison, RunRecord, State, Verdict
from porter.records.suspects import Explanation, LabelFinding, PreprocessFinding
from porter.records.unfinished import Failing
from porter.runfolder.layout import LOGS

OUT = "OUT"
"""Stands for the run's folder where the record does not know it yet."""

OF_THE_MODEL = frozenset({NAN_ROWS, OUTPUTS})
"""Checks that a graph or a precision can fail as well as a session."""


def weights_causes(record: RunRecord) -> tuple[Text, ...]:
    """Why weights were not loaded."""
    audit = record.weights_audit
    if audit is not None and audit.asked is not None:
        cause = Message("choose the set of weights with `--weights`")
    elif audit is not None and audit.homeless and not audit.strangers:
        cause = Message("the checkpoint belongs to another variant: use the config of that variant")
    elif audit is not None and audit.strangers:
        cause = Message(
            "the plugin's `porter_load` changes or omits weights; computed tensors must be declared in "
            "`LoadReport.derived`"
        )
    elif audit is not None and any(one.fails for one in audit.suspicions):
        cause = Message("the checkpoint is damaged or untrained: use another one, or other weights in it")
    else:
        cause = Message("the checkpoint belongs to another config, or its entries were renamed: compare the names")
    return (
        cause,
        Message("after fixing it, load the weights again: `{command}`", command=command_of(record, "export")),
    )


def parity_causes(record: RunRecord) -> tuple[Text, ...]:
    """Why outputs of an artefact are not the reference's."""
    failed = [parity for parity in record.parity if not parity.passed]
    changed = {artefact.id for artefact in record.artefacts if artefact.command == CHANGED}
    causes: list[Text] = [
        Message(
            "the exported graph is at fault, not the session of {artefact}: {detail}",
            artefact=artefact.id,
            detail=one.detail,
        )
        if one.check == EXPORT
        else Message(
            "the session of {artefact} is at fault, not the model: {title} ({detail})",
            artefact=artefact.id,
            title=one.title,
            detail=one.detail,
        )
        for artefact in record.artefacts
        for one in findings_of(record, artefact.id)
        if one.fails and one.check not in OF_THE_MODEL
    ]
    if any(parity.candidate in changed for parity in failed):
        causes.append(
            Message(
                "the file was changed after it was built: build it again with `{command}`",
                command=command_of(record, "export"),
            )
        )
    if any(parity.precision is not None and parity.precision.contradictions for parity in failed):
        causes.append(
            Message("the artefact does not have the claimed data type: build it again, or request the type that it has")
        )
    if any(_at_one_batch(parity) for parity in failed):
        causes.append(Message("the graph has a fixed batch size: export it with a dynamic batch dimension"))
    if any(one.shape_matches and not one.finite for parity in failed for one in parity.outputs):
        causes.append(Message("NaN or infinite values: broken weights, or a data type that overflows"))
    if any(not one.passed and not one.problem for parity in failed for one in parity.outputs):
        causes.append(
            Message("a weight, attribute or operator of the graph differs from the model, or the runtime is at fault")
        )
    return (
        *causes,
        Message("find the first node that differs: `{command}`", command=command_of(record, "diagnose")),
    )


def preprocessing_causes(finding: PreprocessFinding) -> tuple[Text, ...]:
    """What explains that tensors are not the reference's, one line each, the most usual first."""
    if finding.problem and not finding.explanations:
        return (finding.problem,)
    if finding.explanations:
        return tuple(_explained(one, finding.images) for one in finding.explanations)
    return (
        Message("no known cause explains it ({tried} causes and combinations tried)", tried=finding.tried),
        *blind_spots(finding),
    )


def _explained(one: Explanation, images: int) -> Message:
    if one.exact:
        return Message(
            "likely cause: {fault} (fits {agreeing} of {images} images, only rounding is left)",
            fault=one.title,
            agreeing=one.agreeing,
            images=images,
        )
    return Message(
        "likely cause: {fault} (fits {agreeing} of {images} images, mean difference left {residual:.3g})",
        fault=one.title,
        agreeing=one.agreeing,
        images=images,
        residual=one.mean_residual,
    )


def blind_spots(finding: PreprocessFinding) -> tuple[Text, ...]:
    """What could not be tried, and what these images cannot tell."""
    if not finding.unseen:
        return finding.untried
    unseen = tuple(suspect.title for suspect in finding.unseen)
    return (*finding.untried, Message("these images cannot rule out: {faults}", faults=unseen))


def preprocessing_advice(record: RunRecord) -> tuple[Text, ...]:
    """What to do about preprocessing that is not its spec's."""
    return (
        Message("fix the plugin's `porter_preprocess`, or the spec that `porter_describe` declares"),
        Message("then compare them again: `{command}`", command=command_of(record, "verify")),
    )


def declaration_advice(record: RunRecord) -> tuple[Text, ...]:
    """What to do about a declared pipeline that the labels contradict."""
    return (
        Message(
            "check how images were preprocessed in training, then correct the declaration in the config or the plugin"
        ),
        Message("then score them again: `{command}`", command=command_of(record, "evaluate")),
    )


def data_advice(record: RunRecord) -> tuple[Text, ...]:
    """What to do about images or labels that leave no figure to believe."""
    return (
        Message("correct the images and labels named above, or get the labels from their source again"),
        Message("then score them again: `{command}`", command=command_of(record, "evaluate")),
    )


def accuracy_causes(record: RunRecord, judged: Sequence[Comparison], earlier: Sequence[Verdict]) -> tuple[Text, ...]:
    """Why accuracy is lost, given the verdicts that come before it."""
    named = {"data"} if record.label_suspects else set()  # what is wrong with the labels is said below
    failed = [verdict for verdict in earlier if verdict.state is State.FAIL and verdict.name not in named]
    causes: list[Text] = [Message("fix this verdict first: {verdict}", verdict=verdict.title) for verdict in failed]
    if any(one.stage is Failing.BUILD for one in record.unfinished):
        causes.append(Message("a target was not built: change what its runtime rejects, or omit that runtime"))
    if any(one.stage is not Failing.BUILD for one in record.unfinished):
        causes.append(Message("a runtime failed: its output is in the folder `{folder}`", folder=LOGS))
    if any(evaluation.nonfinite for evaluation in record.evaluations):
        causes.append(Message("NaN or infinite outputs: broken weights, or a data type that overflows"))
    if any(evaluation.mostly_unanswered for evaluation in record.evaluations):
        causes.append(
            Message("most images have no prediction: fix this first, since no figure is meaningful until then")
        )
    causes += [label_cause(finding) for finding in record.label_suspects]
    if any(evaluation.chance for evaluation in record.evaluations):
        odd = () if record.weights_audit is None else record.weights_audit.suspicions
        causes += [one.what for one in odd if not one.fails]
        causes.append(
            Message(
                "near chance: the weights are untrained, the labels belong to other images or classes, "
                "or the sample is too small"
            )
        )
    lost = {comparison.against for comparison in judged if not comparison.passed}
    if "reference" in lost:
        causes.append(Message("the artefact's predictions differ from the reference: check data type and runtime"))
    elif lost:
        causes.append(
            Message("the reference itself is below the published accuracy: other weights, or labels in another order")
        )
    return (*causes, Message("find where accuracy is lost: `{command}`", command=command_of(record, "diagnose")))


def speed_causes(record: RunRecord) -> tuple[Text, ...]:
    """What to do about figures of speed that cannot be right."""
    return (
        Message("the runtime or its plugin does not do the timed work, or its tool counts differently"),
        Message(
            "do not publish this figure; after fixing it, measure again: `{command}`",
            command=command_of(record, "bench"),
        ),
    )


def label_cause(finding: LabelFinding) -> Message:
    """A suspect of the labels with the accuracy it would give; never applied."""
    return Message(
        "labels: {fault}. {hits} of {count} would be correct ({accuracy:.2f}%) instead of {now}. Next: {remedy}",
        fault=finding.title,
        hits=finding.hits,
        count=finding.count,
        accuracy=finding.accuracy,
        now=finding.hits_now,
        remedy=finding.remedy,
    )


def _at_one_batch(parity: Parity) -> bool:
    """Whether outputs are whole at the first batch size and broken at every other."""
    broken = [bool(one.problem) and not one.shape_matches for one in parity.outputs]
    first = [one.batch == parity.outputs[0].batch for one in parity.outputs]
    return broken == [not one for one in first] and not all(first)


def command_of(record: RunRecord, stage: str) -> str:
    """The command that makes a stage again."""
    return record.commands.get(stage, f"porter {stage} {f'run {OUT}' if stage == 'diagnose' else f'--out {OUT}'}")
