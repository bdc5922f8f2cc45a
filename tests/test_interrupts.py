"""Ctrl-C and SIGTERM: answered within two seconds, whatever code is running."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

PYTHON = """
import sys, time
from porter.cli.interrupts import Interrupts
interrupts = Interrupts("bye")
try:
    interrupts.answer()
    print("ready", flush=True)
    {work}
except KeyboardInterrupt:
    interrupts.end()
"""
DEAF = "import threading; threading.Thread(target=lambda: time.sleep(20)).start(); time.sleep(20)"
"""Python unwinds at once, and then waits for a thread that does not end."""


def interrupted(work: str, number: int) -> tuple[int, str, float]:
    process = subprocess.Popen(
        [sys.executable, "-c", PYTHON.format(work=work)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.1)
    began = time.monotonic()
    process.send_signal(number)
    _, stderr = process.communicate(timeout=15)
    return process.returncode, stderr, time.monotonic() - began


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("work", ["time.sleep(20)", DEAF], ids=["python", "a thread that stays"])
def test_it_ends_within_two_seconds(work: str, number: signal.Signals, code: int) -> None:
    returned, stderr, seconds = interrupted(work, number)
    assert (returned, stderr) == (code, "bye\n")
    assert seconds < 2.5


def test_native_code_does_not_hold_it_up() -> None:
    # One long call into a library that releases the interpreter's lock and minds no signal.
    work = "import hashlib; hashlib.pbkdf2_hmac('sha512', b'x', b'y', 60_000_000)"
    returned, stderr, seconds = interrupted(work, signal.SIGINT)
    assert (returned, stderr) == (130, "bye\n")
    assert seconds < 2.5
