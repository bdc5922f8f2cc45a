"""List the classes and functions that a checkpoint asks for, without running anything of it."""

from __future__ import annotations

import io
import pickletools
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from porter.checkpoints.archive import read_pickle
from porter.checkpoints.sniff import Format

_LEGACY_PICKLES = 4
"""A legacy file begins with magic number, protocol version, system info and the object, each its own pickle."""


@dataclass(frozen=True)
class Survey:
    """What the pickles of a checkpoint ask for."""

    foreign: tuple[str, ...]
    """Full names (`module.Class`) of what torch's safe loader does not allow, torch's own last."""
    protocol: int
    """Highest pickle protocol; the safe loader reads protocol 2, the default of `torch.save`."""


def survey(path: Path, format: Format) -> Survey:
    """Disassemble the pickles of the torch file at `path`. Names read before any damage are kept.

    Call it inside `torch.serialization.safe_globals`, whose names then count as allowed.
    """
    names: set[tuple[str, str]] = set()
    protocol = 0
    with io.BytesIO(read_pickle(path)) if format == "zip" else path.open("rb") as file:
        for found in _globals(file, 1 if format == "zip" else _LEGACY_PICKLES):
            if isinstance(found, int):
                protocol = max(protocol, found)
            else:
                names.add(found)
    return Survey(_not_allowed(names), protocol)


def _globals(file: IO[bytes], pickles: int) -> Iterator[tuple[str, str] | int]:
    """Yield each (module, name) and each protocol number of the next `pickles` pickles in `file`."""
    try:
        for _ in range(pickles):
            yield from _globals_of_one(file)
    except (ValueError, OverflowError, MemoryError):  # what genops raises on bytes that are no pickle
        return


def _globals_of_one(file: IO[bytes]) -> Iterator[tuple[str, str] | int]:
    """The same for one pickle.

    From protocol 4 on, a name is put together from the last two strings on the stack, which may come from the memo.
    """
    memo: dict[int, str | None] = {}
    strings = ["", ""]
    top: str | None = None
    argument: Any
    for opcode, argument, _position in pickletools.genops(file):
        match opcode.name:
            case "MEMOIZE":
                memo[len(memo)] = top
                continue
            case "BINPUT" | "LONG_BINPUT":
                memo[argument] = top
                continue
            case "BINGET" | "LONG_BINGET":
                top = memo.get(argument)
            case "UNICODE" | "BINUNICODE" | "SHORT_BINUNICODE" | "BINUNICODE8":
                top = argument
            case "PROTO":
                yield argument
            case "GLOBAL":
                module, _space, name = argument.partition(" ")
                yield module, name
            case "STACK_GLOBAL":
                yield strings[-2], strings[-1]
            case _:
                top = None
        if top is not None:
            strings = [strings[-1], top]


def _not_allowed(names: set[tuple[str, str]]) -> tuple[str, ...]:
    """Those of `names` that the safe loader would refuse, in torch's spelling.

    torch tells this of whole archives only, so it is given one that holds a pickle of nothing but the names.
    """
    import torch

    # A protocol-2 pickle cannot hold a name with a line break, and no class has one.
    odd = {f"{module}.{name}" for module, name in names if "\n" in module + name}
    lines = "".join(f"c{module}\n{name}\n" for module, name in sorted(names) if "\n" not in module + name)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("names/data.pkl", b"\x80\x02" + lines.encode("utf-8", "replace") + b".")
        file.writestr("names/version", b"3\n")
    archive.seek(0)
    refused = {*torch.serialization.get_unsafe_globals_in_checkpoint(archive), *odd}
    return tuple(sorted(refused, key=lambda name: (name.startswith("torch."), name)))
