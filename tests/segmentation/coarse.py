"""A runtime as a device of low precision would be: ONNX Runtime whose outputs are rounded to a coarse grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from porter import hookimpl
from porter.contracts.runtime import BuildRequest, Runtime, Session, SessionOptions
from porter.records.artefact import Artefact
from porter.runtimes.onnxruntime import OnnxRuntime, OnnxRuntimeSession

STEP = 0.5


class CoarseSession(OnnxRuntimeSession):
    def __init__(self, path: Path, artefact: Artefact, options: SessionOptions) -> None:
        super().__init__(path, artefact, options)
        self.info = replace(self.info, runtime="coarse")

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        return {name: np.round(values / STEP) * np.float32(STEP) for name, values in super().run(batch).items()}


class CoarseRuntime(OnnxRuntime):
    name = "coarse"

    def build(self, request: BuildRequest) -> Artefact:
        return replace(super().build(request), runtime=self.name)

    def open(self, artefact: Artefact, path: Path, options: SessionOptions) -> Session:
        return CoarseSession(path, artefact, options)


@hookimpl
def porter_runtimes() -> Sequence[Runtime]:
    return [CoarseRuntime()]
