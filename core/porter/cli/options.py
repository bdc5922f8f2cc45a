"""The options of a run, and how those that were given meet those in the record."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from porter.cli.execution import EXECUTION, Resources
from porter.errors import BadInput
from porter.records.request import RunRequest
from porter.runfolder.layout import RECORD_NAME
from porter.runfolder.record_file import read_record

LANGUAGES = ("en", "zh")

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


# Generic only in newer versions of click.
class BatchSizes(click.ParamType):  # type: ignore[type-arg]
    """Positive whole numbers, separated by commas."""

    name = "N,N,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in str(value).split(",")]
        if not all(re.fullmatch(r"[1-9][0-9]{0,4}", part) for part in parts):
            self.fail(f"{value!r} is no list of batch sizes such as 1,4,8", param, ctx)
        return tuple(dict.fromkeys(int(part) for part in parts))


# As above.
class Languages(click.ParamType):  # type: ignore[type-arg]
    """Languages of the documents, separated by commas."""

    name = "LANG,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in str(value).split(",")]
        if not all(part in LANGUAGES for part in parts):
            self.fail(f"{value!r} is no list of {', '.join(LANGUAGES)}", param, ctx)
        return tuple(dict.fromkeys(parts))


class FiniteFloat(click.FloatRange):
    """A number of a range; neither NaN, which passes every comparison with a bound, nor infinity."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number", param, ctx)
        return number


templates_option = click.option(
    "--template",
    "templates",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Your own README.md.j2 or reproduce.sh.j2; they may extend porter/README.md.j2.",
)

_POSITIVE = click.IntRange(min=1)
_NOT_NEGATIVE = FiniteFloat(min=0)
_OPTIONS: dict[str, Decorator] = {
    "config": click.option("--config", metavar="FILE", help="The model's config."),
    "checkpoint": click.option("--checkpoint", metavar="FILE", help="Its weights, as .pth, .pth.tar or .safetensors."),
    "checkpoint_sha256": click.option("--checkpoint-sha256", metavar="HEX", help="Stop unless the checkpoint has it."),
    "checkpoint_md5": click.option("--checkpoint-md5", metavar="HEX", help="Stop unless the checkpoint has it."),
    "weights": click.option("--weights", metavar="KEY", help="Which weights of the checkpoint: state_dict_ema, …"),
    "trust_checkpoint": click.option(
        "--trust-checkpoint", is_flag=True, default=None, help="Unpickle it, which runs whatever code it holds."
    ),
    "opset": click.option("--opset", type=int, metavar="N", help="ONNX opset [default: 11]."),
    "data": click.option("--data", metavar="DIR", help="Folder of images, or an fsspec URL such as s3://bucket/val."),
    "labels": click.option(
        "--labels", metavar="PATH", help="Lines NAME LABEL, or what the model's task takes; without it, class folders."
    ),
    "class_map": click.option("--class-map", metavar="FILE", help="Index of each class: FOLDER INDEX lines or JSON."),
    "label_offset": click.option("--label-offset", type=int, metavar="N", help="Subtracted from every label."),
    "limit": click.option("--limit", type=_POSITIVE, metavar="N", help="Only N images, evenly spaced."),
    "approximate_decode": click.option(
        "--approximate-decode",
        is_flag=True,
        default=None,
        help="Decode JPEGs of twice the needed size to a fraction: faster, not exact; the cost is measured.",
    ),
    "runtimes": click.option(
        "--runtime",
        "runtimes",
        multiple=True,
        metavar="NAME",
        help="May be repeated [default: onnxruntime; for auto all].",
    ),
    "precisions": click.option(
        "--precision",
        "precisions",
        multiple=True,
        metavar="NAME",
        help="fp32, bf16, fp16, int8 or a runtime's own; may be repeated; auto picks the fastest that passes.",
    ),
    "targets": click.option(
        "--target",
        "--soc-version",
        "targets",
        multiple=True,
        metavar="[RUNTIME=]NAME",
        help="Chip to build for, as its compiler names it; may be repeated.",
    ),
    "options": click.option(
        "--option",
        "options",
        multiple=True,
        metavar="RUNTIME.NAME=VALUE",
        help="An option of a runtime's own; may be repeated; `porter doctor` lists them.",
    ),
    "calibration": click.option(
        "--calibration", metavar="DIR", help="Images to calibrate int8 on [default: some of --data, kept apart]."
    ),
    "calibration_images": click.option(
        "--calibration-images", type=_POSITIVE, metavar="N", help="How many of them at most [default: 128]."
    ),
    "search_seconds": click.option(
        "--search-seconds", type=_NOT_NEGATIVE, metavar="S", help="Limit of the search for a right int8 [default: 600]."
    ),
    "provider": click.option("--provider", metavar="NAME", help="Execution provider; absent ones are an error."),
    "threads": click.option("--threads", type=_POSITIVE, metavar="N", help="Threads of a session."),
    "streams": click.option(
        "--streams",
        type=_POSITIVE,
        metavar="N",
        help="Batches that a session runs at once; else 1 where it is measured, and as many as there are processors, "
        "up to 4, where it is evaluated on them.",
    ),
    "atol": click.option(
        "--atol", type=_NOT_NEGATIVE, metavar="X", help="Parity: absolute tolerance [default: 1e-05]."
    ),
    "rtol": click.option(
        "--rtol",
        type=_NOT_NEGATIVE,
        metavar="X",
        help="Parity: relative tolerance [default: 0.0001 for fp32; an estimate for less].",
    ),
    "batch": click.option("--batch", type=_POSITIVE, metavar="N", help="Batch size of the evaluation."),
    "executor": click.option(
        "--executor",
        type=click.Choice(["local", "ray"]),
        help="Where images are evaluated: in this process [default], or by the workers of a Ray cluster.",
    ),
    "ray_address": click.option(
        "--ray-address", metavar="ADDR", help="The cluster, e.g. HOST:6379 or auto [default: one on this machine]."
    ),
    "workers": click.option(
        "--workers", type=_POSITIVE, metavar="N", help="Workers [default: as many as the cluster has room for]."
    ),
    "worker_resources": click.option(
        "--worker-resources",
        type=Resources(),
        metavar="NAME=N,…",
        help="What a worker takes of its machine, e.g. CPU=4,GPU=1 [default: a processor for each thread].",
    ),
    "max_drop": click.option("--max-drop", type=_NOT_NEGATIVE, metavar="X", help="Points that may be lost."),
    "batch_sizes": click.option("--batch-sizes", type=BatchSizes(), metavar="N,N", help="Batch sizes to measure."),
    "bench_seconds": click.option(
        "--bench-seconds", type=_NOT_NEGATIVE, metavar="S", help="Least time of the timed calls."
    ),
    "bench_input": click.option("--bench-input", type=click.Choice(["images", "random"]), help="What bench feeds."),
    "tune": click.option(
        "--tune",
        is_flag=True,
        default=None,
        help="Search threads, streams, batch and queued calls for what is fastest here, and measure that as well.",
    ),
    "languages": click.option(
        "--lang",
        "languages",
        type=Languages(),
        metavar="en,zh",
        help="Languages of the documents: README.md is English, README.zh.md Chinese [default: both].",
    ),
    "model_card": click.option(
        "--model-card",
        is_flag=True,
        default=None,
        help="Begin README.md with the metadata that model hubs read.",
    ),
}

OF_CHECKPOINT = ("checkpoint_sha256", "checkpoint_md5", "weights", "trust_checkpoint")
"""What was said of one checkpoint, its trust above all, is not said of the next that is given."""
TRUST = ("trust_checkpoint",)
"""For commands that may load the model again."""
OF_DATA = ("labels", "class_map", "label_offset", "limit")
"""The same for a folder of images."""
MODEL = ("config", "checkpoint", *OF_CHECKPOINT, "opset")
CONFIG = ("config", "checkpoint")
DATA = ("data", *OF_DATA, "approximate_decode")
RUNTIME = (
    *("runtimes", "precisions", "targets", "options", "provider", "threads", "streams"),
    *("calibration", "calibration_images", "search_seconds"),
)
PARITY = ("atol", "rtol")
EVALUATION = ("batch", "max_drop", "batch_sizes")
BENCH = ("batch_sizes", "bench_seconds", "bench_input", "tune")
DELIVERY = ("languages", "model_card")


def options(*groups: tuple[str, ...]) -> Decorator:
    """The options of these groups, in order, each once."""
    names = list(dict.fromkeys(name for group in groups for name in group))

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in reversed(names):
            function = _OPTIONS[name](function)
        return function

    return decorate


def request_from(model: str | None, out: Path, given: Mapping[str, Any], *, fresh: bool) -> RunRequest:
    """What was asked for: the record's request in `out`, where there is one, changed by the options given.

    Raises `BadInput` where neither a model nor a record says what to work on.
    """
    known = None if fresh or not (out / RECORD_NAME).exists() else read_record(out).request
    if model is None and known is None:
        raise BadInput(f"{out / RECORD_NAME}: no run here to go on with; name a MODEL, or run `porter export` first")
    base = known if known is not None and model in (None, known.model) else RunRequest(model=str(model))
    changes = {name: value for name, value in given.items() if value is not None and value != ()}
    plain = RunRequest(model=base.model)
    for file, said_of_it in (("checkpoint", OF_CHECKPOINT), ("data", OF_DATA)):
        if file in changes:
            changes = {name: getattr(plain, name) for name in said_of_it} | changes
    # Leave to run code is given with each command, never read from a record: it may be somebody else's.
    changes["trust_checkpoint"] = bool(given.get("trust_checkpoint"))
    return replace(base, **changes)


__all__ = [
    "BENCH",
    "CONFIG",
    "DATA",
    "DELIVERY",
    "EVALUATION",
    "EXECUTION",
    "MODEL",
    "PARITY",
    "RUNTIME",
    "TRUST",
    "options",
    "request_from",
    "templates_option",
]
