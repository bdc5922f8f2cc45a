"""Calibration: the range of every activation over a set of images, by the methods of ONNX Runtime's quantiser."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from porter.graphs.quantize.int8_graph import quantiser

if TYPE_CHECKING:
    import numpy as np

OPERATORS = (
    *("Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "Mul", "Relu", "Clip", "LeakyRelu"),
    *("MaxPool", "AveragePool", "GlobalAveragePool", "Concat", "Split", "Slice", "Pad", "Resize"),
    *("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose"),
)
"""Operators that are quantised. Those that sum, select or move values; softmax, normalisations and other curves stay in
float, where eight bits cost most and gain least."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """How the range of a tensor is chosen from its values."""

    name: str
    """Its name in the record."""
    options: dict[str, float] = field(default_factory=dict)
    """Its settings, by ONNX Runtime's names."""


METHODS = (
    Method(name="minmax"),
    Method(name="percentile", options={"percentile": 99.99}),
    Method(name="entropy"),
)
"""In the order in which they are tried. The first keeps every value; the second cuts off rare ones, which makes the
steps finer; the third weighs the one against the other by Kullback-Leibler divergence."""


def measure(
    graph: Path,
    method: Method,
    feeds: Iterable[Mapping[str, np.ndarray]],
    advance: Callable[[int], None] = lambda _count: None,
) -> Any:
    """The range of every activation of the float graph over `feeds`, inputs by name. Returns ONNX Runtime's own
    `TensorsData`.

    Values are taken feed by feed, so that the tensors of one feed lie in memory and no more. Raises `BadInput` where
    the graph cannot be run on them.
    """
    with quantiser(graph), tempfile.TemporaryDirectory(prefix="porter-ranges-") as folder:
        from onnxruntime.quantization import CalibrationMethod, create_calibrator

        kinds = {
            "minmax": CalibrationMethod.MinMax,
            "percentile": CalibrationMethod.Percentile,
            "entropy": CalibrationMethod.Entropy,
        }
        calibrator = create_calibrator(
            graph,
            list(OPERATORS),
            augmented_model_path=str(Path(folder) / "augmented.onnx"),
            calibrate_method=kinds[method.name],
            # A symmetric range lets negative values through where the quantiser has dropped a Relu for the range.
            extra_options={**method.options, "symmetric": False},
        )
        for feed in feeds:
            calibrator.collect_data(_reader(feed))
            advance(1)
        return calibrator.compute_data()


def _reader(feed: Mapping[str, np.ndarray]) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Once(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left = [dict(feed)]

        def get_next(self) -> dict[str, np.ndarray] | None:
            return self._left.pop() if self._left else None

    return Once()
