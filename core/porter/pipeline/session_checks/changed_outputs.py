"""Outputs that the session changes after its model ran: told from the reference's, changed so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from porter.contracts.rows import Rows, taken
from porter.pipeline.session_checks.check_names import CONSTANT, OTHER_OUTPUTS, finding
from porter.pipeline.session_checks.rows_alike import rows_off, same_shapes
from porter.pipeline.session_checks.same_outputs import Same
from porter.records.message import Message
from porter.records.session_finding import SessionFinding

if TYPE_CHECKING:
    import numpy as np

    Change: TypeAlias = Callable[[np.ndarray], np.ndarray]

MOST_CLASSES = 2048
"""Of which another order is looked for, each against each."""
VALUES_EACH = 8
"""Values of an output from which a factor and an offset are fitted: fewer fit anything."""


def output_findings(same: Same) -> Iterator[SessionFinding]:
    """Which of the usual changes makes the reference's outputs those of the session; the first that does."""
    if not same_shapes(same.wanted, same.got) or not _floats(same.wanted):
        return
    if (constant := _constant(same)) is not None:
        yield constant
        return
    if (exchanged := exchanged_outputs(same)) is not None:
        yield exchanged
        return
    for title, change in _changes():
        if same.is_so(_changed(same.wanted, change)):
            yield finding(OTHER_OUTPUTS, title)
            return
    if Same(same.got, same.wanted, same.tolerance).is_so(_changed(same.got, _softmax)):
        yield finding(OTHER_OUTPUTS, Message("softmax is left out"))
        return
    for title, fitted in _fitted(same):
        if same.is_so(fitted):
            yield finding(OTHER_OUTPUTS, title)
            return


def _constant(same: Same) -> SessionFinding | None:
    """That every image gets the same outputs, while the reference's differ."""
    count = len(next(iter(same.got.values())))
    if count < 2:
        return None
    first = {name: [0] * count for name in same.got}
    alike = {name: values[first[name]] for name, values in same.got.items()}
    moving = taken(same.wanted, [0] * count)
    if rows_off(alike, same.got, same.tolerance).any() or not rows_off(moving, same.wanted, same.tolerance).any():
        return None
    return finding(CONSTANT, Message("{count} images, of which the reference's differ", count=count))


def exchanged_outputs(same: Same) -> SessionFinding | None:
    """That an output has the values of another, and that one has not its own: their names changed places."""
    names = list(same.wanted)
    for place, name in enumerate(names):
        for other in names[place + 1 :]:
            places = {name: other, other: name}
            if same.wanted[name].shape == same.wanted[other].shape and same.is_so(
                {one: same.wanted[places.get(one, one)] for one in names}
            ):
                text = Message("outputs `{one}` and `{other}` are exchanged", one=name, other=other)
                return finding(OTHER_OUTPUTS, text)
    return None


def _changes() -> Iterator[tuple[Message, Change]]:
    import numpy as np

    yield Message("softmax is applied"), _softmax
    yield Message("log-softmax is applied"), lambda rows: np.log(np.maximum(_softmax(rows), 1e-300))
    yield Message("sigmoid is applied"), lambda rows: 1 / (1 + np.exp(-np.clip(rows, -700, 700)))
    yield Message("values below 0 are cut off, as by ReLU"), lambda rows: np.maximum(rows, 0)
    yield Message("the sign is turned"), lambda rows: -rows
    yield Message("the logarithm is taken"), lambda rows: np.log(np.maximum(rows, 1e-300))
    yield Message("the exponential is taken"), lambda rows: np.exp(np.minimum(rows, 700))
    yield Message("the classes are in reverse order"), lambda rows: rows[:, ::-1]
    yield Message("the classes are shifted by 1"), lambda rows: np.roll(rows, 1, axis=1)
    yield Message("the classes are shifted by -1"), lambda rows: np.roll(rows, -1, axis=1)
    yield Message("the scores are sorted, their classes are lost"), lambda rows: np.sort(rows, axis=1)
    yield Message("the scores are sorted, their classes are lost"), lambda rows: np.sort(rows, axis=1)[:, ::-1]
    yield Message("the largest score is subtracted from each"), lambda rows: rows - rows.max(axis=1, keepdims=True)
    yield Message("1 stands for the best class, 0 for every other"), _best_alone
    yield Message("rounded to whole numbers"), np.rint


def _fitted(same: Same) -> Iterator[tuple[Message, Rows]]:
    """Changes by numbers that are read off the outputs themselves, where there are many more values than these."""
    import numpy as np

    if any(values.size < VALUES_EACH for values in same.wanted.values()):
        return
    name = next(iter(same.wanted))
    a, b = same.wanted[name].astype(np.float64), same.got[name].astype(np.float64)
    if not np.isfinite(b).all():
        return
    factor = float((a * b).sum() / (a * a).sum()) if a.any() else 1.0
    yield Message("multiplied by {factor:.4g}", factor=factor), _changed(same.wanted, lambda rows: rows * factor)
    added = float((b - a).mean())
    yield Message("{added:.4g} is added", added=added), _changed(same.wanted, lambda rows: rows + added)
    centred = a - a.mean()
    slope = float((centred * b).sum() / (centred * centred).sum()) if centred.any() else 1.0
    offset = float(b.mean() - slope * a.mean())
    text = Message("multiplied by {factor:.4g}, and {added:.4g} is added", factor=slope, added=offset)
    yield text, _changed(same.wanted, lambda rows: rows * slope + offset)
    if a.ndim != 2 or len(a) < 2 or len(same.wanted) > 1:
        return
    each = (b - a).mean(axis=0)
    place = int(np.abs(each).argmax())
    text = Message(
        "a number is added to each class, to class {place} {added:.4g}", place=place, added=float(each[place])
    )
    yield text, _changed(same.wanted, lambda rows: rows + each)
    if a.shape[1] <= MOST_CLASSES:
        order = np.abs(a[:1].T - b[:1]).argmin(axis=0)
        text = Message("the classes are in another order, class {place} first", place=int(order[0]))
        yield text, _changed(same.wanted, lambda rows: rows[:, order])


def _changed(outputs: Rows, change: Change) -> dict[str, np.ndarray]:
    """Every output that has classes, as float32; in float64 on the way."""
    import numpy as np

    with np.errstate(all="ignore"):
        return {
            name: change(values.astype(np.float64)).astype(np.float32) if values.ndim > 1 else values
            for name, values in outputs.items()
        }


def _softmax(rows: np.ndarray) -> np.ndarray:
    import numpy as np

    powers = np.exp(rows - rows.max(axis=1, keepdims=True))
    found: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return found


def _best_alone(rows: np.ndarray) -> np.ndarray:
    found: np.ndarray = (rows == rows.max(axis=1, keepdims=True)).astype(rows.dtype)
    return found


def _floats(outputs: Rows) -> bool:
    return all(values.dtype.kind == "f" for values in outputs.values())
