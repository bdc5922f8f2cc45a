"""Whether a run was reproduced: what is deterministic by its hash, accuracy exactly. Speed is stated alone.

What must be equal to the last byte depends on what made it. With the same versions on the same machine that is every
file; another processor, or another version of a package, may change the last digits of a score or the layout of a
file, and then files that differ are named and decide nothing. Inputs, verdicts and accuracy decide in any case. Speed
is stated and never decides.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from porter.comparing.changed import MACHINE, changes
from porter.comparing.compare import compare_runs
from porter.errors import BadInput, one_line
from porter.files.hashes import file_digest, folder_digest
from porter.machine import host as machine
from porter.records.comparison import Change, ChangeOutcome, Presence, RunComparison
from porter.records.record import RunRecord
from porter.records.version import __version__

OF_SPEED = (MACHINE, "cpu", "logical cpus", "affinity cpus", "cgroup cpus", "threads", "governor")
"""Properties of a machine that its speed depends on; those of the arithmetic are among them."""


def require_inputs(record: RunRecord, now: Mapping[str, Path]) -> None:
    """Stop where a file that the user gave is not the one that the run read. Raises `BadInput` naming it.

    `now` is where inputs lie here, by role; the others are looked for at the paths that were typed.
    """
    given = {one.role: one for one in record.inputs if not one.shipped}
    for role in now:
        if role not in given:
            known = ", ".join(given) or "none"
            raise BadInput(f"--input {one_line(role)}: the run was given no such input. Its inputs: {one_line(known)}")
    for role, one in given.items():
        path = now.get(role, Path(one.path))
        if _digest(path, role) != one.sha256:
            raise BadInput(f"{one_line(path)}: not the {one_line(role.replace('_', ' '))} of the original run")


def other_versions(record: RunRecord) -> tuple[Change, ...]:
    """The packages, Python and plugins that are otherwise here than in the record."""
    then: dict[str, str] = {}
    here: dict[str, str] = {}
    if record.environment is not None:
        then = {"python": record.environment.python, **record.environment.packages}
        now = machine.describe(tuple(record.environment.packages), images=False)
        here = {"python": now.python, **now.packages}
    for use in record.plugins:
        then.setdefault(use.distribution, use.version)
        here.setdefault(use.distribution, _installed(use.distribution))
    then["porter-core"], here["porter-core"] = record.porter, __version__
    return tuple(change for change in changes(then, here) if change.name)


def reproduction(first: Path, second: Path) -> RunComparison:
    """Compare a run with the one that was made to reproduce it. Raises `BadInput` as `compare_runs` does."""
    found = compare_runs(first, second)
    same_machine = not any(change.name in OF_SPEED for change in found.machine)
    alike = same_machine and not found.versions
    notes = list(found.notes)
    if found.versions:
        notes.append(f"other versions than in the record: {', '.join(_words(one) for one in found.versions)}")
    if not same_machine:
        of_speed = [one for one in found.machine if one.name in OF_SPEED]
        notes.append(f"another machine, speed is not compared: {', '.join(_words(one) for one in of_speed)}")
    files = list(_files(found))
    if files and not alike:
        notes += [f"{line}, as other versions or another machine may make it" for line in files]
    notes += list(_speed(found)) if same_machine else []
    missed = [*_stated(found), *(files if alike else ())]
    return replace(found, notes=tuple(notes), reproduction=tuple(missed))


def _stated(found: RunComparison) -> Iterator[str]:
    """What decides on every machine: inputs, options, verdicts, accuracy."""
    yield from (f"input {_words(one)}" for one in found.inputs)
    yield from (f"option {_words(one)}" for one in found.options)
    for verdict in found.verdicts:
        if verdict.first != verdict.second:
            yield f"verdict {verdict.title}: {verdict.second.upper()}, it was {verdict.first.upper()}"
    for one in found.accuracy:
        name = one.second_evaluation or one.first_evaluation
        if one.first is None or one.second is None:
            yield f"{name}: {one.title} is in one run only"
        elif one.difference:
            yield f"{name}: {one.title} {one.second:.2f} {one.unit}, it was {one.first:.2f}"
        elif one.paired is not None and one.paired.right_to_wrong:
            flips = one.paired.right_to_wrong + one.paired.wrong_to_right
            yield f"{name}: {one.title} is the same, {flips} images are not"


def _files(found: RunComparison) -> Iterator[str]:
    for file in found.files:
        if file.presence is not Presence.SAME:
            yield f"{file.path}: {file.presence}"


def _speed(found: RunComparison) -> Iterator[str]:
    for one in found.speed:
        if one.ratio is None:
            yield f"speed of {one.first_artefact or one.second_artefact} at batch {one.batch}: {one.reason}"
        elif one.outcome in (ChangeOutcome.BETTER, ChangeOutcome.WORSE):
            noise = "" if one.noise_percent is None else f"; noise {one.noise_percent:.1f}%"
            change = 100 * (one.ratio - 1)
            words = f"{abs(change):.0f}% {'faster' if change > 0 else 'slower'}"
            yield f"speed of {one.second_artefact} at batch {one.batch}: {words}{noise}"


def _words(change: Change) -> str:
    return f"{change.name}: {change.second or 'none'}, it was {change.first or 'none'}"


def _digest(path: Path, role: str) -> str:
    try:
        if path.is_dir():
            return folder_digest(path).sha256
        if path.is_file():  # a device or a pipe, as a forged record may name, could be read for ever
            return file_digest(path)
    except (OSError, ValueError) as error:
        raise BadInput(f"{one_line(path)}: not a usable path: {one_line(error)}") from None
    raise BadInput(f"{one_line(path)}: no such file. Use --input {one_line(role)}=PATH with its path")


def _installed(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return "not installed"
