"""Every port that is tried: what is done to it, and what must be seen.

`item` is the item of "Verify what ships" (1 outputs, 2 sessions, 3 precision, 4 weights, 5 preprocessing and labels,
6 data, 7 measurements) that catches it. `cause` is a regular expression for the evidence or the advice of a verdict
that fails, without regard to case; a case without one is healthy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Case:
    name: str
    item: int
    cause: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    checkpoint: str = "plain.pth"
    data: str = "val"
    labels: str = "true.txt"
    arguments: tuple[str, ...] = ()
    model: str = "rigged"

    @property
    def healthy(self) -> bool:
        return not self.cause


def rig(name: str, item: int, cause: str, *arguments: str) -> Case:
    """A runtime with a fault of that name (or with none, where `arguments` say so)."""
    given = () if any(".fault" in each or ".compiled" in each for each in arguments) else (f"rig.fault={name}",)
    options = tuple(word for option in given for word in ("--option", option))
    return Case(name=name, item=item, cause=cause, arguments=("--runtime", "rig", *options, *arguments))


def weights(name: str, cause: str, **changed: Any) -> Case:
    return Case(name=f"weights-{name}", item=4, cause=cause, **{"config": {"weights": name}, **changed})


def declared(name: str, cause: str, **preprocess: Any) -> Case:
    return Case(name=f"declared-{name}", item=5, cause=cause, config={"preprocess": preprocess})


def labelled(name: str, cause: str, **changed: Any) -> Case:
    return Case(name=f"labels-{name}", item=5, cause=cause, labels=f"{name}.txt", **changed)


def data(name: str, cause: str) -> Case:
    return Case(name=f"data-{name}", item=6, cause=cause, data=name, labels=f"{name}.txt")


def healthy(name: str, item: int, *arguments: str, **changed: Any) -> Case:
    return Case(name=f"healthy-{name}", item=item, arguments=arguments, **changed)


STREAMS = ("--threads", "2", "--streams", "2")

STALE = r"stale|compiled|other weights|built from|\b7\.weight"

SABOTAGED = (
    rig("batch-8", 1, r"batch (size |of )?8\b"),
    rig(
        "stale-compiled",
        1,
        STALE,
        "--option",
        "rig.compiled={root}/stale.onnx",
    ),
    rig(
        "other-epoch",
        1,
        STALE,
        "--option",
        "rig.compiled={root}/epoch.onnx",
    ),
    rig(
        "other-file",
        1,
        "another file",
        "--option",
        "rig.fault=other-file",
        "--option",
        "rig.compiled={root}/stale.onnx",
    ),
    rig("nan", 2, r"nan|non-finite|not finite"),
    rig("shuffled", 2, r"shuffled|order of (the )?rows|rows .*order|row"),
    rig("last-row", 2, r"last (row|sample)"),
    rig("last-row-near", 2, r"last (row|sample)"),
    rig("neighbours", 2, r"neighbour"),
    rig("place", 2, r"place|position"),
    rig("buffer", 2, r"buffer|overw"),
    rig("before", 2, r"before|previous|earlier|stale"),
    rig("second-stream", 2, r"stream|thread", *STREAMS),
    rig("late", 2, r"(from|after|since|until) .*call|call \d"),
    rig("random", 2, r"determin|same .*twice|repeat"),
    rig("swallowed", 2, r"swallow|zero|constant|batch (size )?4\b", "--batch-sizes", "1,4,8"),
    rig("unfinished", 2, r"before its outputs are complete"),
    rig("ring", 2, r"buffer"),
    rig("first-call", 2, r"first calls"),
    rig("colours", 2, r"RGB and BGR"),
    rig("softmax", 2, r"softmax is applied"),
    Case(name="training-mode", item=2, cause=r"exported graph .*training mode", config={"export": "training"}),
    rig("fp16", 3, r"fp16|float16|half"),
    rig("fp16-outputs", 3, r"fp16|float16|half"),
    rig("bf16", 3, r"bf16|bfloat16"),
    rig("float", 3, r"finer data type", "--precision", "bf16"),
    rig("int8-undone", 3, r"\b3 of 3\b|\b0 of 3\b|float|fp32", "--precision", "int8"),
    rig("int8-half", 3, r"\b2 of 3\b|\b1 of 3\b", "--precision", "int8"),
    rig("constant", 7, r"constant|outputs|zero"),
    rig("cached", 7, r"from a cache"),
    rig("skipped", 7, r"outputs|cached|earlier|before"),
    rig("tool", 7, r"of the rate that"),
    weights("random", r"not (from|in) the (file|checkpoint)|random|differ|came from nowhere|not the file's"),
    weights("no-layer", r"\b3\.weight"),
    weights("no-statistics", r"running_mean|statistics"),
    weights("ema", r"ema", checkpoint="ema.pth"),
    weights("fitting", r"0\.weight", config={"weights": "fitting", "variant": "wide"}),
    weights("zero-head", r"zero", config={}, checkpoint="zero-head.pth"),
    weights("constant-layer", r"contain a single value", config={}, checkpoint="constant-layer.pth"),
    weights("drawn-layer", r"initialises .*'3'", config={}, checkpoint="drawn-layer.pth"),
    weights("no-variance", r"variance .*zero", config={}, checkpoint="no-variance.pth"),
    weights("fresh-statistics", r"statistics|running", config={}, checkpoint="fresh-statistics.pth"),
    weights("stated", r"best_acc1", config={}, checkpoint="stated.pth"),
    declared("bgr", r"\bRGB\b|\bBGR\b", channels="BGR"),
    declared("range", r"range|divisor|255", divisor=1.0),
    declared("mean", r"mean", mean=[0.5, 0.5, 0.5], std=[0.5, 0.5, 0.5]),
    declared("crop", r"crop|short side|resize", resize=28),
    declared("short-side", r"crop|short side|resize", resize=40),
    declared("short-side-far", r"crop|short side|resize", resize=46),
    declared("filter", r"filter|bilinear|interpolation", interpolation="nearest"),
    Case(name="mirrored", item=5, cause=r"mirror|flip", data="mirrored"),
    Case(name="normalised-twice", item=5, cause=r"twice|mean", config={"variant": "scaled"}),
    Case(name="onnx-bgr", item=5, cause=r"\bRGB\b|\bBGR\b", model="onnx", config={"channels": "BGR"}),
    labelled("shifted", r"shift|offset|by (one|1)\b", data="fifteen"),
    labelled("text-sorted", r"text|order"),
    labelled("permuted", r"permut|order"),
    labelled("random", r"random|chance|guess"),
    labelled("partly-random", r"look random"),
    labelled("constant", r"constant|one class|same (label|class)|all .*label"),
    data("duplicates", r"identical|duplicate"),
    data("unreadable", r"unreadable|cannot be read|could not be read|decode"),
    data("two-labels", r"two labels|different labels|more than one label|several labels|another label"),
)

HEALTHY = (
    healthy("plain", 1),
    healthy("rig", 1, "--runtime", "rig"),
    healthy("threads", 2, "--runtime", "rig", "--threads", "2"),
    healthy("streams", 2, "--runtime", "rig", *STREAMS),
    healthy("batches", 1, "--batch-sizes", "1,3,8,16"),
    healthy("int8", 3, "--precision", "int8"),
    healthy("rig-int8", 3, "--runtime", "rig", "--precision", "int8"),
    healthy("rig-bf16", 3, "--runtime", "rig", "--precision", "bf16"),
    healthy("rig-fp16", 3, "--runtime", "rig", "--precision", "fp16"),
    healthy("bare", 4, checkpoint="bare.pth"),
    healthy("module", 4, checkpoint="module.pth"),
    healthy("model", 4, checkpoint="model.pth"),
    healthy("safetensors", 4, checkpoint="plain.safetensors"),
    healthy("ema", 4, "--weights", "state_dict_ema", checkpoint="ema.pth"),
    healthy("folded", 4, checkpoint="folded.pth", config={"variant": "folded"}),
    healthy("stated", 4, checkpoint="stated-true.pth"),
    healthy("onnx", 5, model="onnx"),
    healthy("folders", 5, data="folders", labels=""),
    healthy("label-noise", 5, labels="noisy.txt"),
    healthy("one-class", 6, data="one", labels="one.txt"),
    healthy("few", 6, "--limit", "4"),
)

CASES = (*SABOTAGED, *HEALTHY)
