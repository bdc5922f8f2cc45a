"""A help with headings: the options of a run as its table has them, the rarely needed last."""

from __future__ import annotations

import click

from porter.runfolder.option_table import HOW, OPTIONS, Heading

OUTPUT, ADVANCED = "Output", "Advanced"
HEADING_OF = {row.field: ADVANCED if row.advanced else row.heading.value for row in (*OPTIONS, *HOW)} | {
    "templates": Heading.DOCUMENTS.value,
    "variant": Heading.MODEL.value,
    "devices_per_card": Heading.SPEED.value,
}
"""Name of an option: its heading. Whatever else a command takes stands under `OUTPUT`."""
WIDEST = 30
"""Columns of the options, beyond which the text of one begins on the next line."""


class HeadedCommand(click.Command):
    """A command whose help has its options under headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        parts: dict[str, list[tuple[str, str]]] = {name: [] for name in (*Heading, OUTPUT, ADVANCED)}
        for parameter in self.get_params(ctx):
            shown = parameter.get_help_record(ctx)
            if shown is not None and isinstance(parameter, click.Option):
                parts[HEADING_OF.get(str(parameter.name), OUTPUT)].append(shown)
        width = min(WIDEST, max(len(names) for rows in parts.values() for names, _ in rows))
        for name, rows in parts.items():
            if rows:
                with formatter.section(name):
                    formatter.write_dl([(names.ljust(width), text) for names, text in rows], col_max=WIDEST)
