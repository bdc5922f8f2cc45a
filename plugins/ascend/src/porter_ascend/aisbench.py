"""ais_bench: its command lines, its summary and the lines that it logs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from porter import BadInput, one_line, read_json, read_text
from porter_ascend.figures import NUMBER, Times, optional, positive, whole_ratio
from porter_ascend.typed import typed

TOOL = "ais_bench"
SUMMARY = "_summary.json"
"""What the summary's name ends in; it lies beside the output folder."""
WARMUP = 5
MADE_UP = "pure_infer_data"
"""The name that stands for an input that the tool makes up, and begins the names of its outputs."""
_HEAD = 4096
"""Characters of an entry that are looked at; each may list thousands of files."""
_TIMES = re.compile(
    rf"(?i)(?P<kind>NPU|H2D|D2H)[_ ](?:compute_time|latency)\s*\(ms\):\s*(?:min = (?P<min>{NUMBER}),\s*"
    rf"max = (?P<max>{NUMBER}),\s*)?mean = (?P<mean>{NUMBER})(?:,\s*median = (?P<median>{NUMBER})"
    rf"(?:,\s*percentile\(99%\) = (?P<p99>{NUMBER}))?)?"
)
_THROUGHPUT = re.compile(
    rf"(?i)throughput \(?1000\*batchsize(?:\.mean)?(?:\((?P<batch>{NUMBER})\))?"
    rf"/NPU_compute_time(?:\.mean)?(?:\((?P<mean>{NUMBER})\))?\)?:\s*(?P<rate>{NUMBER})"
)
_MODEL = re.compile(r"load model (\S.*?) success")
_BATCH = re.compile(r"try get model batchsize:(\d{1,6})\b")
_DEVICE = re.compile(rf"\bdevice_(?P<device>\d{{1,4}}) throughput:\s*(?P<rate>{NUMBER})")
"""What a run on several devices says of each at its end."""
_FILES = "filesperbatch:"
"""What a run on files says of them."""
_PLACE = re.compile(r"device(\d{1,4})_\d{1,4}")
"""Begins the summary's name, or is that of the output folder, where several devices ran."""


@dataclass(frozen=True, kw_only=True)
class AisBench:
    """What one run of ais_bench states."""

    npu: Times | None
    """Time of the computation on the chip, for one batch; None: the tool states the rate alone."""
    h2d: Times | None = None
    """Copying a batch to the chip."""
    d2h: Times | None = None
    """Copying its outputs back."""
    images_per_second: float
    """`1000 * batch / mean(npu)`, as the tool writes it: copies and the host's part are not in it."""
    batch: int | None = None
    """Batch size, where the tool states it."""
    calls_ms: tuple[float, ...] = ()
    """Every single NPU time, where the summary lists them."""
    model: str = ""
    """The `.om` that ran, as the tool was given it."""
    pure: bool | None = None
    """Whether it ran on what it made up, and not on files; None: a log, which does not say."""
    device: int | None = None
    """The device, where several ran at once."""


def dataset_arguments(
    om: Path, folder: Path, output: Path, name: str, batch: int, device: int, outfmt: str
) -> list[str]:
    """The command line for a folder of `.bin` files; outputs go to `output`/`name`, the summary beside that folder."""
    return [
        *_base(om, batch, device),
        *("--input", str(folder), "--output", str(output), "--output_dirname", name, "--outfmt", outfmt),
    ]


def pure_arguments(om: Path, output: Path, name: str, batch: int, device: int, loops: int) -> list[str]:
    """The command line for `loops` timed calls on a batch of zeros, which the tool makes itself."""
    return [
        *_base(om, batch, device),
        *("--loop", str(loops), "--warmup_count", str(WARMUP), "--output", str(output), "--output_dirname", name),
    ]


def read_summary(path: Path) -> AisBench:
    """Read `NAME_summary.json`. Raises `BadInput`, naming file and key, for anything that is not one."""
    document = read_json(path, f"summary of {TOOL}", dict[str, Any])
    npu = _times(document, "NPU_compute_time", path)
    if npu is None:
        raise BadInput(f"{one_line(path)}: not a summary of {TOOL}: no NPU_compute_time")
    said, rate = typed(document.get("args")), positive(document.get("throughput"), "throughput", path)
    place = _PLACE.match(path.name)
    return AisBench(
        npu=npu,
        h2d=_times(document, "H2D_latency", path),
        d2h=_times(document, "D2H_latency", path),
        images_per_second=rate,
        batch=said.batch or whole_ratio(rate * npu.mean, 1000),
        calls_ms=_calls(document.get("npu_compute_time_list"), path),
        model=one_line(said.model),
        pure=_is_pure(document.get("filesinfo")),
        device=int(place[1]) if place else None,
    )


def read_logs(path: Path) -> tuple[AisBench, ...]:
    """Every performance summary in what ais_bench, or ais_infer before it, printed: of several runs whose logs were put
    together, or of several devices that ran at once.

    The spellings of all versions are taken: `batchsize(B)`, `batchsize.mean(B)` and a formula without figures, `NPU
    compute_time` and `NPU_compute_time`. A time of 0 is one that was not measured. Raises `BadInput` where there is
    none.
    """
    text = read_text(path, "log of ais_bench").text
    rates = list(_THROUGHPUT.finditer(text))
    if not rates:
        raise BadInput(f"{one_line(path)}: not a complete log of {TOOL}: no throughput")
    devices = _devices(text)
    begins = [0, *(rate.end() for rate in rates)]
    return tuple(
        _run(rate, text[start : rate.start()], devices, path) for start, rate in zip(begins, rates, strict=False)
    )


def _run(rate: re.Match[str], before: str, devices: Mapping[str, int], path: Path) -> AisBench:
    """One run: its throughput line, and the lines before it."""
    named = {line["kind"].upper(): line for line in _TIMES.finditer(before)}
    npu = _spread(named.get("NPU"), path)
    if rate["mean"] is not None:
        mean = positive(rate["mean"], "NPU_compute_time.mean", path)
        npu = npu if npu is not None else Times(mean=mean)
    images = positive(rate["rate"], "throughput", path)
    if rate["batch"] is not None:
        size = positive(rate["batch"], "batchsize", path)
        batch = int(size) if size == int(size) else None
    else:
        sized = _BATCH.findall(before)
        batch = int(sized[-1]) if sized else None if npu is None else whole_ratio(images * npu.mean, 1000)
    return AisBench(
        npu=npu,
        h2d=_spread(named.get("H2D"), path),
        d2h=_spread(named.get("D2H"), path),
        images_per_second=images,
        batch=batch or None,
        model=one_line(next(iter(_MODEL.findall(before)[::-1]), "")),
        pure=False if _FILES in before else None,
        device=devices.get(rate["rate"]),
    )


def _devices(text: str) -> dict[str, int]:
    """The device by the rate that the log's end gives it, where several ran at once."""
    return {line["rate"]: int(line["device"]) for line in _DEVICE.finditer(text)}


def is_log(text: str) -> bool:
    """Whether a text holds the throughput line of ais_bench."""
    return _THROUGHPUT.search(text) is not None


def _base(om: Path, batch: int, device: int) -> list[str]:
    return ["python3", "-m", TOOL, "--model", str(om), "--batchsize", str(batch), "--device", str(device)]


def _times(document: Mapping[str, Any], key: str, path: Path) -> Times | None:
    values = document.get(key)
    if values is None:
        return None
    if not isinstance(values, dict):
        raise BadInput(f"{one_line(path)}: {key} is no object of figures")
    mean = optional(values.get("mean"), f"{key}.mean", path)
    if mean is None:
        return None
    least, most, median, p99 = (
        optional(values.get(name), f"{key}.{name}", path) for name in ("min", "max", "median", "percentile(99%)")
    )
    count = _whole(values.get("count"), f"{key}.count", path)
    return Times(mean=mean, min=least, max=most, median=median, p99=p99, count=count)


def _spread(found: re.Match[str] | None, path: Path) -> Times | None:
    """A line of times; None where there is none, or its mean is 0: it was not measured."""
    if found is None:
        return None
    mean, least, most, median, p99 = (
        optional(found[name], name, path) for name in ("mean", "min", "max", "median", "p99")
    )
    return None if mean is None else Times(mean=mean, min=least, max=most, median=median, p99=p99)


def _calls(values: object, path: Path) -> tuple[float, ...]:
    if not isinstance(values, list) or any(isinstance(value, list) for value in values):
        return ()  # absent, or pairs of begin and end, as several threads write them
    return tuple(positive(value, f"npu_compute_time_list[{k}]", path) for k, value in enumerate(values))


def _is_pure(files: object) -> bool:
    """Whether no real input file is listed; for made-up input the list is empty or holds a made-up name."""
    entries = files.values() if isinstance(files, dict) else ()
    return not any(MADE_UP not in str(entry)[:_HEAD] for entry in entries)


def _whole(value: object, what: str, path: Path) -> int | None:
    number = optional(value, what, path)
    if number is not None and (number != int(number) or number > 10**9):
        raise BadInput(f"{one_line(path)}: {what} is {number:g}, not a count")
    return None if number is None else int(number)
