"""The model in memory against its checkpoint, which core reads itself: nothing is taken from the plugin's report but
what it says that it computed."""

from __future__ import annotations

from typing import Any

from porter.checkpoints.held_against import Held, ModelTensors, count_held, hold_against, tensors_of
from porter.checkpoints.naming import quoted
from porter.checkpoints.odd_contents import odd_contents
from porter.checkpoints.read import RawCheckpoint, read_checkpoint
from porter.checkpoints.stated_metrics import stated_metrics
from porter.checkpoints.tensor_index import TensorIndex
from porter.checkpoints.unwrap import every_set, find_weights
from porter.errors import PorterError
from porter.pipeline.job.job import Job
from porter.records.message import Message, Text
from porter.records.weights_audit import WeightsAudit

KEPT = 20
"""Names of each kind in the record."""


def audit_weights(job: Job) -> WeightsAudit:
    """Hold every tensor of the loaded model against the file, and look at its contents."""
    module = job.loaded.module
    if not (hasattr(module, "state_dict") and hasattr(module, "named_modules")):
        return WeightsAudit(not_compared=Message("the model is not a PyTorch module"))
    suspicions = tuple(odd_contents(module, job.spec.num_classes))
    if job.checkpoint is None:
        return WeightsAudit(not_compared=Message("there is no checkpoint file"), suspicions=suspicions)
    try:
        raw = read_checkpoint(job.checkpoint, trust=job.request.trust_checkpoint)
        sets = every_set(raw.content)
    except PorterError as error:
        reason = Message("porter cannot read the file itself: {reason}", reason=str(error))
        return WeightsAudit(not_compared=reason, suspicions=suspicions)
    stated = stated_metrics(raw.content)
    if not sets:
        reason = Message("porter found no weights in the file")
        return WeightsAudit(not_compared=reason, suspicions=suspicions, stated=stated)
    tensors = tensors_of(module)
    asked, indices = _asked(job, raw, sets), {key: TensorIndex(entries) for key, entries in sets.items()}
    key = _held(tensors, indices, asked)
    held = hold_against(tensors, indices[key], job.loaded.report.derived)
    return WeightsAudit(
        weights=key,
        asked=asked if asked != key else None,
        tensors=len(tensors.state),
        matched=len(held.pairs) - sum(name in held.strangers for name in held.pairs),
        folded=len(held.folded),
        derived=len(held.derived),
        constants=tuple(quoted(name) for name in held.constants[:KEPT]),
        strangers=_first(held),
        strangers_count=len(held.strangers),
        entries=len(indices[key].tensors),
        homeless=tuple(quoted(name) for name in held.homeless[:KEPT]),
        homeless_count=len(held.homeless),
        fits=job.loaded.report.fits,
        suspicions=suspicions,
        stated=stated,
    )


def _asked(job: Job, raw: RawCheckpoint, sets: dict[str, Any]) -> str:
    """Key of the set that the model should hold: `--weights`, or what the plugin reports, or what core would take."""
    said = job.request.weights or job.loaded.report.weights
    try:
        found = find_weights(raw, weights=said or None)
    except PorterError:
        return next(iter(sets))
    sets.setdefault(found.key, found.entries)
    return found.key


def _held(tensors: ModelTensors, indices: dict[str, TensorIndex], asked: str) -> str:
    """Key of the set whose values the model holds: the one asked for unless another has more of them."""
    if len(indices) == 1:
        return asked
    counts = {asked: count_held(tensors, indices[asked])}
    if counts[asked] < len(tensors.state):
        counts |= {key: count_held(tensors, index) for key, index in indices.items() if key != asked}
    return max(counts, key=lambda key: (counts[key], key == asked))


def _first(held: Held) -> dict[str, Text]:
    return {quoted(name): held.strangers[name] for name in list(held.strangers)[:KEPT]}
