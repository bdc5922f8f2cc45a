"""`porter report`: the documents again, from run.json alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from porter.cli.options import options, templates_option
from porter.cli.plugin_files import open_registry
from porter.documents.deliver import deliver, require_templates
from porter.documents.templates import Templates
from porter.errors import one_line
from porter.files.outward import say
from porter.records.record import RunRecord
from porter.runfolder.layout import DOCUMENTS
from porter.runfolder.lock import FolderLock
from porter.runfolder.record_file import read_record


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@options("report")
@templates_option
def report(out: Path, templates: Path | None, **given: Any) -> None:
    """Write the documents of the run in OUT again, using only its run.json."""
    if templates is not None:
        require_templates(templates)
    record = read_record(out)
    changes = {name: value for name, value in given.items() if value is not None}
    record = replace(record, request=replace(record.request, **changes))
    with FolderLock(out):
        before = [out / name for name in DOCUMENTS if (out / name).exists()]
        for path in deliver(out, record, Templates(user=templates, plugins=_of_plugins(record))):
            say(path)
        languages = ", ".join(record.request.languages)
        for path in before:
            if not path.exists():
                say(f"note: removed {path}: the documents are in {languages} only (--lang)", error=True)


def _of_plugins(record: RunRecord) -> tuple[Path, ...]:
    """The templates of plugins that the run used; a plugin that is not here is said to be missing."""
    if not record.templates:
        return ()
    registry = open_registry()
    task = "" if record.model is None else record.model.task
    here = registry.templates(record.request.model, task, registry.runtimes())
    for plugin in record.templates:
        if plugin not in here:
            say(
                f"the run used templates of the plugin {one_line(plugin)!r}, which is not installed (see "
                "`porter plugins`); "
                "core's own templates are used",
                error=True,
            )
    return tuple(here[plugin] for plugin in record.templates if plugin in here)
