"""Values of options that click has no type for."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import click

from porter.runfolder.option import LANGUAGES


# Generic only in newer versions of click.
class BatchSizes(click.ParamType):  # type: ignore[type-arg]
    """Positive whole numbers, separated by commas."""

    name = "N,N,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in str(value).split(",")]
        if not all(re.fullmatch(r"[1-9][0-9]{0,4}", part) for part in parts):
            self.fail(f"{value!r} is not a list of batch sizes; example: 1,4,8", param, ctx)
        return tuple(dict.fromkeys(int(part) for part in parts))


# As above.
class Languages(click.ParamType):  # type: ignore[type-arg]
    """Languages of the documents, separated by commas."""

    name = "LANG,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in str(value).split(",")]
        if not all(part in LANGUAGES for part in parts):
            self.fail(f"{value!r} is not a list of {', '.join(LANGUAGES)}", param, ctx)
        return tuple(dict.fromkeys(parts))


# As above.
class Resources(click.ParamType):  # type: ignore[type-arg]
    """Amounts by name, separated by commas."""

    name = "NAME=N,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, float]:
        if isinstance(value, dict):
            return value
        found: dict[str, float] = {}
        for part in str(value).split(","):
            match = re.fullmatch(r"([A-Za-z_][A-Za-z0-9_.:-]*)=([0-9]+(?:\.[0-9]+)?)", part.strip(), re.ASCII)
            if match is None or not math.isfinite(float(match[2])) or match[1] in found:
                self.fail(f"{value!r} is not a list of resources; example: CPU=4,GPU=1", param, ctx)
            found[match[1]] = float(match[2])
        return found


class FiniteFloat(click.FloatRange):
    """A number of a range; neither NaN, which passes every comparison with a bound, nor infinity."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number", param, ctx)
        return number


# As above.
class RolePath(click.ParamType):  # type: ignore[type-arg]
    """A path with its role before it."""

    name = "ROLE=PATH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Path]:
        if isinstance(value, tuple):
            return value
        role, _, path = str(value).partition("=")
        if not role or not path:
            self.fail(f"{value!r} is not ROLE=PATH; example: labels=val_label.txt", param, ctx)
        return role, Path(path)
