"""Why the outputs of an artefact are not the reference's, as far as calls and files tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial

from porter.builtin.onnxruntime import OnnxRuntimeSession
from porter.contracts.rows import Rows, copied, joined, single
from porter.contracts.runtime import OpenRequest
from porter.errors import PorterError
from porter.graphs.graph import Graph
from porter.graphs.matching import match_graphs
from porter.graphs.onnxfile import onnx_within, read_onnx
from porter.graphs.rounded_weights import precision_of, weights_of
from porter.graphs.static import static_differences
from porter.pipeline.evaluation.infer import infer
from porter.pipeline.evaluation.shapes import Prepared
from porter.pipeline.job.job import Job
from porter.pipeline.job.opening import open_artefact
from porter.pipeline.session_checks.calls import EXACT, in_one_batch, in_turn
from porter.pipeline.session_checks.changed_input import input_findings
from porter.pipeline.session_checks.changed_outputs import output_findings
from porter.pipeline.session_checks.check_names import (
    BATCH_SIZE,
    EXPORT,
    NAN_ROWS,
    NEIGHBOURS,
    NOT_DETERMINISTIC,
    OTHER_FILE,
    SOME_IMAGES,
    STALE_FILE,
    finding,
)
from porter.pipeline.session_checks.early_calls import early_findings
from porter.pipeline.session_checks.rows_alike import Run, rows_off
from porter.pipeline.session_checks.same_outputs import Same
from porter.pipeline.verified_session import IMAGES, distinct_checks
from porter.records.artefact import Artefact
from porter.records.message import Message
from porter.records.parity import Parity, Tolerance
from porter.records.record import RunRecord
from porter.records.session_finding import SessionFinding

OF_GRAPHS = (NEIGHBOURS, BATCH_SIZE, NOT_DETERMINISTIC)
"""What a graph can make of rows as well as a session: BatchNorm of the batch, a batch size, Dropout."""


def explained(job: Job, record: RunRecord, artefact: Artefact, parity: Parity, images: Sequence[Prepared]) -> Parity:
    """The parity of an artefact that fails, with why: outputs that are early, the exported graph, a file of another
    model, a stale one, or an input or outputs that the session changes."""
    fed = [single(one.arrays) for one in images if one.arrays][:IMAGES]
    if not parity.outputs or not all(one.shape_matches for one in parity.outputs):
        return parity
    try:
        found = list(_explained(job, record, artefact, parity, fed))
    except PorterError:  # the finding stands without a reason
        return parity
    rest = parity.findings
    if any(one.check == EXPORT for one in found):  # what the graph does is no session's fault
        rest = tuple(one for one in rest if one.check not in OF_GRAPHS)
    return replace(parity, findings=distinct_checks((*found, *rest)))


def _explained(
    job: Job, record: RunRecord, artefact: Artefact, parity: Parity, images: Sequence[Rows]
) -> Iterator[SessionFinding]:
    checks = {one.check for one in parity.findings if one.fails and one.check in OF_GRAPHS}
    with closing(open_artefact(job, artefact)) as session:
        run, few = partial(infer, job, session), images[: 1 if session.least_rows > 1 else IMAGES]
        wanted = [copied(infer(job, job.reference, image)) for image in few]
        early = list(early_findings(run, few[0], wanted[0], parity.tolerance))
        got = [copied(run(image)) for image in few]
        moving = bool(rows_off(got[0], run(few[0]), EXACT).any())
        batched = copied(run(joined(few))) if BATCH_SIZE in checks else None
    yield from early
    moving = moving or NOT_DETERMINISTIC in checks
    same = Same(joined(wanted), joined(got), parity.tolerance)
    if early or (moving and not checks):
        return
    by_graph = list(_by_the_graph(job, record, few, same, checks))
    yield from by_graph
    if not by_graph and batched is not None and not rows_off(same.wanted, same.got, parity.tolerance).any():
        yield from _changes(job, few, replace(same, got=batched))  # right one at a time: what is done to a batch
    elif not by_graph and not moving:
        yield from _why(job, record, artefact, parity, few, same)


def _by_the_graph(
    job: Job, record: RunRecord, images: Sequence[Rows], same: Same, checks: set[str]
) -> Iterator[SessionFinding]:
    """That the exported file gives the same wrong outputs, or depends on the batch in the same way, in ONNX Runtime."""
    if record.export is None:
        return
    artefact = Artefact(runtime="onnxruntime", precision="fp32", path=record.export.path)
    path = job.folder / record.export.path
    request = OpenRequest(artefact=artefact, path=path, spec=job.spec, threads=job.threads)
    with closing(OnnxRuntimeSession(request, optimise=False)) as session:
        run = partial(infer, job, session)
        shown = [one for one in _of_rows(run, images, same.tolerance) if one.check in checks] if checks else []
        outputs = joined([copied(run(image)) for image in images])
    if shown:
        text = Message("ONNX Runtime shows the same: {fault}, as in training mode", fault=shown[0].title)
        yield finding(EXPORT, text)
    elif (
        rows_off(same.wanted, same.got, same.tolerance).any() and not rows_off(outputs, same.got, same.tolerance).any()
    ):
        changes = [one.detail for one in _changes(job, images, same)]
        yield finding(EXPORT, changes[0] if changes else Message("ONNX Runtime gives the same outputs"))


def _of_rows(run: Run, images: Sequence[Rows], tolerance: Tolerance) -> Iterator[SessionFinding]:
    if len(images) < 2:
        return
    held = run(images[0])
    alone = [copied(held)]
    yield from in_turn(run, images[:2], tolerance, alone, held)
    alone += [copied(run(image)) for image in images[2:]]
    yield from in_one_batch(run, images, joined(alone), tolerance)


def _why(
    job: Job, record: RunRecord, artefact: Artefact, parity: Parity, images: Sequence[Rows], same: Same
) -> Iterator[SessionFinding]:
    off = rows_off(same.wanted, same.got, parity.tolerance)
    if not off.any():  # within tolerance on these images: a small change shows all the same
        if changes := _changes(job, images, same):
            yield from changes
        elif not all(one.passed for one in parity.outputs if one.batch == 1):
            text = Message("correct in the run folder, but not with its own files alone")
            yield finding(OTHER_FILE, text)
        return
    if found := list(_other_weights(job, record, artefact)):
        yield from found
    elif not rows_off(same.wanted, _compiled_anew(job, artefact, images), parity.tolerance).any():
        yield finding(STALE_FILE, Message("correct when compiled again without the cache"))
    elif changes := _changes(job, images, same):
        yield from changes
    elif not off.all() and not any(one.check == NAN_ROWS for one in parity.findings):
        text = Message("{wrong} of {images} images, each alone", wrong=int(off.sum()), images=len(images))
        yield finding(SOME_IMAGES, text)


def _changes(job: Job, images: Sequence[Rows], same: Same) -> list[SessionFinding]:
    """What of the usual changes of input and outputs makes the outputs, at most one."""
    found = list(output_findings(same))
    return found or list(input_findings(partial(infer, job, job.reference), images, same, job.spec.preprocess))


def _other_weights(job: Job, record: RunRecord, artefact: Artefact) -> Iterator[SessionFinding]:
    """That an artefact's ONNX file is the exported graph with other weights, which are no roundings of its own."""
    claimed, path = job.precision(artefact.precision), job.folder / artefact.path
    if record.export is None or claimed.quantised or artefact.path == record.export.path:
        return
    if (model := onnx_within(path)) is None:
        return
    try:
        ours, whole = Graph(model, path.name), job.folder / record.export.path
        exported = Graph(read_onnx(whole), whole.name)
        if precision_of(weights_of(ours.model)):
            return
        others = static_differences(exported, ours, match_graphs(exported, ours))
    except PorterError:  # the finding stands without a reason
        return
    if others and all(one.kind == "weight" for one in others):
        text = Message(
            "{path} is the exported graph with other weights in {count} places, the first {weight}: it was not built "
            "from this export",
            path=artefact.path,
            count=len(others),
            weight=others[0].what,
        )
        yield finding(STALE_FILE, text)


def _compiled_anew(job: Job, artefact: Artefact, images: Sequence[Rows]) -> Rows:
    with closing(open_artefact(job, artefact, check=False)) as session:
        return joined([copied(infer(job, session, image)) for image in images])
