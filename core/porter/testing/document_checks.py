"""Check of a whole run, to its documents."""

from __future__ import annotations

from collections.abc import Iterator

from porter.documents.deliver import deliver
from porter.documents.markdown import text
from porter.runfolder.layout import README
from porter.runfolder.record_file import read_record
from porter.testing.tried_model import Problem, Subject


def documents(subject: Subject) -> Iterator[Problem]:
    """Evaluation, measurement and delivery go through, and README.md is the model's.

    The verdicts are not looked at here: on images made on the fly a good model's accuracy is near chance.
    """
    run = subject.run
    run.evaluate()
    run.bench()
    run.deliver()
    path = subject.folder / README
    document = path.read_text(encoding="utf-8")
    title = text(run.job.spec.title or run.job.spec.name)
    if title not in document:
        yield Problem("porter_describe", f"{README} does not show the spec's title {title!r}")
    if "Undefined" in document or "{{" in document:
        yield Problem("porter_describe", f"{README} holds an unfilled place: a text of the spec looks like a template")
    deliver(subject.folder, read_record(subject.folder))
    if path.read_text(encoding="utf-8") != document:
        yield Problem("porter_describe", f"{README} differs when it is made from run.json: a value does not survive it")
