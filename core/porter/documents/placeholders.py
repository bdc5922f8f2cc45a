"""What documents write for the paths of the machine that made them: DATA, CHECKPOINT, OUT."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import msgspec

from porter.files.outward import is_command, shell_line
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
    "RESULTS": Message("the folder of imported results"),
    OUT: Message("the folder of the run"),
}
RESULTS = "RESULTS"
RUN_NEXT = (["porter", "report"], ["porter", "diagnose", "run"])
"""After these words comes the folder of a run."""


def without_paths(record: RunRecord) -> RunRecord:
    """The record as documents show it: a placeholder for each path that was typed, the name alone of any other."""
    known = dict(sorted(_known(record), key=lambda pair: -len(pair[0])))
    pattern = re.compile("|".join(rf"(?<![\w./-]){re.escape(path)}(?![\w-])" for path in known) or r"(?!)")

    def shown(text: str) -> str:
        if is_command(text):
            return shell_line(_words(shlex.split(text), shown_path))
        return shown_path(text)

    def shown_path(text: str) -> str:
        return pattern.sub(lambda found: known[found.group()], text)

    inputs = tuple(replace(one, path=PurePath(one.path).name) for one in record.inputs)
    return msgspec.convert(_walked(msgspec.to_builtins(replace(record, inputs=inputs)), shown), RunRecord)


def used(record: RunRecord) -> tuple[tuple[str, Message], ...]:
    """The placeholders in the commands of such a record, each with what it stands for."""
    words = {word for command in record.commands.values() for word in shlex.split(command)}
    return tuple((name, meaning) for name, meaning in MEANING.items() if name in words)


def _known(record: RunRecord) -> Iterator[tuple[str, str]]:
    """Each path that was typed, and what it leads to: what a text could hold."""
    paths = [(getattr(record.request, row.field, None), OF_FLAG[row.flag]) for row in OPTIONS if row.flag in OF_FLAG]
    typed = [(path, name) for path, name in paths if isinstance(path, str)]
    report = shlex.split(record.commands.get("report", ""))
    typed += [(report[2], OUT)] if len(report) > 2 else []
    typed += [(record.imported.folder, RESULTS)] if record.imported is not None else []
    for path, name in typed:
        for form in {path, str(Path(path).absolute()) if "://" not in path else path}:
            if "/" in form.strip("/") or form.startswith("/"):
                yield form.rstrip("/"), name


def _words(words: list[str], shown: Callable[[str], str]) -> Iterator[str]:
    """The words of a command: behind an option that takes a path its placeholder, elsewhere no more than a name."""
    before = ""
    for place, word in enumerate(words):
        short = shown(word)
        if before in OF_FLAG:
            yield OF_FLAG[before]
        elif words[:place] in RUN_NEXT:
            yield OUT
        elif "/" in short and short.partition("/")[0] not in MEANING:
            yield PurePath(short).name
        else:
            yield short
        before = word


def _walked(value: Any, shown: Callable[[str], str]) -> Any:
    """Every text of what a record holds, replaced."""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, dict):
        return {key: _walked(one, shown) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_walked(one, shown) for one in value]
    return value
