"""The verdict on parity: whether every artefact computes what the reference does, wherever its outputs count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from porter.pipeline.judge.covered import coverage, findings_of, is_wrong, said
from porter.pipeline.judge.grouping import grouped
from porter.records.message import Message, Text, Value
from porter.records.parity import OutputParity, Parity
from porter.records.record import RunRecord
from porter.records.unfinished import Failing, Unfinished


def parity_evidence(record: RunRecord, broken: Sequence[Unfinished]) -> tuple[list[Text], bool]:
    """What fails first, then what was compared, each sentence once; and whether every artefact passes.

    `broken` are targets that could not be built or compared.
    """
    everyone = len(record.parity)
    failed = [one for one in record.parity if not one.passed or is_wrong(record, one.candidate)]
    against: list[tuple[Text, Text]] = []
    for parity in record.parity:
        against += [(parity.candidate, said(one)) for one in findings_of(record, parity.candidate)]
    against += [(one.artefact, _unbuilt_or_failed(one)) for one in broken]
    for parity in record.parity:
        against += [(parity.candidate, _miss(one, parity)) for one in parity.outputs if not one.passed]
    evidence = grouped(against, everyone)
    evidence += list(_compared(failed)) + list(_compared([one for one in record.parity if one not in failed]))
    for parity in record.parity:
        if parity.precision is not None:
            evidence += [*parity.precision.contradictions, *parity.precision.notes]
    covered = [(one.candidate, coverage(record, one.candidate)) for one in record.parity]
    evidence += grouped(((name, text) for name, text in covered if text), everyone)
    return evidence, not (broken or failed)


def _unbuilt_or_failed(one: Unfinished) -> Message:
    if one.stage is Failing.BUILD:
        return Message("it was not built: {reason}", reason=one.reason)
    return Message("its runtime failed")


@dataclass(frozen=True)
class _Alike:
    """What artefacts share whose comparison came to the same."""

    reference: str
    conclusion: Text
    flipped: int
    images: int
    batches: tuple[int, ...]


def _compared(found: list[Parity]) -> Iterator[Message]:
    """What was compared by verify, and how it ended, with the largest error of all to which that happened."""
    groups: list[tuple[_Alike, list[Parity]]] = []
    for one in found:
        batches = tuple(dict.fromkeys(output.batch for output in one.outputs))
        alike = _Alike(one.reference, one.conclusion, one.changes.flipped, one.changes.images, batches)
        members = next((members for known, members in groups if known == alike), None)
        if members is None:
            groups.append((alike, members := []))
        members.append(one)
    for alike, members in groups:
        errors = [o.max_abs_error for one in members for o in one.outputs if o.max_abs_error is not None]
        yield Message(
            "{artefacts} against {reference} at batch {batches}: {worst}, {answer} changed on {flipped} of {images} "
            "images; {conclusion}",
            artefacts=tuple(one.candidate for one in members),
            reference=alike.reference,
            batches=tuple(map(str, alike.batches)),
            worst=_largest(errors),
            answer=members[0].answer_name,
            flipped=alike.flipped,
            images=alike.images,
            conclusion=alike.conclusion,
        )


def _largest(errors: list[float]) -> Message:
    return Message("max abs error {error:.3g}", error=max(errors)) if errors else Message("no comparable output")


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
