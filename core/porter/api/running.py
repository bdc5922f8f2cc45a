"""`porter.run` and `porter.load`."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from porter.api.result import Result
from porter.api.shown_progress import progress_of
from porter.cli.mendable import mendable
from porter.cli.plugin_files import given_plugins
from porter.contracts.progress import Progress
from porter.errors import PorterError
from porter.runfolder.record_file import read_record

WAIT_POLICY = "OMP_WAIT_POLICY"
"""Set for PyTorch while it is imported, see `porter.machine.host.let_threads_sleep`."""
_one_run = threading.RLock()
"""Held by a run: two at once would measure each other, and PyTorch exports one model at a time."""


def run(
    model: str,
    *,
    out: str | os.PathLike[str] | None = None,
    fresh: bool = False,
    progress: bool | Progress | Callable[[str, int, int | None], object] = True,
    **options: Any,
) -> Result:
    """`porter run` in this process: load, export, verify, evaluate, bench, deliver.

    Without `config`, `checkpoint` and `data`, the sample shipped with the model's plugin is used. A verdict that fails
    is no error: see `Result.passed`. Nothing of the process stays changed. It may be called in any thread, and again;
    runs of one process wait for each other, since they measure.

    Args:
        model: name of the model.
        out: folder of the run; None: `porter-out/MODEL`. Repeating a call resumes or reuses it.
        fresh: redo everything.
        progress: True shows bars in a terminal or a notebook and lines elsewhere, False nothing. A `Progress` is told
            of each step. Any other callable is called with the title of a step, how many units are done and their
            total (None: not known); a note is a title with 0 and None.
        options: those of the command, under the name of their field in `RunRequest` or of their flag, with `_` for `-`:
            `data="val"`, `runtimes=["onnxruntime"]`, `max_drop=0.5`. None leaves one out.

    Raises:
        BadInput: a file, key or option is wrong.
        Missing: this machine lacks something.
        PluginError: a plugin raised what it should not.
    """
    from porter.api.option_words import words_of
    from porter.cli.stage_commands import run as command
    from porter.cli.stage_commands import stage
    from porter.pipeline.run import Run

    words = [*words_of("run", options), *(["--out", os.fspath(out)] if out is not None else []), *["--fresh"] * fresh]
    words = [*words, "--", model] if model.startswith("-") else [model, *words]
    with _one_run, _as_it_was(), _one_line(), command.make_context("run", list(words)) as context:
        given = {name: value for name, value in context.params.items() if name not in ("out", "fresh", "as_json")}
        finished, _code = stage(
            given.pop("model"),
            None if out is None else Path(out),
            given,
            Run.everything,
            plain=True,
            fresh=fresh,
            progress=progress_of(progress),
            words=["run", *words],
        )
        return Result(finished.job.folder, finished.record, given_plugins())


def load(out: str | os.PathLike[str], *, plugins: Iterable[str | os.PathLike[str]] = ()) -> Result:
    """The result of an earlier run, from the run.json in the folder `out`, which may come from anybody: reading it
    runs nothing and opens no other file.

    `plugins` are the files of plugins that `Result.session` needs beside the installed ones; none is loaded because a
    record names it. Raises `BadInput` where there is no record that this porter reads.
    """
    folder = Path(out)
    with _one_line():
        return Result(folder, read_record(folder), tuple(os.fspath(plugin) for plugin in plugins))


@contextmanager
def _one_line() -> Iterator[None]:
    """What a user can mend is a `PorterError` with the line that the command prints."""
    try:
        yield
    except PorterError:
        raise
    except Exception as error:
        found = mendable(error)
        if found is None:
            raise
        raise found from error


@contextmanager
def _as_it_was() -> Iterator[None]:
    """Put back what a run sets for the whole process: PyTorch's threads, and how they wait."""
    policy, torch = os.environ.get(WAIT_POLICY), sys.modules.get("torch")
    threads = None if torch is None else torch.get_num_threads()
    try:
        yield
    finally:
        if policy is None:
            os.environ.pop(WAIT_POLICY, None)
        if (torch := sys.modules.get("torch")) is not None:
            from porter.builtin.pytorch import threads_untouched

            before = threads or threads_untouched()
            if before is not None:
                torch.set_num_threads(before)
