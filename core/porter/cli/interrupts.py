"""Ctrl-C and SIGTERM: the command ends with its files tidied up, and soon, whatever code is running."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import NoReturn

from porter.files.outward import say

INTERRUPTED = 130
"""Exit code after an interrupt (Ctrl-C): 128 and the signal's number; after SIGTERM it is 143."""
GRACE = 1.5
"""Seconds to unwind in. Python answers a signal only between two of its instructions, and one call into a runtime or a
compiler can take longer; then the process ends as it is. What it wrote is whole or not there, so nothing is lost."""


class Interrupts:
    """Turns the first SIGINT or SIGTERM into `KeyboardInterrupt`, and ends the process where that comes too late.

    A signal that the caller has ignored, as for a job in the background, stays ignored.
    """

    def __init__(self, farewell: str) -> None:
        self.came: list[int] = []
        """The signals that came, so far."""
        self._farewell = farewell

    def answer(self) -> None:
        """Answer signals from now on."""
        if threading.current_thread() is not threading.main_thread():
            return
        kinds = ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL))
        ours = [number for number, untouched in kinds if signal.getsignal(number) == untouched]
        for number in ours:
            signal.signal(number, self._unwind)
        if ours:
            self._watch()

    def end(self) -> NoReturn:
        """Say how to go on, and exit as the shell expects after a signal."""
        say(self._farewell, error=True)
        self._farewell = ""
        sys.exit(self._code())

    def _unwind(self, number: int, frame: FrameType | None) -> None:
        self.came.append(number)
        raise KeyboardInterrupt

    def _code(self) -> int:
        return INTERRUPTED - signal.SIGINT + (self.came[0] if self.came else signal.SIGINT)

    def _watch(self) -> None:
        """The signal's number arrives in a pipe even while native code runs, and a thread waits for it there."""
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        threading.Thread(target=self._enforce, args=(reading,), daemon=True, name="porter-interrupts").start()

    def _enforce(self, reading: int) -> None:
        while True:
            number = os.read(reading, 1)[0]
            # Of the signals that Python handles, only those that `_unwind` answers end the command.
            if signal.getsignal(number) == self._unwind:
                break
        time.sleep(GRACE)
        self.came = self.came or [number]
        if self._farewell:
            os.write(2, f"{self._farewell}\n".encode(errors="backslashreplace"))
        os._exit(self._code())
