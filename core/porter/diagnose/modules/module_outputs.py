"""What each module of a PyTorch model gives, heard by forward hooks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

MOST_BYTES = 1 << 30
"""Of what is kept; modules beyond it are not compared."""


FOLDED = ("BatchNorm", "Dropout", "Identity")
"""What the names of modules begin with that an exporter folds into the one before them, or leaves out."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Heard:
    """One call of a module that takes and gives a tensor."""

    name: str
    """Dotted; empty for the model itself."""
    module: Any
    """The `torch.nn.Module`."""
    given: np.ndarray | None
    """Its first argument, of one that an exporter may fold; else None."""
    output: np.ndarray

    @property
    def kind(self) -> str:
        """The name of its class."""
        return type(self.module).__name__


def hear(module: Any, run: Callable[[], object]) -> list[Heard]:
    """Every module that `run` calls exactly once and that gives one tensor, in the order in which they end."""
    import torch

    found: list[Heard] = []
    calls: Counter[str] = Counter()
    held = 0

    def listen(name: str) -> Callable[[Any, tuple[Any, ...], Any], None]:
        def heard(called: Any, given: tuple[Any, ...], output: Any) -> None:
            nonlocal held
            calls[name] += 1
            if not isinstance(output, torch.Tensor) or held > MOST_BYTES:
                return
            folds = type(called).__name__.startswith(FOLDED) and given and isinstance(given[0], torch.Tensor)
            before = given[0].detach().float().cpu().numpy().copy() if folds else None
            values = output.detach().float().cpu().numpy().copy()
            held += values.nbytes + (0 if before is None else before.nbytes)
            found.append(Heard(name=name, module=called, given=before, output=values))

        return heard

    handles = [one.register_forward_hook(listen(name)) for name, one in module.named_modules()]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    return [one for one in found if calls[one.name] == 1]
