"""A session of OpenVINO: one compiled model, and an inference request for each call at once."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from porter import Artefact, BadInput, Message, Missing, OpenRequest, Session, SessionInfo, blobs, one_line
from porter_openvino.compiling import DEVICE, NAME, Compiled, compile_model, import_openvino, read_model, reason
from porter_openvino.ir import fix_batch

if TYPE_CHECKING:
    import numpy as np


class OpenVinoSession(Session):
    """One compiled model with one inference request for each call at once; OpenVINO lines up those that no stream is
    free for.

    An artefact with a free batch is shaped for `OpenRequest.batch` where that is given, which makes it faster.
    """

    def __init__(self, request: OpenRequest) -> None:
        require_cpu(request.provider)
        path, artefact = request.path, request.artefact
        model = read_model(path)
        batch = artefact.batch
        if batch is None and request.batch is not None:
            fix_batch(model, request.batch, str(path))
            batch = request.batch
        with blobs(*_kept(request, batch)) as cache:
            compiled = compile_model(model, str(path), artefact.precision, request.threads, cache, request.streams)
        self._outputs = [result.get_friendly_name() for result in model.get_results()]
        self._inputs = _inputs_of(model, [tensor.name for tensor in request.spec.inputs])
        self._tensor = import_openvino().Tensor
        self._request = compiled.model.create_infer_request
        self._requests: SimpleQueue[Any] = SimpleQueue()
        """Those that no call uses."""
        for _ in range(compiled.streams):
            self._requests.put(self._request())
        self.info = _info(compiled, request.streams)

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        import numpy as np

        # `infer`, given the arrays, takes 0.2 ms more to do the same, and with one thread it loses what the layers
        # raise and gives stale outputs.
        fed = []
        for name, (place, dtype) in self._inputs.items():
            values = feeds[name]
            if values.dtype != dtype:  # OpenVINO would cast it
                raise BadInput(f"OpenVINO: model input {name!r} is {dtype}, got {values.dtype}")
            fed.append((place, self._tensor(np.require(values, requirements=("C", "W")), shared_memory=True)))
        try:
            request = self._requests.get_nowait()
        except Empty:
            request = self._request()
        try:
            for place, tensor in fed:
                request.set_input_tensor(place, tensor)
            request.start_async()
            request.wait()
            # Copies: the request writes its next outputs into the same memory.
            return {name: request.get_output_tensor(n).data.copy() for n, name in enumerate(self._outputs)}
        except RuntimeError as error:
            raise BadInput(f"OpenVINO: {reason(error)}") from None
        finally:
            self._requests.put(request)

    def close(self) -> None:
        self._requests = SimpleQueue()
        del self._request


def _inputs_of(model: Any, names: Sequence[str]) -> dict[str, tuple[int, Any]]:
    """Place and type of each input by the model's own name: a tensor of an IR can have several names."""
    found = {}
    for place, port in enumerate(model.inputs):
        known = port.get_names()
        name = next(
            (name for name in names if name in known), names[place] if place < len(names) else port.get_any_name()
        )
        found[name] = place, port.get_element_type().to_dtype()
    return found


def require_cpu(provider: str | None) -> None:
    """Raise `Missing` for any device but the CPU."""
    if provider is not None and provider.upper() != DEVICE:
        raise Missing(f"runtime {NAME} runs on {DEVICE} only, not on {one_line(provider)!r}: leave --provider out")


def _info(compiled: Compiled, streams: int) -> SessionInfo:
    """What OpenVINO says of the compiled model; of what was asked for only that it was not given."""
    fewer = Message("OpenVINO creates at most as many streams as threads")
    shape = compiled.model.inputs[0].get_partial_shape()
    return SessionInfo(
        runtime=NAME,
        version=importlib.metadata.version(NAME),
        precision=compiled.precision,
        provider=", ".join(compiled.model.get_property("EXECUTION_DEVICES")),
        threads=compiled.threads,
        streams=compiled.streams,
        batch=shape[0].get_length() if shape.rank.is_static and len(shape) and shape[0].is_static else None,
        layers=compiled.layers,
        loaded_from_cache=compiled.from_cache,
        announced={} if compiled.streams == streams else {"streams": fewer},
    )


def _kept(request: OpenRequest, batch: int | None) -> tuple[Path | None, str]:
    """Where the compiled form is kept, and what it depends on."""
    artefact: Artefact = request.artefact
    if request.cache is None or not all(file.sha256 for file in artefact.files):
        return None, ""
    version = importlib.metadata.version(NAME)
    settings = [version, artefact.precision, str(batch), str(request.threads), str(request.streams)]
    key = "\n".join([*settings, *(file.sha256 for file in artefact.files)])
    return request.cache / NAME / f"{artefact.id}-{batch or 'any'}-{request.threads}-{request.streams}", key
