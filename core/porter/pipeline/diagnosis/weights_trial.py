"""Weights that load and are the wrong ones: the other set of the file, another eps, statistics of a new BatchNorm.

Each is tried on labelled images through the reference, and named where it is better by more than chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from porter.builtin.pytorch import TorchSession
from porter.contracts.requests import LoadRequest
from porter.contracts.rows import single
from porter.contracts.runtime import Session
from porter.diagnose.found import Found, finding, ruled_out, together
from porter.diagnose.modules.batchnorm import as_initialised, norms
from porter.errors import PorterError
from porter.machine.statistics import mcnemar_exact
from porter.pipeline.diagnosis.conditions import Conditions
from porter.pipeline.evaluation.infer import infer
from porter.pipeline.evaluation.judging import predictions_of
from porter.pipeline.evaluation.prepare import readable
from porter.pipeline.evaluation.shapes import Prepared, source_of
from porter.pipeline.job.job import Job
from porter.pipeline.job.loading import load_model, reference_of
from porter.records.diagnosed import Surety
from porter.records.message import Message, Text

IMAGES = 128
"""Labelled images that an alternative is scored on."""
SIGNIFICANCE = 0.01
"""Largest p, times the alternatives tried, of a finding."""
EPS = (1e-5, 1e-3, 1e-2, 1e-6)
"""As PyTorch, TensorFlow and older frameworks have it."""


@dataclass(frozen=True, kw_only=True)
class _Alternative:
    cause: str
    title: Message
    option: str
    """What is added to the command of the export; empty: it is the plugin's or the config's to change."""
    session: Callable[[], Session]


def weights_trial(conditions: Conditions) -> Found:
    """All of it where accuracy fails; nothing where it does not, since labels alone can tell."""
    module = conditions.job.loaded.module
    torch_module = module if hasattr(module, "named_modules") else None
    parts = [_new_statistics(conditions, torch_module)] if torch_module is not None else []
    tried = list(_alternatives(conditions.job, torch_module))
    if tried:
        images = readable(conditions.job.data, IMAGES)
        declared = _scores(conditions.job, conditions.job.reference, images)
        parts += [_tried(conditions, one, images, declared, len(tried)) for one in tried]
    return together(parts)


def _new_statistics(conditions: Conditions, module: Any) -> Found:
    named, count = as_initialised(module), len(norms(module))
    if not count:
        return Found()
    if not named:
        return ruled_out(Message("BatchNorm statistics"), Message("none of {count} has initial values", count=count))
    text = Message(
        "weights: {named} of {count} BatchNorms have initial statistics, mean 0 and variance 1 (first: {first})",
        named=len(named),
        count=count,
        first=named[0] or Message("the model itself"),
    )
    return finding("weights statistics", text, conditions.command("export"), Surety.LOCATED)


def _alternatives(job: Job, module: Any) -> Iterator[_Alternative]:
    report = job.loaded.report
    for name in report.weights_offered:
        if name != report.weights:
            title = Message("{name} of the checkpoint instead of {used}", name=name, used=report.weights)
            yield _Alternative(
                cause="weights set",
                title=title,
                option=f" --weights {name}",
                session=partial(_other, job, name),
            )
    own = sorted({float(one.eps) for _, one in norms(module)}) if module is not None else []
    for eps in EPS if own and job.loaded.reference is None else ():
        if own != [eps]:
            title = Message("BatchNorm eps {eps:g} instead of {own}", eps=eps, own=tuple(f"{one:g}" for one in own))
            yield _Alternative(cause="weights eps", title=title, option="", session=partial(_WithEps, job, module, eps))


def _tried(
    conditions: Conditions, one: _Alternative, images: Sequence[Prepared], declared: Sequence[float], tried: int
) -> Found:
    try:
        scores = _scores(conditions.job, one.session(), images)
    except PorterError as error:
        return ruled_out(one.title, Message("it cannot be tried: {problem}", problem=str(error)))
    better = sum(b > a for a, b in zip(declared, scores, strict=True))
    worse = sum(b < a for a, b in zip(declared, scores, strict=True))
    figures = {"new": 100 * sum(scores) / len(scores), "now": 100 * sum(declared) / len(scores), "count": len(scores)}
    if better > worse and tried * mcnemar_exact(better, worse) <= SIGNIFICANCE:
        text = Message("weights: with {change}, accuracy is {new:.2f}% instead of {now:.2f}% on {count} images",
                       change=one.title, **figures)  # fmt: skip
        other = conditions.record.tried
        best = max((found.value for found in other.better), default=0.0) if other is not None else 0.0
        surety = Surety.MEASURED if figures["new"] >= best else Surety.LIKELY  # the better of two explanations
        return finding(one.cause, text, conditions.command("export") + one.option, surety)
    evidence: Text = Message("{new:.2f}% instead of {now:.2f}% on {count} images", **figures)
    return ruled_out(one.title, evidence)


def _scores(job: Job, session: Session, images: Sequence[Prepared]) -> list[float]:
    """The score of each image, 0 where the outputs are not finite."""
    scorer = job.task.scorer(job.spec, job.data.manifest)
    scores = []
    for one in images:
        outputs = infer(job, session, single(one.arrays))
        [prediction] = predictions_of(job, outputs, [source_of(one, job.data.items)])
        scores.append(float(scorer.add(job.data.items[one.index], prediction)))
    return scores


def _other(job: Job, weights: str) -> Session:
    request = LoadRequest(
        spec=job.spec,
        config=job.files.config,
        checkpoint=job.checkpoint,
        weights=weights,
        trust_checkpoint=job.request.trust_checkpoint,
        threads=job.threads,
    )
    loaded = load_model(job.hooks, request)
    return reference_of(loaded, job.spec, job.hooks.plugin, job.threads)


class _WithEps(Session):
    """The model with another eps in every BatchNorm, during each call alone."""

    def __init__(self, job: Job, module: Any, eps: float) -> None:
        self._session = TorchSession(
            module,
            tuple(one.name for one in job.spec.inputs),
            tuple(one.name for one in job.spec.outputs),
            job.threads,
        )
        self.info = replace(self._session.info)
        self._module, self._eps = module, eps

    def run(self, feeds: Any) -> dict[str, Any]:
        with _eps(self._module, self._eps):
            return self._session.run(feeds)


@contextmanager
def _eps(module: Any, eps: float) -> Iterator[None]:
    before = [(one, one.eps) for _, one in norms(module)]
    try:
        for one, _ in before:
            one.eps = eps
        yield
    finally:
        for one, own in before:
            one.eps = own
