"""The checks of a session, by name, and what each has found where it fails."""

from __future__ import annotations

from porter.records.message import Message, Text
from porter.records.session_finding import SessionFinding

NOT_DETERMINISTIC = "not-deterministic"
NEIGHBOURS = "neighbours"
PLACE = "place"
BATCH_SIZE = "batch-size"
LAST_ROW = "last-row"
SHUFFLED = "shuffled-rows"
REPEATED = "repeated-rows"
BATCH_BEFORE = "batch-before"
ONE_BUFFER = "one-buffer"
THREADS = "threads"
LATER_CALLS = "later-calls"
NAN_ROWS = "nan-rows"
LAYOUT = "layout"
STALE_FILE = "stale-file"
SWALLOWED = "swallowed-errors"
OTHER_FILE = "other-file"
OTHER_INPUT = "other-input"
OTHER_OUTPUTS = "other-outputs"
CONSTANT = "constant-outputs"
FIRST_CALL = "first-call"
UNFINISHED = "unfinished"
EXPORT = "export"
SOME_IMAGES = "some-images"
OUTPUTS = "outputs"

TITLES = {
    NOT_DETERMINISTIC: Message("the same call made twice gives different outputs"),
    NEIGHBOURS: Message("a sample depends on the other samples of its batch"),
    PLACE: Message("a sample depends on its position in the batch"),
    BATCH_SIZE: Message("outputs depend on the batch size"),
    LAST_ROW: Message("the last sample of a batch is wrong"),
    SHUFFLED: Message("the samples come out in another order"),
    REPEATED: Message("some samples of a batch have the outputs of others once more, as if they were skipped"),
    BATCH_BEFORE: Message("the outputs belong to an earlier batch"),
    ONE_BUFFER: Message("all calls return the same buffer: a later call overwrites earlier outputs"),
    THREADS: Message("simultaneous calls from several threads disturb each other"),
    LATER_CALLS: Message("outputs are wrong from a certain call on"),
    NAN_ROWS: Message("some samples have NaN or infinite values"),
    LAYOUT: Message("the input is read in another layout"),
    STALE_FILE: Message("the compiled file belongs to another model"),
    SWALLOWED: Message("an error is hidden, and outputs are returned nevertheless"),
    OTHER_FILE: Message("the session opens another file than the artefact"),
    OTHER_INPUT: Message("the session changes its input"),
    OTHER_OUTPUTS: Message("the session changes the outputs of the model"),
    CONSTANT: Message("every image gets the same outputs"),
    FIRST_CALL: Message("the outputs of the first calls are wrong"),
    UNFINISHED: Message("the call returns before its outputs are complete"),
    EXPORT: Message("the exported graph is not the model"),
    SOME_IMAGES: Message("the outputs of some images are wrong, those of others are correct"),
    OUTPUTS: Message("outputs differ; no check explains why"),
}


def finding(check: str, detail: Text, *, fails: bool = True) -> SessionFinding:
    """A finding of that check."""
    return SessionFinding(check=check, title=TITLES[check], detail=detail, fails=fails)
