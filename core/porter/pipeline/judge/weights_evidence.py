"""What speaks for and against the weights: the plugin's report, and core's own comparison with the file."""

from __future__ import annotations

from collections.abc import Iterator

from porter.checkpoints.stated_metrics import accuracies
from porter.records.loaded import LoadReport
from porter.records.message import Message, Text
from porter.records.record import RunRecord
from porter.records.weights_audit import WeightsAudit

SHOWN = 3
"""Names in a sentence."""
TOP1 = "top1"
STATED_MARGIN = 2.0
"""Points that a measured accuracy may lie below the one that the checkpoint states, on as many images as the published
figure has: the figure may be that of the best epoch, and the file the last."""
OTHER_IMAGES = 5.0
"""Points that other images of the same kind may cost beyond what chance does."""


def weights_evidence(report: LoadReport, audit: WeightsAudit | None) -> tuple[list[Text], bool]:
    """The evidence, what fails first, and whether the weights pass."""
    complete = report.loaded == report.expected
    against = [] if audit is None else list(against_weights(audit))
    evidence: list[Text] = [*against]
    evidence.append(Message("{loaded} of {expected} entries loaded", loaded=report.loaded, expected=report.expected))
    if report.forgiven:
        evidence.append(Message("{count} missing counters ignored", count=len(report.forgiven)))
    if report.prefix:
        evidence.append(Message("prefix `{prefix}` removed", prefix=report.prefix))
    if report.skipped:
        evidence.append(Message("{count} entries of the file are not in the model", count=len(report.skipped)))
    if audit is not None:
        evidence += _notes(audit)
    return evidence, complete and not against


def against_weights(audit: WeightsAudit) -> Iterator[Text]:
    """What makes the verdict fail."""
    if audit.asked is not None:
        yield Message(
            "the model contains the weights of `{weights}`; those of `{asked}` were requested or reported",
            weights=audit.weights or ".",
            asked=audit.asked or ".",
        )
    if audit.strangers:
        yield Message(
            "{count} of {tensors} tensors of the model differ from the file: {some}",
            count=audit.strangers_count,
            tensors=audit.tensors,
            some=_listed(
                tuple(
                    Message("{tensor} ({instead})", tensor=name, instead=instead)
                    for name, instead in audit.strangers.items()
                ),
                audit.strangers_count,
            ),
        )
    if audit.homeless:
        yield Message(
            "{count} of {entries} tensors of the file belong to the same modules but are not in the model: {some}",
            count=audit.homeless_count,
            entries=audit.entries,
            some=_listed(audit.homeless, audit.homeless_count),
        )
        if audit.fits:
            yield Message("all tensors of the file fit {variant}", variant=audit.fits)
    yield from (one.what for one in audit.suspicions if one.fails)


def _notes(audit: WeightsAudit) -> Iterator[Text]:
    """What was compared, and what is odd without being wrong."""
    if audit.not_compared:
        yield Message("not compared with the file: {reason}", reason=audit.not_compared)
    else:
        yield Message(
            "independent comparison: {matched} of {tensors} tensors equal the file",
            matched=audit.matched,
            tensors=audit.tensors,
        )
    if audit.folded:
        yield Message("{count} equal the file with a BatchNorm folded in", count=audit.folded)
    if audit.derived:
        yield Message("{count} were computed by the plugin, as declared", count=audit.derived)
    if audit.constants:
        yield Message(
            "buffers made by the network's code: {names}", names=_listed(audit.constants, len(audit.constants))
        )
    yield from (one.what for one in audit.suspicions if not one.fails)


def _listed(found: tuple[str | Message, ...], count: int) -> tuple[str | Message, ...]:
    more = (Message("{count} more", count=count - SHOWN),) if count > SHOWN else ()
    return (*found[:SHOWN], *more)


def stated_evidence(record: RunRecord) -> tuple[list[Text], bool]:
    """The accuracy that the checkpoint states, beside the measured one; and whether it contradicts it.

    It is held against it closely where the images may be the same: as many as the published figure is for.
    """
    found = {} if record.weights_audit is None else accuracies(record.weights_audit.stated)
    reference = record.evaluation("reference") or next(iter(record.evaluations), None)
    top1 = next((one for one in reference.metrics if one.name == TOP1), None) if reference is not None else None
    if not found or top1 is None or reference is None:
        return [], False
    key, stated = next(iter(found.items()))
    published = record.model.published if record.model is not None else None
    if published is not None and reference.listed == published.images:
        text = Message(
            "the checkpoint states `{key}` {stated:.2f}; {measured:.2f} was measured, on as many images as published",
            key=key,
            stated=stated,
            measured=top1.value,
        )
        return [text], stated - top1.value > STATED_MARGIN
    if top1.interval is None or stated - top1.interval.high <= OTHER_IMAGES:
        return [
            Message("the checkpoint states `{key}` {stated:.2f}; its images are unknown", key=key, stated=stated)
        ], False
    text = Message(
        "the checkpoint states `{key}` {stated:.2f}, but {measured:.2f} was measured (at most {high:.2f} "
        "with 95% confidence). More than {margin:g} points apart: other images or another model?",
        key=key,
        stated=stated,
        measured=top1.value,
        high=top1.interval.high,
        margin=OTHER_IMAGES,
    )
    return [text], True
