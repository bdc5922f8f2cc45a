"""`porter report`: the documents again, from run.json alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from porter.cli.chosen_form import chosen_form
from porter.cli.options import options
from porter.cli.plugin_files import open_registry
from porter.documents.deliver import deliver
from porter.documents.templates import Templates
from porter.errors import one_line
from porter.files.outward import say
from porter.hosting.registry import Registry
from porter.pipeline.form_delivery import deliver_form
from porter.records.record import RunRecord
from porter.runfolder.lock import FolderLock
from porter.runfolder.record_file import read_record


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@options("report")
def report(out: Path, **given: Any) -> None:
    """Write the documents of the run in OUT again, using only its run.json."""
    registry = open_registry()
    given["form"], templates = chosen_form(given.pop("form", None), registry)
    record = read_record(out)
    if record.request.form not in (None, *registry.forms()):
        say(f"the form {one_line(record.request.form)!r} of the run is not at hand and is left out", error=True)
        record = replace(record, request=replace(record.request, form=None))
    changes = {name: value for name, value in given.items() if value is not None}
    record = replace(record, request=replace(record.request, **changes))
    with FolderLock(out):
        own = Templates(user=templates, plugins=_of_plugins(record, registry))
        for path in (*deliver(out, record, own), *deliver_form(out, record, registry, own)):
            say(path)


def _of_plugins(record: RunRecord, registry: Registry) -> tuple[Path, ...]:
    """The templates of plugins that the run used; a plugin that is not here is said to be missing."""
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
