"""The conclusion: which of weights, preprocessing, labels, model and runtime the evidence points at."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

from porter.diagnose.found import Found, finding, ruled_out, together
from porter.diagnose.graph_findings import LineKind, form_name, graph_findings
from porter.records.diagnosed import SameTensors, Surety
from porter.records.diagnosis import GraphDiagnosis
from porter.records.message import Message, Text
from porter.records.record import RunRecord, State
from porter.records.suspects import Explanation, LabelFinding, PreprocessFinding

OF_LINE = {
    LineKind.FILE: ("model file", Surety.LOCATED),
    LineKind.STORED: ("model stored", Surety.HINT),
    LineKind.REFUSED: ("runtime refused", Surety.LOCATED),
    LineKind.NAN: ("model nan", Surety.MEASURED),
    LineKind.NODE: ("model node", Surety.MEASURED),
    LineKind.OPTIMISED: ("runtime optimised", Surety.MEASURED),
    LineKind.WITHIN: ("model within", Surety.HINT),
}
HARMLESS = frozenset({LineKind.STORED, LineKind.NODE, LineKind.WITHIN, LineKind.OPTIMISED})
"""What a lesser precision does to a sound model as well."""


def failed_verdicts(record: RunRecord) -> tuple[str, ...]:
    """The verdicts that fail, by name; `runtime` where a target did not end, which no verdict may name."""
    names = tuple(one.name for one in record.verdicts if one.state is State.FAIL)
    unfinished = record.unfinished and not record.request.is_auto and not names
    return (*names, "runtime") if unfinished else names


def concluded(record: RunRecord, parts: Iterable[Found]) -> Found:
    """The findings of all trials, the surest first and each cause once; the unexplained where a verdict fails and
    there is none."""
    found = together(parts)
    order = list(Surety)
    findings = {str(one.text): one for one in sorted(found.findings, key=lambda one: order.index(one.surety))}
    failed = failed_verdicts(record)
    if not findings and failed:
        return _unexplained(record, failed, found)
    return Found(findings=tuple(findings.values()), ruled_out=found.ruled_out)


def _unexplained(record: RunRecord, failed: Sequence[str], found: Found) -> Found:
    titles = tuple(one.title for one in record.verdicts if one.name in failed) or tuple(failed)
    text = Message(
        "{verdicts}: failed, but no check explains it; ruled out: {suspects}",
        verdicts=titles,
        suspects=tuple(
            Message("{suspect} ({evidence})", suspect=one.suspect, evidence=one.evidence) for one in found.ruled_out
        ),
    )
    unknown = finding("unknown", text, f"{record.commands.get('run', 'porter run')} --fresh", Surety.LIKELY)
    return Found(findings=unknown.findings, ruled_out=found.ruled_out)


def of_record(record: RunRecord) -> Found:
    """What the record itself says: entries without a place, targets that failed."""
    export = record.commands.get("export", "porter export")
    parts = []
    if record.load is not None and record.load.skipped and failed_verdicts(record):
        text = Message(
            "weights: {count} entries of the checkpoint are not in the model ({some})",
            count=len(record.load.skipped),
            some=record.load.skipped[:3],
        )
        parts.append(finding("weights skipped", text, export, Surety.MEASURED))
    if record.load is not None:
        counts = {"loaded": record.load.loaded, "expected": record.load.expected}
        if record.load.loaded < record.load.expected:
            text = Message(
                "weights: only {loaded} of {expected} entries of the model came from the checkpoint", **counts
            )
            parts.append(finding("weights missing", text, export, Surety.LOCATED))
        elif not record.load.skipped:
            parts.append(ruled_out(Message("checkpoint entries"), Message("{loaded} of {expected}", **counts)))
    if not record.request.is_auto:
        parts += [
            finding(
                "runtime failed",
                Message(
                    "runtime: {artefact} failed during {stage}: {reason}",
                    artefact=one.artefact,
                    stage=one.stage.value,
                    reason=one.reason,
                ),
                record.commands.get("run", "porter run"),
                Surety.LOCATED,
            )
            for one in record.unfinished
        ]
    return together(parts)


def of_preprocessing(record: RunRecord, found: PreprocessFinding | None) -> Found:
    """The model's own preprocessing against its spec; as verify found it where no usual faults are known of it."""
    if found is None:
        return _as_verified(record)
    if found.identical:
        return ruled_out(
            Message("preprocessing"),
            Message(
                "{images} images, of every kind in the data, match the declared preprocessing", images=found.images
            ),
        )
    text = Message(
        "preprocessing: {differing} of {images} images differ: {why}",
        differing=found.differing,
        images=found.images,
        why=_either(found.explanations),
    )
    if found.only:
        text = Message("{text}; {only}", text=text, only=found.only)
    surety = Surety.LOCATED if found.explanations or found.only else Surety.MEASURED
    return finding("preprocessing", text, record.commands.get("verify", "porter verify"), surety)


def _as_verified(record: RunRecord) -> Found:
    parity = record.preprocessing
    if parity is None or not parity.images:
        return Found()
    if parity.passed:
        what = Message("{images} samples match the reference preprocessing", images=parity.images)
        return ruled_out(Message("preprocessing"), what)
    text = Message(
        "preprocessing: it differs from its reference by up to {error:.3g} (limit {allowed:.3g})",
        error=parity.max_abs_error,
        allowed=parity.allowed,
    )
    return finding("preprocessing", text, record.commands.get("verify", "porter verify"), Surety.MEASURED)


def of_graph(record: RunRecord, graph: GraphDiagnosis, *, exact: bool) -> Found:
    """An artefact's graph against the model exported afresh. Of one that rounds by design, `exact` False, a node beyond
    the estimate is a finding only where a verdict fails."""
    export, failed = record.commands.get("export", "porter export"), failed_verdicts(record)
    parts = []
    for kind, line in graph_findings(graph):
        cause, surety = OF_LINE[kind]
        if not exact and kind in HARMLESS:
            if not failed:
                continue
            surety = Surety.HINT
        parts.append(finding(cause, line, export, surety))
    if not parts:
        name, evidence = form_name(graph.candidate), Message("{count} tensors agree", count=graph.match.matched)
        parts.append(ruled_out(Message("the graph of {candidate}", candidate=name), evidence))
    return together(parts)


def of_forms(record: RunRecord, forms: Sequence[SameTensors]) -> Found:
    """Every form of the model on the same tensors."""
    verify, failed = record.commands.get("verify", "porter verify"), failed_verdicts(record)
    parts = []
    for form in forms:
        name = form_name(form.name)
        if form.nonfinite:
            text = Message(
                "model: {form} gives NaN or infinite outputs on {nonfinite} of {images} images",
                form=name,
                nonfinite=form.nonfinite,
                images=form.images,
            )
            parts.append(finding("model nan", text, verify, Surety.MEASURED))
        if form.problem:
            text = Message("model or runtime: {form} cannot be run: {problem}", form=name, problem=form.problem)
            parts.append(finding("runtime open", text, verify, Surety.LOCATED))
        if form.changes is not None and form.changes.flipped and failed:
            text = Message(
                "model or runtime: {form} changes {flipped} of {images} predictions",
                form=name,
                flipped=form.changes.flipped,
                images=form.changes.images,
            )
            parts.append(finding("model answers", text, verify, Surety.HINT))
    return together(parts)


def of_labels(record: RunRecord, labels: Sequence[LabelFinding]) -> Found:
    """Faults of the labels under which the reference's answers would be right."""
    evaluate = record.commands.get("evaluate", "porter evaluate")
    if not labels and record.evaluations:
        return ruled_out(Message("labels"), Message("no shift or reordering of the labels explains the predictions"))
    return together(
        finding(
            f"labels {one.name}",
            Message(
                "labels: {fault}. Accuracy would be {accuracy:.2f}% instead of {now:.2f}%. Next: {remedy}",
                fault=one.title,
                accuracy=one.accuracy,
                now=100 * one.hits_now / one.count,
                remedy=one.remedy,
            ),
            evaluate,
            Surety.LAST if one.name == "permutation" else Surety.MEASURED,
        )
        for one in labels
    )


def _either(explanations: Sequence[Explanation]) -> Text:
    if not explanations:
        return Message("no known cause explains it")
    first, *more = (one.title for one in explanations)
    return functools.reduce(lambda one, other: Message("{one} or {other}", one=one, other=other), more, first)
