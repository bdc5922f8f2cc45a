"""approximate: the reference once more, on images that are decoded exactly, to see what the faster way changed."""

from __future__ import annotations

from porter.pipeline.evaluation.answer import answer
from porter.pipeline.evaluation.evaluate import Pass
from porter.pipeline.evaluation.judging import judge
from porter.pipeline.evaluation.prediction_changes import Answers
from porter.pipeline.evaluation.prepare import prepare
from porter.pipeline.evaluation.scoring import gate_metric
from porter.pipeline.evaluation.sources import IMAGES
from porter.pipeline.job.job import Job
from porter.records.approximation import Approximation
from porter.records.evaluation import Evaluation

REDUCED = "reduced"
"""The conversion that `porter.images.decode` notes."""


def measure(job: Job, reference: Pass) -> Approximation:
    """What the decoding that the reference was evaluated with did, beside the exact one."""
    answers = reference.answers
    items, size = job.data.items, job.request.evaluation_batch
    scorer, exact, changed, seconds = job.task.scorer(job.spec, job.data.manifest), Answers(), 0, 0.0
    with job.progress.step("evaluate reference, decoded exactly", len(items)) as advance:
        for answered in answer(job, job.reference, prepare(job.data, exact=True), size):
            batch = judge(job, answered)
            for image in batch.images:
                place = len(exact.answers)
                exact.add(job.task, image.prediction, scorer.add(items[place], image.prediction))
                changed += exact.answers[place] != answers.answers[place]
            seconds += batch.seconds["preprocess"]
            advance(len(batch.images))
    return Approximation(
        images=len(items),
        reduced=reference.conversions.get(REDUCED, 0),
        exact=gate_metric(job, scorer.metrics()),
        approximate=reference.evaluation.metric(job.task.gate),
        answers_changed=changed,
        exact_images_per_second=len(items) / seconds,
        approximate_images_per_second=_preprocessing_rate(reference.evaluation),
    )


def _preprocessing_rate(evaluation: Evaluation) -> float | None:
    """Images/s of one thread, where this evaluation preprocessed any."""
    path = evaluation.end_to_end
    if path is None or path.source != IMAGES:
        return None
    return path.images / next(stage.seconds for stage in path.stages if stage.name == "preprocess")
