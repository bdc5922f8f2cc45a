"""deliver: the documents, made from the record alone."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from porter.commands import run_arguments
from porter.errors import BadInput, one_line
from porter.records.run import RunRecord
from porter.records.store import write_whole

README, REPRODUCE = "README.md", "reproduce.sh"
NOT_MEASURED = "not measured"


def deliver(folder: Path, record: RunRecord) -> tuple[Path, ...]:
    """Write README.md and reproduce.sh. Raises `BadInput` where the record lacks what a template names."""
    written = []
    for name, template in ((README, "README.md.j2"), (REPRODUCE, "reproduce.sh.j2")):
        write_whole(folder / name, render(template, record).encode())
        written.append(folder / name)
    (folder / REPRODUCE).chmod(0o755)
    return tuple(written)


def render(template: str, record: RunRecord) -> str:
    """One document. An undefined name is an error, never an empty cell."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("porter.templates", ""),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(text=text, cell=text, code=code, num=num, dims=dims, q=shlex.quote)
    try:
        document = environment.get_template(template)
        return document.render(run=record, not_measured=NOT_MEASURED, run_arguments=run_arguments(record.request))
    except jinja2.UndefinedError as error:
        raise BadInput(f"template {template}: {one_line(error)}") from None
    except jinja2.TemplateError as error:
        raise BadInput(f"template {template}: {type(error).__name__}: {one_line(error)}") from None


def num(value: float | None, digits: int = 2) -> str:
    """A figure with so many places; None reads "not measured"."""
    if value is None:
        return NOT_MEASURED
    return f"{value:.{digits}f}"


def text(value: object) -> str:
    """Text of unknown origin for Markdown, in a table or out of it: one line, no markup, no HTML."""
    plain = one_line(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{c}" if c in "\\`*_[]|#~" else c for c in plain)


def code(value: object) -> str:
    """Text of unknown origin as an inline code span that a table cell can hold."""
    plain = one_line(value).replace("|", "\\|")
    longest = max((len(run) for run in _backtick_runs(plain)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{pad}{plain}{pad}{fence}"


def dims(shape: Any) -> str:
    """A shape, e.g. N×3×224×224."""
    return "×".join(map(str, shape))


def _backtick_runs(plain: str) -> list[str]:
    runs, current = [], ""
    for c in plain:
        current = current + c if c == "`" else ""
        runs.append(current)
    return runs
