"""What the numbers of an artefact say about the precision that it claims."""

from __future__ import annotations

from dataclasses import dataclass, field

from porter.records.message import Text


@dataclass(frozen=True, kw_only=True)
class PrecisionSigns:
    """Signs of the precision that an artefact really has, beside the one that it claims."""

    relative_rms: float | None = None
    """Root mean square of the errors over that of the reference, of the output where it is largest; None: no output of
    floats could be compared."""
    values: int = 0
    """Values that were compared."""
    noise: float | None = None
    """The same for the exported file with its input moved by one step of fp32, which is what fp32 itself makes of this
    network; None: nothing called for it."""
    rounded: dict[str, float] = field(default_factory=dict)
    """The same for the exported file with its weights rounded, by precision; empty: nothing called for it."""
    alike: dict[str, float] = field(default_factory=dict)
    """How well the artefact's errors agree with those of the rounded weights, by precision: the correlation of the two,
    1 where they are the same."""
    weights: str = ""
    """The precision whose values all weights of the file are, where that is less than fp32; else empty."""
    weights_own: bool | None = None
    """Whether the model's own weights are such values as well; None: not known, or there was no call to look."""
    layers: dict[str, int] = field(default_factory=dict)
    """Convolutions and matrix products by the precision that they run in; empty where the runtime does not say."""
    graph_layers: int | None = None
    """Convolutions and matrix products of the int8 graph; None: it is not int8, or there is no ONNX graph of it."""
    graph_int8: int | None = None
    """Those of them that are quantised."""
    given_int8: int | None = None
    """Those that are quantised in the graph that porter gave the runtime to build from; None: it quantises itself."""
    notes: tuple[Text, ...] = ()
    """What is said about it."""
    contradictions: tuple[Text, ...] = ()
    """What contradicts the claim: parity fails by it."""
