"""Runs in the worker of `wild.py`."""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np


class Missing(Exception):
    """What this machine lacks."""


def act(options, at, nth=1):
    if options.get("at", "run") != at or nth != options.get("nth", 1):
        return
    if options.get("unless") and Path(options["unless"]).exists():
        return
    mood = options.get("mood", "calm")
    print("about to", mood, flush=True)  # noqa: T201
    if mood == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if mood == "sleep":
        time.sleep(10**6)
    if mood == "memory":
        raise MemoryError
    if mood == "raise":
        raise ValueError("the wheel fell off")
    if mood == "exit":
        os._exit(7)
    if mood == "chatter":
        for _ in range(10):
            sys.stdout.write("x" * (1 << 20))
            sys.stderr.write("the end\n")


def build(request):
    act(request["options"], "build")
    name = request["name"] + ".onnx"
    shutil.copyfile(request["onnx"], Path(request["folder"], name))
    return {"files": [name], "command": "a copy"}


class Session:
    def __init__(self, options):
        self.options, self.calls = options, 0
        self.info = {"precision": "fp32", "provider": "numpy", "threads": 1}

    def run(self, feeds):
        self.calls += 1
        act(self.options, "run", self.calls)
        return {"class": feeds["image"].mean(axis=(2, 3)) * 4}


def open(request):
    act(request["options"], "open")
    return Session(request["options"])


def same(request, arrays):
    return arrays


def told(request):
    return {
        "path": sys.path,
        "cwd": str(Path.cwd()),
        "listed": [path.name for path in Path().iterdir()],
        "porter": "porter" in sys.modules,
        "numpy": np.__file__,
        "pid": os.getpid(),
        "variables": sorted(os.environ),
        "isolated": sys.flags.isolated,
    }


def lack(request):
    raise Missing("no licence was found")


def need(request):
    import a_package_that_is_not_there  # noqa: F401


def stay(request):
    print("staying", flush=True)  # noqa: T201
    time.sleep(10**6)


def stop_at(request):
    os.kill(os.getpid(), getattr(signal, request["signal"]))
