"""The reference: the loaded module run by PyTorch, in eval mode and without gradients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from porter.contracts.runtime import Session
from porter.hosting.plugin_faults import GivenFault, described, passes
from porter.hosting.specs import by
from porter.records.artefact import SessionInfo

if TYPE_CHECKING:
    import numpy as np


_untouched: list[int] = []
"""Threads of PyTorch before the first session of this process was made."""


def threads_untouched() -> int | None:
    """PyTorch's threads before the first session of this process set them; None: there was none."""
    return _untouched[0] if _untouched else None


class TorchSession(Session):
    """Runs a `torch.nn.Module` that takes a tensor for each input of the spec, in that order, and returns one tensor,
    several, or a mapping of them."""

    def __init__(self, module: Any, inputs: tuple[str, ...], outputs: tuple[str, ...], threads: int) -> None:
        import torch

        if not _untouched:
            _untouched.append(torch.get_num_threads())
        torch.set_num_threads(threads)
        self._torch = torch
        self._module = module
        self._inputs, self._outputs = inputs, outputs
        self.info = SessionInfo(
            runtime="pytorch",
            version=str(torch.__version__),
            precision=_precision(module),
            provider=str(next((p.device.type for p in module.parameters()), "cpu")),
            threads=torch.get_num_threads(),
        )

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        try:
            with self._torch.inference_mode():
                result = self._module(*(self._torch.from_numpy(feeds[name]) for name in self._inputs))
        except Exception as error:
            if passes(error) or isinstance(error, ModuleNotFoundError):
                raise
            given = ", ".join(f"{values.dtype} {by(values.shape)}" for values in feeds.values())
            raise GivenFault("porter_load", f" gave a module that raised {described(error)} for {given}") from error
        return {
            name: (value.float() if value.is_floating_point() else value).numpy()
            for name, value in self._named(result).items()
        }

    def _named(self, result: Any) -> dict[str, Any]:
        """The outputs of the spec by name. Raises `GivenFault` where the module gave others."""
        if isinstance(result, dict):
            named = {name: result[name] for name in self._outputs if name in result}
            given = f"outputs {', '.join(map(repr, result)) or 'none'}"
        else:
            values = result if isinstance(result, tuple | list) else (result,)
            named = dict(zip(self._outputs, values, strict=False)) if len(values) == len(self._outputs) else {}
            given = f"{len(values)} outputs"
        wanted = f"the spec names {', '.join(map(repr, self._outputs))}"
        if len(named) < len(self._outputs):
            raise GivenFault("porter_load", f" gave a module that returned {given}, {wanted}")
        for name, value in named.items():
            if not isinstance(value, self._torch.Tensor):
                kind = type(value).__name__
                raise GivenFault("porter_load", f" gave a module that returned {kind} as output {name!r}, not a tensor")
        return named


def _precision(module: Any) -> str:
    names = {"torch.float32": "fp32", "torch.float16": "fp16", "torch.bfloat16": "bf16", "torch.float64": "fp64"}
    return "+".join(sorted({names.get(str(p.dtype), str(p.dtype)) for p in module.parameters()})) or "fp32"
