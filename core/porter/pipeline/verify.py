"""verify: the same tensors through the reference and an artefact, and the model's preprocessing against its spec."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from porter.contracts.requests import Image
from porter.contracts.runtime import Session
from porter.data.store import open_store
from porter.errors import BadInput, PluginError, PorterError, TargetFailed
from porter.images.decode import decode
from porter.pipeline.evaluation.infer import infer
from porter.pipeline.evaluation.prediction_changes import Answers, changes
from porter.pipeline.evaluation.prepare import readable
from porter.pipeline.evaluation.shapes import Prepared
from porter.pipeline.explaining import explained
from porter.pipeline.failing import failed, faults, retried
from porter.pipeline.job.job import Job
from porter.pipeline.job.opening import files_alone, open_artefact
from porter.pipeline.judge.claimed_precision import told
from porter.pipeline.judge.tolerance import Bound, bound_of
from porter.pipeline.precision.signs import Compared, signs_of
from porter.pipeline.session_checks.check_names import LAYOUT, OTHER_INPUT, OTHER_OUTPUTS
from porter.pipeline.session_checks.rows_alike import copied
from porter.pipeline.verified_session import distinct_checks, session_faults, wrong_rows
from porter.records.artefact import Artefact, SessionInfo
from porter.records.changes import Changes
from porter.records.manifest import Item
from porter.records.message import Message, Text
from porter.records.parity import OutputParity, Parity, PreprocessParity, Tolerance
from porter.records.precision import FP32
from porter.records.record import RunRecord
from porter.records.session_finding import SessionFinding
from porter.records.unfinished import Failing

if TYPE_CHECKING:
    import numpy as np

    from porter.diagnose.preprocessing.explain import Sample

OWN_PIPELINE = 32
"""Images that a plugin's own preprocessing is looked at on."""
CHANGED = (LAYOUT, OTHER_INPUT, OTHER_OUTPUTS)
"""Checks that find what makes all of the error."""
BATCHES = (1, 2, 3)
"""A single image, a pair and an odd batch: what is baked into a graph shows at one of them."""


def verify_all(job: Job, record: RunRecord) -> RunRecord:
    """Every artefact against the reference, and the preprocessing against its spec; fills `parity`, `preprocessing`,
    and `unfinished` with those whose runtime dies or hangs, or, beside others, does not take the model."""
    record = retried(record, [Failing.VERIFY])
    images = sample(job)
    parity = []
    caught = faults(record) if len(record.artefacts) + len(record.unfinished) > 1 else (TargetFailed,)
    with job.progress.step("verify"):
        preprocessing = verify_preprocessing(job, images)
        for artefact in record.artefacts:
            bound = bound_of(job.request, job.precision(artefact.precision), record)
            try:
                compared: list[Compared] = []
                with (
                    files_alone(job, artefact) as folder,
                    closing(_opened_alone(job, artefact, folder)) as session,
                ):
                    found = verify(job, artefact.id, session, images, bound, compared)
                    info = session.info
                found = found if found.passed else explained(job, record, artefact, found, images)
                parity.append(with_precision(job, record, artefact, info, found, compared))
            except caught as error:
                record = failed(record, Failing.VERIFY, artefact.id, error)
            except BadInput as error:  # a file that the runtime refuses is the artefact's fault, not the user's
                parity.append(unopened(job, artefact.id, str(error), bound))
    return replace(record, parity=tuple(parity), preprocessing=preprocessing)


def _opened_alone(job: Job, artefact: Artefact, folder: Path) -> Session:
    """A session of the artefact's files in `folder`, where nothing else lies. Raises `BadInput` where one opens in the
    run's folder alone: it opens another file."""
    try:
        return open_artefact(job, artefact, folder=folder)
    except PluginError as error:
        try:
            open_artefact(job, artefact).close()
        except PorterError:
            raise error from None
        raise BadInput(
            f"it opens another file: it opens in the run folder, but not with its own files alone: {error}"
        ) from None


def sample(job: Job) -> list[Prepared]:
    """The images that verify runs, one for each row of all its batches where the manifest has as many."""
    return readable(job.data, sum(BATCHES))


def with_precision(
    job: Job, record: RunRecord, artefact: Artefact, info: SessionInfo, found: Parity, compared: Sequence[Compared]
) -> Parity:
    """The parity of an artefact with what its numbers say of the precision that it claims, which can fail it."""
    within = all(one.passed for one in found.outputs)
    given = job.request.atol is not None or job.request.rtol is not None
    # An input or outputs that were changed make the errors, and no precision does.
    changed = any(one.check in CHANGED for one in found.findings)
    signs = signs_of(job, record, artefact, info, () if changed else compared)
    came_so = job.spec.precision == artefact.precision != FP32
    claimed = job.precision(artefact.precision)
    judged = {"came_so": came_so, "on_processors": info.threads is not None}
    signs = told(signs, artefact.id, claimed, within=within, given=given, **judged)
    return replace(found, precision=signs, passed=found.passed and not signs.contradictions)


def verify(
    job: Job,
    name: str,
    session: Session,
    images: Sequence[Prepared],
    bound: Bound,
    compared: list[Compared] | None = None,
) -> Parity:
    """Reference against artefact at batch 1, 2 and 3, on real preprocessed images, all of them readable.

    What could be compared is added to `compared`.

    Raises `TargetFailed` where the artefact's runtime dies or hangs.
    """
    import numpy as np

    outputs: list[OutputParity] = []
    items: list[Item] = []
    before, after = Answers(), Answers()
    named: list[SessionFinding] = []
    last: dict[str, np.ndarray] | None = None
    start = 0
    for size in BATCHES:
        chosen = [images[(start + k) % len(images)] for k in range(size)]
        batch = np.stack([one.array for one in chosen if one.array is not None])
        start += size
        wanted = infer(job, job.reference, batch)
        try:
            got = infer(job, session, batch)
        except TargetFailed:
            raise
        except PorterError as error:
            outputs += [_broken(output, size, str(error)) for output in wanted]
            continue
        found = [compare(output, size, wanted[output], got.get(output), bound.tolerance) for output in wanted]
        outputs += found
        named += wrong_rows(wanted, got, bound, last)
        last = copied(wanted)
        if all(one.shape_matches and one.finite for one in found):
            items += [job.data.items[one.index] for one in chosen]
            _collect(job, wanted, before)
            _collect(job, got, after)
            if compared is not None:
                compared.append(Compared(batch, last, copied({name: got[name] for name in wanted})))
    within = all(one.passed for one in outputs)
    whole = all(one.shape_matches and one.finite for one in outputs)
    changed = changes(items, before, after)
    findings = session_faults(job, session, images, bound) if outputs and whole else ()
    findings = distinct_checks((*findings, *named))
    return Parity(
        reference=f"{job.reference.info.runtime} {job.reference.info.precision}",
        candidate=name,
        images=min(len(images), sum(BATCHES)),
        tolerance=bound.tolerance,
        bounds_from=bound.source,
        binding=bound.binding,
        outputs=tuple(outputs),
        changes=changed,
        findings=findings,
        answer_name=job.task.answer_name,
        conclusion=_conclusion(within, whole, changed, bound),
        passed=bound.passes(within=within, whole=whole) and not any(one.fails for one in findings),
    )


def unopened(job: Job, name: str, problem: str, bound: Bound) -> Parity:
    """The parity of an artefact that its runtime does not load."""
    return Parity(
        reference=f"{job.reference.info.runtime} {job.reference.info.precision}",
        candidate=name,
        images=0,
        tolerance=bound.tolerance,
        bounds_from=bound.source,
        binding=bound.binding,
        outputs=tuple(_broken(output.name, BATCHES[0], problem) for output in job.spec.outputs),
        changes=changes((), Answers(), Answers()),
        answer_name=job.task.answer_name,
        conclusion=Message("cannot be loaded"),
        passed=False,
    )


def compare(name: str, batch: int, wanted: np.ndarray, got: np.ndarray | None, tolerance: Tolerance) -> OutputParity:
    """Errors of one output. The bound is on the whole tensor, not by element: values near zero would fail by noise.

    Passes when max|got - wanted| <= atol + rtol * max|wanted|, shapes are equal and every value is finite.
    """
    import numpy as np

    if got is None or got.shape != wanted.shape:
        return _broken(name, batch, _misfit(name, wanted, got), 0 if got is None else len(got))
    if not (np.isfinite(got).all() and np.isfinite(wanted).all()):
        problem = (
            Message("output `{output}` of the artefact contains NaN or infinite values", output=name)
            if np.isfinite(wanted).all()
            else Message("output `{output}` of the reference contains NaN or infinite values", output=name)
        )
        return _broken(name, batch, problem, len(got), shape=True)
    a, b = wanted.astype(np.float64), got.astype(np.float64)
    error, scale = np.abs(b - a), float(np.abs(a).max(initial=0.0))
    worst = float(error.max(initial=0.0))
    allowed = tolerance.atol + tolerance.rtol * scale
    return OutputParity(
        output=name,
        batch=batch,
        rows=len(got),
        shape_matches=True,
        finite=True,
        max_abs_error=worst,
        mean_abs_error=float(error.mean()) if error.size else 0.0,
        relative_error=worst / scale if scale else None,
        cosine=_least_cosine(a.reshape(len(a), -1), b.reshape(len(b), -1)),
        allowed=allowed,
        passed=worst <= allowed,
    )


def verify_preprocessing(job: Job, images: Sequence[Prepared]) -> PreprocessParity:
    """The model's own preprocessing against the reference pipeline of its spec; a difference is explained.

    A pipeline that a plugin brings is looked at on more images: it may differ on those of one shape or mode alone.
    """
    import numpy as np

    from porter.diagnose.preprocessing.explain import ALLOWED, explain_preprocessing, one_buffer
    from porter.images.pipeline import reference_pipeline

    shared = False
    if job.hooks.implementer("porter_preprocess") is not None:
        images = readable(job.data, OWN_PIPELINE)
        shared = shares_a_buffer(job, images)
    worst: float | None = 0.0
    identical = True
    apart: list[Sample] = []
    for sample in preprocess_samples(job, images):
        wanted = reference_pipeline(sample.pixels, job.spec.preprocess)
        identical &= bool(np.array_equal(sample.tensor, wanted))
        comparable = sample.tensor.shape == wanted.shape and bool(np.isfinite(sample.tensor).all())
        error = float(np.abs(sample.tensor - wanted).max()) if comparable else None
        worst = None if worst is None or error is None else max(worst, error)
        if (error is None or error > ALLOWED) and len(apart) < sum(BATCHES):
            apart.append(sample)
    finding = (
        explain_preprocessing(apart, job.spec.preprocess) if apart else one_buffer(len(images)) if shared else None
    )
    return PreprocessParity(
        images=len(images),
        max_abs_error=worst,
        allowed=ALLOWED,
        identical=identical,
        passed=finding is None,
        finding=finding,
    )


def shares_a_buffer(job: Job, images: Sequence[Prepared]) -> bool:
    """Whether the plugin's preprocessing gives two threads at once the same memory, where one overwrites the other."""
    import numpy as np

    together, chosen = threading.Barrier(2), [images[0], images[-1]]

    def tensor(one: Prepared) -> np.ndarray:
        identifier = job.data.items[one.index].id
        pixels = decode(open_store(job.data.manifest.root).read(identifier), identifier).pixels
        try:
            return job.hooks.preprocess(Image(id=identifier, pixels=pixels), job.spec.preprocess)
        finally:
            together.wait()  # each in a thread of its own

    with ThreadPoolExecutor(2, thread_name_prefix="porter-caller") as pool:
        first, second = pool.map(tensor, chosen)
    return np.shares_memory(first, second)


def preprocess_samples(job: Job, images: Sequence[Prepared]) -> Iterator[Sample]:
    """Images with what the model's own preprocessing makes of them, one at a time: they may be large."""
    from porter.diagnose.preprocessing.explain import each_sample

    ids = [job.data.items[one.index].id for one in images]
    return each_sample(job.data.manifest.root, ids, lambda image: job.hooks.preprocess(image, job.spec.preprocess))


def _collect(job: Job, outputs: dict[str, np.ndarray], into: Answers) -> None:
    for prediction in job.hooks.postprocess(outputs, job.spec):
        into.add(job.task, prediction)


def _conclusion(within: bool, whole: bool, changed: Changes, bound: Bound) -> Message:
    if not changed.images:
        return Message("no comparable prediction")
    stands, changes = _CONCLUSIONS["broken" if not whole else "within" if within else "outside"]
    if whole and not within and not bound.binding:
        stands, changes = _CONCLUSIONS["estimate"]
    return changes if changed.flipped else stands


_CONCLUSIONS = {
    "broken": (
        Message("no comparable prediction changed; other outputs are broken"),
        Message("some predictions changed; other outputs are broken"),
    ),
    "within": (
        Message("within tolerance; no prediction changed"),
        Message("within tolerance, but predictions changed: their top two scores were closer than the tolerance"),
    ),
    "estimate": (
        Message("no prediction changed, but the error exceeds the rounding of the data type; accuracy decides"),
        Message("some predictions changed, and the error exceeds the rounding of the data type; accuracy decides"),
    ),
    "outside": (Message("outside tolerance, but no prediction changed"), Message("outside tolerance")),
}
"""What the errors come to: where every answer stands, and where one changed."""


def _misfit(name: str, wanted: np.ndarray, got: np.ndarray | None) -> Message:
    if got is None:
        return Message("output `{output}` is missing", output=name)
    return Message(
        "output `{output}` has shape {shape}, the reference has {wanted}",
        output=name,
        shape=_shape(got),
        wanted=_shape(wanted),
    )


def _least_cosine(a: np.ndarray, b: np.ndarray) -> float | None:
    import numpy as np

    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    if not norms.all():
        return None
    return float(min(1.0, ((a * b).sum(axis=1) / norms).min()))


def _broken(name: str, batch: int, problem: Text, rows: int = 0, *, shape: bool = False) -> OutputParity:
    return OutputParity(
        output=name,
        batch=batch,
        rows=rows,
        shape_matches=shape,
        finite=not shape,
        max_abs_error=None,
        mean_abs_error=None,
        relative_error=None,
        cosine=None,
        allowed=None,
        passed=False,
        problem=problem,
    )


def _shape(array: np.ndarray) -> str:
    return "×".join(map(str, array.shape))
