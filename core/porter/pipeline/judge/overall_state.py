"""What a run comes to: the state of the whole, in one sentence of cause, and of each artefact in a word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from porter.documents.drawings.lines import REFERENCE, names, speeds_of
from porter.documents.results import PUBLISHED, best_of
from porter.pipeline.judge.accuracy_verdict import compared_words, hidden_drop, undecided
from porter.pipeline.judge.causes import command_of, label_cause
from porter.pipeline.judge.covered import is_wrong
from porter.pipeline.judge.speed_marks import impossible
from porter.records.message import Message, Text
from porter.records.overall import ArtefactState, Overall, Standing
from porter.records.record import RunRecord, State, Verdict
from porter.records.unfinished import Failing

UNDONE = {
    Failing.BUILD: Message("not built"),
    Failing.VERIFY: Message("not verified"),
    Failing.EVALUATE: Message("not scored"),
    Failing.BENCH: Message("not measured"),
}


def overall(record: RunRecord) -> Overall:
    """The state of the whole, from verdicts and artefact states that are there already."""
    failed = [one for one in record.verdicts if one.state == State.FAIL]
    if failed:
        return _failing(record, failed)
    fastest = _fastest(record)
    if record.imported is not None:
        return Overall(standing=Standing.IMPORTED, sentences=(*_accuracy(record), *fastest))
    if all(one.state == State.NOT_RUN for one in record.verdicts):
        return Overall(standing=Standing.NOT_VERIFIED, sentences=(Message("Nothing was checked"),))
    missing, command = _missing(record)
    if missing:
        return Overall(
            standing=Standing.INCOMPLETE, sentences=(*missing, *_accuracy(record), *fastest), command=command
        )
    open_drop = undecided(record)
    if open_drop is not None:
        return Overall(standing=Standing.UNPROVEN, sentences=(*_accuracy(record), hidden_drop(open_drop), *fastest))
    return Overall(standing=Standing.PASS, sentences=(*_accuracy(record), *fastest))


def artefact_states(record: RunRecord) -> tuple[ArtefactState, ...]:
    """The reference where something speaks against it, and every artefact that was asked for, in their order."""
    found = [*names(record), *(one.artefact for one in record.unfinished)]
    sizes = {one.id: sum(file.size_bytes for file in one.files) / 2**20 for one in record.artefacts}
    states = [replace(_state(record, name), size_mib=sizes.get(name)) for name in dict.fromkeys(found)]
    faults = _accuracy_faults(record, REFERENCE)
    return (*([ArtefactState(name=REFERENCE, passed=False, state=faults)] if faults else []), *states)


def _state(record: RunRecord, name: str) -> ArtefactState:
    unfinished = next((one.stage for one in record.unfinished if one.artefact == name), None)
    broken = any(not one.passed for one in record.parity if one.candidate == name) or is_wrong(record, name)
    accuracy = _accuracy_faults(record, name)
    faults = (
        *([Message("parity")] if broken else []),
        *([accuracy] if accuracy else []),
        *([UNDONE[unfinished]] if unfinished is not None else []),
        *([Message("speed")] if impossible(record, name) else []),
    )
    if faults:
        return ArtefactState(name=name, passed=False, state=Message("{faults}", faults=faults))
    if any(one.passed for one in record.comparisons if one.evaluation == name):
        return ArtefactState(name=name, passed=True, state="")
    evaluation = record.evaluation(name)
    state = Message("not scored") if evaluation is None else Message("not compared")
    return ArtefactState(name=name, passed=None, state=state)


def _accuracy_faults(record: RunRecord, name: str) -> Text:
    evaluation = record.evaluation(name)
    if any(one.passed is False for one in record.comparisons if one.evaluation == name):
        return Message("accuracy")
    if evaluation is None:
        return ""
    if evaluation.mostly_unanswered:
        return Message("most images without a prediction")
    if evaluation.nonfinite:
        return Message("NaN or infinite outputs")
    return Message("no better than guessing") if evaluation.chance else ""


# --- the sentences ----------------------------------------------------------------------------------------------------


def _failing(record: RunRecord, failed: Sequence[Verdict]) -> Overall:
    """The likeliest cause first: what the diagnosis found, what would explain the labels, or the first verdict's."""
    command = command_of(record, "diagnose")
    found = () if record.diagnosis is None else record.diagnosis.findings
    if found and record.diagnosis is not None and set(record.diagnosis.failed) == {one.name for one in failed}:
        return Overall(
            standing=Standing.FAIL, sentences=(found[0].text, *_sound(record)), command=found[0].command or command
        )
    first = failed[0]
    if record.label_suspects and first.name in ("data", "accuracy"):
        cause: tuple[Text, ...] = (label_cause(record.label_suspects[0]),)
    else:
        shown = (*first.evidence[:1], *first.advice[: len(first.advice) > 1])
        cause = (Message("{verdict} fails: {what}", verdict=first.title, what=shown[0]), *shown[1:])
    return Overall(standing=Standing.FAIL, sentences=(*cause, *_sound(record)), command=command)


def _sound(record: RunRecord) -> tuple[Text, ...]:
    """That the conversion is not at fault, where every artefact computes what the reference does and loses nothing."""
    states = {one.name: one.state for one in record.verdicts}
    lost = any(one.passed is False for one in record.comparisons if one.against == REFERENCE)
    if states.get("parity") != State.PASS or lost or not record.comparisons:
        return ()
    return (Message("The conversion is sound: the artefacts compute what the reference does"),)


def _missing(record: RunRecord) -> tuple[tuple[Text, ...], str]:
    """What was asked for and did not run, and the command that takes it back."""
    lines: list[Text] = [
        Message(
            "{runtime} ({target}) was not measured, this machine lacks it. Run `{script}` on a host that has it",
            runtime=kit.runtime,
            target=kit.target,
            script=f"{kit.path}/{kit.script}",
        )
        for kit in record.kits
    ]
    lines += [
        Message("{artefact}: {state}, {reason}", artefact=one.artefact, state=UNDONE[one.stage], reason=one.reason)
        for one in record.failed_targets()
    ]
    unbuilt = () if record.request.is_auto else record.unbuilt
    lines += [Message("{runtime}: {state}", runtime=name, state=UNDONE[Failing.BUILD]) for name in unbuilt]
    unchecked = tuple(one.title for one in record.verdicts if one.state == State.NOT_RUN)
    lines += [Message("Not checked: {verdicts}", verdicts=unchecked)] if unchecked else []
    lines += [] if record.performance or not record.artefacts else [Message("Speed was not measured")]
    lines += [] if record.artefacts or record.kits or not record.evaluations else [Message("No artefact was built")]
    return tuple(lines), record.kits[0].take_back if record.kits else ""


def _accuracy(record: RunRecord) -> tuple[Text, ...]:
    """The largest drop of what is delivered; that there is none to tell where nothing was compared."""
    judged = [one for one in record.comparisons if one.drop is not None and one.evaluation in record.delivered]
    for against in (REFERENCE, PUBLISHED):
        known = [one for one in judged if one.against == against]
        if known:
            worst = max(known, key=lambda one: one.drop or 0.0)
            evaluation = record.evaluation(worst.evaluation)
            images = 0 if evaluation is None else evaluation.listed
            return (Message("{figures} ({images} images)", figures=compared_words(record, worst), images=images),)
    return (Message("Accuracy was not compared"),)


def _fastest(record: RunRecord) -> tuple[Text, ...]:
    """The highest throughput of what is delivered and passes, or why `auto` chose it; nothing where nothing does."""
    if record.choice is not None and record.choice.chosen:
        return (record.choice.reason,)
    passing = [one.name for one in record.states if one.passed and one.name in record.delivered]
    best = best_of(tuple(speed for name in passing for speed in speeds_of(record, name)))
    if best is None:
        return ()
    return (
        Message(
            "Fastest that passes: `{artefact}`, {rate:.2f} images/s at batch size {batch}",
            artefact=best.artefact,
            rate=best.images_per_second,
            batch=best.batch,
        ),
    )
