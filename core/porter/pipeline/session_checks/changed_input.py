"""An input that the session changes before its model runs: told by the reference on inputs that were changed so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from porter.contracts.rows import Rows, copied, joined
from porter.graphs.rounded_weights import ROUNDED, rounded_to
from porter.pipeline.session_checks.check_names import LAYOUT, OTHER_INPUT, finding
from porter.pipeline.session_checks.rows_alike import Run
from porter.pipeline.session_checks.same_outputs import Same
from porter.records.message import Message
from porter.records.session_finding import SessionFinding
from porter.records.spec import PreprocessSpec

if TYPE_CHECKING:
    import numpy as np


def input_findings(
    reference: Run, images: Sequence[Rows], same: Same, spec: PreprocessSpec | None
) -> Iterator[SessionFinding]:
    """Whether outputs that are wrong are those of the images, each the only input, after one of the usual changes.

    To be asked only where outputs are wrong: each change costs a call of the reference at least.
    """
    if spec is None or any(len(image) != 1 for image in images):
        return
    name = next(iter(images[0]))
    if any(image[name].dtype != "float32" or image[name].ndim != 4 for image in images):
        return
    others = [list(_others(image[name], spec)) for image in images]
    for changes in zip(*others, strict=True):
        check, title, _ = changes[0]
        found: list[Rows] = []
        for place, (_, _, changed) in enumerate(changes):
            found.append(copied(reference({name: changed})))
            if not same.is_so_far(joined(found), place + 1):
                break
        else:
            yield finding(check, title)
            return


def _others(image: np.ndarray, spec: PreprocessSpec) -> Iterator[tuple[str, Message, np.ndarray]]:
    import numpy as np

    count, channels, height, width = image.shape
    as_fed = np.ascontiguousarray(image.transpose(0, 2, 3, 1)).reshape(image.shape)
    yield LAYOUT, Message("the bytes of N×H×W×C are fed as N×C×H×W"), as_fed
    as_read = np.ascontiguousarray(image.reshape(count, height, width, channels).transpose(0, 3, 1, 2))
    yield LAYOUT, Message("the bytes of N×C×H×W are read as N×H×W×C"), as_read
    if height == width:
        turned = np.ascontiguousarray(image.transpose(0, 1, 3, 2))
        yield LAYOUT, Message("height and width change places"), turned
    if channels > 1:
        yield OTHER_INPUT, Message("the colour channels are reversed: RGB and BGR"), _own(image[:, ::-1])
    yield OTHER_INPUT, Message("mirrored: left and right exchanged"), _own(image[..., ::-1])
    yield OTHER_INPUT, Message("turned upside down"), _own(image[..., ::-1, :])
    for title, changed in _scaled(image, spec):
        yield OTHER_INPUT, title, _own(changed)
    for precision in ROUNDED:
        yield OTHER_INPUT, Message("rounded to {precision}", precision=precision), rounded_to(image, precision)
    yield OTHER_INPUT, Message("rounded to whole numbers"), np.rint(image)
    yield OTHER_INPUT, Message("cut to whole numbers"), np.trunc(image)


def _scaled(image: np.ndarray, spec: PreprocessSpec) -> Iterator[tuple[Message, np.ndarray]]:
    import numpy as np

    if len(spec.mean) == image.shape[1]:
        mean, std = (np.array(one, np.float32).reshape(1, -1, 1, 1) for one in (spec.mean, spec.std))
        values = image * std + mean
        yield Message("mean and std are applied twice"), (image - mean) / std
        yield Message("mean and std are undone"), values
        levels = values * np.float32(spec.divisor)
        yield Message("mean, std and divisor are undone: grey levels are fed"), levels
        yield Message("scaled to -1 to 1 in place of mean and std"), levels / np.float32(127.5) - np.float32(1)
    yield Message("multiplied by 255"), image * np.float32(255)
    yield Message("divided by 255"), image / np.float32(255)
    yield Message("cut to 0 to 1"), np.clip(image, 0, 1)


def _own(image: np.ndarray) -> np.ndarray:
    import numpy as np

    return np.ascontiguousarray(image, np.float32)
