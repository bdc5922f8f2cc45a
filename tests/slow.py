"""The tiny model, slow enough to be stopped in the middle, and deadly where a test wants it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from tiny import TinyPlugin

from porter import hookimpl
from porter.contracts.runtime import Session


class Slow(TinyPlugin):
    """Takes its time over each batch. Of the workers, `victims` end by SIGKILL, each in its batch number `at`."""

    def __init__(self, pause: float = 0.0, victims: int = 0, at: int = 4, marks: Path | None = None) -> None:
        super().__init__()
        self.pause, self.victims, self.at, self.marks = pause, victims, at, marks
        self.home = os.getpid()
        self.batches = 0

    @hookimpl
    def porter_infer(self, session: Session, batch: Any) -> Any:
        time.sleep(self.pause)
        self.batches += 1
        if self.marks is not None and self.batches == self.at and os.getpid() != self.home:
            taken = len(list(self.marks.iterdir()))
            if taken < self.victims:
                (self.marks / str(os.getpid())).touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return session.run(batch)
