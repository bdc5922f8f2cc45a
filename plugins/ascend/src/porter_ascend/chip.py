"""Which chip to build for. It is given, or read from `npu-smi`; it is never assumed."""

from __future__ import annotations

import re
import shutil
import subprocess

from porter import BadInput, one_line

PREFIX = "Ascend"
WAY_OUT = (
    "Use --soc-version NAME, e.g. Ascend310 or Ascend310P3: Ascend and the name "
    "that `npu-smi info` shows on the NPU host"
)
_SOC = re.compile(r"[A-Za-z][A-Za-z0-9_-]{1,39}")
_CHIP = re.compile(r"^\|\s*\d+\s+(?P<name>[0-9A-Za-z_-]+)\s*\|\s*(?P<health>[A-Za-z]+)\s*\|", re.MULTILINE)
"""The first of a chip's two rows, `| 0  310P3 | OK | …`; in the second one the place of the health holds a bus id."""
_NO_BUS = "NA"
"""What the second row shows where the chip is on no bus."""
_SECONDS = 30


def chips_of(text: str) -> tuple[str, ...]:
    """Names of the chips in the output of `npu-smi info`, in order: `310`, `310P3`, `910B3`.

    Read from the table with the columns `NPU Name | Health | …` over `Chip Device | Bus-Id | …`, as versions 20 to 25
    of npu-smi print it. Rows that are not understood are passed over.
    """
    return tuple(row["name"] for row in _CHIP.finditer(text) if row["health"] != _NO_BUS)


def chips_here() -> tuple[str, ...]:
    """Names of the chips of this machine; empty where there is no `npu-smi`, or it fails."""
    tool = shutil.which("npu-smi")
    if tool is None:
        return ()
    try:
        done = subprocess.run([tool, "info"], capture_output=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return chips_of(done.stdout.decode(errors="replace")) if done.returncode == 0 else ()


def soc_version(given: str | None) -> str:
    """The `--soc_version` for atc: `given`, or the one kind of chip that this machine has.

    Raises `BadInput` where it is neither given nor to be read, where the chips differ, and for what cannot be a name.
    """
    if given is None:
        kinds = sorted(set(chips_here()))
        if not kinds:
            raise BadInput(f"unknown target chip. {WAY_OUT}")
        if len(kinds) > 1:
            named = ", ".join(PREFIX + kind for kind in kinds)
            raise BadInput(f"this machine has {len(kinds)} kinds of chips ({named}). Choose one with --soc-version")
        return PREFIX + kinds[0]
    if re.fullmatch(r"[0-9][0-9A-Za-z_]{0,15}", given):
        raise BadInput(f"--soc-version {given}: atc expects {PREFIX}{given}")
    if not _SOC.fullmatch(given):
        raise BadInput(f"--soc-version {one_line(given)!r}: not a chip name. {WAY_OUT}")
    return given
