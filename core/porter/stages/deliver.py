"""deliver: the documents, made from the record alone."""

from __future__ import annotations

import re
import shlex
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from porter.commands import run_arguments
from porter.errors import BadInput, one_line
from porter.records.run import RunRecord
from porter.records.store import write_whole

if TYPE_CHECKING:
    import jinja2

README, REPRODUCE = "README.md", "reproduce.sh"
DOCUMENTS = {README: "README.md.j2", REPRODUCE: "reproduce.sh.j2"}
"""File of the run's folder: the template that it is made from."""
CORE = "porter"
"""Prefix under which a template of the user's finds core's own: `{% extends "porter/README.md.j2" %}`."""
NOT_MEASURED = "not measured"


def deliver(folder: Path, record: RunRecord, templates: Path | None = None) -> tuple[Path, ...]:
    """Write README.md and reproduce.sh, from the user's `templates` where that folder has them.

    Raises `BadInput` where the record lacks what a template names.
    """
    written = []
    for name, template in DOCUMENTS.items():
        write_whole(folder / name, render(template, record, templates).encode())
        written.append(folder / name)
    (folder / REPRODUCE).chmod(0o755)
    return tuple(written)


def render(template: str, record: RunRecord, templates: Path | None = None) -> str:
    """One document. An undefined name is an error, never an empty cell."""
    import jinja2

    try:
        document = _environment(templates).get_template(template)
        return document.render(run=record, not_measured=NOT_MEASURED, run_arguments=run_arguments(record.request))
    except Exception as error:
        if templates is None and not isinstance(error, jinja2.TemplateError):
            raise  # a bug of core's; a template of the user's computes, and can raise anything
        raise _as_bad_input(template, error) from None


def require_templates(folder: Path) -> None:
    """Stop before any work where a folder of templates is not one. Raises `BadInput` naming it, or the line."""
    if not folder.is_dir():
        raise BadInput(
            f"--template {one_line(folder)}: {'a file, not a folder' if folder.exists() else 'no such folder'}"
        )
    found = [template for template in DOCUMENTS.values() if (folder / template).is_file()]
    if not found:
        raise BadInput(f"--template {one_line(folder)}: holds none of {', '.join(DOCUMENTS.values())}")
    for template in found:
        try:
            _environment(folder).get_template(template)
        except Exception as error:  # of the syntax, the encoding, or the file itself
            raise _as_bad_input(template, error) from None


def _environment(templates: Path | None) -> jinja2.Environment:
    """Core's templates; before them the user's, which reach core's of the same name under the prefix `porter/`."""
    import jinja2
    from jinja2.sandbox import SandboxedEnvironment

    core = jinja2.PackageLoader("porter.templates", "")
    own = [] if templates is None else [jinja2.FileSystemLoader(templates)]
    environment = SandboxedEnvironment(
        loader=jinja2.ChoiceLoader([*own, core, jinja2.PrefixLoader({CORE: core})]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(text=text, prose=prose, code=code, num=num, dims=dims, q=shlex.quote)
    return environment


def _as_bad_input(template: str, error: Exception) -> BadInput:
    """The error of a template with its place: jinja2 puts the template's own lines into the traceback."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith(".j2")]
    line = getattr(error, "lineno", None) or (frames[-1].lineno if frames else None)
    name = getattr(error, "filename", None) or (frames[-1].filename if frames else template)
    where = f"template {name}" + (f", line {line}" if line else "")
    return BadInput(f"{one_line(where)}: {type(error).__name__}: {one_line(error) or 'no message'}")


def num(value: float | None, digits: int = 2) -> str:
    """A figure with so many places; None reads "not measured"."""
    if value is None:
        return NOT_MEASURED
    shown = f"{value:.{digits}f}"
    return shown.removeprefix("-") if float(shown) == 0 else shown


def text(value: object) -> str:
    """Text of unknown origin for Markdown, in a table or out of it: one line, no markup, no HTML."""
    return _escaped(one_line(value))


def _escaped(plain: str) -> str:
    plain = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{c}" if c in "\\`*_[]|#~" else c for c in plain)


def prose(value: object) -> str:
    """A sentence of core's own: what it quotes in backticks is code, and the rest is text of unknown origin."""
    parts = one_line(value).split("`")
    return "".join(code(part) if k % 2 else _escaped(part) for k, part in enumerate(parts) if part)


def code(value: object) -> str:
    """Text of unknown origin as an inline code span that a table cell can hold."""
    plain = one_line(value).replace("|", "\\|")
    longest = max(map(len, re.findall("`+", plain)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{pad}{plain}{pad}{fence}"


def dims(shape: Any) -> str:
    """A shape, e.g. N×3×224×224."""
    return "×".join(map(str, shape))
