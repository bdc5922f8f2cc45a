"""deliver: the documents, made from the record alone."""

from __future__ import annotations

from pathlib import Path

from porter.documents import templates as jinja
from porter.documents.languages import ENGLISH, LANGUAGES
from porter.documents.page import Page
from porter.documents.placeholders import as_script, without_paths
from porter.documents.tables import Tables
from porter.documents.templates import Templates
from porter.errors import BadInput
from porter.files.whole import write_whole
from porter.records.record import RunRecord
from porter.runfolder.commands import run_arguments
from porter.runfolder.layout import REPORT, REPRODUCE, readmes

TEMPLATES = ("README.md.j2", "reproduce.sh.j2", "report.html.j2")


def deliver(folder: Path, record: RunRecord, templates: Templates | None = None) -> tuple[Path, ...]:
    """Write the README in each of the request's languages, reproduce.sh and report.html.

    None of them names a path of this machine.

    Raises `BadInput` where the record lacks what a template names.
    """
    shown = without_paths(record)
    written = []
    for language, name in readmes(record.request.languages).items():
        write_whole(folder / name, render(TEMPLATES[0], shown, templates, language).encode())
        written.append(folder / name)
    arguments = record.imported.arguments if record.imported else ("run", *run_arguments(record.request), "--fresh")
    script = render(TEMPLATES[1], shown, templates, script=as_script(record, arguments))
    write_whole(folder / REPRODUCE, script.encode())
    (folder / REPRODUCE).chmod(0o755)
    write_whole(folder / REPORT, render(TEMPLATES[2], shown, templates).encode())
    return (*written, folder / REPRODUCE, folder / REPORT)


def render(
    template: str, record: RunRecord, templates: Templates | None = None, language: str = ENGLISH, **more: object
) -> str:
    """One document; `more` are further values. An undefined name is an error, never an empty cell."""
    import jinja2

    own = templates or Templates()
    texts = record.model.translations.get(language) if record.model is not None else None
    page = Page(record)
    values = {
        "run": record,
        "languages": {name: LANGUAGES[name] for name in record.request.languages},
        "readmes": readmes(record.request.languages),
        "page": page,
        "tables": Tables(record, page),
        **more,
    }
    try:
        return jinja.render_template(template, own, values, language, texts)
    except BadInput:
        raise
    except Exception as error:
        if not own.folders and not isinstance(error, jinja2.TemplateError | RecursionError):
            raise  # a bug of core's; a template of others computes, and can raise anything
        raise jinja.as_bad_input(template, error) from None


def require_templates(folder: Path) -> None:
    """Stop before any work where the user's folder of templates is not one. Raises `BadInput`."""
    jinja.require_templates(folder, TEMPLATES)
