"""What a command line of ais_bench says, in the spellings of all its versions: `--batchsize 16`, `--batch-size=16`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_MODEL, _DEVICE = ("model", "ommodel", "om", "m"), ("device", "d")
_BATCH = ("batchsize", "dymbatch", "db")
_SHAPES = ("dymshape", "ds", "dymdims", "dd")
"""Options that give a model with free sizes its sizes: `image:16,3,224,224`."""


@dataclass(frozen=True, kw_only=True)
class Typed:
    """What of a run its command line says."""

    model: str = ""
    """The `.om`, as it was typed; empty: not said."""
    batch: int | None = None
    """Images a call."""
    devices: tuple[int, ...] = ()
    """Numbers of the devices that the run was given."""


def typed(words: object) -> Typed:
    """Read a command line as a summary has it, `sys.argv`; anything else says nothing."""
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        return Typed()
    given = _options(words)
    batches = [_number(given[name]) for name in _BATCH if name in given]
    batches += [_first_size(given[name]) for name in _SHAPES if name in given]
    devices = next((given[name] for name in _DEVICE if name in given), "")
    return Typed(
        model=next((given[name] for name in _MODEL if name in given), ""),
        batch=next((batch for batch in batches if batch), None),
        devices=tuple(int(text) for text in devices.split(",") if re.fullmatch("[0-9]{1,4}", text.strip())),
    )


def _options(words: Sequence[str]) -> dict[str, str]:
    """Values by the option's name in lower case without `-` and `_`; the last of several counts."""
    found = {}
    for place, word in enumerate(words):
        if not word.startswith("-"):
            continue
        name, equals, value = word.partition("=")
        following = words[place + 1] if place + 1 < len(words) else ""
        found[re.sub("[-_]", "", name).lower()] = value if equals else following
    return found


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch("[0-9]{1,6}", text.strip()) else None


def _first_size(text: str) -> int | None:
    found = re.search(r":\s*([0-9]{1,6})\s*,", text)
    return int(found[1]) if found else None
