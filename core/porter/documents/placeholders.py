"""What documents write for the paths of the machine that made them: DATA, CHECKPOINT, OUT.

In README.md and report.html these are words, in reproduce.sh variables of the shell.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

import msgspec

from porter.files.outward import is_command, shell_line, shell_word
from porter.records.message import Message
from porter.records.record import RunRecord
from porter.runfolder.option_table import OPTIONS

PATHS = frozenset({"FILE", "DIR", "PATH", "FILE.py"})
"""Metavars of the options that name files and folders."""
OF_FLAG = {row.flag: row.flag.lstrip("-").replace("-", "_").upper() for row in OPTIONS if row.metavar in PATHS}
OF_FLAG["--out"] = OUT = "OUT"
MEANING = {
    "DATA": Message("the folder of images"),
    "LABELS": Message("the labels"),
    "CHECKPOINT": Message("the checkpoint"),
    "CONFIG": Message("the config of the model"),
    "CLASS_MAP": Message("the class map"),
    "CALIBRATION": Message("the folder of calibration images"),
    "PLUGIN": Message("the file of the plugin"),
    "HOST_FACTS": Message("the facts of the host"),
    "OPTION": Message("the path in the option of the runtime"),
    "RESULTS": Message("the folder of imported results"),
    OUT: Message("the folder of the run"),
}
RESULTS = "RESULTS"
NUMBERED = re.compile(r"_\d+\Z")
"""Ends the placeholder of a second path behind the same option."""
RUN_NEXT = (["porter", "report"], ["porter", "diagnose", "run"])
"""After these words comes the folder of a run."""


def without_paths(record: RunRecord) -> RunRecord:
    """The record as documents show it: a placeholder for each path that was typed, the name alone of any other."""
    typed = dict(sorted(_known(record), key=lambda pair: -len(pair[0])))
    known = {path: name for path, name in typed.items() if "/" in path}
    pattern = re.compile("|".join(rf"(?<![\w./-]){re.escape(path)}(?![\w-])" for path in known) or r"(?!)")

    def shown(text: str) -> str:
        if is_command(text):
            return shell_line(_words(shlex.split(text), typed))
        return shown_path(text)

    def shown_path(text: str) -> str:
        return pattern.sub(lambda found: known[found.group()], text)

    inputs = tuple(replace(one, path=PurePath(one.path).name) for one in record.inputs)
    return msgspec.convert(_walked(msgspec.to_builtins(replace(record, inputs=inputs)), shown), RunRecord)


def used(record: RunRecord) -> tuple[tuple[str, Message], ...]:
    """The placeholders in the commands of such a record, each with what it stands for."""
    words = {part for command in record.commands.values() for part in re.findall(r"\w+", command)}
    found = sorted(words, key=lambda word: (len(word), word))
    return tuple((word, meaning) for name, meaning in MEANING.items() for word in found if _base(word) == name)


@dataclass(frozen=True, kw_only=True)
class Script:
    """A command as reproduce.sh has it: each path of this machine is a variable, which the user sets."""

    command: str
    """The line, quoted for a shell; without `--out`."""
    variables: tuple[tuple[str, Message], ...]
    """The variables in order, each with what it stands for."""
    inputs: tuple[tuple[str, str], ...]
    """Role of an input that the user gave, and its variable."""


def as_script(record: RunRecord, arguments: Sequence[str]) -> Script:
    """The command of these arguments of `porter`, which made `record`."""
    line, variables = ["porter"], list[str]()
    for place, (kept, name) in enumerate(_placed(arguments)):
        if arguments[0] == "import" and place == 2:
            kept, name = "", RESULTS
        line.append(f'{shell_word(kept) if kept else ""}"${name}"' if name else shell_word(kept))
        variables += [name] if name else []
    by_flag = {f"--{given.role.replace('_', '-')}": given.role for given in record.inputs if not given.shipped}
    inputs = tuple((role, OF_FLAG[flag]) for flag, role in by_flag.items() if OF_FLAG.get(flag) in variables)
    return Script(
        command=" ".join(line), variables=tuple((name, MEANING[_base(name)]) for name in variables), inputs=inputs
    )


def _base(name: str) -> str:
    return NUMBERED.sub("", name)


def _placed(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each word of a command: what stays of it, and the placeholder of the path with which it ends; empty: none."""
    before, seen = "", dict[str, int]()
    for word in words:
        kept, name = word, ""
        if before in OF_FLAG:
            kept, name = "", OF_FLAG[before]
        elif before == "--option" and (path := re.search(r"=(?=/)", word)):
            kept, name = word[: path.end()], "OPTION"
        if name and name != OUT:
            seen[name] = seen.get(name, 0) + 1
            name += f"_{seen[name]}" if seen[name] > 1 else ""
        yield kept, name
        before = word


def _known(record: RunRecord) -> Iterator[tuple[str, str]]:
    """Each path that was typed, and what it leads to: what a text could hold."""
    paths = [(getattr(record.request, row.field, None), OF_FLAG[row.flag]) for row in OPTIONS if row.flag in OF_FLAG]
    typed = [(path, name) for path, name in paths if isinstance(path, str)]
    report = shlex.split(record.commands.get("report", ""))
    typed += [(report[2], OUT)] if len(report) > 2 else []
    typed += [(record.imported.folder, RESULTS)] if record.imported is not None else []
    for path, name in typed:
        for form in {path, str(Path(path).absolute()) if "://" not in path else path}:
            if form.strip("/"):
                yield form.rstrip("/"), name


def _words(words: list[str], typed: Mapping[str, str]) -> Iterator[str]:
    """The words of a command: for a path its placeholder, or else no more than a name."""
    for place, (kept, name) in enumerate(_placed(words)):
        above = next((path for path in typed if kept.startswith(f"{path}/") or ("/" in path and kept == path)), None)
        if name:
            yield kept + name
        elif words[:place] in RUN_NEXT:
            yield OUT
        elif above is not None:
            yield typed[above] + kept.removeprefix(above)
        elif "/" in kept:
            yield PurePath(kept).name
        else:
            yield kept


def _walked(value: Any, shown: Callable[[str], str]) -> Any:
    """Every text of what a record holds, replaced."""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, dict):
        return {key: _walked(one, shown) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_walked(one, shown) for one in value]
    return value
