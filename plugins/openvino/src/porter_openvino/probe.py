"""Tensors inside a model, in OpenVINO on the CPU, in any precision that the CPU has."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from porter import BadInput, Probe, ProbeRequest, did_you_mean, one_line
from porter_openvino.compiling import Compiled, compile_model, import_openvino, read_model, reason

if TYPE_CHECKING:
    import numpy as np

FIXED = frozenset({"Parameter", "Constant", "Result"})
"""Nodes that compute nothing."""


class OpenVinoProbe(Probe):
    """A model in OpenVINO, whose intermediate tensors are fetched by making them outputs: of a run the artefact's own
    files, whose tensors keep the names that they have in the ONNX file.

    An output cannot be fused away, and in a lower precision OpenVINO keeps what comes just before an output in float32,
    convolutions and matrix products apart. A model whose tensors are fetched therefore rounds at other places than in
    use; how much that changes shows in its final outputs, which are as in use when they are fetched by themselves.

    Float tensors come as float32, whatever they are in the file.
    """

    def __init__(self, request: ProbeRequest) -> None:
        """Raises `BadInput` for a file that OpenVINO cannot read or compile, and `Missing` where OpenVINO is not
        installed, or would compute in another precision."""
        self._ov = import_openvino()
        self._path = request.path or request.onnx
        named = f"{one_line(self._path.name)} in OpenVINO {request.precision}"
        self.label = named if request.artefact is None else request.artefact.id
        self._precision, self._threads = request.precision, request.threads
        self._model = read_model(self._path)
        self._inputs = {port.get_any_name(): port for port in self._model.inputs}
        self._outputs = {name for port in self._model.outputs for name in port.get_names()}
        self._names = _computed(self._model)
        compiled = self._compile(frozenset())
        self._layers = compiled.layers
        self._current: tuple[frozenset[str], Any] | None = (frozenset(), compiled.model)
        """The tensors made outputs last, and the model compiled so."""

    def names(self) -> Sequence[str]:
        """The tensors that OpenVINO kept the names of when it read the file; folded and merged ones are not there."""
        return self._names

    def fetch(self, names: Sequence[str], feed: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """These tensors. Raises `BadInput` where the feed does not fit or OpenVINO fails."""
        for name in names:
            if name not in self._names:
                near = did_you_mean(name, self._names)
                raise BadInput(f"OpenVINO has no tensor {one_line(name)!r}{near}")
        fed, model = self._fed(feed), self._with(frozenset(names) - self._outputs)
        try:
            request = model.create_infer_request()
            request.start_async(fed)  # with one thread, `infer` loses what the layers raise and gives stale outputs
            request.wait()
            return {name: request.get_tensor(name).data.copy() for name in names}
        except RuntimeError as error:
            raise BadInput(f"OpenVINO cannot run it: {reason(error)}") from None

    def notes(self) -> Sequence[str]:
        """In which precision the layers of the model in use are computed."""
        counts = ", ".join(f"{name} {count}" for name, count in self._layers.items())
        return (f"{self.label}: matrix layers by the precision that they run in: {counts or 'none'}",)

    def close(self) -> None:
        self._current = None

    def _with(self, added: frozenset[str]) -> Any:
        """The compiled model with these tensors as further outputs."""
        if self._current is None or self._current[0] != added:
            self._current = None  # two compiled models at once would need twice the memory
            self._current = (added, self._compile(added).model)
        return self._current[1]

    def _compile(self, added: Collection[str]) -> Compiled:
        model = self._model.clone()
        try:
            if added:
                model.add_outputs(sorted(added))
            model = self._as_float32(model)
        except RuntimeError as error:
            raise BadInput(f"{one_line(self._path)}: OpenVINO cannot make tensors outputs: {reason(error)}") from None
        return compile_model(model, one_line(self._path), self._precision, self._threads)

    def _as_float32(self, model: Any) -> Any:
        """Let float inputs and outputs be float32 outside the model; numpy has no bfloat16."""
        steps = self._ov.preprocess.PrePostProcessor(model)
        for ports, place in ((model.inputs, steps.input), (model.outputs, steps.output)):
            for index, port in enumerate(ports):
                if port.get_element_type().is_real():
                    place(index).tensor().set_element_type(self._ov.Type.f32)
        return steps.build()

    def _fed(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The feed, checked: OpenVINO casts what it is given without a word."""
        import numpy as np

        if set(feed) != set(self._inputs):
            raise BadInput(f"OpenVINO has the inputs {_listed(self._inputs)}, got {_listed(feed)}")
        fed = {}
        for name, port in self._inputs.items():
            wanted, array = port.get_element_type(), np.asarray(feed[name])
            if (array.dtype.kind != "f") if wanted.is_real() else (array.dtype != wanted.to_dtype()):
                title = one_line(name)
                raise BadInput(f"OpenVINO: input {title!r} is {wanted.get_type_name()}, got {array.dtype}")
            fed[name] = np.ascontiguousarray(array, np.float32) if wanted.is_real() else np.ascontiguousarray(array)
        return fed


def _computed(model: Any) -> list[str]:
    """The names of what the nodes compute, in topological order."""
    computing = (node for node in model.get_ordered_ops() if node.get_type_name() not in FIXED)
    return [name for node in computing for port in node.outputs() for name in sorted(port.get_names())]


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(map(one_line, names)) or "none"
