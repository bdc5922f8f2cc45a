"""Whether the numbers of an artefact bear out the precision that it claims.

Errors of fp32 lie near 2^-22 of the values, those of fp16 near 2^-11 and those of bf16 near 2^-8: there are three
decades between the first two, so that a bound in the middle tells them apart on any network that does not amplify
rounding. One that does is known by what a step of fp32 at its input makes of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

from porter.records.message import Message, Text
from porter.records.precision import FP32, PRECISIONS, Precision
from porter.records.precision_signs import PrecisionSigns

LOOK_FROM = 2.0**-17
"""Errors (root mean square, as a share of the values) from which it is worth to see what rounding would make: three
times what was measured of fp32 on deep convolutional networks."""
LOOK_BEYOND = 2.0
"""The same of a coarser precision, as a multiple of its unit roundoff."""
SUSPICIOUS_FROM = 2.0**-15
"""Errors that fp32 does not make, whatever they look like: a sixteenth of what fp16 makes."""
AMPLIFIED, AMPLIFIED_ALIKE = 256.0, 16.0
"""How much larger they must be than what one step of fp32 at the input makes; the second, where they are those of
rounded weights. fp16 rounds 8,192 times coarser."""
ALIKE_FROM = 0.5
"""Correlation with the errors of rounded weights, from which they are those. By chance it is near 0, and with
activations rounded as well it stays near 0.7."""
SIZES_WITHIN = 4.0
"""How far errors may lie from those of rounded weights and be called of that size."""
FINER_BELOW = 64.0
"""Errors so much smaller than one rounding step of the precision come from a finer one."""
COARSER_BEYOND = 6.0
"""Times the errors that weights rounded to the claimed precision make: rounding activations as well makes about twice
as much as the weights alone."""
FEW_VALUES = 16
UNDONE_SHARE = 0.5
"""Of the layers that the graph has in int8, as many must run in it."""


def is_exact(claimed: Precision) -> bool:
    """Whether a precision is fp32 or finer."""
    return not claimed.quantised and claimed.unit_roundoff <= PRECISIONS[FP32].unit_roundoff


def is_suspicious(claimed: Precision, relative_rms: float | None) -> bool:
    """Whether errors may be larger than those of the precision that is claimed, so that it is worth a closer look."""
    if relative_rms is None or claimed.quantised:
        return False
    return relative_rms >= (LOOK_FROM if is_exact(claimed) else LOOK_BEYOND * claimed.unit_roundoff)


def told(
    signs: PrecisionSigns,
    artefact: str,
    claimed: Precision,
    *,
    within: bool,
    given: bool,
    came_so: bool = False,
    on_processors: bool = True,
) -> PrecisionSigns:
    """The signs with what they mean.

    `within`: every output is within the tolerance, so that nothing else speaks of the errors. `given`: the user chose
    the tolerance, and errors within it are what was asked for. `came_so`: the model comes in this precision, so the
    reference has its errors as well, and what a runtime makes of the file is its own to choose. `on_processors`: a
    device may compute more finely than its precision asks for, and as fast.
    """
    notes: list[Text] = list(_layers(signs, artefact, claimed))
    if came_so:
        return replace(signs, notes=tuple(notes), contradictions=())
    contradictions: list[Text] = [text for text in (_undone(signs, artefact, claimed),) if text]
    size = size_told(signs, artefact, claimed, within=within)
    if size:
        sure = within or max(signs.alike.values(), default=0.0) >= ALIKE_FROM
        (contradictions if sure and not (given and within) else notes).append(size)
    finer = _finer(signs, artefact, claimed)
    if finer:
        (contradictions if on_processors or claimed.quantised else notes).append(finer)
    coarser = _coarser(signs, artefact, claimed)
    if coarser:
        contradictions.append(coarser)
    weights = _weights(signs, artefact)
    if weights:
        (contradictions if signs.weights_own is False else notes).append(weights)
    return replace(signs, notes=tuple(notes), contradictions=tuple(contradictions))


def _layers(signs: PrecisionSigns, artefact: str, claimed: Precision) -> Iterator[Message]:
    """The layers, counted, wherever they are not all in the precision that is claimed, and always of int8."""
    total = sum(signs.layers.values())
    if total and (claimed.quantised or signs.layers.get(claimed.name, 0) < total):
        yield Message(
            "{artefact}: {count} of {total} convolutions and matrix products run in {precision}",
            artefact=artefact,
            count=signs.layers.get(claimed.name, 0),
            total=total,
            precision=claimed.name,
        )
    if signs.graph_layers and signs.graph_int8 is not None and (not total or signs.graph_int8 < signs.graph_layers):
        yield Message(
            "{artefact}: {count} of {total} convolutions and matrix products of the graph are in {precision}",
            artefact=artefact,
            count=signs.graph_int8,
            total=signs.graph_layers,
            precision=claimed.name,
        )


def _undone(signs: PrecisionSigns, artefact: str, claimed: Precision) -> Message | None:
    """That layers are not quantised, or that the runtime undid it."""
    if not claimed.quantised:
        return None
    figures: Mapping[str, str | int] = {"artefact": artefact, "precision": claimed.name}
    if signs.graph_layers and not signs.graph_int8:
        return Message(
            "{artefact}: claims {precision}, but none of its {total} convolutions and matrix products is quantised",
            **figures,
            total=signs.graph_layers,
        )
    if signs.given_int8 and signs.graph_int8 is not None and signs.graph_int8 < UNDONE_SHARE * signs.given_int8:
        return Message(
            "{artefact}: claims {precision}; the graph that it was built from has {given} such "
            "convolutions and matrix products, its own graph has {count}",
            **figures,
            given=signs.given_int8,
            count=signs.graph_int8,
        )
    total = sum(signs.layers.values())
    running = signs.layers.get(claimed.name, 0)
    planned = 0.0 if not signs.graph_layers else (signs.graph_int8 or 0) / signs.graph_layers
    if total and (not running or running / total < UNDONE_SHARE * planned):
        return Message(
            "{artefact}: claims {precision}, but only {count} of {total} convolutions and matrix "
            "products run in it: the runtime undid the quantisation of the rest",
            **figures,
            count=running,
            total=total,
        )
    return None


def size_told(signs: PrecisionSigns, artefact: str, claimed: Precision, *, within: bool) -> Message | None:
    """That errors are those of a coarser precision; `within` as in `told`."""
    if not is_exact(claimed) or not is_suspicious(claimed, signs.relative_rms) or signs.relative_rms is None:
        return None
    noise = PRECISIONS[FP32].unit_roundoff if signs.noise is None else signs.noise
    best = max(signs.alike, key=lambda name: signs.alike[name], default="")
    sized = bool(best) and 1 / SIZES_WITHIN <= signs.relative_rms / (signs.rounded.get(best) or 1.0) <= SIZES_WITHIN
    if sized and signs.alike[best] >= ALIKE_FROM and signs.relative_rms >= AMPLIFIED_ALIKE * noise:
        return Message(
            "{artefact}: claims {claimed}, but its errors match weights rounded to {precision} "
            "(correlation {alike:.2f})",
            artefact=artefact,
            claimed=claimed.name,
            precision=best,
            alike=signs.alike[best],
        )
    if signs.relative_rms < max(SUSPICIOUS_FROM, AMPLIFIED * noise):
        return None  # the network makes as much of the roundings of fp32
    sizes = signs.rounded or {name: PRECISIONS[name].unit_roundoff for name in ("fp16", "bf16")}
    apart = {name: abs(math.log(signs.relative_rms / size)) for name, size in sizes.items() if size}
    nearest = min(apart, key=lambda name: apart[name], default="")
    near = bool(nearest) and apart[nearest] <= math.log(SIZES_WITHIN)
    if not near and not within:
        return None  # too large for any rounding, or of another kind: parity says so
    return Message(
        "{artefact}: claims {claimed}, but its errors have the size of {precision} rounding (root mean "
        "square {error:.2g} of the values; fp32: {noise:.2g})",
        artefact=artefact,
        claimed=claimed.name,
        precision=nearest or "fp16",
        error=signs.relative_rms,
        noise=noise,
    )


def _finer(signs: PrecisionSigns, artefact: str, claimed: Precision) -> Message | None:
    """That errors are too small for the precision that is claimed."""
    if is_exact(claimed) or signs.relative_rms is None or signs.values < FEW_VALUES:
        return None
    if signs.relative_rms >= claimed.unit_roundoff / FINER_BELOW:
        return None
    return Message(
        "{artefact}: claims {claimed}, but its errors are those of a finer data type (root mean square "
        "{error:.2g} of the values; one step of {claimed} is {step:.2g})",
        artefact=artefact,
        claimed=claimed.name,
        error=signs.relative_rms,
        step=claimed.unit_roundoff,
    )


def _coarser(signs: PrecisionSigns, artefact: str, claimed: Precision) -> Message | None:
    """That errors are far larger than what the precision makes of this network's weights."""
    made = signs.rounded.get(claimed.name)
    if not made or signs.relative_rms is None or signs.relative_rms <= COARSER_BEYOND * made:
        return None
    sizes = {name: size for name, size in signs.rounded.items() if size > made}
    alike = next((name for name, size in sizes.items() if signs.relative_rms <= SIZES_WITHIN * size), "")
    if alike:
        return Message(
            "{artefact}: {claimed} is claimed, and its errors have the size of {precision} rounding (root mean square "
            "{error:.2g} of the values, {times:.0f} times what {claimed} makes)",
            artefact=artefact,
            claimed=claimed.name,
            precision=alike,
            error=signs.relative_rms,
            times=signs.relative_rms / made,
        )
    return Message(
        "{artefact}: claims {claimed}, but its errors (root mean square {error:.2g} of the values) are "
        "{times:.0f} times those of weights rounded to it",
        artefact=artefact,
        claimed=claimed.name,
        error=signs.relative_rms,
        times=signs.relative_rms / made,
    )


def _weights(signs: PrecisionSigns, artefact: str) -> Message | None:
    if not signs.weights:
        return None
    if signs.weights_own:
        return Message(
            "{artefact}: all its weights are values of {precision}, as the model's own are",
            artefact=artefact,
            precision=signs.weights,
        )
    if signs.weights_own is None:
        return Message(
            "{artefact}: all its weights are values of {precision}", artefact=artefact, precision=signs.weights
        )
    return Message(
        "{artefact}: all its weights were rounded to {precision}; the model's own are not",
        artefact=artefact,
        precision=signs.weights,
    )
