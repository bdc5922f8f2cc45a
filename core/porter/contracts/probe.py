"""A model whose intermediate tensors can be fetched by name, which is what a diagnosis compares."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


class Probe(abc.ABC):
    """A graph in a runtime. Tensors are known by their names in the ONNX file that it was made from."""

    label: str
    """What reports call it; of an artefact its id."""

    @abc.abstractmethod
    def names(self) -> Sequence[str]:
        """The tensors that can be fetched, in any order; the model's inputs are not among them."""

    @abc.abstractmethod
    def fetch(self, names: Sequence[str], feed: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """These tensors for one feed, inputs by name; floats as float32. A tensor that is not there after all is left
        out.

        Raises a `PorterError` where the model cannot be run at all.
        """

    def notes(self) -> Sequence[str]:
        """What else the report should say of this model; asked last."""
        return ()

    def close(self) -> None:  # noqa: B027 - most probes have nothing to release
        """Release what the probe holds."""
