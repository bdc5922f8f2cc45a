"""The Jinja environments of the documents: core's templates, those of plugins before them, the user's before all."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from porter.documents import markdown
from porter.documents.html import html_environment
from porter.documents.languages import ENGLISH, Catalogue, catalogue, placeholders, read_catalogue, say_from
from porter.errors import BadInput, one_line
from porter.files.inside import leads_out
from porter.files.outward import shell_word
from porter.files.received import require_regular
from porter.records.message import Markup, Message, Value

if TYPE_CHECKING:
    import jinja2

HTML = ".html.j2"
"""How the name of a template of HTML ends."""
MEMORY = 500_000_000
"""Bytes that rendering a user's template may take."""
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


@dataclass(frozen=True)
class Voice:
    """How one document says what it says."""

    known: Catalogue
    language: str
    markup: Markup

    def text(self, value: Value) -> str:
        """The filter `text`: a sentence of the record in the document's language, anything else as it is."""
        return say_from(self.known, value, self.markup)

    def num(self, value: float | None, digits: int = 2) -> str:
        """The filter `num`: a figure with so many places."""
        return self.not_measured if value is None else markdown.num(value, digits)

    def translated(self, sentence: str, **values: Value) -> str:
        """The function `_`: a sentence with its values."""
        import jinja2

        if {name for name, _ in placeholders(sentence)} != set(values):
            raise jinja2.TemplateRuntimeError(f"the placeholders of {sentence!r} are not the values given to it")
        if self.language != ENGLISH and sentence not in self.known:
            raise jinja2.TemplateRuntimeError(
                f"{sentence!r} has no translation. Add it to languages/{self.language}.yaml beside the template"
            )
        return self.text(Message(sentence, **values))

    @property
    def not_measured(self) -> str:
        """What stands where a figure would."""
        return self.known.get(markdown.NOT_MEASURED, markdown.NOT_MEASURED)


_VOICE: ContextVar[Voice] = ContextVar("voice")
"""That of the document that is being rendered: an environment is kept, and serves every language."""


@cache
def environment(templates: Templates, html: bool = False) -> jinja2.Environment:
    """The environment that is kept for these folders, so that a template is compiled once: that takes longer than to
    render it. It writes Markdown, or HTML. An undefined name is an error, never an empty place."""
    import jinja2
    from jinja2.sandbox import SandboxedEnvironment

    if html:
        return html_environment(environment(templates))
    core = jinja2.PackageLoader("porter.templates", "")
    own = [_own_loader(folder) for folder in templates.folders]
    prefixes: dict[str, jinja2.BaseLoader] = {CORE: core}
    if templates.plugins:
        prefixes[PLUGIN] = jinja2.ChoiceLoader([_own_loader(folder) for folder in templates.plugins])
    made = SandboxedEnvironment(
        loader=jinja2.ChoiceLoader([*own, core, jinja2.PrefixLoader(prefixes)]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(
        text=_spoken(lambda voice, value: voice.text(value)),
        num=_spoken(lambda voice, value, digits=2: voice.num(value, digits)),
        code=markdown.code,
        link=markdown.link,
        shell=markdown.shell,
        dims=markdown.dims,
        when=markdown.when,
        table=_spoken(lambda voice, found: markdown.table(found, voice.text)),
        tuple=tuple,
        q=shell_word,
    )
    made.globals["_"] = lambda sentence, **values: _VOICE.get().translated(sentence, **values)
    return made


def _own_loader(folder: Path) -> jinja2.BaseLoader:
    """Finds the templates of a folder, of which none is read through a link that leads out of it."""
    import jinja2

    class Loader(jinja2.FileSystemLoader):
        def get_source(self, environment: jinja2.Environment, template: str) -> Any:
            if ".." not in Path(template).parts and (folder / template).exists():
                require_template(folder, folder / template)
            return super().get_source(environment, template)

    return Loader(folder)


def require_template(folder: Path, path: Path) -> None:
    """Raise `BadInput` for a file of a folder of templates that is a link out of it, no regular file, or too large."""
    if leads_out(folder, path):
        raise BadInput(f"{one_line(path)}: a link that leads out of the folder of templates; copy the file there")
    require_regular(path, "template")


def _spoken(say: Callable[..., str]) -> Callable[..., str]:
    """A filter that speaks by the voice of the document. It takes the context so that jinja2 calls it for constants too
    when it renders, not when it compiles."""
    import jinja2

    @jinja2.pass_context
    def spoken(_context: object, *values: Any) -> str:
        return say(_VOICE.get(), *values)

    return spoken


def find_template(name: str, templates: Templates) -> jinja2.Template:
    """The template of that name, which writes HTML where its name says so."""
    return environment(templates, name.endswith(HTML)).get_template(name)


def render_template(
    name: str,
    templates: Templates,
    values: Mapping[str, object],
    language: str = ENGLISH,
    texts: Mapping[str, str] | None = None,
) -> str:
    """One document in `language`. `texts` are those of the model itself, such as its description, with what each is in
    that language. Raises what the template raises."""
    voice = Voice(_catalogue(templates, language), language, _markup(texts or {}))
    token = _VOICE.set(voice)
    try:
        with nullcontext() if templates.user is None else _little_memory():
            return find_template(name, templates).render(values, language=language, not_measured=voice.not_measured)
    finally:
        _VOICE.reset(token)


@contextmanager
def _little_memory() -> Iterator[None]:
    """Let this process grow by `MEMORY` at most, where the system can hold it to that: the sandbox lets a template make
    `"a" * 10**10`."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        before = resource.getrlimit(resource.RLIMIT_AS)
        most = pages * resource.getpagesize() + MEMORY
        held = before[0] == resource.RLIM_INFINITY or before[0] > most
    except (ImportError, OSError, ValueError):
        yield
        return
    if held:
        resource.setrlimit(resource.RLIMIT_AS, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def require_templates(folder: Path, names: tuple[str, ...]) -> None:
    """Stop before any work where a folder of templates is not one. Raises `BadInput` naming it, or the line."""
    if not folder.is_dir():
        raise BadInput(
            f"--template {one_line(folder)}: {'a file, not a folder' if folder.exists() else 'no such folder'}"
        )
    found = [template for template in names if (folder / template).exists() or (folder / template).is_symlink()]
    if not found:
        raise BadInput(f"--template {one_line(folder)}: holds none of {', '.join(names)}")
    for template in found:
        try:
            with _little_memory():  # what is constant is computed here
                find_template(template, Templates(user=folder))
        except Exception as error:  # of the syntax, the encoding, or the file itself
            raise as_bad_input(template, error) from None


def as_bad_input(template: str, error: Exception) -> BadInput:
    """The error of a template with its place: jinja2 puts the template's own lines into the traceback."""
    if isinstance(error, BadInput):
        return error
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
