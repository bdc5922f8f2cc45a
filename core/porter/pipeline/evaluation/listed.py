"""Outputs of which each sample has rows of its own number, such as boxes, divided among the samples of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from porter.contracts.rows import ragged
from porter.errors import PluginError
from porter.hosting.specs import by
from porter.records.spec import ModelSpec, TensorSpec

if TYPE_CHECKING:
    import numpy as np


def divided(outputs: Mapping[str, np.ndarray], spec: ModelSpec, rows: int) -> dict[str, np.ndarray]:
    """The outputs of a call with `rows` samples: those that the spec declares so as one list for each of them.

    Raises `PluginError` where an index or a count is none.
    """
    found = dict(outputs)
    for tensor in spec.outputs:
        if tensor.is_listed and tensor.name in found and found[tensor.name].dtype.kind != "O":
            found[tensor.name] = _lists(outputs, tensor, rows)
    return found


def _lists(outputs: Mapping[str, np.ndarray], tensor: TensorSpec, rows: int) -> np.ndarray:
    import numpy as np

    values, name = outputs[tensor.name], tensor.name
    if tensor.counts:
        counts = _counts(outputs, tensor, rows)
        wrong = counts[(counts < 0) | (counts > values.shape[1])]
        if wrong.size:
            raise PluginError(f"output {tensor.counts!r} counts rows of {name!r} that it does not have: {wrong[0]}")
        return ragged((values[row, : int(count)] for row, count in enumerate(counts)), listed=True)
    if tensor.index_column is None:
        if rows != 1:
            raise PluginError(f"output {name!r} has rows of no sample: give its spec an index_column")
        return ragged([values], listed=True)
    if values.ndim != 2 or tensor.index_column >= values.shape[1]:
        raise PluginError(f"output {name!r} is {by(values.shape)}: it has no column {tensor.index_column}")
    index = np.rint(values[:, tensor.index_column]).astype(np.int64)
    if len(index) and not 0 <= index.min() <= index.max() < rows:
        wrong = int(index.min() if index.min() < 0 else index.max())
        raise PluginError(f"output {name!r}: column {tensor.index_column} says sample {wrong} of a batch of {rows}")
    rest = np.delete(values, tensor.index_column, axis=1)
    return ragged((rest[index == row] for row in range(rows)), listed=True)


def _counts(outputs: Mapping[str, np.ndarray], tensor: TensorSpec, rows: int) -> np.ndarray:
    """How many rows each sample has."""
    counts, values = outputs.get(tensor.counts), outputs[tensor.name]
    if counts is None:
        raise PluginError(f"no output {tensor.counts!r}, which says how many rows of {tensor.name!r} are filled")
    if counts.shape[:1] != (rows,) or values.shape[:1] != (rows,) or values.ndim < 2 or counts.size < rows:
        shapes = f"{by(counts.shape)} counts {tensor.name!r} of {by(values.shape)}"
        raise PluginError(f"output {tensor.counts!r} of {shapes}, for {rows} samples")
    return counts.reshape(rows, -1)[:, 0]
