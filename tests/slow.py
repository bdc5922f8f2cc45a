"""The tiny model, slow enough to be stopped in the middle, and deadly where a test wants it."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from tiny import TinyPlugin

from porter import hookimpl
from porter.contracts.runtime import Session


class Slow(TinyPlugin):
    """Takes its time over each batch. Of the workers, `victims` end by SIGKILL, each in its batch number `at`; `meet`
    of them wait for one another before the first. `marks` is a folder that they share."""

    def __init__(
        self, pause: float = 0.0, victims: int = 0, at: int = 4, meet: int = 0, marks: Path | None = None
    ) -> None:
        super().__init__()
        self.meet = meet
        self.pause, self.victims, self.at, self.marks = pause, victims, at, marks
        self.home = os.getpid()
        self.batches = 0

    @hookimpl
    def porter_infer(self, session: Session, feeds: Any) -> Any:
        time.sleep(self.pause)
        self.batches += 1
        if self.marks is not None and os.getpid() != self.home:
            self._in_a_worker(self.marks)
        return session.run(feeds)

    def _in_a_worker(self, marks: Path) -> None:
        if self.batches == 1:
            (marks / f"{os.getpid()} came").touch()
            while len(list(marks.glob("* came"))) < self.meet:
                time.sleep(0.02)
        if self.batches == self.at:
            for number in range(self.victims):
                with suppress(FileExistsError), (marks / f"{number} ended").open("x"):
                    os.kill(os.getpid(), signal.SIGKILL)
