"""How deep the values of a pickle are nested, and how many they are, told from its opcodes before anything builds them.

Hashing a tuple goes as deep as it is nested, on the stack of the process, which ends without a word when that is full.
"""

from __future__ import annotations

import pickletools
import zipfile
from pathlib import Path
from typing import IO

from porter.errors import BadInput, one_line
from porter.files.limits import COUNTS, over_count

LEVELS, VALUES = "levels of a pickle", "values in a pickle"
_LEGACY_PICKLES = 5
"""Pickles at the head of a file of PyTorch before 1.6: magic number, protocol, system, content, names of storages."""
_FILLS = frozenset({"APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS", "BUILD"})
"""Opcodes whose result is the object that they were given first."""


def check_nesting(path: Path, *, archive: bool) -> None:
    """Check the pickles of a checkpoint of `torch.save`. Raises `BadInput`, naming the file, for one beyond a limit."""
    try:
        if archive:
            with zipfile.ZipFile(path) as opened:
                for name in opened.namelist():
                    if name.endswith("/data.pkl"):
                        with opened.open(name) as stream:
                            _check(stream)
            return
        with path.open("rb") as file:
            for _ in range(_LEGACY_PICKLES):
                _check(file)
    except BadInput as error:
        raise BadInput(f"{one_line(path)}: {error}") from None
    except Exception:  # as with torch's own reader, almost anything: that one is left to name the damage
        return


def _check(stream: IO[bytes]) -> None:
    """Raise `BadInput` for one pickle beyond a limit, without the file's name."""
    stack: list[int] = []
    marks: list[int] = []
    memo: dict[int, int] = {}
    for count, (opcode, argument, _) in enumerate(pickletools.genops(stream), 1):
        if count > COUNTS[VALUES]:
            raise BadInput(f"too much in it; {over_count(VALUES)}")
        name, takes = opcode.name, opcode.stack_before
        if name == "MARK":
            marks.append(len(stack))
        elif name.endswith("PUT") or name == "MEMOIZE":
            memo[len(memo) if argument is None else argument] = stack[-1]
        elif name.endswith("GET"):
            stack.append(memo.get(argument or 0, 0))
        else:
            bottom = len(stack) - len(takes)
            if pickletools.markobject in takes:
                bottom = marks.pop() - takes.index(pickletools.markobject)
            used = stack[bottom:]
            del stack[bottom:]
            depth = _depth(name, used)
            if depth > COUNTS[LEVELS]:
                raise BadInput(f"nested too deep; {over_count(LEVELS)}")
            stack += [depth] * len(opcode.stack_after)


def _depth(name: str, used: list[int]) -> int:
    if not used:
        return 0
    return max(used[0], max(used[1:], default=-1) + 1) if name in _FILLS else max(used) + 1
