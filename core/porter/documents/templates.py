"""The Jinja environment of the documents: core's templates, those of plugins before them, the user's before all."""

from __future__ import annotations

import shlex
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from porter.documents import markdown
from porter.documents.html import html_environment
from porter.documents.languages import ENGLISH, Catalogue, catalogue, placeholders, read_catalogue, say_from
from porter.errors import BadInput, one_line
from porter.records.message import Markup, Message, Value

if TYPE_CHECKING:
    import jinja2

HTML = ".html.j2"
"""How the name of a template of HTML ends."""
CORE, PLUGIN = "porter", "plugin"
"""Prefixes under which a template finds those that it replaces: `{% extends "porter/README.md.j2" %}`."""


@dataclass(frozen=True, kw_only=True)
class Templates:
    """Folders whose templates and catalogues go before core's."""

    user: Path | None = None
    """Of the user's own, from `--template`."""
    plugins: tuple[Path, ...] = ()
    """Shipped by plugins, the first to look in first."""

    @property
    def folders(self) -> tuple[Path, ...]:
        """Those that there are, the first to look in first."""
        return self.plugins if self.user is None else (self.user, *self.plugins)


def environment(
    templates: Templates, language: str = ENGLISH, texts: Mapping[str, str] | None = None
) -> jinja2.Environment:
    """An environment that writes Markdown in `language`. An undefined name is an error, never an empty place.

    `texts` are those of the model itself, such as its description, with what each is in that language.
    """
    import jinja2
    from jinja2.sandbox import SandboxedEnvironment

    from porter.documents.jinja import compiled

    core = jinja2.PackageLoader("porter.templates", "")
    own = [jinja2.FileSystemLoader(folder) for folder in templates.folders]
    prefixes: dict[str, jinja2.BaseLoader] = {CORE: core}
    if templates.plugins:
        prefixes[PLUGIN] = jinja2.FileSystemLoader(templates.plugins)
    made = SandboxedEnvironment(
        loader=jinja2.ChoiceLoader([*own, core, jinja2.PrefixLoader(prefixes)]),
        bytecode_cache=compiled("markdown"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    known = _catalogue(templates, language)
    markup = _markup(texts or {})
    made.filters.update(
        text=_text(known, markup),
        num=_num(known),
        code=markdown.code,
        link=markdown.link,
        shell=markdown.shell,
        dims=markdown.dims,
        table=markdown.table,
        tuple=tuple,
        q=shlex.quote,
    )
    made.globals.update(
        _=_translator(known, language, markup),
        language=language,
        not_measured=known.get(markdown.NOT_MEASURED, "not measured"),
    )
    return made


def environment_of(
    template: str, templates: Templates, language: str = ENGLISH, texts: Mapping[str, str] | None = None
) -> jinja2.Environment:
    """The `environment` of one template, which writes HTML where its name says so."""
    made = environment(templates, language, texts)
    return html_environment(made) if template.endswith(HTML) else made


def require_templates(folder: Path, names: tuple[str, ...]) -> None:
    """Stop before any work where a folder of templates is not one. Raises `BadInput` naming it, or the line."""
    if not folder.is_dir():
        raise BadInput(
            f"--template {one_line(folder)}: {'a file, not a folder' if folder.exists() else 'no such folder'}"
        )
    found = [template for template in names if (folder / template).is_file()]
    if not found:
        raise BadInput(f"--template {one_line(folder)}: holds none of {', '.join(names)}")
    for template in found:
        try:
            environment_of(template, Templates(user=folder)).get_template(template)
        except Exception as error:  # of the syntax, the encoding, or the file itself
            raise as_bad_input(template, error) from None


def as_bad_input(template: str, error: Exception) -> BadInput:
    """The error of a template with its place: jinja2 puts the template's own lines into the traceback."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith(".j2")]
    line = getattr(error, "lineno", None) or (frames[-1].lineno if frames else None)
    name = getattr(error, "filename", None) or (frames[-1].filename if frames else template)
    where = f"template {name}" + (f", line {line}" if line else "")
    return BadInput(f"{one_line(where)}: {type(error).__name__}: {one_line(error) or 'no message'}")


def _catalogue(templates: Templates, language: str) -> Catalogue:
    """Core's sentences, and those that the folders add or change."""
    merged = dict(catalogue(language))
    for folder in reversed(templates.folders):
        merged.update(read_catalogue(folder, language))
    return merged


def _markup(texts: Mapping[str, str]) -> Markup:
    return Markup(text=lambda text: markdown.text(texts.get(text, text)), code=markdown.code)


def _text(known: Catalogue, markup: Markup) -> Callable[[Any], str]:
    """The filter `text`: a sentence of the record in the document's language, anything else as it is."""

    def text(value: Any) -> str:
        return say_from(known, value, markup) if isinstance(value, Message) else markup.text(str(value))

    return text


def _num(known: Catalogue) -> Callable[..., str]:
    def num(value: float | None, digits: int = 2) -> str:
        return known.get(markdown.NOT_MEASURED, markdown.NOT_MEASURED) if value is None else markdown.num(value, digits)

    return num


def _translator(known: Catalogue, language: str, markup: Markup) -> Callable[..., str]:
    """The function `_` of templates: a sentence with its values, in the document's language."""
    import jinja2

    def translated(sentence: str, **values: Value) -> str:
        if {name for name, _ in placeholders(sentence)} != set(values):
            raise jinja2.TemplateRuntimeError(f"the placeholders of {sentence!r} are not the values given to it")
        if language != ENGLISH and sentence not in known:
            raise jinja2.TemplateRuntimeError(
                f"{sentence!r} has no translation; add it to languages/{language}.yaml beside the template"
            )
        return say_from(known, Message(sentence, **values), markup)

    return translated
