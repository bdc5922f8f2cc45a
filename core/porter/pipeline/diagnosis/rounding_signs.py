"""A lesser precision than the one that is claimed, told from weights, outputs and errors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from porter.diagnose.rounding import rounded_to
from porter.graphs.onnxfile import all_tensors, read_onnx
from porter.pipeline.diagnosis.conditions import Conditions
from porter.pipeline.diagnosis.through_onnx import Compared
from porter.pipeline.judge.claimed_precision import size_told
from porter.pipeline.judge.tolerance import bound_for
from porter.records.artefact import Artefact
from porter.records.message import Message, Text
from porter.records.precision import PRECISIONS

if TYPE_CHECKING:
    import numpy as np

REDUCED = ("fp16", "bf16")


def weights_sign(conditions: Conditions, path: Path) -> Text:
    """That all weights of an ONNX file are values of a lesser format, and those of the model are not; else empty."""
    kind = rounded_to(_weights(path))
    if not kind or rounded_to(_parameters(conditions)):
        return ""
    return Message("all its weights are {precision} values, the model's own are not", precision=kind)


def sign_of(conditions: Conditions, artefact: Artefact, source: Path | None, ours: Compared) -> Text:
    """A lesser precision than the artefact claims, told from its numbers; empty where there is no sign of one."""
    if PRECISIONS.get(artefact.precision, PRECISIONS["fp32"]).unit_roundoff > PRECISIONS["fp32"].unit_roundoff:
        return ""
    truth = [values for one in conditions.truth for values in one.values()]
    if source is not None and (sign := weights_sign(conditions, source)):
        return sign
    if (kind := rounded_to(ours.outputs.values())) and not rounded_to(truth):
        return Message("all its outputs are {precision} values", precision=kind)
    return _recorded(conditions, artefact) or _of_size(conditions, ours)


def _recorded(conditions: Conditions, artefact: Artefact) -> Text:
    """What verify made of the size of the errors, which it held against those of rounded weights."""
    claimed = conditions.job.precision(artefact.precision)
    for parity in conditions.record.parity:
        if parity.candidate == artefact.id and parity.precision is not None:
            return size_told(parity.precision, artefact.id, claimed, within=False) or ""
    return ""


def _of_size(conditions: Conditions, ours: Compared) -> Text:
    """Errors between a tenth of what a format's rounding is estimated at, and that."""
    error = None if ours.worst is None else ours.worst.relative_error
    assert conditions.record.export is not None
    for name in REDUCED if error is not None else ():
        estimate = bound_for(conditions.job.request, PRECISIONS[name], conditions.record.export.facts.operators)
        if error is not None and 0.1 * estimate.tolerance.rtol <= error <= estimate.tolerance.rtol:
            return Message("its errors have the size of {precision} rounding (relative {error:.2g})", precision=name,
                           error=error)  # fmt: skip
    return ""


def _weights(path: Path) -> list[np.ndarray]:
    from onnx import numpy_helper

    model = read_onnx(path)
    return [numpy_helper.to_array(one) for one in all_tensors(model) if one.data_type == 1 and len(one.dims) > 1]


def _parameters(conditions: Conditions) -> list[np.ndarray]:
    module = conditions.job.loaded.module
    state: Mapping[str, object] = module.state_dict() if hasattr(module, "state_dict") else {}
    return [value.detach().float().cpu().numpy() for value in state.values() if value.dim() > 1]  # type: ignore[attr-defined]
