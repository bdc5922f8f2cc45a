"""What of an artefact was compared, where, and what speaks against it: the part of parity that is not verify's."""

from __future__ import annotations

from collections.abc import Iterator

from porter.pipeline.session_checks.check_names import OUTPUTS
from porter.records.coverage import Compared, SettingCheck
from porter.records.message import Message, Text
from porter.records.record import RunRecord
from porter.records.session_finding import SessionFinding


def findings_of(record: RunRecord, artefact: str) -> tuple[SessionFinding, ...]:
    """What the sessions of an artefact get wrong, each check once: what fails first, in the order of the stages.

    That no check tells why is said where none does.
    """
    found: dict[str, SessionFinding] = {}
    for one in sorted(_findings(record, artefact), key=lambda one: not one.fails):
        found.setdefault(one.check, one)
    if any(one.fails for check, one in found.items() if check != OUTPUTS):
        found.pop(OUTPUTS, None)
    return tuple(found.values())


def is_wrong(record: RunRecord, artefact: str) -> bool:
    """Whether outputs that were scored or timed speak against an artefact, or its sessions do."""
    compared = compared_of(record, artefact)
    over = compared is not None and compared.binding and compared.over > 0
    return over or any(one.fails for one in findings_of(record, artefact))


def compared_of(record: RunRecord, artefact: str) -> Compared | None:
    """The outputs that were scored, against the reference's."""
    evaluation = record.evaluation(artefact)
    return None if evaluation is None else evaluation.compared


def checks_of(record: RunRecord, artefact: str) -> tuple[SettingCheck, ...]:
    """Every setting that was scored or timed, and whose outputs were seen."""
    evaluation = record.evaluation(artefact)
    scored = () if evaluation is None else evaluation.checks
    timed = tuple(one.check for one in record.performance if one.artefact == artefact and one.check is not None)
    return (*scored, *timed)


def coverage(record: RunRecord, artefact: str) -> Text:
    """What was compared of an artefact, in one line; empty where nothing was scored or timed."""
    compared, checks = compared_of(record, artefact), checks_of(record, artefact)
    if compared is None and not checks:
        return ""
    sizes = [one.batch for one in checks]
    if compared is None or not sizes:
        images = 0 if compared is None else compared.images
        return Message(
            "outputs of {images} images and {rows} more samples compared, {over} outside tolerance",
            images=images,
            rows=sum(one.rows for one in checks),
            over=sum(one.over for one in checks) + (0 if compared is None else compared.over),
        )
    streams = max(one.streams for one in checks)
    return Message(
        "outputs of {images} images compared, batch {low} to {high}, {streams}, {over} "
        "outside tolerance; {rows} samples compared within sessions, {off} outside",
        images=compared.images,
        low=min(sizes),
        high=max(sizes),
        streams=Message("1 stream") if streams == 1 else Message("{count} streams", count=streams),
        over=compared.over,
        rows=sum(one.rows for one in checks),
        off=sum(one.over for one in checks),
    )


def said(one: SessionFinding) -> Message:
    """A finding as evidence."""
    return Message(
        "`{check}`: {title} ({detail})",
        check=one.check,
        title=one.title,
        detail=one.detail,
    )


def _findings(record: RunRecord, artefact: str) -> Iterator[SessionFinding]:
    for parity in record.parity:
        if parity.candidate == artefact:
            yield from parity.findings
    for check in checks_of(record, artefact):
        yield from check.findings
    compared = compared_of(record, artefact)
    if compared is not None:
        yield from compared.findings
