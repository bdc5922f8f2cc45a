"""OpenVINO on the CPU: the exported ONNX file as IR, computed in the precision that was asked for."""

from __future__ import annotations

import errno
import importlib.metadata
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from porter.contracts.runtime import BuildRequest, OpenRequest, Runtime, RuntimeStatus, Session
from porter.errors import BadInput, Missing, is_full_disk, one_line
from porter.files.hashes import file_digest
from porter.files.sealed import blobs
from porter.files.whole import whole_file
from porter.hookspecs import hookimpl
from porter.openvino import ADVICE, DEVICE, compile_model, cpu_precisions, import_openvino, read_model, reason
from porter.records.artefact import Artefact, ArtefactPart, SessionInfo

if TYPE_CHECKING:
    import numpy as np

NAME = "openvino"
TEXT_BYTES = 4096
"""Of one operation in an IR, at most; a large network with many branches takes 470."""


class OpenVinoSession(Session):
    """One compiled model with one inference request for each call at once; OpenVINO lines up those that no stream is
    free for.

    An artefact with a free batch is shaped for `OpenRequest.batch` where that is given, which makes it faster.
    """

    def __init__(self, request: OpenRequest) -> None:
        path, artefact, options = request.path, request.artefact, request
        _require_cpu(options.provider)
        model = read_model(path)
        batch = artefact.batch
        if batch is None and options.batch is not None:
            _fix_batch(model, options.batch, str(path))
            batch = options.batch
        with blobs(*_kept(artefact, options, batch)) as cache:
            compiled = compile_model(model, str(path), artefact.precision, options.threads, cache, options.streams)
        self._outputs = [result.get_friendly_name() for result in model.get_results()]
        self._dtype = model.inputs[0].get_element_type().to_dtype()
        self._tensor = import_openvino().Tensor
        self._request = compiled.model.create_infer_request
        self._requests: SimpleQueue[Any] = SimpleQueue()
        """Those that no call uses."""
        for _ in range(compiled.streams):
            self._requests.put(self._request())
        self.info = SessionInfo(
            runtime=NAME,
            version=importlib.metadata.version(NAME),
            precision=compiled.precision,
            provider=", ".join(compiled.model.get_property("EXECUTION_DEVICES")),
            threads=compiled.threads,
            streams=compiled.streams,
            batch=batch,
            layers=compiled.layers,
            loaded_from_cache=compiled.from_cache,
        )

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        import numpy as np

        if batch.dtype != self._dtype:  # OpenVINO would cast it
            raise BadInput(f"OpenVINO: the model takes {self._dtype}, was fed {batch.dtype}")
        # `infer`, given the array, takes 0.2 ms more to do the same, and with one thread it loses what the layers
        # raise and gives stale outputs.
        fed = self._tensor(np.require(batch, requirements=("C", "W")), shared_memory=True)
        try:
            request = self._requests.get_nowait()
        except Empty:
            request = self._request()
        try:
            request.set_input_tensor(0, fed)
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


class OpenVino(Runtime):
    """Builds an IR with float32 weights; the precision is that of the arithmetic, chosen when a session is opened."""

    name = NAME
    queues = True

    def status(self) -> RuntimeStatus:
        try:
            version = importlib.metadata.version(NAME)
            precisions = cpu_precisions()
        except (importlib.metadata.PackageNotFoundError, Missing) as error:
            advice = str(error) if isinstance(error, Missing) else ADVICE
            return RuntimeStatus(available=False, advice=advice)
        return RuntimeStatus(available=True, version=version, devices=(DEVICE,), precisions=precisions)

    def require(self, precision: str, provider: str | None) -> None:
        super().require(precision, provider)
        _require_cpu(provider)

    def build(self, request: BuildRequest) -> Artefact:
        batch = request.batch or request.spec.fixed_batch
        size = f"-bs{batch}" if batch else ""
        stem = request.onnx.stem.removesuffix(f"-{request.precision}")
        target = request.folder / f"{stem}-{NAME}-{request.precision}{size}.xml"
        weights = target.with_suffix(".bin")
        model = read_model(request.onnx)
        if batch is not None:
            _fix_batch(model, batch, str(request.onnx))
        _name_outputs(model, [output.name for output in request.spec.outputs], request.onnx)
        _save(model, target, weights)
        return Artefact(
            runtime=NAME,
            precision=request.precision,
            path=_below(target, request),
            batch=batch,
            command="openvino.save_model(…, compress_to_fp16=False)",
            sha256=file_digest(target),
            size_bytes=target.stat().st_size,
            parts=(
                ArtefactPart(
                    path=_below(weights, request), sha256=file_digest(weights), size_bytes=weights.stat().st_size
                ),
            ),
        )

    def open(self, request: OpenRequest) -> Session:
        return OpenVinoSession(request)


@hookimpl
def porter_runtimes() -> Sequence[Runtime]:
    return (OpenVino(),)


def _require_cpu(provider: str | None) -> None:
    if provider is not None and provider.upper() != DEVICE:
        raise Missing(f"runtime {NAME} runs on {DEVICE} only, not on {one_line(provider)!r}: leave --provider out")


def _kept(artefact: Artefact, options: OpenRequest, batch: int | None) -> tuple[Path | None, str]:
    """Where the compiled form is kept, and what it depends on."""
    if options.cache is None or not all(file.sha256 for file in artefact.files):
        return None, ""
    version = importlib.metadata.version(NAME)
    made_from = [file.sha256 for file in artefact.files]
    key = "\n".join([version, artefact.precision, str(batch), str(options.threads), str(options.streams), *made_from])
    return options.cache / NAME / f"{artefact.id}-{batch or 'any'}-{options.threads}-{options.streams}", key


def _name_outputs(model: Any, names: Sequence[str], onnx: Path) -> None:
    """Give each result the output's name: a tensor of an IR can have several names, in no order."""
    results = model.get_results()
    found = [result.get_output_tensor(0).get_names() for result in results]
    if len(found) != len(names) or any(name not in known for name, known in zip(names, found, strict=True)):
        shown = ", ".join("/".join(sorted(known)) for known in found)
        raise BadInput(f"{onnx}: OpenVINO reads outputs {one_line(shown)}, the model has {', '.join(names)}")
    for result, name in zip(results, names, strict=True):
        result.set_friendly_name(name)


def _fix_batch(model: Any, batch: int, label: str) -> None:
    """Fix the first dimension of every input to `batch`."""
    shapes = {}
    for port in model.inputs:
        shape = port.get_partial_shape()
        shape[0] = batch
        shapes[port] = shape
    try:
        model.reshape(shapes)
    except RuntimeError as error:
        raise BadInput(f"{label}: OpenVINO cannot fix its batch to {batch}: {reason(error)}") from None


def _save(model: Any, target: Path, weights: Path) -> None:
    """Write the IR and read it back. Either file appears whole, and the graph only beside its own weights."""
    try:
        target.unlink(missing_ok=True)
        with (
            tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.", suffix=".part") as place,
            whole_file(target) as graph_file,
            whole_file(weights) as weights_file,
        ):
            written = Path(place) / target.name
            # OpenVINO's own default would store the weights in half precision.
            try:
                import_openvino().save_model(model, str(written), compress_to_fp16=False)
            except RuntimeError:
                # It does not say why: the room that is left does.
                if shutil.disk_usage(place).free < _most_bytes(model):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from None
                raise
            read_model(written)
            written.with_suffix(".bin").replace(weights_file)
            written.replace(graph_file)
    except OSError as error:
        if is_full_disk(error):
            raise OSError(error.errno, error.strerror, str(target)) from None
        raise BadInput(f"{target}: cannot be written: {error.strerror}") from None
    except RuntimeError as error:
        raise BadInput(f"{target}: OpenVINO cannot write it: {reason(error)}") from None


def _most_bytes(model: Any) -> int:
    """Bytes that the IR of `model` takes at most: its constants, and the text of the graph."""
    operations = model.get_ops()
    constants = [one for one in operations if one.get_type_name() == "Constant"]
    return sum(int(one.get_byte_size()) for one in constants) + TEXT_BYTES * len(operations)


def _below(path: Path, request: BuildRequest) -> str:
    return str(path.relative_to(request.folder.parent))
