"""What does not fit together in an import, what is missing, and what could not be read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from porter import (
    BadInput,
    Doubt,
    ImportFinding,
    Message,
    Text,
    file_digest,
    has_digest,
    leads_out,
    one_line,
    read_text,
)
from porter_ascend.found import Found
from porter_ascend.kit import SUMS
from porter_ascend.speed import Speed


def doubts(found: Found, speed: Speed) -> tuple[ImportFinding, ...]:
    """Every finding, those of single files first."""
    return (*_broken(found), *_of_the_kit(found), *speed.findings)


def _broken(found: Found) -> Iterator[ImportFinding]:
    for path, reason in found.broken:
        said = reason if isinstance(reason, Message) else one_line(reason)
        text = Message("`{file}`: {reason}", file=found.name(path), reason=said)
        yield _finding(Doubt.UNREADABLE, text)


def _of_the_kit(found: Found) -> Iterator[ImportFinding]:
    """Whether the results are those of this kit, whole, and of every batch size."""
    if found.kit is None:
        return
    if found.results is None:
        if found.outputs or found.summaries or found.pure_infer:
            text = Message("the kit has no `results.json`: its script did not finish")
            yield _finding(Doubt.MISSING, text)
        return
    results, digest = found.results.content, file_digest(found.kit.path)
    if results.kit_sha256 != digest:
        text = Message("the results belong to another kit than `{file}`", file=found.name(found.kit.path))
        yield _finding(Doubt.INCONSISTENT, text)
    for one in results.batches:
        steps = (
            (Message("the conversion by atc"), one.built),
            (Message("pure inference"), one.pure),
            (Message("inference over the data set"), one.dataset),
        )
        for step, done in steps[:1] if not one.built else steps:
            if done is False:
                text = Message("batch {batch}: {step} failed on the host", batch=one.batch, step=step)
                yield _finding(Doubt.MISSING, text)
    yield from _changed(found.results.path.parent)


def _changed(results: Path) -> Iterator[ImportFinding]:
    """Files that are not as the script left them."""
    try:
        if leads_out(results, SUMS):
            raise BadInput(f"{SUMS}: a link that leads out of the folder")
        lines = read_text(results / SUMS, "list of sums").text.splitlines()
    except BadInput:
        text = Message("`{file}` is missing: the results may be incomplete", file=SUMS)
        yield _finding(Doubt.MISSING, text)
        return
    wrong = []
    for line in lines:
        parts = re.fullmatch(r"([0-9a-f]{64}) [ *](?:\./)?(.+)", line)
        path = results / parts[2] if parts else None
        if parts is None or path is None or leads_out(results, parts[2]) or not has_digest(path, parts[1]):
            wrong.append(one_line(parts[2] if parts else line)[:80])
    if wrong:
        text = Message(
            "{count} result files are missing or were changed after the run on the host: {names}",
            count=len(wrong),
            names=tuple(wrong[:3]),
        )
        yield _finding(Doubt.INCONSISTENT, text)


def _finding(kind: Doubt, text: Text) -> ImportFinding:
    return ImportFinding(kind=kind, text=text)
