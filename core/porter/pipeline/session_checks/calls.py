"""Calls of one session held against each other: in turn, in one batch, from several threads, and a call that must fail.

Each takes what runs a batch, and samples, one row of every input each; `tolerance` says how far apart two outputs
of the same image may lie in this precision. None needs a reference.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from porter.contracts.rows import Rows, copied, count_of, flat_pair, joined, part, repeated, same_bits, taken
from porter.pipeline.session_checks.check_names import (
    BATCH_BEFORE,
    BATCH_SIZE,
    LATER_CALLS,
    NEIGHBOURS,
    NOT_DETERMINISTIC,
    ONE_BUFFER,
    OUTPUTS,
    PLACE,
    SWALLOWED,
    THREADS,
    finding,
)
from porter.pipeline.session_checks.rows_alike import Run, rows_off, same_shapes
from porter.pipeline.session_checks.wrong_rows import named
from porter.records.message import Message
from porter.records.parity import Tolerance
from porter.records.session_finding import SessionFinding

if TYPE_CHECKING:
    import numpy as np

EXACT = Tolerance()
"""Two calls on the same input differ by less in any precision, on a processor."""
ROUNDS, MOST_ROUNDS = 2, 64
"""Calls of each thread, at least and at most."""
ROUNDS_SECONDS = 0.01
"""What more calls than the least may take: two calls that meet for a moment only do so once in many."""
REFUSED = "no number"
"""Stands in every place of an input that nothing can compute."""


def session_findings(
    run: Run, images: Sequence[Rows], tolerance: Tolerance, *, callers: int = 1
) -> tuple[SessionFinding, ...]:
    """All checks that need no reference, on two or more images; `callers` is how many calls the session takes at once.

    A call for each image, one more, and one of all images; of a session of streams `ROUNDS` for each of them as well.
    """
    held = run(images[0])
    alone = [copied(held)]
    found = list(in_turn(run, images[:2], tolerance, alone, held))
    if any(one.fails for one in found):
        return tuple(found)
    alone += [copied(run(image)) for image in images[2:]]
    found += in_one_batch(run, images, joined(alone), tolerance)
    if callers > 1 and not any(one.fails for one in found):
        found += at_once(run, images, alone, tolerance, callers)
    if differs(alone[0], held):
        detail = Message("the outputs of one call change when {count} more are made", count=len(images) + 1)
        found.append(finding(ONE_BUFFER, detail))
    return tuple(found)


def in_turn(
    run: Run, images: Sequence[Rows], tolerance: Tolerance, alone: list[dict[str, np.ndarray]], held: Rows
) -> Iterator[SessionFinding]:
    """Two images, the second twice: one buffer for all calls, outputs of the call before, and calls that differ.

    The first was run: `held` is what the call returned, and `alone` has a copy. The outputs of the second are added.
    """
    first, second = images
    later = copied(run(second))
    alone.append(later)
    if differs(alone[0], held):
        yield finding(ONE_BUFFER, Message("the outputs of one call change with the next call"))
    again = copied(run(second))
    if not differs(later, again):
        return
    if rows_off(later, again, EXACT).any():
        back, same = copied(run(first)), copied(run(first))
        if not rows_off(again, back, EXACT).any() and not rows_off(later, same, EXACT).any():
            yield finding(BATCH_BEFORE, Message("each call returns the outputs of the previous call"))
            return
        beyond = bool(rows_off(later, again, tolerance).any())
        detail = Message("largest difference {error:.3g}", error=largest(later, again))
        yield finding(NOT_DETERMINISTIC, detail, fails=beyond)


def in_one_batch(run: Run, images: Sequence[Rows], alone: Rows, tolerance: Tolerance) -> Iterator[SessionFinding]:
    """All images in one batch, each row against the image alone."""
    batch = joined(images)
    yield from against_alone(run, batch, copied(run(batch)), alone, tolerance)


def against_alone(
    run: Run, batch: Rows, got: Rows, alone: Rows, tolerance: Tolerance, rows: Sequence[int] | None = None
) -> Iterator[SessionFinding]:
    """The outputs `got` of a batch against those of its images `alone`, or of some `rows` of it.

    Where one of them is off, every image is run alone, since all rows together tell which fault it is.
    """
    some = got if rows is None else taken(got, list(rows)) if _rows_of(got, count_of(batch)) else dict(got)
    off = rows_off(alone, some, tolerance)
    if not off.any():
        return
    if rows is not None:
        alone = joined([copied(run(part(batch, row, row + 1))) for row in range(count_of(batch))])
        off = rows_off(alone, got, tolerance)
        if not off.any():  # the call on the image alone was another one then
            yield finding(NOT_DETERMINISTIC, Message("an image alone, called twice, gives other outputs"))
            return
    told = named(alone, got, off, tolerance)
    if told.check == OUTPUTS:
        row = int(off.argmax())
        told = _of_the_batch(run, batch, row, taken(alone, [row]), tolerance, int(off.sum()))
    yield told


def _rows_of(got: Rows, count: int) -> bool:
    return all(len(values) == count for values in got.values())


def _of_the_batch(run: Run, batch: Rows, row: int, alone: Rows, tolerance: Tolerance, wrong: int) -> SessionFinding:
    """Why a row differs from its image alone: calls on batches of that image only tell, and of it among copies of
    another."""
    count = count_of(batch)
    alike = repeated(batch, row, count)
    first, again = copied(run(alike)), copied(run(alike))
    wanted, rows = repeated(alone, 0, count), repeated(again, 0, count)
    if not rows_off(wanted, again, tolerance).any():
        check = BATCH_BEFORE if rows_off(wanted, first, tolerance).any() else NEIGHBOURS
    elif _remembered(run, alike, again):
        check = BATCH_BEFORE
    elif rows_off(rows, again, tolerance).any():
        check = PLACE
    else:
        # Of a batch of two or more, another image than the row's.
        among = taken(batch, [row, *[row - 1] * (count - 1)])
        beside = taken(copied(run(among)), [0])
        check = NEIGHBOURS if rows_off(taken(again, [0]), beside, tolerance).any() else BATCH_SIZE
    figures = {"wrong": wrong, "rows": count}
    return finding(check, Message("{wrong} samples of a batch of {rows} differ from the single images", **figures))


def _remembered(run: Run, batch: Rows, outputs: Rows) -> bool:
    """Whether other pictures of the same values in the same frame get the same outputs bit for bit, from memory."""
    other = copied(batch)
    for name, values in batch.items():
        if values.ndim > 2:  # no list of numbers has a frame
            other[name][..., 1:-1, 1:-1] = values[..., 1:-1, -2:0:-1]
    changed = any(not same_bits(values, other[name]) for name, values in batch.items())
    return changed and not differs(copied(run(other)), outputs)


def at_once(
    run: Run, inputs: Sequence[Rows], outputs: Sequence[Rows], tolerance: Tolerance, callers: int
) -> Iterator[SessionFinding]:
    """Calls from as many threads at once, each with another input than the thread beside it; `outputs` are those of
    each input alone. Each round begins at the same moment; there are more of them where a call is short."""
    start, count = threading.Barrier(callers), len(inputs)
    begun = time.perf_counter()
    run(inputs[0])
    rounds = ROUNDS + min(MOST_ROUNDS, int(ROUNDS_SECONDS / max(time.perf_counter() - begun, 1e-6)))

    def work(place: int) -> int:
        wrong = 0
        try:
            for step in range(rounds):
                index = (place + step) % count
                start.wait()
                wrong += bool(rows_off(outputs[index], run(inputs[index]), tolerance).any())
        except threading.BrokenBarrierError:  # another caller's call failed, and that is told
            return wrong
        except BaseException:
            start.abort()
            raise
        return wrong

    with ThreadPoolExecutor(callers, thread_name_prefix="porter-caller") as pool:
        wrong = sum(pool.map(work, range(callers)))
    if wrong and all(rows_off(rows, run(one), tolerance).any() for one, rows in zip(inputs, outputs, strict=True)):
        yield finding(LATER_CALLS, Message("outputs that were correct are not any more, called one after the other"))
    elif wrong:
        calls = rounds * callers
        detail = Message("{wrong} of {calls} calls from {threads} threads", wrong=wrong, calls=calls, threads=callers)
        yield finding(THREADS, detail)


def swallowed(run: Run, image: Rows) -> Iterator[SessionFinding]:
    """An input of text in place of numbers, which must end in an error, not in outputs.

    Whatever the session raises is right. Its outputs for the image afterwards must be those that it gave before.
    """
    import numpy as np

    before = copied(run(image))
    try:
        found = run({name: np.full(values.shape, REFUSED, dtype=object) for name, values in image.items()})
    except Exception:  # what a runtime raises is its own
        return
    arrays = {name: np.asarray(values) for name, values in dict(found).items()}
    same = arrays.keys() == before.keys() and not differs(before, copied(arrays))
    constant = bool(arrays) and all((values == values.ravel()[:1]).all() for values in arrays.values() if values.size)
    if same or constant:
        what = Message("outputs of the previous call") if same else Message("a single value throughout")
        yield finding(SWALLOWED, Message("a non-finite input gives outputs without an error: {what}", what=what))


def largest(wanted: Rows, got: Rows) -> float | None:
    """The largest difference between finite values; None where there is none to compare."""
    import numpy as np

    errors: list[float] = []
    for name, values in wanted.items() if same_shapes(wanted, got) else ():
        with np.errstate(invalid="ignore", over="ignore"):
            a, b = flat_pair(values, got[name])
            error = np.abs(b.astype(np.float64) - a.astype(np.float64))
        errors.append(float(error[np.isfinite(error)].max(initial=0.0)))
    return max(errors, default=None)


def differs(wanted: Rows, got: Rows) -> bool:
    """Whether one bit differs; NaN is itself."""
    return not same_shapes(wanted, got) or any(not same_bits(values, got[name]) for name, values in wanted.items())
