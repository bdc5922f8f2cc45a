"""A runtime as a device of low precision would be: ONNX Runtime whose outputs are rounded to a coarse grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from porter import hookimpl
from porter.builtin.onnxruntime import OnnxRuntime, OnnxRuntimeSession
from porter.contracts.runtime import BuildRequest, OpenRequest, Runtime, Session
from porter.records.artefact import Artefact

STEP = 0.5


class CoarseSession(OnnxRuntimeSession):
    def __init__(self, request: OpenRequest) -> None:
        super().__init__(request)
        self.info = replace(self.info, runtime="coarse")

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: np.round(values / STEP) * np.float32(STEP) for name, values in super().run(feeds).items()}


class CoarseRuntime(OnnxRuntime):
    name = "coarse"

    def build(self, request: BuildRequest) -> Artefact:
        return replace(super().build(request), runtime=self.name)

    def open(self, request: OpenRequest) -> Session:
        return CoarseSession(request)


@hookimpl
def porter_runtimes() -> Sequence[Runtime]:
    return [CoarseRuntime()]
