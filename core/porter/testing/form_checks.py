"""Checks of the forms that a plugin offers: each is filled in, whatever a record lacks."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from porter.contracts.form import Form
from porter.documents.form_folder import write_form
from porter.documents.templates import Templates
from porter.machine.clock import now
from porter.records.record import RunRecord
from porter.records.request import RunRequest
from porter.records.spec import ModelSpec, PreprocessSpec, TensorSpec
from porter.testing.tried_model import Problem, Subject

HOOK = "porter_forms"
UNFILLED = ("{{", "{%", "Undefined")


def forms(subject: Subject) -> Iterator[Problem]:
    """A record that has nothing but a model fills each form, and fills it the same way again."""
    for form in subject.offered(HOOK):
        task = form.tasks[0] if form.tasks else "classification"
        spec = ModelSpec(
            name="example",
            task=task,
            inputs=(TensorSpec(name="image", shape=("N", 3, 32, 32)),),
            outputs=(TensorSpec(name="class", shape=("N", 10)),),
            preprocess=PreprocessSpec(resize=36, crop=(32, 32)),
            num_classes=10,
        )
        request = RunRequest(model=spec.name)
        record = RunRecord(porter="0", created=now(), command="porter.testing", request=request, model=spec)
        yield from _problems(form, record)


def forms_of_a_run(subject: Subject) -> Iterator[Problem]:
    """The record of the whole run fills each form that takes models of its task."""
    record = subject.run.record
    for form in subject.offered(HOOK):
        if not form.tasks or subject.job.spec.task in form.tasks:
            yield from _problems(form, record)


def _problems(form: Form, record: RunRecord) -> Iterator[Problem]:
    contents = _filled(form, record)
    if not contents:
        yield Problem(HOOK, f"form {form.name!r} writes no file")
    if contents != _filled(form, record):
        yield Problem(HOOK, f"form {form.name!r} writes other files when the same record fills it again")
    for name, content in contents.items():
        if name.endswith(".md") and any(mark in content.decode(errors="replace") for mark in UNFILLED):
            yield Problem(HOOK, f"form {form.name!r}: {name} holds an unfilled place")


def _filled(form: Form, record: RunRecord) -> dict[str, bytes]:
    """The content of every file of the form's folder, by its path there."""
    with tempfile.TemporaryDirectory(prefix="porter-form-") as place:
        paths = write_form(Path(place), form, record, Templates())
        return {str(path.relative_to(Path(place, form.name))): path.read_bytes() for path in paths}
