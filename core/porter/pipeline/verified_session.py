"""What a session gets wrong beside its arithmetic, as far as verify can tell, and why outputs that fail do so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from porter.contracts.runtime import Session
from porter.errors import PorterError, TargetFailed
from porter.graphs.graph import Graph
from porter.graphs.matching import match_graphs
from porter.graphs.onnxfile import read_onnx
from porter.graphs.rounded_weights import precision_of, weights_of
from porter.graphs.static import static_differences
from porter.pipeline.evaluation.infer import infer
from porter.pipeline.evaluation.shapes import Prepared
from porter.pipeline.job.job import Job
from porter.pipeline.job.opening import open_artefact
from porter.pipeline.judge.tolerance import Bound
from porter.pipeline.session_checks.calls import session_findings, swallowed
from porter.pipeline.session_checks.check_names import OTHER_FILE, OUTPUTS, STALE_FILE, finding
from porter.pipeline.session_checks.input_layout import layout_findings
from porter.pipeline.session_checks.rows_alike import Rows, rows_off
from porter.pipeline.session_checks.wrong_rows import named
from porter.records.artefact import Artefact
from porter.records.message import Message
from porter.records.parity import Parity
from porter.records.record import RunRecord
from porter.records.session_finding import SessionFinding

if TYPE_CHECKING:
    import numpy as np

IMAGES = 3
"""Images that the calls of a session are held against each other on."""


def session_faults(job: Job, session: Session, images: Sequence[Prepared], bound: Bound) -> tuple[SessionFinding, ...]:
    """The checks that need no reference. Raises `TargetFailed` where the runtime dies or hangs over the images.

    None of a session whose calls start a program each: such calls share nothing, and each takes seconds.
    """
    if session.least_rows > 1:
        return ()
    fed = [one.array[None] for one in images if one.array is not None][:IMAGES]
    if len(fed) == 1:  # the same in a mirror: calls must not be told apart by one input alone
        fed.append(fed[0][..., ::-1].copy())
    run = partial(infer, job, session)
    try:
        found = session_findings(run, fed, bound.tolerance, callers=session.info.streams)
        found += tuple(swallowed(session.run, fed[0].repeat(session.info.batch or 1, axis=0)))
    except TargetFailed:
        raise
    except PorterError:  # a batch that it refuses is among the outputs that were compared
        return ()
    return found


def wrong_rows(wanted: Rows, got: Rows, bound: Bound, before: Rows | None) -> tuple[SessionFinding, ...]:
    """What the rows of one batch that are beyond the tolerance look like; an estimate is too wide to tell."""
    off = rows_off(wanted, got, bound.tolerance)
    if not (off.any() and bound.binding):
        return ()
    told = named(wanted, got, off, bound.tolerance, before)
    return () if told.check == OUTPUTS else (told,)


def explained(job: Job, record: RunRecord, artefact: Artefact, parity: Parity, images: Sequence[Prepared]) -> Parity:
    """The parity of an artefact that fails, with why: a file of another model, or another layout."""
    image = next(one.array for one in images if one.array is not None)[None]
    if not parity.outputs or not all(one.shape_matches for one in parity.outputs):
        return parity
    wanted = infer(job, job.reference, image)
    try:
        anew = _compiled_anew(job, artefact, image)
        with closing(open_artefact(job, artefact)) as session:
            got = infer(job, session, image)
    except PorterError:  # the finding stands without a reason
        return parity
    if not rows_off(wanted, got, parity.tolerance).any():
        if all(one.passed for one in parity.outputs if one.batch == 1):
            return parity
        text = Message("correct in the run folder, but not with its own files alone")
        return replace(parity, findings=distinct_checks((finding(OTHER_FILE, text), *parity.findings)))
    found = list(other_weights(job, record, artefact))
    if not found and not rows_off(wanted, anew, parity.tolerance).any():
        found.append(finding(STALE_FILE, Message("correct when compiled again without the cache")))
    if not found:
        found += layout_findings(partial(infer, job, job.reference), image, got, parity.tolerance)
    return replace(parity, findings=distinct_checks((*found, *parity.findings)))


def other_weights(job: Job, record: RunRecord, artefact: Artefact) -> Iterator[SessionFinding]:
    """That an artefact's ONNX file is the exported graph with other weights, which are no roundings of its own."""
    claimed, path = job.precision(artefact.precision), job.folder / artefact.path
    if record.export is None or claimed.quantised or path.suffix != ".onnx" or artefact.path == record.export.path:
        return
    try:
        ours, exported = (Graph(read_onnx(one), one.name) for one in (path, job.folder / record.export.path))
        if precision_of(weights_of(ours.model)):
            return
        others = static_differences(exported, ours, match_graphs(exported, ours))
    except PorterError:  # the finding stands without a reason
        return
    if others and all(one.kind == "weight" for one in others):
        text = Message(
            "{path} equals the exported graph except for {count} weights (first: {weight}): it was not "
            "built from this export",
            path=artefact.path,
            count=len(others),
            weight=others[0].what,
        )
        yield finding(STALE_FILE, text)


def distinct_checks(findings: Iterable[SessionFinding]) -> tuple[SessionFinding, ...]:
    """Each check once, what it found first."""
    found: dict[str, SessionFinding] = {}
    for one in findings:
        found.setdefault(one.check, one)
    return tuple(found.values())


def _compiled_anew(job: Job, artefact: Artefact, image: np.ndarray) -> Rows:
    with closing(open_artefact(job, artefact, check=False)) as session:
        return infer(job, session, image)
