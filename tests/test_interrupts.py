"""Ctrl-C and SIGTERM: answered whatever code is running, none of which ends by itself."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from porter.cli.interrupts import GRACE

PYTHON = """
import sys, threading, time
from porter.cli.interrupts import Interrupts
interrupts = Interrupts("bye")
try:
    interrupts.answer()
    threading.Timer(0.1, print, ["begun"], dict(flush=True)).start()
    {work}
except KeyboardInterrupt:
    interrupts.end()
"""
SLEEP = "time.sleep(10**6)"
DEAF = f"threading.Thread(target=lambda: {SLEEP}).start(); {SLEEP}"
"""Python unwinds at once, and then waits for a thread that does not end."""


def interrupted(work: str, number: int) -> tuple[int, str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PYTHON.format(work=work)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(number)
    _, stderr = process.communicate()
    return process.returncode, stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("work", [SLEEP, DEAF], ids=["python", "a thread that stays"])
def test_it_ends(work: str, number: signal.Signals, code: int) -> None:
    assert interrupted(work, number) == (code, "bye\n")


def test_native_code_does_not_hold_it_up() -> None:
    # One long call into a library that releases the interpreter's lock and minds no signal.
    work = "import hashlib; hashlib.pbkdf2_hmac('sha512', b'x', b'y', 2**31 - 1)"
    assert interrupted(work, signal.SIGINT) == (130, "bye\n")


def test_it_waits_less_than_two_seconds() -> None:
    assert GRACE < 2
