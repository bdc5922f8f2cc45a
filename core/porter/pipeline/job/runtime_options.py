"""Options of runtimes' own, as `--option RUNTIME.NAME=VALUE` gives them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from porter.contracts.runtime import OptionValue, Runtime, RuntimeOption
from porter.errors import BadInput, did_you_mean, one_line

TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def options_of(runtime: Runtime, given: Sequence[str]) -> dict[str, OptionValue]:
    """Every option that the runtime declares, as given or its default. Raises `BadInput` for a wrong one."""
    values = {option.name: option.default for option in runtime.options}
    for text in given:
        name, key, value = parted(text)
        if name == runtime.name:
            values[key] = _value(text, value, _declared(text, runtime, key))
    return values


def require_known(given: Sequence[str], runtimes: Sequence[Runtime]) -> None:
    """Stop where an option is for a runtime that this run does not use, is none of its options, or has two values."""
    names = {runtime.name: runtime for runtime in runtimes}
    first: dict[tuple[str, str], str] = {}
    for text in given:
        name, key, _ = parted(text)
        if first.setdefault((name, key), text) != text:
            raise BadInput(
                f"--option {one_line(text)}: given twice, first as {one_line(first[name, key])}. Give it once"
            )
        if name not in names:
            raise BadInput(
                f"--option {one_line(text)}: this run does not use runtime {one_line(name)!r}. Runtimes: "
                f"{', '.join(names)}{did_you_mean(name, names)}"
            )
        _declared(text, names[name], key)


def parted(text: str) -> tuple[str, str, str]:
    """Runtime, option and value of one `RUNTIME.NAME=VALUE`. Raises `BadInput` where it has another form."""
    left, equals, value = text.partition("=")
    name, dot, key = left.partition(".")
    if not (equals and dot and name and key):
        raise BadInput(f"--option {one_line(text)}: not RUNTIME.NAME=VALUE")
    return name, key, value


def _declared(text: str, runtime: Runtime, key: str) -> RuntimeOption:
    known = {option.name: option for option in runtime.options}
    if key not in known:
        listed = f"available: {', '.join(known)}" if known else "available: none"
        raise BadInput(
            f"--option {one_line(text)}: runtime {runtime.name} has no option {one_line(key)!r}, "
            f"{listed}{did_you_mean(key, known)}"
        )
    return known[key]


def _value(text: str, value: str, option: RuntimeOption) -> OptionValue:
    kind = type(option.default)
    try:
        found: OptionValue = TRUTH[value.lower()] if kind is bool else kind(value)
        if isinstance(found, float) and not math.isfinite(found):
            raise ValueError
    except (KeyError, ValueError):
        wanted = {bool: "true or false", int: "a whole number", float: "a finite number"}.get(kind, "a text")
        raise BadInput(f"--option {one_line(text)}: {option.name} must be {wanted}") from None
    if option.choices and found not in option.choices:
        listed = ", ".join(map(str, option.choices))
        raise BadInput(f"--option {one_line(text)}: {option.name} must be one of {listed}")
    return found
