"""A help with headings: the options of a run as its table has them, the rarely needed last."""

from __future__ import annotations

from collections.abc import Iterable

import click

from porter.runfolder.option import Heading
from porter.runfolder.option_table import HOW, OPTIONS

GENERAL, OUTPUT, ADVANCED = "Options", "Output", "Advanced"
HEADING_OF = {row.field: ADVANCED if row.advanced else row.heading.value for row in (*OPTIONS, *HOW)} | {
    "variant": Heading.MODEL.value,
    "devices_per_card": Heading.SPEED.value,
    **dict.fromkeys(("out", "fresh", "as_json", "html", "chart", "help"), OUTPUT),
}
"""Name of an option: its heading. What a command alone takes stands under `GENERAL`, before all others."""
WIDEST = 30
"""Columns of the options, beyond which the text of one begins on the next line."""


class HeadedCommand(click.Command):
    """A command whose help has its options under headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        parts = {
            name: [shown for option in options if (shown := option.get_help_record(ctx)) is not None]
            for name, options in under_headings(self.get_params(ctx)).items()
        }
        width = min(WIDEST, max(len(names) for rows in parts.values() for names, _ in rows))
        for name, rows in parts.items():
            with formatter.section(name):
                formatter.write_dl([(names.ljust(width), text) for names, text in rows], col_max=WIDEST)


def under_headings(parameters: Iterable[click.Parameter]) -> dict[str, list[click.Option]]:
    """The options by heading, in the order of the help; a heading without any is left out."""
    parts: dict[str, list[click.Option]] = {name: [] for name in (GENERAL, *Heading, OUTPUT, ADVANCED)}
    for parameter in parameters:
        if isinstance(parameter, click.Option):
            parts[HEADING_OF.get(str(parameter.name), GENERAL)].append(parameter)
    return {name: options for name, options in parts.items() if options}
