"""The model exported afresh into a folder of its own, so that a file that somebody edited shows against it."""

from __future__ import annotations

from pathlib import Path

from porter.builtin.defaults import porter_export
from porter.contracts.requests import ExportRequest
from porter.hosting.plugin_faults import GivenFault
from porter.pipeline.job.job import Job

AFRESH = "exported afresh"


class Afresh:
    """The model exported afresh into a folder, once at each opset that is asked for."""

    def __init__(self, job: Job, folder: Path) -> None:
        self._job, self._folder = job, folder

    def at(self, opset: int) -> Path:
        """As a run exports it, by the model's own plugin."""
        path = self._folder / str(opset) / "afresh.onnx"
        if not path.exists():
            path.parent.mkdir()
            with self._job.progress.step(f"diagnose: export again at opset {opset}"):
                self._job.hooks.export(self._job.loaded, ExportRequest(path=path, opset=opset))
        return path

    def by_core(self, opset: int) -> Path | None:
        """By core's own export, past every plugin; None where the model cannot be exported so."""
        path = self._folder / f"core {opset}" / "afresh.onnx"
        path.parent.mkdir(exist_ok=True)
        if not hasattr(self._job.loaded.module, "named_modules"):
            return None
        try:
            porter_export(loaded=self._job.loaded, request=ExportRequest(path=path, opset=opset))
        except GivenFault:
            return None
        return path
