"""Signs of the precision that an artefact really has: its errors, its weights, its layers; `judge` says what they mean.

Where an artefact that claims fp32 has errors larger than fp32 makes, the exported file is run as it is, with its input
moved by one step, and with its weights rounded to lesser precisions: that tells what each would make of this network.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from porter.builtin.onnxruntime import OnnxRuntimeSession
from porter.contracts.rows import Rows
from porter.contracts.runtime import OpenRequest
from porter.errors import PorterError
from porter.graphs.onnxfile import onnx_within, read_onnx
from porter.graphs.quantize.qdq_layers import quantised_layers
from porter.graphs.rounded_weights import ROUNDED, precision_of, round_weights, weights_of
from porter.pipeline.evaluation.infer import infer
from porter.pipeline.job.job import Job
from porter.pipeline.judge.claimed_precision import is_exact, is_suspicious
from porter.records.artefact import Artefact, SessionInfo
from porter.records.precision import INT8, Precision
from porter.records.precision_signs import PrecisionSigns
from porter.records.record import RunRecord

if TYPE_CHECKING:
    import numpy as np

Outputs = dict[str, "np.ndarray"]


@dataclass(frozen=True)
class Compared:
    """What verify fed, and what came of it: `wanted` from the reference, `got` from the artefact, of equal shapes."""

    feeds: Rows
    wanted: Outputs
    got: Outputs


def signs_of(
    job: Job, record: RunRecord, artefact: Artefact, info: SessionInfo, compared: Sequence[Compared]
) -> PrecisionSigns:
    """Everything that the numbers say of an artefact, before it is judged."""
    claimed = job.precision(artefact.precision)
    errors = _Errors(compared)
    weights, own = _weights(job, artefact, claimed)
    graph_int8, graph_layers, given_int8 = _graph(job, record, artefact, claimed)
    noise: float | None = None
    rounded: dict[str, float] = {}
    alike: dict[str, float] = {}
    if is_suspicious(claimed, errors.relative_rms) and record.export is not None:
        noise, rounded, alike = _explained(job, job.folder / record.export.path, errors)
    return PrecisionSigns(
        relative_rms=errors.relative_rms,
        values=errors.count,
        noise=noise,
        rounded=rounded,
        alike=alike,
        weights=weights,
        weights_own=own,
        layers=info.layers,
        graph_layers=graph_layers,
        graph_int8=graph_int8,
        given_int8=given_int8,
    )


class _Errors:
    """Errors of the outputs that are floats, over all batches."""

    def __init__(self, compared: Sequence[Compared]) -> None:
        self._compared = compared
        self.batches = [one.feeds for one in compared]

    @cached_property
    def names(self) -> list[str]:
        """The outputs of floats that both sides have."""
        first = self._compared[0] if self._compared else None
        return [] if first is None else [name for name, values in first.wanted.items() if values.dtype.kind == "f"]

    @property
    def count(self) -> int:
        return sum(one.wanted[name].size for one in self._compared for name in self.names)

    @cached_property
    def relative_rms(self) -> float | None:
        found = [_relative(self.of(name), self.wanted(name)) for name in self.names]
        return max((one for one in found if one is not None), default=None)

    @cached_property
    def worst(self) -> str:
        """The output where they are largest."""
        return max(self.names, key=lambda name: _relative(self.of(name), self.wanted(name)) or 0.0)

    def wanted(self, name: str) -> np.ndarray:
        """The reference's values of one output, float64, flat."""
        return _flat([one.wanted[name] for one in self._compared])

    def of(self, name: str) -> np.ndarray:
        """The errors of one output, float64, flat."""
        found: np.ndarray = _flat([one.got[name] for one in self._compared]) - self.wanted(name)
        return found


def _explained(job: Job, exported: Path, errors: _Errors) -> tuple[float | None, dict[str, float], dict[str, float]]:
    """What fp32 makes of this network, what rounded weights make of it, and how well the errors agree with those;
    nothing where ONNX Runtime does not run the exported file."""
    name = errors.worst
    try:
        with tempfile.TemporaryDirectory(prefix="porter-rounded-") as folder:
            plain = _run(job, exported, errors.batches, name)
            moved = _run(job, exported, [_moved(one) for one in errors.batches], name)
            rounded, alike = {}, {}
            for precision in ROUNDED:
                model = read_onnx(exported)
                round_weights(model, precision)
                path = Path(folder) / f"{precision}.onnx"
                path.write_bytes(model.SerializeToString())
                off = _run(job, path, errors.batches, name) - plain
                rounded[precision] = _relative(off, plain) or 0.0
                alike[precision] = _correlation(off, errors.of(name))
    except PorterError:
        return None, {}, {}
    return _relative(moved - plain, plain), rounded, alike


def _moved(feeds: Rows) -> dict[str, np.ndarray]:
    """Every value of the float inputs moved by one step."""
    import numpy as np

    return {
        name: np.nextafter(values, values.dtype.type(np.inf)) if values.dtype.kind == "f" else values
        for name, values in feeds.items()
    }


def _run(job: Job, path: Path, batches: Sequence[Rows], output: str) -> np.ndarray:
    """One output of an ONNX file for all batches, float64, flat."""
    artefact = Artefact(runtime="onnxruntime", precision="fp32", path=path.name)
    request = OpenRequest(artefact=artefact, path=path, spec=job.spec, threads=job.threads)
    with closing(OnnxRuntimeSession(request)) as session:
        return _flat([infer(job, session, batch)[output] for batch in batches])


def _weights(job: Job, artefact: Artefact, claimed: Precision) -> tuple[str, bool | None]:
    """The lesser precision whose values all weights of the artefact are, and whether the model's own are such too."""
    path = job.folder / artefact.path
    model = onnx_within(path) if is_exact(claimed) else None
    found = "" if model is None else precision_of(weights_of(model))
    module = job.loaded.module if found else None
    if module is None or not hasattr(module, "parameters"):
        return found, None
    own = precision_of(one.detach().float().cpu().numpy() for one in module.parameters() if one.dim() > 1)
    return found, bool(own)


def _graph(
    job: Job, record: RunRecord, artefact: Artefact, claimed: Precision
) -> tuple[int | None, int | None, int | None]:
    """Quantised layers and all layers of the int8 graph that an artefact is or was built from, and the quantised ones
    of the graph that porter made, or was given. How a graph of another precision shows it, its runtime alone knows."""
    if claimed.name != INT8:
        return None, None, None
    source = record.quantization or (record.export if job.spec.precision == claimed.name else None)
    given = source.path if source is not None and artefact.calibration is None else ""
    counted = {one: _quantised(job.folder / one) for one in {artefact.path, given} if one}
    planned = counted.get(given)
    int8, layers = counted[artefact.path] or planned or (None, None)
    return int8, layers, planned[0] if planned else None


def _quantised(path: Path) -> tuple[int, int] | None:
    model = onnx_within(path)
    return None if model is None else quantised_layers(model)


def _flat(arrays: Sequence[np.ndarray]) -> np.ndarray:
    import numpy as np

    found: np.ndarray = np.concatenate([one.reshape(-1).astype(np.float64) for one in arrays])
    return found


def _relative(off: np.ndarray, values: np.ndarray) -> float | None:
    import numpy as np

    size = float(np.sqrt(np.square(values).mean())) if values.size else 0.0
    return float(np.sqrt(np.square(off).mean())) / size if size else None


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Without taking the mean off: both are errors around none."""
    import numpy as np

    sizes = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / sizes if sizes else 0.0
