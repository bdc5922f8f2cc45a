"""One worker: a process of another interpreter that runs a plugin's script, and what is made of its end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from porter.errors import BadInput, ExitCode, Missing, PluginError, TargetFailed, one_line
from porter.worker import child
from porter.worker.bounded_log import BoundedLog

if TYPE_CHECKING:
    import numpy as np

PATIENCE_VARIABLE = "PORTER_WORKER_TIMEOUT"
PATIENCE = 600.0
"""Seconds without an answer and without a word, after which a call hangs."""
TALKATIVE = 10
"""One that goes on printing may take so many times as long."""
LOOK_SECONDS = 0.2
"""Between two looks at the time while an answer is waited for."""
FAREWELL_SECONDS = 5.0
"""For a worker to end by itself, once the socket is closed."""

# The kernel ends a worker with the thread that started it, so one that lasts as long as porter starts them all.
_starter = ThreadPoolExecutor(1, "porter-worker-starter")


class OutOfMemory(TargetFailed):
    """A worker had not the memory that it asked for."""

    exit_code = ExitCode.MISSING


@dataclass(frozen=True, kw_only=True)
class Errand:
    """What a worker is started for."""

    runtime: str
    """Name of the runtime, for errors."""
    python: Path
    """The interpreter."""
    script: Path
    """The plugin's script."""
    log: Path | None = None
    """File for what it prints."""
    patience: float = PATIENCE
    """Seconds, see `PATIENCE`; the variable goes before."""
    threads: int | None = None
    """Threads for the libraries that read them from the environment; None: as many as they like."""


def patience_of(errand: Errand) -> float:
    """Seconds to wait without a sign. Raises `BadInput` where the variable is no number above 0."""
    given = os.environ.get(PATIENCE_VARIABLE, "")
    try:
        seconds = float(given) if given else errand.patience
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise BadInput(f"{PATIENCE_VARIABLE}={one_line(given)}: not a number of seconds above 0")
    return seconds


class Worker:
    """A process that answers one call after another. Once it failed, every further call fails in the same way."""

    def __init__(self, errand: Errand) -> None:
        self._errand, self._patience = errand, patience_of(errand)
        self._failed: TargetFailed | None = None
        self._busy = False
        self._wire, theirs = socket.socketpair()
        self._folder = tempfile.TemporaryDirectory(prefix="porter-worker-", ignore_cleanup_errors=True)
        memory = _nameless_file()
        reading, writing = os.pipe()
        try:
            self._process = _starter.submit(
                _start, errand, self._folder.name, theirs.fileno(), memory, writing
            ).result()
        except OSError as error:
            os.close(reading)
            os.close(memory)
            raise Missing(f"runtime {errand.runtime}: {errand.python}: {error.strerror or error}") from None
        finally:
            theirs.close()
            os.close(writing)
        self._descriptor, self._memory = memory, child.Memory(memory)
        self._log = BoundedLog(reading, errand.log)

    def call(
        self,
        name: str,
        *arguments: object,
        of: str = "script",
        feeds: Mapping[str, np.ndarray] | None = None,
        returns: str = "value",
        optional: bool = False,
    ) -> Any:
        """Call a function of the script with arguments that JSON can hold, and arrays by name.

        `of`: `script`; `opened`, to hold what it returns and answer with its `info`; or `held`, for a method of that.
        `returns`: `value`, as JSON has it, or `arrays` by name. Raises `TargetFailed` where the process dies, hangs or
        lacks memory, `BadInput` or `Missing` where the script raises an exception of that name, else `PluginError`.
        """
        if self._failed is not None:
            raise self._failed
        message = {"of": of, "name": name, "arguments": arguments, "returns": returns, "optional": optional}
        places = self._memory.put(dict(feeds or {}))
        self._busy = True
        with suppress(BrokenPipeError, ConnectionResetError):  # its death is looked at below
            child.send(self._wire, {**message, "arrays": places, "feeds": feeds is not None})
        answer = self._answer(name)
        self._busy = False
        if "error" in answer:
            self._raise(name, answer)
        return self._memory.get(answer["arrays"], copy=True) if returns == "arrays" else answer["value"]

    def close(self) -> None:
        """End the process, kindly unless it is at work, and write its log."""
        self._wire.close()
        with suppress(subprocess.TimeoutExpired):
            if not self._busy:
                self._process.wait(FAREWELL_SECONDS)
        self._kill()
        self._log.close()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self._folder.cleanup()

    def _answer(self, name: str) -> dict[str, Any]:
        """The next message, as long as the process lives and gives a sign."""
        begun = time.monotonic()
        self._wire.settimeout(LOOK_SECONDS)
        while True:
            try:
                first = self._wire.recv(1, socket.MSG_PEEK)
            except TimeoutError:
                now = time.monotonic()
                silent = now - max(begun, self._log.heard)
                if silent > self._patience or now - begun > TALKATIVE * self._patience:
                    self._hung(name, now - begun)
                continue
            except OSError:  # reset by its death, or closed from another thread
                first = b""
            break
        self._wire.settimeout(self._patience)
        try:
            answer = child.receive(self._wire) if first else None
        except TimeoutError:
            self._hung(name, time.monotonic() - begun)
        except OSError:
            answer = None
        if answer is None:
            self._died(name)
        return answer

    def _hung(self, name: str, seconds: float) -> NoReturn:
        self._kill()
        self._fail(
            f"{name}() gave no answer in {seconds:.0f} s and was stopped. Use {PATIENCE_VARIABLE}=SECONDS to allow more"
        )

    def _died(self, name: str) -> NoReturn:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(FAREWELL_SECONDS)
        self._kill()
        code = self._process.returncode
        if code == -signal.SIGKILL:
            self._fail(f"its process was killed (SIGKILL) in {name}(): out of memory, or ended by someone", memory=True)
        self._fail(f"its process ended in {name}(), by {_ending(code)}")

    def _fail(self, what: str, *, memory: bool = False) -> NoReturn:
        self._log.close()
        kind = OutOfMemory if memory else TargetFailed
        self._failed = kind(f"runtime {self._errand.runtime}: {what}{self._told()}")
        raise self._failed

    def _told(self) -> str:
        """The end of the log, and where it is."""
        end = self._log.end()
        if not end:
            return "; it printed nothing"
        where = "" if self._log.path is None else f" ({one_line(self._log.path)})"
        return f"; the end of its log{where}: {end}"

    def _raise(self, name: str, fault: Mapping[str, Any]) -> NoReturn:
        """What the script raised, as the error that it is."""
        kind, text = one_line(fault["error"]), one_line(fault["text"])
        about = f"runtime {self._errand.runtime}"
        if kind == "MemoryError":
            self._kill()
            self._fail(f"{name}() ran out of memory", memory=True)
        if kind in ("BadInput", "Missing"):
            raise (BadInput if kind == "BadInput" else Missing)(f"{about}: {text}")
        if fault["missing"]:
            raise PluginError(f"{about}: its environment lacks the package {one_line(fault['missing'])!r}")
        script = one_line(self._errand.script.name)
        raise PluginError(f"{about}: {name}() of {script} raised {kind}: {text} ({one_line(fault['place'])})")

    def _kill(self) -> None:
        """End the process and whatever it started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _nameless_file() -> int:
    """A file that has no name and ends with those who have it open, in memory where the system can."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("porter-worker")
    with tempfile.TemporaryFile() as stream:
        return os.dup(stream.fileno())


def _start(errand: Errand, folder: str, wire: int, memory: int, printed: int) -> subprocess.Popen[bytes]:
    program = [str(errand.python), "-I", "-u", "-X", "utf8", child.__file__]
    return subprocess.Popen(
        [*program, str(wire), str(memory), str(os.getpid()), str(errand.script)],
        stdin=subprocess.DEVNULL,
        stdout=printed,
        stderr=printed,
        pass_fds=(wire, memory),
        cwd=folder,  # what a vendor's tool drops where it stands is gone with it
        env=environment_of(errand.python, errand.threads),
        start_new_session=True,  # Ctrl-C is porter's to answer; and a group of its own can be ended whole
    )


def environment_of(python: Path, threads: int | None = None) -> dict[str, str]:
    """The environment variables of a process in another interpreter: nothing of porter's leads into its imports."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    kept["PATH"] = os.pathsep.join(filter(None, (str(python.parent), kept.get("PATH"))))
    kept.pop("VIRTUAL_ENV", None)
    if threads is not None:
        kept |= dict.fromkeys(THREAD_VARIABLES, str(threads))
    return kept


THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def call_once(errand: Errand, name: str, *arguments: object, **how: Any) -> Any:
    """One call in a process of its own, which ends with it."""
    worker = Worker(errand)
    try:
        return worker.call(name, *arguments, **how)
    finally:
        worker.close()
