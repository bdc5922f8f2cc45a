"""The environments of runtimes: each made once in the user's cache folder, whole or not at all, known by its lock."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

import msgspec

from porter.contracts.progress import Progress
from porter.contracts.worker_environment import WorkerEnvironment
from porter.errors import Missing, PluginError, PorterError, one_line
from porter.files.hashes import digest_of
from porter.files.textfile import read_text
from porter.files.whole import write_whole
from porter.records.environment_lock import EnvironmentLock
from porter.worker.installing import InstallFailed, install, python_in, size_of
from porter.worker.interpreter import Interpreter, find_interpreter, packages_of

try:
    import fcntl
except ImportError:  # Windows: two commands that make one environment at once are the user's to avoid
    fcntl = None  # type: ignore[assignment]

LOCK_NAME = "porter-lock.json"
"""In an environment's folder. It is written last: a folder without it is not whole, and is made anew."""
KEY_LENGTH = 12


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What `LOCK_NAME` holds."""

    runtime: str
    lock: EnvironmentLock


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the environment of a runtime is, or will be."""

    name: str
    """Name of the runtime and the key of all that makes it: requirements, interpreter, platform."""
    folder: Path
    """The environment."""
    interpreter: Interpreter
    """What it is made with."""
    requirements: Path
    """What is installed."""


def cache_folder() -> Path:
    """Folder of porter's own in the user's cache: `$PORTER_CACHE_HOME`, else in `$XDG_CACHE_HOME`, else in ~/.cache."""
    own, users = os.environ.get("PORTER_CACHE_HOME"), os.environ.get("XDG_CACHE_HOME")
    return Path(own).absolute() if own else (Path(users) if users else Path.home() / ".cache").absolute() / "porter"


def environments_folder() -> Path:
    """Folder of all environments."""
    return cache_folder() / "environments"


def place_of(runtime: str, environment: WorkerEnvironment) -> Place:
    """Where it is, or will be. Raises `Missing` where its interpreter is absent, `BadInput` for its requirements."""
    if environment.requirements is None:
        raise PluginError(f"runtime {runtime}: its environment is an interpreter, which porter does not create")
    interpreter = find_interpreter(environment.python)
    text = read_text(environment.requirements, "file of requirements").text
    key = digest_of(text, interpreter.version, interpreter.platform)[:KEY_LENGTH]
    name = f"{re.sub(r'[^A-Za-z0-9._-]', '-', runtime)}-{key}"
    folder = environments_folder() / name
    return Place(name=name, folder=folder, interpreter=interpreter, requirements=environment.requirements)


def python_of(runtime: str, environment: WorkerEnvironment, progress: Progress) -> Path:
    """The interpreter to start, its environment made where it is not there yet; `progress` says so.

    Raises `Missing` where it cannot be made: with the end of what pip said.
    """
    if environment.requirements is None:
        return named_interpreter(runtime, environment).path
    place = place_of(runtime, environment)
    if lock_in(place.folder) is None:
        with _held(progress):
            if lock_in(place.folder) is None:  # else another porter made it meanwhile
                _make(runtime, place, progress)
    return python_in(place.folder)


def named_interpreter(runtime: str, environment: WorkerEnvironment) -> Interpreter:
    """The interpreter that is used as it is. Raises `Missing` where it is absent, `PluginError` where none is named."""
    if not environment.python:
        raise PluginError(f"runtime {runtime}: its WorkerEnvironment names neither requirements nor an interpreter")
    return find_interpreter(environment.python)


def lock_of(runtime: str, environment: WorkerEnvironment) -> EnvironmentLock | None:
    """What an environment holds; None where it is not made, or cannot be."""
    try:
        if environment.requirements is None:
            return _lock_of_interpreter(named_interpreter(runtime, environment))
        return lock_in(place_of(runtime, environment).folder)
    except PorterError:
        return None


def lock_in(folder: Path) -> EnvironmentLock | None:
    """The lock of a whole environment; None where there is none."""
    made = made_in(folder)
    return None if made is None else made.lock


def made_in(folder: Path) -> Made | None:
    """What the lock of an environment says; None where it is not whole."""
    try:
        return msgspec.json.decode((folder / LOCK_NAME).read_bytes(), type=Made)
    except (OSError, msgspec.DecodeError):
        return None


def remove(folder: Path) -> int:
    """Remove an environment and its log; returns the bytes that it took."""
    with _held(Progress()):
        size = size_of(folder)
        with suppress(FileNotFoundError):
            (folder / LOCK_NAME).unlink()  # first: what a kill leaves is not whole
        rmtree(folder, ignore_errors=True)
        log_of(folder).unlink(missing_ok=True)
    return size


def log_of(folder: Path) -> Path:
    """What making an environment printed."""
    return folder.with_name(f"{folder.name}.log")


def _make(runtime: str, place: Place, progress: Progress) -> None:
    rmtree(place.folder, ignore_errors=True)  # what a killed porter left
    log = log_of(place.folder)
    python = f"Python {place.interpreter.version}"
    progress.note(f"runtime {runtime}: creating its environment once, with {python}: {place.folder}")
    try:
        with progress.step(f"environment of {runtime}"):
            install(place.folder, place.interpreter, place.requirements, log)
        lock = _locked(place.interpreter, packages_of(python_in(place.folder)))
        write_whole(
            place.folder / LOCK_NAME, msgspec.json.format(msgspec.json.encode(Made(runtime=runtime, lock=lock)))
        )
    except InstallFailed as error:
        rmtree(place.folder, ignore_errors=True)
        raise Missing(
            f"runtime {runtime}: its environment cannot be created from {one_line(place.requirements)} with {python}: "
            f"{error} (all of it: {one_line(log)})"
        ) from None
    except BaseException:
        rmtree(place.folder, ignore_errors=True)
        raise


def _locked(interpreter: Interpreter, packages: tuple[str, ...]) -> EnvironmentLock:
    return EnvironmentLock(
        sha256=digest_of(interpreter.version, interpreter.platform, *packages),
        python=interpreter.version,
        platform=interpreter.platform,
        packages=packages,
    )


@functools.cache
def _lock_of_interpreter(interpreter: Interpreter) -> EnvironmentLock:
    return _locked(interpreter, packages_of(interpreter.path))


@contextmanager
def _held(progress: Progress) -> Iterator[None]:
    """Hold the folder of all environments: one is made or removed at a time. The lock ends with the process."""
    folder = environments_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise Missing(f"{one_line(folder)}: {error.strerror}; PORTER_CACHE_HOME names another folder") from None
    try:
        if fcntl is not None:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress.note(f"another porter creates an environment in {folder}; waiting")
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
