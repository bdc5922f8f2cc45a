"""The command `porter`: errors as one line, interrupts answered at once, exit codes."""

from __future__ import annotations

import atexit
import gc
import io
import os
import sys
from pathlib import Path
from typing import NoReturn

from porter.cli.interrupts import Interrupts
from porter.cli.mendable import mendable
from porter.errors import ExitCode, one_line
from porter.files.outward import say, shell_line

INTERNAL_ERROR = 70
"""Exit code of a bug in porter (EX_SOFTWARE of sysexits.h)."""

LONGEST = 4000
"""Characters of an error's line: a name in it may be as long as a file lets it."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; every error is one line on stderr. `PORTER_DEBUG=1` shows tracebacks."""
    _open_closed_streams()
    _leave_working_folder()
    _spare_the_collector()
    interrupts = Interrupts(_farewell(sys.argv[1:] if arguments is None else arguments))
    try:
        interrupts.answer()
        import click

        from porter.cli.group import porter

        try:
            code = porter.main(args=arguments, prog_name="porter", standalone_mode=False)
        except click.Abort:  # what click makes of an interrupt
            raise KeyboardInterrupt from None
    except KeyboardInterrupt:
        interrupts.end()
    except Exception as error:
        if interrupts.came:  # a library's callback swallowed the interrupt and broke later
            interrupts.end()
        _report(error)
    except SystemExit as error:
        if _of_click(error):
            raise
        _internal(error)  # a task or runtime that exits must not pass for a run that has ended well
    sys.exit(code if isinstance(code, int) else ExitCode.OK)


def _of_click(error: SystemExit) -> bool:
    """Whether click ended the program, as it does when who reads the output went away: no bug, and nobody to tell."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return last is not None and str(last.tb_frame.f_globals.get("__name__")).startswith("click.")


def _farewell(arguments: list[str]) -> str:
    """What an interrupted command says last: of a run, how to go on with it."""
    if arguments[:1] != ["run"]:
        return "porter: interrupted"
    again = shell_line(["porter", *(one for one in arguments if one != "--fresh")])
    return f"porter: interrupted. Resume with: {one_line(again)}"


def _report(error: Exception) -> NoReturn:
    """What went wrong, in one line, and the exit code of its kind."""
    import click

    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        say(*(error.ctx.get_help() if error.ctx else "").splitlines(), error=True)
        sys.exit(ExitCode.BAD_INPUT)
    if (said := mendable(error)) is not None:
        _fail(str(said), said.exit_code, error)
    _internal(error)


def _internal(error: Exception | SystemExit) -> NoReturn:
    """A bug, of porter or of a plugin's task or runtime: still one line, with its place and the way to see more."""
    import traceback

    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}; PORTER_DEBUG=1 shows the traceback"
    _fail(f"internal error: {type(error).__name__}: {error} ({place})", INTERNAL_ERROR, error)


def _leave_working_folder() -> None:
    """Import nothing from the working folder, here and in any process that is started: received files may lie there.

    An empty entry of PYTHONPATH stands for it, as one gets who appends to a variable that is not set.
    """
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if "" in entries and (kept := [entry for entry in entries if entry]) != entries:
        os.environ["PYTHONPATH"] = os.pathsep.join(kept)
        here = os.getcwd()  # noqa: PTH109 - a text, as the entries are
        sys.path[:] = [entry for entry in sys.path if entry not in ("", here) or entry in kept]


def _spare_the_collector() -> None:
    """Importing PyTorch and Numba makes many objects that stay: to look through them after every 700 new ones, and
    through all of them again at the end, takes a second or more of a command that lasts eight."""
    gc.set_threshold(10_000)
    atexit.register(gc.freeze)


def _open_closed_streams() -> None:
    """Give a stream that the caller closed (`2>&-`) to the null device: a file opened later would take its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open("r" if number == 0 else "w", encoding="utf-8")  # noqa: SIM115 - stays open
            setattr(sys, name, stream)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a locale need not have every letter; stderr does so anyway


def _fail(text: str, code: int, error: Exception | SystemExit) -> NoReturn:
    if os.environ.get("PORTER_DEBUG") == "1":
        import traceback

        traceback.print_exception(error)
    say(f"porter: error: {one_line(text)[:LONGEST]}", error=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
