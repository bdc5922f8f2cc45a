"""kept: tensors and outputs on disk, for the stages that run alone; those that an earlier command left are kept."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable

from porter.pipeline.evaluation.answer import answer
from porter.pipeline.evaluation.arrays import Entry, output_entries, tensor_entries
from porter.pipeline.evaluation.prepare import prepare
from porter.pipeline.evaluation.shapes import Prepared
from porter.pipeline.evaluation.sources import Sources
from porter.pipeline.evaluation.subject import Subject
from porter.pipeline.job.job import Job

Advance = Callable[[int], None]


def write_tensors(job: Job, sources: Sources) -> tuple[Entry, ...]:
    """The tensors of every image of the manifest, to `tensors/`; returns what became of each."""
    folder, total = sources.tensors(), len(job.data.items)
    with job.progress.step("preprocess", total) as advance:
        kept = folder.standing()
        _say(job, len(kept), advance)
        prepared = _counted(prepare(job.data, range(len(kept), total)), advance)
        return folder.write(tensor_entries(prepared, job.data.manifest), kept)


def write_outputs(job: Job, sources: Sources, subject: Subject) -> None:
    """The outputs of one subject, to `outputs/`, from the first batch on that is not there whole."""
    folder, total = sources.outputs(subject.name), len(job.data.items)
    with job.progress.step(f"infer {subject.name}", total) as advance:
        kept = folder.standing()
        if len(kept) == total:
            _say(job, total, advance)
            return
        with subject.opened(job) as session:
            size = max(job.request.evaluation_batch, session.least_rows)
            kept = kept[: len(kept) // size * size]
            _say(job, len(kept), advance)
            prepared = _counted(sources.prepared(len(kept))[0], advance)
            stream = answer(job, session, prepared, job.request.evaluation_batch)
            folder.write(output_entries(stream, job.data.manifest), kept)


def _say(job: Job, kept: int, advance: Advance) -> None:
    if kept:
        job.progress.note(f"reused from an earlier command: {kept} of {len(job.data.items)} images")
    advance(kept)


def _counted(prepared: Iterable[Prepared], advance: Advance) -> Generator[Prepared, None, None]:
    for one in prepared:
        advance(1)
        yield one
