"""The form that a run was asked for, filled in from its record."""

from __future__ import annotations

from pathlib import Path

from porter.contracts.requests import ModelOffer
from porter.documents.form_folder import write_form
from porter.documents.templates import Templates
from porter.files.hashes import has_digest
from porter.hosting.registry import Registry
from porter.records.record import RunRecord


def deliver_form(folder: Path, record: RunRecord, registry: Registry, templates: Templates) -> tuple[Path, ...]:
    """Write the folder of the form that `record` was asked for; its document comes first. Empty: none was.

    Raises `BadInput` where no plugin offers the form, or the model whose code it uses.
    """
    if record.request.form is None or record.model is None:
        return ()
    form = registry.form(record.request.form)
    if not form.uses_code:
        return write_form(folder, form, record, templates)
    offer, _hooks = registry.model(record.request.model)
    return write_form(folder, form, record, templates, offer.standalone, _config(record, offer))


def _config(record: RunRecord, offer: ModelOffer) -> Path | None:
    """The model's config, where it is at hand and what the run read."""
    read = next((file for file in (*record.inputs, *record.made_from) if file.role == "config"), None)
    if read is None:
        return None
    path = offer.shipped.config if read.shipped and offer.shipped is not None else Path(read.path)
    return path if path is not None and path.is_file() and has_digest(path, read.sha256) else None
