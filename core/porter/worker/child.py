"""The main program of a worker: it runs a plugin's script in another interpreter, and answers calls of its functions.

That interpreter has no porter: this file imports nothing but the standard library of Python 3.8 and later, and numpy
where arrays come. porter imports it for the two ends of the wire, which are the same on both sides: messages of JSON
through a socket, and arrays through memory that both have mapped.

Usage: python -I child.py SOCKET MEMORY PARENT SCRIPT (two descriptors, the id of the process that ends it, a file)
"""

from __future__ import annotations

import importlib.util
import json
import mmap
import os
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from typing import Any

HEADER = struct.Struct("!Q")
ALIGNED = 64
"""Bytes: arrays begin at a multiple of it."""
KINDS = "biuf"
"""Kinds of numpy types that pass: truth, whole numbers and floats of any width."""
LOOK_SECONDS = 2.0
"""Between two looks at whether the parent lives."""
PR_SET_PDEATHSIG = 1


def send(wire: socket.socket, message: dict[str, Any]) -> None:
    """Write one message."""
    data = json.dumps(message).encode()
    wire.sendall(HEADER.pack(len(data)) + data)


def receive(wire: socket.socket) -> dict[str, Any] | None:
    """Read one message; None where the other end has gone."""
    head = _exactly(wire, HEADER.size)
    data = None if head is None else _exactly(wire, HEADER.unpack(head)[0])
    if data is None:
        return None
    message: dict[str, Any] = json.loads(data.decode())
    return message


def _exactly(wire: socket.socket, size: int) -> bytes | None:
    parts: list[bytes] = []
    while size:
        part = wire.recv(min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


class Memory:
    """Arrays in a nameless file that both processes have mapped: nothing of it is left when they end.

    What a call brings is written from the beginning on, what it returns behind that.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._map: mmap.mmap | None = None

    def put(self, arrays: dict[str, Any], after: int = 0) -> list[dict[str, Any]]:
        """Copy arrays in, from the byte `after` on; returns where each is, for `get` on the other side."""
        import numpy as np

        found: list[dict[str, Any]] = []
        for name, given in arrays.items():
            array = np.asarray(given)
            if array.dtype.kind not in KINDS:
                raise TypeError(f"{name!r} is of type {array.dtype}, which cannot be passed between processes")
            start = -(-after // ALIGNED) * ALIGNED
            after = start + array.nbytes
            found.append({"name": str(name), "type": array.dtype.newbyteorder("=").str, "shape": array.shape})
            found[-1]["start"], found[-1]["end"] = start, after
        self._grow(after)
        for given, place in zip(arrays.values(), found):  # noqa: B905 - Python 3.8
            self._view(place)[...] = given
        return found

    def get(self, places: list[dict[str, Any]], *, copy: bool) -> dict[str, Any]:
        """Arrays by name. Without `copy` they are views, which the next call writes over."""
        self._grow(end_of(places))
        views = {place["name"]: self._view(place) for place in places}
        return {name: view.copy() if copy else view for name, view in views.items()}

    def _view(self, place: dict[str, Any]) -> Any:
        import numpy as np

        return np.ndarray(tuple(place["shape"]), np.dtype(place["type"]), self._map or bytearray(), place["start"])

    def _grow(self, size: int) -> None:
        """Map at least so much. Views of the map as it was stay valid."""
        if size > os.fstat(self._descriptor).st_size:
            size = max(size, 1 << 16)
            if hasattr(os, "posix_fallocate"):  # or a full disk would show as a signal, at the first write
                os.posix_fallocate(self._descriptor, 0, size)
            else:
                os.ftruncate(self._descriptor, size)
        if size and (self._map is None or len(self._map) < size):
            self._map = mmap.mmap(self._descriptor, os.fstat(self._descriptor).st_size)


def end_of(places: list[dict[str, Any]]) -> int:
    """The first byte behind all of them."""
    return max((place["end"] for place in places), default=0)


class Script:
    """A plugin's script, and the object that its last `open` or `probe` returned."""

    def __init__(self, path: str) -> None:
        self.path = os.path.realpath(path)
        self._held: Any = None
        sys.path.append(os.path.dirname(self.path))  # noqa: PTH120 - last: a neighbour must not stand before a package
        sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
        spec = importlib.util.spec_from_file_location("porter_inside", self.path)
        assert spec is not None and spec.loader is not None
        self._module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = self._module
        spec.loader.exec_module(self._module)
        sys.dont_write_bytecode = before

    def answer(self, call: dict[str, Any], memory: Memory) -> dict[str, Any]:
        """Do one call: of a function of the script, or of a method of the object that is held."""
        arrays = memory.get(call["arrays"], copy=False)
        target = self._held if call["of"] == "held" else self._module
        function = getattr(target, call["name"], None)
        if function is None and call.get("optional"):
            return {"value": None, "arrays": []}
        if function is None:
            raise AttributeError(f"there is no {call['name']}() in it")
        arguments = list(call["arguments"]) + ([arrays] if call["feeds"] else [])
        result = function(*arguments) if callable(function) else function
        if call["of"] == "opened":
            self._held, result = result, getattr(result, "info", None)
        if call["returns"] != "arrays":
            return {"value": json.loads(json.dumps(result)), "arrays": []}
        if not hasattr(result, "items"):
            raise TypeError(f"{call['name']}() returned {type(result).__name__}, must return arrays by name")
        return {"value": None, "arrays": memory.put(dict(result), after=end_of(call["arrays"]))}


def _fault(error: BaseException, script: str) -> dict[str, Any]:
    """What a call raised, and where in the script."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if os.path.realpath(frame.filename) == script] or frames[-1:]
    place = f"{os.path.basename(own[-1].filename)}:{own[-1].lineno}" if own else ""  # noqa: PTH119
    missing = getattr(error, "name", None) if isinstance(error, ModuleNotFoundError) else None
    return {"error": type(error).__name__, "text": str(error), "place": place, "missing": missing}


def _die_with(parent: int) -> None:
    """End when the parent does, however it ends: at once on Linux, elsewhere at the next look."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main(arguments: list[str]) -> None:
    """Answer calls until the other end closes the socket."""
    _die_with(int(arguments[2]))
    wire, memory = socket.socket(fileno=int(arguments[0])), Memory(int(arguments[1]))
    script: Script | None = None
    path = os.path.realpath(arguments[3])
    while True:
        call = receive(wire)
        if call is None:
            return
        try:
            script = script or Script(path)
            answer = script.answer(call, memory)
        except MemoryError:
            answer = {"error": "MemoryError", "text": "", "place": "", "missing": None}
        except BaseException as error:
            traceback.print_exc()
            answer = _fault(error, path)
        send(wire, answer)


if __name__ == "__main__":
    main(sys.argv[1:])
