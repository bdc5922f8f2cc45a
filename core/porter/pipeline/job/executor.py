"""What an executor is, as far as a job knows it; what it answers is the evaluation's."""

from __future__ import annotations

import abc
from pathlib import Path
from types import TracebackType


class Executor(abc.ABC):
    """Used as a context manager: what it started ends with it."""

    name: str
    reads_files: bool
    """Whether it takes tensors and outputs that earlier stages left in the run's folder."""
    templates: Path | None = None
    """Folder of templates that go before core's, with catalogues in `languages/` beside them; None: core's alone."""

    def require(self) -> None:  # noqa: B027 - most need nothing
        """Raise `Missing` or `BadInput` where it cannot be used, before any work is done."""

    def close(self) -> None:  # noqa: B027 - most start nothing
        """End what was started."""

    def __enter__(self) -> Executor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
