"""The same ONNX file in ONNX Runtime and in the artefact's runtime: whether the file is at fault, or the runtime."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from porter.diagnose.found import Found, finding, ruled_out
from porter.diagnose.graph_findings import LineKind
from porter.diagnose.modules.locate import told
from porter.errors import PorterError
from porter.pipeline.diagnosis.conditions import Conditions
from porter.pipeline.diagnosis.export_trial import difference, located
from porter.pipeline.diagnosis.looking_inside import made_from, source_of
from porter.pipeline.diagnosis.rounding_signs import sign_of
from porter.pipeline.diagnosis.through_onnx import Compared, through_file, through_session
from porter.pipeline.job.opening import open_artefact
from porter.pipeline.judge.tolerance import Bound
from porter.records.artefact import Artefact
from porter.records.diagnosed import Surety
from porter.records.message import Message, Text

FARTHER = 4.0
"""An artefact that rounds by design is off where it lies so many times farther from the reference than the same file
in ONNX Runtime, and beyond the estimate."""


def same_file_trial(conditions: Conditions, artefact: Artefact, *, sound: bool) -> Found:
    """The artefact against the file that it was built from, both against the reference.

    `sound`: whether the export is; else its fault is in the file as well, and is not told again."""
    bound = conditions.bound(artefact)
    try:
        source = source_of(conditions.job.folder, artefact, made_from(conditions.job, conditions.record, artefact))
        with closing(open_artefact(conditions.job, artefact, check=False)) as session:
            ours = through_session(conditions, session, bound.tolerance)
    except PorterError:
        return Found()  # another trial says why it cannot be run
    plain = None if source is None else through_file(conditions, source, bound.tolerance, precision=artefact.precision)
    if not _off(ours, plain, bound):
        error = None if ours.worst is None else ours.worst.max_abs_error
        evidence = Message("{artefact}: max abs error {error:.3g} on {count} images", artefact=artefact.id, error=error,
                           count=len(conditions.truth[:4]))  # fmt: skip
        return ruled_out(Message("the values of {artefact}", artefact=artefact.id), evidence)
    return _blamed(conditions, artefact, source, ours, plain, sound=sound)


def _off(ours: Compared, plain: Compared | None, bound: Bound) -> bool:
    if ours.passed:
        return False
    return bound.binding or plain is None or ours.ratio > FARTHER * max(plain.ratio, 1.0)


def _blamed(
    conditions: Conditions,
    artefact: Artefact,
    source: Path | None,
    ours: Compared,
    plain: Compared | None,
    *,
    sound: bool,
) -> Found:
    bound = conditions.bound(artefact)
    sign = sign_of(conditions, artefact, source, ours)
    if plain is None or source is None:
        return Found()  # what was changed in the file shows against the fresh export
    if not plain.passed and not sound:
        return Found()
    if not plain.passed and bound.binding:
        module = located(conditions, source)
        where = _not_the_export(conditions, source) or ("" if module is None else told(module))
        if not sign and not where:
            return Found()
        text = Message("model: {path}: {why}", path=source.name, why=sign or where)
        # Without an explanation, what differs in the files says more.
        built = source != conditions.job.folder / made_from(conditions.job, conditions.record, artefact).path
        surety = Surety.LOCATED if sign or built or (module is not None and module.explained) else Surety.MEASURED
        return finding("model rounded" if sign else "model module", text, conditions.command("export"), surety)
    error = "" if ours.worst is None else ours.worst.problem or Message(
        "max abs error {error:.3g}, limit {allowed:.3g}", error=ours.worst.max_abs_error, allowed=ours.worst.allowed
    )  # fmt: skip
    if artefact.runtime == "onnxruntime":
        text = Message(
            "runtime: {artefact}: ONNX Runtime's graph optimisation is at fault: the same file is "
            "correct node by node, incorrect when optimised ({error})",
            artefact=artefact.id,
            error=error or ours.problem,
        )
        return finding("runtime optimised", text, conditions.command("verify"), Surety.LOCATED)
    text = Message(
        "runtime: {artefact} differs from ONNX Runtime, which is correct with the same file ({error})",
        artefact=artefact.id,
        error=error or ours.problem,
    )
    if sign:
        text = Message("{text}: {sign}", text=text, sign=sign)
    cause = "runtime rounded" if sign else "runtime numbers"
    return finding(cause, text, conditions.command("verify"), Surety.LOCATED)


def _not_the_export(conditions: Conditions, source: Path) -> Text:
    """What differs between the export and an ONNX file that a runtime built from it; empty where it is the export."""
    export = conditions.record.export
    if export is None or source == conditions.job.folder / export.path:
        return ""
    lines = difference(conditions, conditions.job.folder / export.path, source, export.path, source.name)
    files = [line for kind, line in lines if kind is LineKind.FILE]
    return (
        Message("it was not built from the exported file, or is outdated: {difference}", difference=files[0])
        if files
        else ""
    )
