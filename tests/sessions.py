"""Requests to open an ONNX file by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from porter.contracts.runtime import OpenRequest
from porter.records.artefact import Artefact
from porter.records.spec import ModelSpec, PreprocessSpec

SPEC = ModelSpec(name="any", task="", inputs=(), outputs=(), preprocess=PreprocessSpec(resize=1, crop=(1, 1)))


def opening(path: Path, artefact: Artefact | None = None, *, threads: int = 1, **how: Any) -> OpenRequest:
    """How to open the file at `path`, on one thread unless more are asked for."""
    plain = Artefact(runtime="onnxruntime", precision="fp32", path=path.name)
    return OpenRequest(artefact=artefact or plain, path=path, spec=SPEC, threads=threads, **how)
