"""The command lines that make a run, or one stage of it, again."""

from __future__ import annotations

import shlex
from dataclasses import fields
from pathlib import Path

from porter.records.request import RunRequest
from porter.runfolder.sections import MADE_FROM

STAGES = {
    "export": ("load", "export"),
    "verify": ("data", "artefacts", "parity"),
    "preprocess": ("data",),
    "infer": ("data", "artefacts", "evaluations"),
    "evaluate": ("data", "artefacts", "evaluations", "comparisons"),
    "bench": ("artefacts", "performance"),
}
"""Command: the sections whose options it takes."""

LOADING = ("verify", "infer", "evaluate", "diagnose")
"""Commands that may load the model again, and so need leave to unpickle its checkpoint again."""

FLAGS = {
    "runtimes": "--runtime",
    "precisions": "--precision",
    "targets": "--target",
    "options": "--option",
    "languages": "--lang",
    "batch": "--batch",
    "label_offset": "--label-offset",
}
DELIVERY = ("languages", "model_card")
"""Options of the documents, which no section is made from."""
REPEATED = ("runtimes", "precisions", "targets", "options")
"""Options that are given once for each value."""


def commands_of(request: RunRequest, folder: Path) -> dict[str, str]:
    """The command of the whole run and of each stage, with every option that differs from its default."""
    commands = {"run": _line("run", request, tuple(MADE_FROM), folder)}
    for stage, sections in STAGES.items():
        commands[stage] = _line(stage, request, sections, folder)
    commands["diagnose"] = shlex.join(["porter", "diagnose", "run", str(folder), *_trust("diagnose", request)])
    commands["report"] = shlex.join(["porter", "report", str(folder)])
    return commands


def run_arguments(request: RunRequest) -> list[str]:
    """The arguments of `porter run` that give `request` again, without `--out`."""
    return [request.model, *_options(request, tuple(MADE_FROM), DELIVERY)]


def _line(command: str, request: RunRequest, sections: tuple[str, ...], folder: Path) -> str:
    model = [request.model] if command in ("run", "export") else []
    further = DELIVERY if command == "run" else ()
    arguments = [*model, *_options(request, sections, further), *_trust(command, request)]
    return shlex.join(["porter", command, *arguments, "--out", str(folder)])


def _trust(command: str, request: RunRequest) -> list[str]:
    return ["--trust-checkpoint"] if request.trust_checkpoint and command in LOADING else []


def _options(request: RunRequest, sections: tuple[str, ...], further: tuple[str, ...] = ()) -> list[str]:
    named = (name for section in sections for name in MADE_FROM[section] if name != "model")
    wanted = dict.fromkeys((*named, *further))
    plain = RunRequest(model=request.model)
    known = {field.name for field in fields(RunRequest)}
    arguments: list[str] = []
    for name in wanted:
        value = getattr(request, name)
        if name in known and value != getattr(plain, name):
            arguments += _option(name, value)
    return arguments


def _option(name: str, value: object) -> list[str]:
    flag = FLAGS.get(name, f"--{name.replace('_', '-')}")
    if name in REPEATED:
        return [part for one in value for part in (flag, one)]  # type: ignore[attr-defined]
    if isinstance(value, tuple):
        return [flag, ",".join(map(str, value))]
    if isinstance(value, bool):
        return [flag]
    return [flag, str(value)]
