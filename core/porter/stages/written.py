"""written: what a run left in its folder, by content."""

from __future__ import annotations

from pathlib import Path

from porter.hashes import file_digest
from porter.records.message import Message, Text
from porter.records.run import OutputFile, RunRecord
from porter.stages.evaluation.evaluate import PREDICTIONS


def written(folder: Path, record: RunRecord) -> tuple[OutputFile, ...]:
    """The run's files; the documents are left out, since they are made from this list."""
    found: list[tuple[str, Text]] = []
    if record.export is not None:
        found.append((record.export.path, Message("ONNX, opset {opset}", opset=record.export.facts.opset)))
    found += [
        (file.path, Message("artefact {artefact}", artefact=artefact.id))
        for artefact in (*record.artefacts, *(one for kit in record.kits for one in kit.built))
        for file in artefact.files
    ]
    if record.evaluations:
        found.append((PREDICTIONS, Message("the answer for every image, by every evaluation")))
        found += [(name, Message("accuracy in the task's own format")) for name in record.task_files]
    unique = dict(reversed(found))
    return tuple(
        OutputFile(path=path, sha256=file_digest(folder / path), size_bytes=(folder / path).stat().st_size, what=what)
        for path, what in reversed(unique.items())
        if (folder / path).exists()
    )
