"""A session on an `.om`: each call is one run of a tool, which is fed files and leaves files."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from porter import NOT_REPORTED, BadInput, Copy, Latency, Measured, Message, Session, SessionInfo, one_line
from porter_ascend import aisbench, benchmark, msame
from porter_ascend.atclog import read_log
from porter_ascend.chip import PREFIX
from porter_ascend.figures import Times
from porter_ascend.host import Host
from porter_ascend.inputs import SUFFIX, info_lines
from porter_ascend.kit import LOOPS, ROUNDS
from porter_ascend.om import OmTensors
from porter_ascend.outputs import OutputFolder

if TYPE_CHECKING:
    import numpy as np

ROWS, BYTES = 2048, 512 * 2**20
"""Images of one run of the tool, which loads the model each time: at most so many, in at most so many bytes."""
TAIL = 3
"""Lines of a failed tool that a message shows."""
ZEROS = Message("zeros made by the tool")
MADE_UP = Message("random values made by the tool")


class AscendSession(Session):
    """Writes the rows as `.bin` files, runs the tool once over all of them, and reads its outputs back by name."""

    cuts = True

    def __init__(self, om: Path, precision: str, tensors: OmTensors, host: Host, device: int) -> None:
        self._om, self._tensors, self._host, self._device = om, tensors, host, device
        [image] = tensors.inputs
        self._shape = tuple(int(size) for size in image.shape[1:])
        rows = min(ROWS, BYTES // (4 * math.prod(self._shape)))
        self.least_rows = max(rows // tensors.batch, 1) * tensors.batch
        self._tool = aisbench.TOOL if host.has_ais_bench else benchmark.TOOL
        self.info = SessionInfo(
            runtime="ascend",
            version=host.toolkit.version() or NOT_REPORTED,
            precision=precision,
            provider=f"{_chip(host, device, tensors)}, device {device}, through {self._tool}",
            threads=None,
            batch=tensors.batch,
        )

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        import numpy as np

        [batch] = feeds.values()
        if str(batch.dtype) != "float32" or batch.shape[1:] != self._shape:
            shapes = "×".join(map(str, batch.shape[1:])), "×".join(map(str, self._shape))
            raise BadInput(f"ascend: model input is float32 {shapes[1]}, got {batch.dtype} {shapes[0]}")
        with tempfile.TemporaryDirectory(prefix="porter-ascend-") as place:
            folder = Path(place)
            names = self._write(folder / "in", batch)
            found = self._ais_bench(folder) if self._tool == aisbench.TOOL else self._benchmark(folder, names)
            outputs = OutputFolder(found)
            missing = outputs.missing(names)
            if missing:
                raise BadInput(f"{self._tool}: outputs of {len(missing)} of {len(names)} images are missing")
            rows = [outputs.read(name, self._tensors.outputs) for name in names]
        return {one.name: np.stack([row[one.name] for row in rows]) for one in self._tensors.outputs}

    def measure(self, batch: int) -> Measured:
        with tempfile.TemporaryDirectory(prefix="porter-ascend-") as place:
            if self._tool == aisbench.TOOL:
                return self._measure_ais_bench(Path(place), batch)
            return self._measure_benchmark(Path(place), batch)

    def _write(self, folder: Path, batch: np.ndarray) -> list[str]:
        folder.mkdir()
        names = [f"{index:08d}" for index in range(len(batch))]
        for name, row in zip(names, batch, strict=True):
            (folder / f"{name}{SUFFIX}").write_bytes(row.astype("<f4", copy=False).tobytes())
        return names

    def _ais_bench(self, folder: Path) -> Path:
        arguments = aisbench.dataset_arguments(
            self._om, folder / "in", folder, "out", self._tensors.batch, self._device, "NPY"
        )
        self._call(arguments, folder)
        return folder / "out"

    def _benchmark(self, folder: Path, names: list[str]) -> Path:
        info = folder / "images.info"
        paths = [str(folder / "in" / f"{name}{SUFFIX}") for name in names]
        *_, height, width = self._shape
        info.write_text("".join(f"{line}\n" for line in info_lines(paths, width, height)), encoding="utf-8")
        tool = self._host.benchmark or benchmark.TOOL
        size = (width, height)
        self._call(benchmark.dataset_arguments(tool, self._om, info, self._tensors.batch, self._device, size), folder)
        return folder / benchmark.OUTPUTS.format(device=self._device)

    def _measure_ais_bench(self, folder: Path, batch: int) -> Measured:
        self._call(aisbench.pure_arguments(self._om, folder, "pure", batch, self._device, LOOPS), folder)
        return measured_by_ais_bench(aisbench.read_summary(folder / f"pure{aisbench.SUMMARY}"), batch)

    def _measure_benchmark(self, folder: Path, batch: int) -> Measured:
        tool = self._host.benchmark or benchmark.TOOL
        log = self._call(benchmark.pure_arguments(tool, self._om, batch, self._device, ROUNDS), folder)
        return measured_by_benchmark(benchmark.read_pure_infer(log))

    def _call(self, arguments: list[str], folder: Path) -> Path:
        log = folder / "tool.log"
        status = self._host.toolkit.run(arguments, log, cwd=folder)
        if status:
            raise BadInput(f"{self._tool} on {one_line(self._om.name)}: exit status {status}; {_said(log)}")
        return log


def measured_by_ais_bench(found: aisbench.AisBench, batch: int) -> Measured:
    """Figures of ais_bench as they are; the time of one image is the batch's over its size."""
    npu = found.npu
    calls = (None if npu is None else npu.count) or len(found.calls_ms) or None
    middle = None if npu is None else npu.mean if npu.median is None else npu.median
    copies = ((Message("host to device"), found.h2d), (Message("device to host"), found.d2h))
    return Measured(
        tool=aisbench.TOOL,
        input=ZEROS,
        latency=Latency() if npu is None else latency_of_times(npu),
        calls_ms=found.calls_ms if len(found.calls_ms) == calls else (),
        copies=tuple(Copy(direction=to, latency=latency_of_times(times)) for to, times in copies if times),
        calls=calls,
        warmup_runs=aisbench.WARMUP,
        ms_per_image=1000 / found.images_per_second if middle is None else middle / batch,
        images_per_second=found.images_per_second,
    )


def measured_by_benchmark(found: benchmark.PureInfer) -> Measured:
    """Figures of the older tool, which gives the mean time of one image and no time of a batch."""
    return Measured(
        tool=benchmark.TOOL,
        input=MADE_UP,
        latency=Latency(),
        calls=found.rounds,
        warmup_runs=None,
        ms_per_image=found.latency_ms,
        images_per_second=found.images_per_second,
    )


def measured_by_msame(found: msame.Msame, batch: int) -> Measured:
    """Figures of the oldest tool, which gives the mean time of a call; the rate is computed from it."""
    return Measured(
        tool=msame.TOOL,
        input=Message("not reported"),
        latency=Latency(mean_ms=found.mean_ms),
        calls=found.calls,
        warmup_runs=None,
        ms_per_image=found.mean_ms / batch,
        images_per_second=1000 * batch / found.mean_ms,
    )


def latency_of_times(times: Times) -> Latency:
    """What a tool says of one kind of times."""
    return Latency(mean_ms=times.mean, median_ms=times.median, min_ms=times.min, max_ms=times.max, p99_ms=times.p99)


def _chip(host: Host, device: int, tensors: OmTensors) -> str:
    """The chip that the device is, by npu-smi; where it says nothing, the one that the `.om` was built for."""
    if device < len(host.chips):
        return PREFIX + host.chips[device]
    return f"built for {tensors.soc_version}"


def _said(log: Path) -> str:
    """The end of what a tool printed, and its error codes where it has any."""
    text = log.read_text(encoding="utf-8", errors="replace")
    lines = [line for line in text.splitlines() if line.strip()][-TAIL:]
    return one_line(read_log(text).summary() or " ".join(lines))[:500]
