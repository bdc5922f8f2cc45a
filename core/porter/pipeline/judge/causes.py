"""What to look at where a verdict fails: the likely causes, likeliest first, then the command to type next."""

from __future__ import annotations

from collections.abc import Sequence

from porter.records.artefact import CHANGED
from porter.records.message import Message, Text
from porter.records.parity import Parity
from porter.records.record import Comparison, RunRecord, State, Verdict
from porter.records.suspects import Explanation, LabelFinding, PreprocessFinding
from porter.runfolder.layout import LOGS

OUT = "OUT"
"""Stands for the run's folder where the record does not know it yet."""


def weights_causes(record: RunRecord) -> tuple[Text, ...]:
    """Why weights were not loaded."""
    return (
        Message("the checkpoint belongs to another config, or its entries were renamed: compare their names"),
        Message("once that is mended, load it again: `{command}`", command=_command(record, "export")),
    )


def parity_causes(record: RunRecord) -> tuple[Text, ...]:
    """Why outputs of an artefact are not the reference's."""
    failed = [parity for parity in record.parity if not parity.passed]
    changed = {artefact.id for artefact in record.artefacts if artefact.command == CHANGED}
    causes: list[Text] = []
    if any(parity.candidate in changed for parity in failed):
        causes.append(
            Message(
                "the file was changed after it was built: build it again with `{command}`",
                command=_command(record, "export"),
            )
        )
    if any(_at_one_batch(parity) for parity in failed):
        causes.append(Message("a batch size is baked into the graph: export it with a free batch dimension"))
    if any(one.shape_matches and not one.finite for parity in failed for one in parity.outputs):
        causes.append(Message("NaN or infinite values: a broken weight, or a precision that overflows"))
    if any(not one.passed and not one.problem for parity in failed for one in parity.outputs):
        causes.append(
            Message("a weight, an attribute or an operator of the graph is not the model's, or the runtime is at fault")
        )
    return (
        *causes,
        Message("find the first node that differs: `{command}`", command=_command(record, "diagnose")),
    )


def preprocessing_causes(finding: PreprocessFinding) -> tuple[Text, ...]:
    """What explains that tensors are not the reference's, one line each, the most usual first."""
    if finding.problem and not finding.explanations:
        return (finding.problem,)
    if finding.explanations:
        return tuple(_explained(one, finding.images) for one in finding.explanations)
    return (
        Message("none of the {tried} suspects and combinations tried explains it", tried=finding.tried),
        *blind_spots(finding),
    )


def _explained(one: Explanation, images: int) -> Message:
    if one.exact:
        return Message(
            "explained by: {fault} (on {agreeing} of {images} images, nothing but rounding is left)",
            fault=one.title,
            agreeing=one.agreeing,
            images=images,
        )
    return Message(
        "explained by: {fault} (on {agreeing} of {images} images, mean difference left {residual:.3g})",
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
    return (*finding.untried, Message("these images cannot tell: {faults}", faults=unseen))


def preprocessing_advice(record: RunRecord) -> tuple[Text, ...]:
    """What to do about preprocessing that is not its spec's."""
    return (
        Message("mend the plugin's `porter_preprocess`, or the spec that `porter_describe` declares"),
        Message("then compare them again: `{command}`", command=_command(record, "verify")),
    )


def accuracy_causes(record: RunRecord, judged: Sequence[Comparison], earlier: Sequence[Verdict]) -> tuple[Text, ...]:
    """Why accuracy is lost, given the verdicts that come before it."""
    failed = [verdict for verdict in earlier if verdict.state is State.FAIL]
    causes = [Message("{verdict} fails: mend that first", verdict=verdict.title) for verdict in failed]
    if record.unfinished:
        causes.append(Message("a runtime failed: what it printed is in the folder `{folder}`", folder=LOGS))
    if any(evaluation.nonfinite for evaluation in record.evaluations):
        causes.append(Message("NaN or infinite outputs: a broken weight, or a precision that overflows"))
    causes += [label_cause(finding) for finding in record.label_suspects]
    if any(evaluation.chance for evaluation in record.evaluations):
        causes.append(
            Message(
                "near chance: the weights are untrained, the labels belong to other images or classes, "
                "or the images are too few"
            )
        )
    lost = {comparison.against for comparison in judged if not comparison.passed}
    if "reference" in lost:
        causes.append(Message("the artefact answers otherwise than the reference: its precision, or its runtime"))
    elif lost:
        causes.append(
            Message(
                "the reference itself is below the published figure: another checkpoint, or labels in another order"
            )
        )
    return (*causes, Message("find where the accuracy goes: `{command}`", command=_command(record, "diagnose")))


def label_cause(finding: LabelFinding) -> Message:
    """A suspect of the labels with the accuracy it would give; never applied."""
    return Message(
        "labels: {fault}: {hits} of {count} would be right ({accuracy:.2f} percent) instead of {now}; {remedy}",
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


def _command(record: RunRecord, stage: str) -> str:
    return record.commands.get(stage, f"porter {stage} {f'run {OUT}' if stage == 'diagnose' else f'--out {OUT}'}")
