"""What to look at where a verdict fails: the likely causes, likeliest first, then the command to type next."""

from __future__ import annotations

from collections.abc import Sequence

from porter.records.parity import Parity
from porter.records.run import Comparison, RunRecord, State, Verdict
from porter.records.suspects import LabelFinding, PreprocessFinding
from porter.stages.verify import CHANGED

OUT = "OUT"
"""Stands for the run's folder where the record does not know it yet."""


def weights_causes(record: RunRecord) -> tuple[str, ...]:
    """Why weights were not loaded."""
    return (
        "the checkpoint belongs to another config, or its entries were renamed: compare their names",
        f"once that is mended, load it again: `{record.commands.get('export', f'porter export --out {OUT}')}`",
    )


def parity_causes(record: RunRecord) -> tuple[str, ...]:
    """Why outputs of an artefact are not the reference's."""
    failed = [parity for parity in record.parity if not parity.passed]
    changed = {artefact.id for artefact in record.artefacts if artefact.command == CHANGED}
    causes = []
    if any(parity.candidate in changed for parity in failed):
        export = record.commands.get("export", f"porter export --out {OUT}")
        causes.append(f"the file was changed after it was built: build it again with `{export}`")
    if any(_at_one_batch(parity) for parity in failed):
        causes.append("a batch size is baked into the graph: export it with a free batch dimension")
    if any(one.shape_matches and not one.finite for parity in failed for one in parity.outputs):
        causes.append("NaN or infinite values: a broken weight, or a precision that overflows")
    if any(not one.passed and not one.problem for parity in failed for one in parity.outputs):
        causes.append(
            "a weight, an attribute or an operator of the graph is not the model's, or the runtime is at fault"
        )
    return (*causes, f"find the first node that differs: `{_diagnose(record)}`")


def preprocessing_causes(finding: PreprocessFinding) -> tuple[str, ...]:
    """What explains that tensors are not the reference's, one line each, the most usual first."""
    if finding.problem and not finding.explanations:
        return (finding.problem,)
    causes = [
        f"explained by: {one.title} (on {one.agreeing} of {finding.images} images, "
        f"{'nothing but rounding is left' if one.exact else f'mean difference left {one.mean_residual:.3g}'})"
        for one in finding.explanations
    ]
    if causes:
        return tuple(causes)
    return (f"none of the {finding.tried} suspects and combinations tried explains it", *blind_spots(finding))


def blind_spots(finding: PreprocessFinding) -> tuple[str, ...]:
    """What could not be tried, and what these images cannot tell."""
    unseen = ", ".join(suspect.title for suspect in finding.unseen)
    return (*finding.untried, *((f"these images cannot tell: {unseen}",) if unseen else ()))


def preprocessing_advice(record: RunRecord) -> tuple[str, ...]:
    """What to do about preprocessing that is not its spec's."""
    return (
        "mend the plugin's porter_preprocess, or the spec that porter_describe declares",
        f"then compare them again: `{record.commands.get('verify', f'porter verify --out {OUT}')}`",
    )


def accuracy_causes(record: RunRecord, judged: Sequence[Comparison], earlier: Sequence[Verdict]) -> tuple[str, ...]:
    """Why accuracy is lost, given the verdicts that come before it."""
    causes = [f"{verdict.title} fails: mend that first" for verdict in earlier if verdict.state is State.FAIL]
    if any(evaluation.nonfinite for evaluation in record.evaluations):
        causes.append("NaN or infinite outputs: a broken weight, or a precision that overflows")
    causes += [label_cause(finding) for finding in record.label_suspects]
    if any(evaluation.chance for evaluation in record.evaluations):
        causes.append(
            "near chance: the weights are untrained, the labels belong to other images or classes, "
            "or the images are too few"
        )
    lost = {comparison.against for comparison in judged if not comparison.passed}
    if "reference" in lost:
        causes.append("the artefact answers otherwise than the reference: its precision, or its runtime")
    elif lost:
        causes.append(
            "the reference itself is below the published figure: another checkpoint, or labels in another order"
        )
    return (*causes, f"find where the accuracy goes: `{_diagnose(record)}`")


def label_cause(finding: LabelFinding) -> str:
    """A suspect of the labels with the accuracy it would give; never applied."""
    return (
        f"labels: {finding.title}: {finding.hits} of {finding.count} would be right ({finding.accuracy:.2f} percent) "
        f"instead of {finding.hits_now}; {finding.remedy}"
    )


def _at_one_batch(parity: Parity) -> bool:
    """Whether outputs are whole at the first batch size and broken at every other."""
    broken = [bool(one.problem) and not one.shape_matches for one in parity.outputs]
    first = [one.batch == parity.outputs[0].batch for one in parity.outputs]
    return broken == [not one for one in first] and not all(first)


def _diagnose(record: RunRecord) -> str:
    return record.commands.get("diagnose", f"porter diagnose {OUT}")
