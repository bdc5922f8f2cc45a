"""The model's preprocessing against its spec: on images that failed, and on some of every kind that the data has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from porter.contracts.rows import same_bits
from porter.data.selection import evenly_spaced
from porter.data.store import open_store
from porter.diagnose.found import Found, finding
from porter.diagnose.preprocessing.explain import ONE_BUFFER, explain_preprocessing, read_samples
from porter.diagnose.preprocessing.fault_trial import Sample
from porter.diagnose.preprocessing.image_kinds import kinds_of, one_of_each, only_on
from porter.errors import ImageError
from porter.images.decode import decode
from porter.pipeline.diagnosis.chosen_images import failing_ids
from porter.pipeline.diagnosis.conditions import Conditions
from porter.pipeline.evaluation.shapes import Prepared
from porter.pipeline.job.job import Job
from porter.pipeline.verified_preprocessing import read_sample
from porter.records.diagnosed import Surety
from porter.records.message import Message
from porter.records.record import RunRecord
from porter.records.spec import PreprocessSpec
from porter.records.suspects import PreprocessFinding

LOOKED_AT, IMAGES, FAILING = 1000, 16, 4
"""Files whose kind is found out, images that are compared, of these images that failed."""


def preprocess_trial(job: Job, record: RunRecord) -> PreprocessFinding | None:
    """Compare, explain, and say where only a kind of images differs; None where the declared pipeline is none that the
    usual faults can be built into. Verify compares that one with its reference."""
    declared = job.spec.preprocess
    if declared is None or not job.takes_photos:
        return None
    name = job.spec.inputs[0].name
    samples = read_samples(
        job.data.manifest.root, _chosen(job, record), lambda image: job.hooks.preprocess(image, job.spec)[name]
    )
    found = explain_preprocessing(samples, declared)
    if found.identical:
        return found
    kinds = [kinds_of(one.data, declared) for one in samples]
    differing = _differing(samples, declared, found)
    if not found.explanations and not all(differing):  # what explains those that differ need not hold for the others
        some = [one for one, bad in zip(samples, differing, strict=True) if bad]
        found = replace(found, explanations=explain_preprocessing(some, declared).explanations)
    return replace(found, only=only_on(kinds, differing))


def shared_buffer(conditions: Conditions) -> Found:
    """Whether an image is preprocessed otherwise beside others, into the row of a batch, than alone."""
    job, parity = conditions.job, conditions.record.preprocessing
    if parity is not None and parity.finding is not None and parity.finding.problem == ONE_BUFFER:
        text = Message("preprocessing: {problem}", problem=ONE_BUFFER)
        return finding("preprocessing buffer", text, conditions.command("verify"), Surety.LOCATED)
    changed = [one for one in conditions.images[:IMAGES] if not _alike(job, one)]
    if not changed:
        return Found()
    text = Message(
        "preprocessing: `porter_preprocess` gives other values for {count} of {images} images when run "
        "alone: it shares a buffer or depends on earlier images",
        count=len(changed),
        images=len(conditions.images[:IMAGES]),
    )
    return finding("preprocessing buffer", text, conditions.command("verify"), Surety.LOCATED)


def _alike(job: Job, one: Prepared) -> bool:
    alone = job.hooks.preprocess(read_sample(job, one), job.spec)
    return alone.keys() == one.arrays.keys() and all(same_bits(alone[name], one.arrays[name]) for name in alone)


def _chosen(job: Job, record: RunRecord) -> list[str]:
    """Files of readable images."""
    assert job.spec.preprocess is not None
    store, items = open_store(job.data.manifest.root), job.data.items
    kinds: dict[int, frozenset[str]] = {}
    for place in evenly_spaced(len(items), min(LOOKED_AT, len(items))):
        try:
            kinds[place] = kinds_of(store.read(items[place].file), job.spec.preprocess)
        except OSError:
            continue
    known = {item.id: item.file for item in items}
    wanted = [known[one] for one in failing_ids(record) if one in known][:FAILING]
    wanted += [items[place].file for place in one_of_each(kinds, IMAGES + FAILING)]
    chosen: list[str] = []
    for name in dict.fromkeys(wanted):
        if len(chosen) < IMAGES and _readable(job, name):
            chosen.append(name)
    return chosen


def _readable(job: Job, name: str) -> bool:
    try:
        decode(open_store(job.data.manifest.root).read(name), name)
    except (OSError, ImageError):
        return False
    return True


def _differing(samples: Sequence[Sample], declared: PreprocessSpec, found: PreprocessFinding) -> list[bool]:
    import numpy as np

    from porter.images.pipeline import reference_pipeline

    wanted = [reference_pipeline(one.pixels, declared) for one in samples]
    return [
        one.tensor.shape != right.shape or not bool((np.abs(one.tensor - right) <= found.allowed).all())
        for one, right in zip(samples, wanted, strict=True)
    ]
