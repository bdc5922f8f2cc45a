"""Runtimes that get one thing wrong, built on `OnnxRuntime` as an outsider would."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from tiny import TinyPlugin

from porter import Artefact, BuildRequest, OnnxRuntime, OpenRequest, Runtime, RuntimeStatus, Session, hookimpl
from porter.graphs.rounded_weights import rounded_to

Outputs = dict[str, np.ndarray]


class Lie:
    """Sits between a session and its caller; `calls` counts those made before."""

    needs: ClassVar[Mapping[str, Any]] = {}
    """Options of the run without which it does not show."""

    def __init__(self) -> None:
        self.calls = 0
        self.lock = threading.Lock()

    def run(self, honest: Callable[[np.ndarray], Outputs], batch: np.ndarray) -> Outputs:
        with self.lock:
            number, self.calls = self.calls, self.calls + 1
        return self.told(honest, batch, number)

    def told(self, honest: Callable[[np.ndarray], Outputs], batch: np.ndarray, number: int) -> Outputs:
        return honest(batch)

    def before_open(self, request: OpenRequest) -> OpenRequest:
        return request


class Wide(Lie):
    """The fault of another lie, in batches of at least `least` alone: verify's have at most three rows."""

    fault: type[Lie]
    least = 4

    def __init__(self) -> None:
        super().__init__()
        self._fault = self.fault()

    def told(self, honest: Any, batch: np.ndarray, number: int) -> Outputs:
        return self._fault.told(honest, batch, number) if len(batch) >= self.least else honest(batch)


def wide(fault: type[Lie], least: int = 4) -> type[Lie]:
    """A lie with that fault in batches of at least so many rows."""
    return type(f"Wide{fault.__name__}", (Wide,), {"fault": fault, "least": least})


class Mild(Lie):
    """As far off as a coarse precision: a hundredth of the row's largest value."""

    def told(self, honest: Any, batch: np.ndarray, number: int) -> Outputs:
        return {name: v + np.float32(0.01) * np.abs(v).max(axis=1, keepdims=True) for name, v in honest(batch).items()}


class Noisy(Lie):
    def told(self, honest: Any, batch: np.ndarray, number: int) -> Outputs:
        noise = np.random.default_rng(number).standard_normal
        return {name: v + (0.01 * noise(v.shape)).astype(v.dtype) for name, v in honest(batch).items()}


class OfNeighbours(Lie):
    def told(self, honest: Any, batch: np.ndarray, number: int) -> Outputs:
        return {name: v + 0.1 * (v.mean(axis=0) - v) for name, v in honest(batch).items()}


class OfPlace(Lie):
    def told(self, honest: Any, batch: np.ndarray, number: int) -> Outputs:
        return {name: v * (1 + 0.05 * np.arange(len(v), dtype=v.dtype))[:, None] for name, v in honest(batch).items()}


class OnePlace(Lie):
    """One row in the middle of a batch is off."""

    def told(self, honest: Any, batch: np.ndarray, number: int) -> Outputs:
        found = honest(batch)
        for values in found.values():
            values[2:3] *= 0.6
        return found


class Centred(Lie):
    """The mean of the batch is taken off: a batch of one image only is wrong as well."""

    def told(self, honest: Any, batch: np.ndarray, number: int) -> Outputs:
        share = np.float32(0.3 * (len(batch) > 1))
        return {name: v - share * v.mean(axis=0) for name, v in honest(batch).items()}


class LastRow(Lie):
    def told(self, honest: Any, batch: np.ndarray, number: int) -> Outputs:
        found = honest(batch)
        if len(batch) > 1:
            for values in found.values():
                values[-1] *= 1.5
        return found


class Shuffled(Lie):
    def told(self, honest: Any, batch: np.ndarray, number: int) -> Outputs:
        return {name: values[::-1].copy() for name, values in honest(batch).items()}


class Skipped(Lie):
    """The first half of a batch is computed, and stands for the second as well."""

    def told(self, honest: Any, batch: np.ndarray, number: int) -> Outputs:
        half = (len(batch) + 1) // 2
        return {name: np.concatenate([v, v])[: len(batch)] for name, v in honest(batch[:half]).items()}


class Remembered(Lie):
    """Batches that begin alike to the eye are answered from memory."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[object, Outputs] = {}

    def told(self, honest: Any, batch: np.ndarray, number: int) -> Outputs:
        key = (len(batch), round(float(batch.flat[0])))
        if key not in self.kept:
            self.kept[key] = honest(batch)
        return {name: values.copy() for name, values in self.kept[key].items()}


class ZerosAtTimes(Lie):
    """Every seventh call fails, and zeros are returned."""

    def told(self, honest: Any, batch: np.ndarray, number: int) -> Outputs:
        return {name: values * (number % 7 != 6) for name, values in honest(batch).items()}


class RoundedInput(Lie):
    """The input goes through bfloat16 on its way to the device."""

    def told(self, honest: Any, batch: np.ndarray, number: int) -> Outputs:
        return honest(rounded_to(batch, "bf16"))


class BatchBefore(Lie):
    kept: Outputs | None = None

    def told(self, honest: Any, batch: np.ndarray, number: int) -> Outputs:
        found = honest(batch)
        with self.lock:
            before, self.kept = self.kept, found
        same = before is not None and all(len(v) == len(batch) for v in before.values())
        return before if same and before is not None else found


class OneBuffer(Lie):
    buffers: dict[str, np.ndarray] | None = None

    def told(self, honest: Any, batch: np.ndarray, number: int) -> Outputs:
        found = honest(batch)
        self.buffers = self.buffers or {n: np.zeros((64, *v.shape[1:]), v.dtype) for n, v in found.items()}
        for name, values in found.items():
            self.buffers[name][: len(values)] = values
        return {name: self.buffers[name][: len(values)] for name, values in found.items()}


class NotReentrant(Lie):
    """The input lies in one place, and a second call overwrites it while the first one waits."""

    needs: ClassVar[Mapping[str, Any]] = {"streams": 2, "threads": 2}
    fed: np.ndarray | None = None

    def told(self, honest: Any, batch: np.ndarray, number: int) -> Outputs:
        self.fed = batch
        time.sleep(0.002)
        fed = self.fed
        return honest(fed if fed.shape == batch.shape else batch)


class SecondStream(Lie):
    """Whatever is called while another call runs is wrong."""

    needs: ClassVar[Mapping[str, Any]] = {"streams": 2, "threads": 2}

    def __init__(self) -> None:
        super().__init__()
        self.busy = 0

    def told(self, honest: Any, batch: np.ndarray, number: int) -> Outputs:
        with self.lock:
            self.busy += 1
            place = self.busy
        try:
            time.sleep(0.002)
            return {name: values * (1.1 if place > 1 else 1) for name, values in honest(batch).items()}
        finally:
            with self.lock:
                self.busy -= 1


class OtherThread(Lie):
    """Right for the thread that calls first, and for no other."""

    needs: ClassVar[Mapping[str, Any]] = {"streams": 2, "threads": 2}
    first = 0

    def told(self, honest: Any, batch: np.ndarray, number: int) -> Outputs:
        with self.lock:
            self.first = self.first or threading.get_ident()
        factor = np.float32(1.0 if threading.get_ident() == self.first else 1.1)
        return {name: values * factor for name, values in honest(batch).items()}


class FromCall(Lie):
    """Wrong from the twentieth call of a session on, of which two are made at once."""

    needs: ClassVar[Mapping[str, Any]] = {"bench_seconds": 0.05, "streams": 2, "threads": 2}

    def told(self, honest: Any, batch: np.ndarray, number: int) -> Outputs:
        return {name: values * (1.1 if number >= 20 else 1) for name, values in honest(batch).items()}


class NanRows(Lie):
    def told(self, honest: Any, batch: np.ndarray, number: int) -> Outputs:
        found = honest(batch)
        for values in found.values():
            values[1::2] = np.nan
        return found


class Layout(Lie):
    def told(self, honest: Any, batch: np.ndarray, number: int) -> Outputs:
        return honest(np.ascontiguousarray(batch.transpose(0, 2, 3, 1)).reshape(batch.shape))


class LayoutOfBatches(Layout):
    """Single images alone are read as they lie."""

    def told(self, honest: Any, batch: np.ndarray, number: int) -> Outputs:
        return super().told(honest, batch, number) if len(batch) > 1 else honest(batch)


class Swallowing(Lie):
    """After an error the last outputs, or zeros, take the place of those that are missing."""

    last: Outputs | None = None

    def told(self, honest: Any, batch: np.ndarray, number: int) -> Outputs:
        try:
            self.last = honest(batch)
        except Exception:
            return self.last or {}
        return self.last


class Zeros(Lie):
    """Batches of more than two are an error, which nobody hears of."""

    def told(self, honest: Any, batch: np.ndarray, number: int) -> Outputs:
        return {name: values * (len(batch) <= 2) for name, values in honest(batch).items()}


class StaleFile(Lie):
    """What it compiled is kept by name: a file of another model lies in the cache."""

    def before_open(self, request: OpenRequest) -> OpenRequest:
        if request.cache is None:
            return request
        kept = request.cache / "lying" / "model.onnx"
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            _scaled(request.path, kept)
        return replace(request, path=kept)


def _scaled(source: Any, target: Any) -> None:
    """Another model: its weights are half as large."""
    import onnx
    from onnx import numpy_helper

    shutil.copy(source, target)
    model = onnx.load(target)
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32:
            tensor.CopyFrom(numpy_helper.from_array((values * 0.5).astype(np.float32), tensor.name))
    onnx.save(model, target)


class LyingSession(Session):
    def __init__(self, session: Session, lie: Lie, precision: str) -> None:
        self._session, self._lie = session, lie
        self.info = replace(session.info, runtime="lying", precision=precision)

    def run(self, feeds: Mapping[str, np.ndarray]) -> Outputs:
        [(name, batch)] = feeds.items()
        return self._lie.run(lambda values: self._honest({name: values}), batch)

    def _honest(self, feeds: Mapping[str, np.ndarray]) -> Outputs:
        found = self._session.run(feeds)
        if self.info.precision == "bf16":
            return {name: rounded_to(values, "bf16") for name, values in found.items()}
        return dict(found)

    def close(self) -> None:
        self._session.close()


class Lying(OnnxRuntime):
    """Opens every session with a lie of its own."""

    name = "lying"

    def __init__(self, lie: type[Lie], precision: str = "fp32") -> None:
        self._lie, self._precision = lie, precision

    def status(self) -> RuntimeStatus:
        return replace(super().status(), precisions=(self._precision,))

    def build(self, request: BuildRequest) -> Artefact:
        return replace(super().build(request), runtime=self.name)

    def open(self, request: OpenRequest) -> Session:
        lie = self._lie()
        return LyingSession(super().open(lie.before_open(request)), lie, self._precision)


class Offering(TinyPlugin):
    """The tiny model, with a runtime beside it."""

    def __init__(self, runtime: Runtime, **parts: Any) -> None:
        super().__init__(**parts)
        self.runtime = runtime

    @hookimpl
    def porter_runtimes(self) -> Sequence[Runtime]:
        return [self.runtime]
