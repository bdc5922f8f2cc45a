"""Chips to build for, as `--target [RUNTIME=]NAME` gives them: a runtime of the run must be built for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from porter.contracts.runtime import Runtime
from porter.errors import BadInput, did_you_mean, one_line


def require_chips_known(given: Sequence[str], runtimes: Sequence[Runtime]) -> None:
    """Stop where a chip has another form, is for a runtime that this run does not use, or is a second one for it."""
    names, seen = [runtime.name for runtime in runtimes], set()
    for text in given:
        name, chip = _parted(text)
        if name and name not in names:
            raise BadInput(
                f"--target {one_line(text)}: this run does not use runtime {one_line(name)!r}. Runtimes: "
                f"{', '.join(names)}{did_you_mean(name, names)}"
            )
        if not chip or text.startswith("="):
            raise BadInput(f"--target {one_line(text)}: not [RUNTIME=]NAME")
        if name in seen:
            whose = f"runtime {name}" if name else "every runtime"
            raise BadInput(f"--target {one_line(text)}: a second chip for {whose}. Use one")
        seen.add(name)


def require_chips_used(given: Sequence[str], built_for: Mapping[str, str | None]) -> None:
    """Stop where a chip was named and nothing is built for it. `built_for`: what each runtime's `target` answered."""
    for text in given:
        name, _ = _parted(text)
        asked = {one: chip for one, chip in built_for.items() if name in ("", one)}
        if asked and not any(asked.values()):
            raise BadInput(f"--target {one_line(text)}: {', '.join(asked)} has no chip to choose. Omit the option")


def _parted(text: str) -> tuple[str, str]:
    """Runtime, or empty for every one, and chip."""
    name, equals, chip = text.partition("=")
    return (name, chip) if equals else ("", text)
