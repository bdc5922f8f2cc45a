"""msame: the oldest of the tools, of which a log is all that there is. It gives the mean time of a call."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from porter import BadInput, one_line, read_text
from porter_ascend.figures import NUMBER, positive

TOOL = "msame"
OUTPUT = "_output"
"""What it puts between the name of an image and the number of the output, where it ran a folder."""
_LATER = re.compile(rf"Inference average time without first time\s*:\s*(?P<mean>{NUMBER})\s*ms")
_ALL = re.compile(rf"Inference average time\s*:\s*(?P<mean>{NUMBER})\s*ms")
_CALL = re.compile(rf"(?m)^\s*Inference time:\s*{NUMBER}\s*ms")
_MODEL = re.compile(r"load model (\S.*?) success")


@dataclass(frozen=True, kw_only=True)
class Msame:
    """What one run of msame states."""

    mean_ms: float
    """Mean time of a call, the first one left out where the tool says it so."""
    calls: int | None
    """Timed calls behind the mean, where the log lists them."""
    model: str
    """The `.om` that ran; may be empty."""


def is_log(text: str) -> bool:
    """Whether a text holds the line of msame with its mean time."""
    return _ALL.search(text) is not None or _LATER.search(text) is not None


def read_logs(path: Path) -> tuple[Msame, ...]:
    """Every run in a log, which may hold several. Raises `BadInput` where there is none."""
    text = read_text(path, "log of msame").text
    ends = list(_LATER.finditer(text)) or list(_ALL.finditer(text))
    if not ends:
        raise BadInput(f"{one_line(path)}: not a complete log of {TOOL}: no Inference average time")
    begins = [0, *(end.end() for end in ends)]
    return tuple(_run(end, text[start : end.start()], path) for start, end in zip(begins, ends, strict=False))


def _run(end: re.Match[str], before: str, path: Path) -> Msame:
    calls = len(_CALL.findall(before)) - (end.re is _LATER)
    models = _MODEL.findall(before)
    return Msame(
        mean_ms=positive(end["mean"], "Inference average time", path),
        calls=calls if calls > 0 else None,
        model=one_line(models[-1]) if models else "",
    )
