"""ais_bench: its command lines, its summary and the lines that it logs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from porter import BadInput, one_line, read_json, read_text
from porter_ascend.figures import NUMBER, Times, optional, positive

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
    rf"max = (?P<max>{NUMBER}),\s*)?mean = (?P<mean>{NUMBER})(?:,\s*median = (?P<median>{NUMBER}),\s*"
    rf"percentile\(99%\) = (?P<p99>{NUMBER}))?"
)
_THROUGHPUT = re.compile(
    rf"(?i)throughput 1000\*batchsize(?:\.mean)?\((?P<batch>{NUMBER})\)"
    rf"/NPU_compute_time\.mean\((?P<mean>{NUMBER})\):\s*(?P<rate>{NUMBER})"
)


@dataclass(frozen=True, kw_only=True)
class AisBench:
    """What one run of ais_bench states."""

    npu: Times
    """Time of the computation on the chip, for one batch."""
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
    arguments = document.get("args")
    arguments = arguments if isinstance(arguments, dict) else {}
    return AisBench(
        npu=npu,
        h2d=_times(document, "H2D_latency", path),
        d2h=_times(document, "D2H_latency", path),
        images_per_second=positive(document.get("throughput"), "throughput", path),
        batch=_whole(arguments.get("batchsize"), "args.batchsize", path),
        calls_ms=_calls(document.get("npu_compute_time_list"), path),
        model=one_line(arguments.get("model") or ""),
        pure=_is_pure(document.get("filesinfo")),
    )


def read_log(path: Path) -> AisBench:
    """Read the performance summary out of what ais_bench printed.

    The spellings of its versions are all taken: `batchsize(B)` and `batchsize.mean(B)`, `NPU compute_time` and
    `NPU_compute_time`. Raises `BadInput` where there is none, or more than one, as from several devices at once.
    """
    text = read_text(path, "log of ais_bench").text
    rates = list(_THROUGHPUT.finditer(text))
    if len(rates) != 1:
        found = f"{len(rates)} throughput lines; one log must hold one run on one device" if rates else "no throughput"
        raise BadInput(f"{one_line(path)}: not a whole log of {TOOL}: {found}")
    [rate] = rates
    mean = positive(rate["mean"], "NPU_compute_time.mean", path)
    named = {line["kind"].upper(): line for line in _TIMES.finditer(text)}
    spread = _spread(named.get("NPU"), path)
    batch = positive(rate["batch"], "batchsize", path)
    return AisBench(
        npu=spread if spread is not None else Times(mean=mean),
        h2d=_spread(named.get("H2D"), path),
        d2h=_spread(named.get("D2H"), path),
        images_per_second=positive(rate["rate"], "throughput", path),
        batch=int(batch) if batch == int(batch) else None,
    )


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
    if found is None:
        return None
    least, most, median, p99 = (
        None if found[name] is None else positive(found[name], name, path) for name in ("min", "max", "median", "p99")
    )
    return Times(mean=positive(found["mean"], "mean", path), min=least, max=most, median=median, p99=p99)


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
