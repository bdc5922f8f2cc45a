"""The command `porter`."""

from __future__ import annotations

import os
import sys
import traceback

import click

from porter import __version__
from porter.errors import ExitCode, PorterError, did_you_mean, one_line

INTERNAL_ERROR = 70
"""Exit code of a bug in porter (EX_SOFTWARE of sysexits.h)."""
INTERRUPTED = 130
"""Exit code after an interrupt (Ctrl-C)."""

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
    try:
        code = porter.main(args=arguments, prog_name="porter", standalone_mode=False)
    except PorterError as error:
        _fail(str(error), error.exit_code, error)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "", err=True)
        sys.exit(ExitCode.BAD_INPUT)
    except click.ClickException as error:
        _fail(error.format_message(), ExitCode.BAD_INPUT, error)
    except (click.Abort, KeyboardInterrupt):
        click.echo("porter: interrupted", err=True)
        sys.exit(INTERRUPTED)
    except OSError as error:
        _fail(f"{error.filename or 'input or output'}: {error.strerror or error}", ExitCode.BAD_INPUT, error)
    except MemoryError as error:
        _fail("out of memory", ExitCode.MISSING, error)
    except Exception as error:  # a bug: still one line, with the way to see more
        _fail(f"internal error, {type(error).__name__}: {error} (PORTER_DEBUG=1 shows where)", INTERNAL_ERROR, error)
    sys.exit(code if isinstance(code, int) else ExitCode.OK)


def _fail(text: str, code: int, error: BaseException) -> None:
    if os.environ.get("PORTER_DEBUG") == "1":
        traceback.print_exception(error)
    click.echo(f"porter: error: {one_line(text)}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
