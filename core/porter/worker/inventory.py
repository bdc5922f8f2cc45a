"""The environments on this machine: those that plugins ask for, and those that lie in the cache folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from porter.contracts.worker_environment import WorkerEnvironment
from porter.errors import PorterError
from porter.records.environment_report import EnvironmentState, RuntimeEnvironment
from porter.worker.environments import environments_folder, lock_of, made_in, named_interpreter, place_of
from porter.worker.installing import size_of


def inventory(declared: Mapping[str, WorkerEnvironment]) -> tuple[RuntimeEnvironment, ...]:
    """By name of the runtime what each asks for, then what lies in the folder and nobody asks for."""
    asked = [_asked(runtime, environment) for runtime, environment in sorted(declared.items())]
    names = {one.name for one in asked}
    folder = environments_folder()
    left = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    return (*asked, *(_lying(path, EnvironmentState.UNUSED) for path in left if path.name not in names))


def _asked(runtime: str, environment: WorkerEnvironment) -> RuntimeEnvironment:
    try:
        if environment.requirements is None:
            return _interpreter(runtime, environment)
        place = place_of(runtime, environment)
    except PorterError as error:
        return RuntimeEnvironment(
            name="",
            runtime=runtime,
            state=EnvironmentState.UNAVAILABLE,
            python="",
            path="",
            packages=0,
            size_bytes=0,
            note=str(error),
        )
    if place.folder.is_dir():
        return _lying(place.folder, EnvironmentState.MADE)
    return RuntimeEnvironment(
        name=place.name,
        runtime=runtime,
        state=EnvironmentState.NOT_MADE,
        python=place.interpreter.version,
        path=str(place.folder),
        packages=0,
        size_bytes=0,
    )


def _interpreter(runtime: str, environment: WorkerEnvironment) -> RuntimeEnvironment:
    interpreter, lock = named_interpreter(runtime, environment), lock_of(runtime, environment)
    return RuntimeEnvironment(
        name="",
        runtime=runtime,
        state=EnvironmentState.INTERPRETER,
        python=interpreter.version,
        path=str(interpreter.path),
        packages=0 if lock is None else len(lock.packages),
        size_bytes=0,
    )


def _lying(folder: Path, state: EnvironmentState) -> RuntimeEnvironment:
    made = made_in(folder)
    return RuntimeEnvironment(
        name=folder.name,
        runtime="" if made is None else made.runtime,
        state=EnvironmentState.NOT_WHOLE if made is None else state,
        python="" if made is None else made.lock.python,
        path=str(folder),
        packages=0 if made is None else len(made.lock.packages),
        size_bytes=size_of(folder),
    )
