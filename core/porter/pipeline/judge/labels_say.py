"""Whether the labels contradict the preprocessing that is declared."""

from __future__ import annotations

from porter.records.message import Message, Text
from porter.records.tried import Better, Tried

LEAST_GAIN = 2.0
"""Points by which an alternative must be better for the declared pipeline to be called wrong. A larger crop or another
filter can truly gain a point on some images with a pipeline that is right: that is said, and fails nothing."""


def contradicting(tried: Tried) -> list[Better]:
    """The alternatives by which the declared pipeline is wrong."""
    return [one for one in tried.better if one.gain >= LEAST_GAIN]


def against_labels(tried: Tried | None) -> tuple[Text, ...]:
    """What came of trying alternatives, one line each."""
    if tried is None:
        return ()
    if tried.reason:
        return (
            Message(
                "{count} alternatives were not tried on labelled images: {reason}",
                count=tried.alternatives,
                reason=tried.reason,
            ),
        )
    if not tried.better:
        return (
            Message(
                "{count} alternatives tried on up to {images} labelled images: none is significantly better",
                count=tried.alternatives,
                images=tried.images,
            ),
        )
    failing = contradicting(tried)
    return tuple(_better(one, tried.metric, fails=one in failing) for one in tried.better)


def _better(one: Better, metric: Text, *, fails: bool) -> Message:
    figures = Message(
        "with {change}: {metric} {value:.1f}% instead of {declared:.1f}% on {images} images ({gained} "
        "corrected, {lost} lost, adjusted p {p:.2g})",
        change=one.title,
        metric=metric,
        value=one.value,
        declared=one.declared,
        images=one.images,
        gained=one.gained,
        lost=one.lost,
        p=one.p_value,
    )
    if fails:
        return figures
    return Message(
        "{figures}; below {least:g} points, the declaration may still be correct",
        figures=figures,
        least=LEAST_GAIN,
    )
