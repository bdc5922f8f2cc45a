"""written: what a run left in its folder, by content."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from porter.files.hashes import file_digest, has_digest
from porter.records.artefact import ArtefactPart
from porter.records.message import Message, Text
from porter.records.record import OutputFile, RunRecord
from porter.runfolder.layout import PREDICTIONS


def written(folder: Path, record: RunRecord) -> tuple[OutputFile, ...]:
    """The run's files that are there; the documents are left out, since they are made from this list."""
    found: dict[str, OutputFile] = {}
    for file in (*_models(record), *_answers(folder, record)):
        if (folder / file.path).exists():
            found.setdefault(file.path, file)
    return tuple(found.values())


def changed(folder: Path, files: Iterable[OutputFile | ArtefactPart]) -> tuple[str, ...]:
    """Paths of those of a run's files that are gone, or are not what it wrote."""
    return tuple(file.path for file in files if not has_digest(folder / file.path, file.sha256))


def _models(record: RunRecord) -> Iterator[OutputFile]:
    """As the record has them: their digests were taken when they were made, and each use compares them again."""
    if record.export is not None:
        export = record.export
        what = Message("ONNX, opset {opset}", opset=export.facts.opset)
        yield OutputFile(path=export.path, sha256=export.sha256, size_bytes=export.facts.size_bytes, what=what)
    for artefact in (*record.artefacts, *(one for kit in record.kits for one in kit.built)):
        what = Message("artefact {artefact}", artefact=artefact.id)
        for file in artefact.files:
            yield OutputFile(path=file.path, sha256=file.sha256, size_bytes=file.size_bytes, what=what)


def _answers(folder: Path, record: RunRecord) -> Iterator[OutputFile]:
    if not record.evaluations:
        return
    whats: dict[str, Text] = {PREDICTIONS: Message("predictions for every image, by every model")}
    whats |= {name: Message("accuracy in the scorer's own format") for name in record.accuracy_files}
    for name, what in whats.items():
        path = folder / name
        if path.exists():
            size = path.stat().st_size
            yield OutputFile(path=name, sha256=file_digest(path), size_bytes=size, what=what)
