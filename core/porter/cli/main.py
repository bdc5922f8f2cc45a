"""The command `porter`."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from porter import __version__
from porter.errors import ExitCode, PorterError, did_you_mean, one_line

INTERNAL_ERROR = 70
"""Exit code of a bug in porter (EX_SOFTWARE of sysexits.h)."""
INTERRUPTED = 130
"""Exit code after an interrupt (Ctrl-C): 128 and the signal's number; after SIGTERM it is 143."""

COMMANDS = {
    "run": "porter.cli.stages",
    "export": "porter.cli.stages",
    "verify": "porter.cli.stages",
    "preprocess": "porter.cli.stages",
    "infer": "porter.cli.stages",
    "evaluate": "porter.cli.stages",
    "bench": "porter.cli.stages",
    "diagnose": "porter.cli.diagnose",
    "report": "porter.cli.report",
    "plugins": "porter.cli.plugins",
    "doctor": "porter.cli.doctor",
    "new": "porter.cli.new",
}
"""Command: the module that defines it under that name. Imported when it is asked for, so that each starts at once."""


class LazyGroup(click.Group):
    """A group whose commands are imported on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = __import__(COMMANDS[cmd_name], fromlist=[cmd_name])
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(f"no such command {args[0]!r}{did_you_mean(args[0], COMMANDS)}; see porter --help")
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="porter")
def porter() -> None:
    """Port a trained model to other hardware, prove that nothing was lost, and deliver it with measured numbers.

    Exit codes: 0 all verdicts pass, 1 a verdict fails (the documents are written and say so), 2 bad input or
    usage, 3 this machine lacks something.

    \b
    Environment:
      PORTER_DISABLE_PLUGINS=A,B  plugins to leave out
      PORTER_TRACE=1              every hook call on stderr: by which plugin, how long, with what outcome
      PORTER_DEBUG=1              the traceback behind an error
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; every error is one line on stderr. `PORTER_DEBUG=1` shows tracebacks."""
    _open_closed_streams()
    signals = _unwind_on_signals()
    try:
        code = porter.main(args=arguments, prog_name="porter", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        _interrupted(signals)
    except Exception as error:
        if signals:  # a library's callback swallowed the interrupt and broke later
            _interrupted(signals)
        _report(error)
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):  # click's answer to a reader that went away
            raise
        _internal(error)  # a task or runtime that exits must not pass for a run that has ended well
    sys.exit(code if isinstance(code, int) else ExitCode.OK)


def _report(error: Exception) -> NoReturn:
    """What went wrong, in one line, and the exit code of its kind."""
    match error:
        case PorterError():
            _fail(str(error), error.exit_code, error)
        case click.exceptions.NoArgsIsHelpError():
            click.echo(error.ctx.get_help() if error.ctx else "", err=True)
            sys.exit(ExitCode.BAD_INPUT)
        case click.ClickException():
            _fail(error.format_message(), ExitCode.BAD_INPUT, error)
        case OSError():
            _fail(f"{error.filename or 'input or output'}: {error.strerror or error}", ExitCode.BAD_INPUT, error)
        case MemoryError():
            _fail("out of memory", ExitCode.MISSING, error)
    _internal(error)


def _internal(error: Exception | SystemExit) -> NoReturn:
    """A bug, of porter or of a plugin's task or runtime: still one line, with its place and the way to see more."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}; PORTER_DEBUG=1 shows the traceback"
    _fail(f"internal error, {type(error).__name__}: {error} ({place})", INTERNAL_ERROR, error)


def _open_closed_streams() -> None:
    """Give a stream that the caller closed (`2>&-`) to the null device: a file opened later would take its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open("r" if number == 0 else "w", encoding="utf-8")  # noqa: SIM115 - stays open
            setattr(sys, name, stream)


def _unwind_on_signals() -> list[int]:
    """Make SIGTERM end the command as Ctrl-C does, with its files tidied up; returns the signals that came, so far.

    A signal that the caller has ignored, as for a job in the background, stays ignored.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        return came

    def stop(number: int, frame: FrameType | None) -> None:
        came.append(number)
        raise KeyboardInterrupt

    for number, untouched in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        if signal.getsignal(number) == untouched:
            signal.signal(number, stop)
    return came


def _interrupted(signals: list[int]) -> NoReturn:
    click.echo("porter: interrupted", err=True)
    sys.exit(INTERRUPTED - signal.SIGINT + signals[0] if signals else INTERRUPTED)


def _fail(text: str, code: int, error: Exception | SystemExit) -> NoReturn:
    if os.environ.get("PORTER_DEBUG") == "1":
        traceback.print_exception(error)
    click.echo(f"porter: error: {one_line(text)}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
