"""The group of commands: each is imported when it is asked for, so that all of them start at once."""

from __future__ import annotations

import keyword

import click

from porter.errors import did_you_mean
from porter.records.version import __version__

STAGES = "porter.cli.stage_commands"
COMMANDS = {
    "run": (STAGES, "Run all stages: load, export, verify, evaluate, bench, deliver."),
    "export": (STAGES, "Load the checkpoint and write a checked ONNX file."),
    "verify": (STAGES, "Compare every artefact with the reference on real images."),
    "preprocess": (STAGES, "Write the tensors of all images to tensors/."),
    "infer": (STAGES, "Write the outputs for all images to outputs/."),
    "evaluate": (STAGES, "Score the reference and every artefact."),
    "bench": (STAGES, "Measure every artefact at every batch size."),
    "diagnose": ("porter.cli.diagnose_command", "Find why accuracy or outputs differ."),
    "predict": ("porter.cli.predict_command", "Predict with a delivered artefact."),
    "import": ("porter.cli.import_command", "Import results that were measured on another machine."),
    "report": ("porter.cli.report_command", "Write the documents again from run.json."),
    "compare": ("porter.cli.compare_command", "Compare two runs and say whether anything got worse."),
    "cache": ("porter.cli.cache_command", "Show or remove the cached files of a run."),
    "env": ("porter.cli.env_command", "List or remove the environments of runtimes."),
    "plugins": ("porter.cli.plugins_command", "Show the plugins, and why one failed."),
    "doctor": ("porter.cli.doctor_command", "Show this machine and its runtimes."),
    "new": ("porter.cli.new_command", "Start a new project."),
}
"""Command: the module that defines it under that name (`import` as `import_`), imported when it is asked for, and its
line in the help of `porter`, for which no module is imported."""


class LazyGroup(click.Group):
    """A group whose commands are imported on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = __import__(COMMANDS[cmd_name][0], fromlist=[cmd_name])
        command: click.Command = getattr(module, f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_module, summary) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(
                f"no such command {args[0]!r}{did_you_mean(args[0], COMMANDS) or '.'} See porter --help"
            )
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
      PORTER_CACHE_HOME=DIR       where environments of runtimes are made [default: ~/.cache/porter]
      PORTER_WORKER_TIMEOUT=S     seconds without a sign after which such a runtime hangs [default: its own, else 600]
    """
