"""The older `benchmark` tool: its command lines, and the reports that it leaves in `result/`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePath

from porter import BadInput, one_line, read_text
from porter_ascend.figures import NUMBER, batch_in, positive

TOOL = "benchmark"
OUTPUTS = "result/dumpOutput_device{device}"
"""Where it leaves the outputs, below the folder that it runs in."""
_MODULE = re.compile(r"(?m)^\s*\[(?P<name>[^\]\n]{1,40})\]\s*throughputRate:\s*(?P<rest>.+)$")
_PARTS = re.compile(
    rf"^(?P<rate>{NUMBER})(?:,\s*Interface throughputRate:\s*(?P<interface>{NUMBER}))?"
    rf",\s*(?:moduleLatency|latency):\s*(?P<latency>{NUMBER})"
)
_PURE = re.compile(
    rf"(?i)ave_throughputRate\s*[=:]\s*(?P<rate>{NUMBER})\s*samples/s,\s*ave_latency\s*[=:]\s*(?P<latency>{NUMBER})\s*ms"
)
_SAVED = re.compile(r"PureInfer_perf_of_(?P<model>[^\s/]+)_in_device_(?P<device>\d+)")
_ROUND = re.compile(r"Dataset number: (\d{1,9}) finished cost")
END_TO_END = "e2e"


@dataclass(frozen=True, kw_only=True)
class Module:
    """One line of `perf_vision_*.txt`."""

    name: str
    """`e2e`, `data read`, `preprocess`, `infer` or `post`."""
    images_per_second: float
    """`throughputRate`."""
    latency_ms: float
    """`moduleLatency`: time of one image in this module; on the line `e2e`, `latency`: time of the whole data set."""
    interface_images_per_second: float | None = None
    """`Interface throughputRate`: the rate of the device itself; only on the line `infer`."""


@dataclass(frozen=True, kw_only=True)
class PerfVision:
    """A whole data set through the tool."""

    end_to_end: Module
    modules: tuple[Module, ...]
    """The others, in the order of the file."""
    batch: int | None
    """From the file's name."""

    @property
    def images(self) -> float:
        """Images that went through: the rate times the time of the whole data set."""
        return self.end_to_end.images_per_second * self.end_to_end.latency_ms / 1000


@dataclass(frozen=True, kw_only=True)
class PureInfer:
    """Inference alone, on what the tool makes up."""

    images_per_second: float
    """`ave_throughputRate`, of one device."""
    latency_ms: float
    """`ave_latency`: the time of one image, not of a batch."""
    rounds: int | None
    """Timed calls, where the log counts them."""
    model: str
    """Name of the `.om` by the line that says where the report was saved; may be empty."""
    batch: int | None
    """From the name of the `.om`, else from the file's own name."""
    batch_of_name: int | None
    """From the file's own name, to be held against the other."""


def dataset_arguments(tool: str, om: Path, info: Path, batch: int, device: int, size: tuple[int, int]) -> list[str]:
    """The command line for the images of an `.info` file; `size` is width and height in pixels.

    Outputs are asked for as raw values: its text has six decimals.
    """
    return [
        tool,
        *("-model_type=vision", f"-device_id={device}", f"-batch_size={batch}", f"-om_path={om}"),
        *(f"-input_text_path={info}", f"-input_width={size[0]}", f"-input_height={size[1]}"),
        *("-output_binary=True", "-useDvpp=False"),
    ]


def pure_arguments(tool: str, om: Path, batch: int, device: int, rounds: int) -> list[str]:
    """The command line for `rounds` timed calls on data that the tool makes up."""
    return [tool, f"-round={rounds}", f"-om_path={om}", f"-device_id={device}", f"-batch_size={batch}"]


def read_perf_vision(path: Path) -> PerfVision:
    """Read `perf_vision_batchsize_B_device_D.txt`. Raises `BadInput` where a line is broken or `e2e` is absent."""
    text = read_text(path, "report of benchmark").text
    modules: dict[str, Module] = {}
    for line in _MODULE.finditer(text):
        name = one_line(line["name"])
        if name in modules:
            raise BadInput(f"{one_line(path)}: two lines [{name}]. Use a report of a single run")
        modules[name] = _module(name, line["rest"].strip(), path)
    if END_TO_END not in modules:
        raise BadInput(f"{one_line(path)}: not a complete report of {TOOL}: no line [{END_TO_END}] throughputRate")
    return PerfVision(end_to_end=modules.pop(END_TO_END), modules=tuple(modules.values()), batch=batch_in(path.name))


def read_pure_infer(path: Path) -> PureInfer:
    """Read a PureInfer log, or `PureInfer_perf_of_NAME_in_device_D.txt`. Raises `BadInput` where it is not one."""
    text = read_text(path, "PureInfer report").text
    found = list(_PURE.finditer(text))
    if len(found) != 1:
        lack = f"{len(found)} times ave_throughputRate, expected one run" if found else "no ave_throughputRate"
        raise BadInput(f"{one_line(path)}: not a complete PureInfer report: {lack}")
    saved = _SAVED.search(text) or _SAVED.search(path.name)
    rounds = [int(number) for number in _ROUND.findall(text)]
    model = one_line(saved["model"]) if saved else ""
    of_name = batch_in(PurePath(path.name).stem)
    return PureInfer(
        images_per_second=positive(found[0]["rate"], "ave_throughputRate", path),
        latency_ms=positive(found[0]["latency"], "ave_latency", path),
        rounds=max(rounds) + 1 if rounds else None,
        model=model,
        batch=batch_in(model) or of_name,
        batch_of_name=of_name,
    )


def _module(name: str, rest: str, path: Path) -> Module:
    parts = _PARTS.match(rest)
    if parts is None:
        raise BadInput(f"{one_line(path)}: line [{name}] is malformed: {one_line(rest[:80])!r}")
    interface = parts["interface"]
    where = f"{one_line(path)}, line [{name}]"
    return Module(
        name=name,
        images_per_second=positive(parts["rate"], "throughputRate", where),
        latency_ms=positive(parts["latency"], "latency", where),
        interface_images_per_second=None
        if interface is None
        else positive(interface, "Interface throughputRate", where),
    )
