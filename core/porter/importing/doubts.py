"""What does not fit together in an import, what is missing, and what could not be read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from porter.ascend.kit import SUMS
from porter.errors import BadInput, one_line
from porter.files.hashes import file_digest
from porter.files.textfile import read_text
from porter.importing.accuracy import Accuracy
from porter.importing.found import Found
from porter.importing.speed import Speed
from porter.records.imported import Doubt, ImportFinding
from porter.records.message import Message, Text


def doubts(found: Found, speed: Speed, accuracy: Accuracy) -> tuple[ImportFinding, ...]:
    """Every finding, those of single files first."""
    of_files = [*_broken(found), *_of_the_kit(found), *speed.findings, *accuracy.findings]
    return (*of_files, *_images_counted(found, speed), *_absent(speed, accuracy))


def _broken(found: Found) -> Iterator[ImportFinding]:
    for path, reason in found.broken:
        text = Message("`{file}`: {reason}", file=found.name(path), reason=one_line(reason))
        yield _finding(Doubt.UNREADABLE, text)


def _of_the_kit(found: Found) -> Iterator[ImportFinding]:
    """Whether the results are those of this kit, whole, and of every batch size."""
    if found.kit is None:
        return
    if found.results is None:
        if found.outputs or found.summaries or found.pure_infer:
            text = Message("the kit left no `results.json`: its script did not come to its end")
            yield _finding(Doubt.MISSING, text)
        return
    results, digest = found.results.content, file_digest(found.kit.path)
    if results.kit_sha256 != digest:
        text = Message("the results are of another kit than `{file}`", file=found.name(found.kit.path))
        yield _finding(Doubt.INCONSISTENT, text)
    for one in results.batches:
        steps = (
            (Message("the conversion by atc"), one.built),
            (Message("pure inference"), one.pure),
            (Message("the run of the data set"), one.dataset),
        )
        for step, done in steps[:1] if not one.built else steps:
            if done is False:
                text = Message("batch {batch}: {step} failed on the host", batch=one.batch, step=step)
                yield _finding(Doubt.MISSING, text)
    yield from _changed(found.results.path.parent)


def _changed(results: Path) -> Iterator[ImportFinding]:
    """Files that are not as the script left them."""
    try:
        lines = read_text(results / SUMS, "list of sums").text.splitlines()
    except BadInput:
        text = Message("`{file}` is missing: whether the results are whole is not known", file=SUMS)
        yield _finding(Doubt.MISSING, text)
        return
    wrong = []
    for line in lines:
        parts = re.fullmatch(r"([0-9a-f]{64}) [ *](?:\./)?(.+)", line)
        path = results / parts[2] if parts else None
        if parts is None or path is None or _leaves(parts[2]) or not path.is_file() or file_digest(path) != parts[1]:
            wrong.append(one_line(parts[2] if parts else line)[:80])
    if wrong:
        text = Message(
            "{count} files of the results are missing or not as the host left them: {names}",
            count=len(wrong),
            names=tuple(wrong[:3]),
        )
        yield _finding(Doubt.INCONSISTENT, text)


def _leaves(name: str) -> bool:
    """Whether a path leads out of its folder."""
    return Path(name).is_absolute() or ".." in Path(name).parts


def _images_counted(found: Found, speed: Speed) -> Iterator[ImportFinding]:
    """The data set of the speed and that of the accuracy are the same."""
    for run in speed.dataset_runs:
        for scores in found.scores:
            if abs(run.images - scores.content.images) > 0.001 * scores.content.images:
                text = Message(
                    "`{report}` ran {ran} images, `{file}` is about {images}",
                    report=run.source,
                    ran=run.images,
                    file=found.name(scores.path),
                    images=scores.content.images,
                )
                yield _finding(Doubt.INCONSISTENT, text)


def _absent(speed: Speed, accuracy: Accuracy) -> Iterator[ImportFinding]:
    if not accuracy.evaluations:
        yield _finding(Doubt.MISSING, Message("no accuracy: neither predictions nor a `result.json` that can be read"))
    if not speed.performance:
        yield _finding(Doubt.MISSING, Message("no speed: no report that can be read"))


def _finding(kind: Doubt, text: Text) -> ImportFinding:
    return ImportFinding(kind=kind, text=text)
