"""PyTorch's own modules against the model exported afresh: whether the exporter is at fault, and where."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from porter.diagnose.found import Found, finding, ruled_out
from porter.diagnose.graph_findings import LineKind, graph_findings
from porter.diagnose.modules.locate import Located, locate, told
from porter.diagnose.modules.module_outputs import hear
from porter.errors import PorterError
from porter.graphs.nodes import diagnose_graphs
from porter.graphs.onnx_probe import OnnxProbe
from porter.pipeline.diagnosis.afresh import AFRESH, Afresh
from porter.pipeline.diagnosis.conditions import Conditions
from porter.pipeline.diagnosis.rounding_signs import weights_sign
from porter.pipeline.diagnosis.through_onnx import Compared, batch_of, through_file, wanted_of
from porter.pipeline.evaluation.infer import Listener, infer
from porter.pipeline.session_checks.changed_outputs import exchanged_outputs
from porter.pipeline.session_checks.same_outputs import Same
from porter.records.diagnosed import Surety
from porter.records.message import Message, Text
from porter.records.parity import Tolerance

if TYPE_CHECKING:
    import numpy as np

CORE = "porter's own export"
ROWS = 2
"""Images that go through the hooks."""


def export_trial(conditions: Conditions, fresh: Afresh) -> Found:
    """The model exported afresh against the reference. Where it differs: the plugin's export against core's own, and
    then module by module, named as PyTorch names them."""
    job, tolerance = conditions.job, Tolerance()
    path = fresh.at(job.opset)
    compared = through_file(conditions, path, tolerance)
    batched = through_file(conditions, path, tolerance, batched=True)
    if compared.passed and not batched.passed and conditions.job.spec.fixed_batch is None:
        text = Message(
            "exporter: the graph has a fixed batch size: single images are correct, a batch is not ({problem})",
            problem=_plain(batched),
        )
        return finding("exporter batch", text, conditions.command("export"), Surety.LOCATED)
    if compared.passed and compared.worst is not None:
        evidence = Message(
            "the model re-exported at opset {opset} equals the reference, node by node in ONNX Runtime "
            "(max abs error {error:.3g}, limit {allowed:.3g})",
            opset=job.opset,
            error=compared.worst.max_abs_error,
            allowed=compared.worst.allowed,
        )
        return ruled_out(Message("the exporter"), evidence)
    same = Same(wanted_of(conditions), compared.outputs, tolerance)
    if compared.outputs and (exchanged := exchanged_outputs(same)) is not None:
        text = Message("exporter: the re-exported model: {sign}", sign=exchanged.detail)
        return finding("exporter outputs", text, conditions.command("export"), Surety.LOCATED)
    if sign := weights_sign(conditions, path):
        text = Message("exporter: the re-exported model: {sign}", sign=sign)
        return finding("exporter rounded", text, conditions.command("export"), Surety.LOCATED)
    module = located(conditions, path)
    where = _against_core(conditions, fresh, path, module) or ("" if module is None else told(module))
    text = Message("exporter: {where}", where=where) if where else _plain(compared)
    surety = Surety.LOCATED if where else Surety.MEASURED
    return finding("exporter", text, conditions.command("export"), surety)


def _plain(compared: Compared) -> Message:
    if compared.problem:
        return Message("exporter: the re-exported model fails to run: {problem}", problem=compared.problem)
    worst = compared.worst
    if worst is not None and worst.problem:
        return Message("exporter: the re-exported model: {problem}", problem=worst.problem)
    return Message(
        "exporter: the re-exported model differs from PyTorch: max abs error {error:.3g}, limit {allowed:.3g}",
        error=None if worst is None else worst.max_abs_error,
        allowed=None if worst is None else worst.allowed,
    )


def _against_core(conditions: Conditions, fresh: Afresh, path: Path, module: Located | None) -> Text:
    """What a plugin's export does otherwise than core's own, where core's is right; empty where it is not.

    `module` is the first that differs: what explains it by name goes before what differs in the files."""
    try:
        own = fresh.by_core(conditions.job.opset)
    except PorterError:
        return ""
    if own is None or not through_file(conditions, own, Tolerance()).passed:
        return ""
    giver = conditions.job.hooks.giver("porter_export")
    if module is not None and module.explained:
        return Message("{giver}: porter's own export is correct; {difference}", giver=giver, difference=told(module))
    if not (lines := difference(conditions, own, path, CORE, AFRESH)):
        return Message("{giver} writes an incorrect graph; porter's own export is correct", giver=giver)
    return Message("{giver}: porter's own export is correct; {difference}", giver=giver, difference=lines[0][1])


def difference(
    conditions: Conditions, right: Path, wrong: Path, right_name: str, wrong_name: str
) -> list[tuple[LineKind, Message]]:
    """What two ONNX files differ in, what shows in the files first; empty where they cannot be compared."""
    try:
        reference, candidate = _probe(conditions, right), _probe(conditions, wrong)
        reference.label, candidate.label = right_name, wrong_name
        graph = diagnose_graphs(reference, candidate, [_feed(conditions)])
    except PorterError:
        return []
    return sorted(graph_findings(graph), key=lambda one: one[0] is not LineKind.FILE)


def located(conditions: Conditions, path: Path) -> Located | None:
    """The first module that an ONNX file computes otherwise; None where none stands out."""
    module, job = conditions.job.loaded.module, conditions.job
    if not hasattr(module, "named_modules"):
        return None
    batch = batch_of(conditions, ROWS)
    try:
        heard = hear(module, lambda: infer(job, job.reference, batch))
        found, _ = locate(heard, _probe(conditions, path), _feed(conditions), Tolerance())
    except PorterError:
        return None
    return found


def _probe(conditions: Conditions, path: Path) -> OnnxProbe:
    return OnnxProbe.read(path, threads=conditions.job.threads)


def _feed(conditions: Conditions) -> dict[str, np.ndarray]:
    batch = batch_of(conditions, ROWS)
    return Listener(conditions.job).hear(batch)
