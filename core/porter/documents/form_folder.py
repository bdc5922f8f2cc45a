"""A form of the documents: its files, made from the record, in a folder of its own name."""

from __future__ import annotations

from pathlib import Path

from porter.contracts.form import DOCUMENT, Form, FormRequest, StandAlone
from porter.documents.deliver import render
from porter.documents.placeholders import without_paths
from porter.documents.templates import Templates
from porter.errors import BadInput, PluginError, one_line
from porter.files.inside import leads_out
from porter.files.whole import require_no_way_out, write_whole
from porter.records.record import RunRecord


def require_fitting(form: Form, task: str) -> None:
    """Raise `BadInput` for a form that cannot describe a model of that task."""
    if form.tasks and task not in form.tasks:
        raise BadInput(
            f"--template {form.name}: made for models of the task {' or '.join(form.tasks)}; this model's task is "
            f"{one_line(task)}"
        )


def write_form(
    folder: Path,
    form: Form,
    record: RunRecord,
    templates: Templates,
    standalone: StandAlone | None = None,
    config: Path | None = None,
) -> tuple[Path, ...]:
    """Write the form's folder in the run's folder; its document comes first. `templates` are those of the run.

    Raises `BadInput` for a template that fails, and `PluginError` for a file that would lie elsewhere.
    """
    require_fitting(form, "" if record.model is None else record.model.task)
    first = () if form.templates is None else (form.templates,)
    own = Templates(plugins=(*first, *templates.plugins))

    def rendered(template: str, language: str = "en", **values: object) -> str:
        return render(template, record, own, language, **values)

    record = without_paths(record)
    files = form.files(FormRequest(record=record, render=rendered, standalone=standalone, config=config))
    place = folder / form.name
    for name, content in files.items():
        if not isinstance(content, bytes):
            kind = type(content).__name__
            raise PluginError(f"form {form.name!r}: its file {one_line(name)!r} is {kind}, it must be bytes")
        if leads_out(place, name):
            raise PluginError(f"form {form.name!r}: its file {one_line(name)!r} leads out of its folder")
    require_no_way_out(folder, (form.name,))
    for name, content in files.items():
        write_whole(place / name, content)
    return tuple(place / name for name in sorted(files, key=lambda name: (name != DOCUMENT, name)))
