"""targets: the artefacts to build, from the runtimes and precisions that were asked for and those that are here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from porter.contracts.runtime import Runtime
from porter.errors import BadInput, PorterError, did_you_mean, one_line
from porter.graphs.quantize.int8_graph import MIN_OPSET
from porter.hosting.plugin_faults import raise_as_plugin_error
from porter.hosting.registry import Registry
from porter.records.choice import Untried
from porter.records.precision import FP32, INT8, PRECISIONS
from porter.records.request import RunRequest
from porter.records.spec import ModelSpec

DEFAULT_RUNTIME = "onnxruntime"
DEFAULT_PRECISIONS = ("fp32",)
"""Of a request that names none; a runtime without it then builds its own, see `Runtime.own_precision`."""


@dataclass(frozen=True, kw_only=True)
class Targets:
    """Pairs of runtime and precision."""

    pairs: tuple[tuple[Runtime, str], ...]
    """Those to build."""
    untried: tuple[Untried, ...] = field(default=())
    """Those that `auto` would have tried, with the reason."""
    elsewhere: tuple[tuple[Runtime, str], ...] = ()
    """Those whose runtime is not here and writes a kit for a machine that has it."""


def runtimes_of(request: RunRequest, registry: Registry) -> tuple[Runtime, ...]:
    """The runtimes asked for; without any, ONNX Runtime, or for `auto` every one that is available."""
    names: Sequence[str] = request.runtimes
    if not names and request.is_auto:
        names = sorted(name for name in registry.runtimes() if registry.status(name).available)
    return tuple(registry.runtime(name) for name in names or (DEFAULT_RUNTIME,))


def targets_of(request: RunRequest, registry: Registry, spec: ModelSpec) -> Targets:
    """What to build.

    Of several precisions a runtime may lack some, but no runtime all and no precision may be offered by none:
    `BadInput` names what does offer it. `auto` tries every precision of every runtime, and leaves out what cannot be.
    """
    obstacle = int8_obstacle(spec)
    if request.is_auto:
        if request.precisions != ("auto",):
            raise BadInput("--precision auto tries every data type. Use it alone")
        return _parted(_everything(request, registry, spec, obstacle), registry)
    pairs = _named(request, registry, spec)
    if obstacle and any(takes_int8_graph(*pair, spec) for pair in pairs):
        raise BadInput(f"--precision {INT8}: {obstacle}")
    return _parted(Targets(pairs=pairs), registry)


def require_target(
    runtime: Runtime, precision: str, request: RunRequest, registry: Registry, *, here: bool = True
) -> str | None:
    """Stop where the runtime cannot do it, before any work; with `here` False, where another machine could not.

    Returns the chip that it builds for; None: for none in particular.
    """
    try:
        if here:
            runtime.require(precision, request.provider)
        return runtime.target(request.target_of(runtime.name))
    except (Exception, SystemExit) as error:
        plugin = registry.provider_of("runtime", runtime.name)
        raise_as_plugin_error(error, plugin, f"require() of runtime {runtime.name!r}")


def takes_int8_graph(runtime: Runtime, precision: str, spec: ModelSpec) -> bool:
    """Whether the runtime is given porter's quantised graph: it asked for int8, has no quantiser of its own, and the
    model does not come quantised already."""
    return precision == INT8 and precision not in runtime.calibrates and spec.precision != INT8


def needs_calibration(runtime: Runtime, precision: str, spec: ModelSpec) -> bool:
    """Whether images are needed to find the ranges of a quantised type."""
    return takes_int8_graph(runtime, precision, spec) or precision in runtime.calibrates


def int8_obstacle(spec: ModelSpec) -> str:
    """Why the model cannot be quantised, in words; empty where it can."""
    if spec.opset is not None and spec.opset < MIN_OPSET:
        return (
            f"the model is ONNX of opset {spec.opset}, int8 needs {MIN_OPSET} or later. "
            "Export it again at a later opset"
        )
    return ""


def _parted(found: Targets, registry: Registry) -> Targets:
    away = [pair for pair in found.pairs if pair[0].has_kit and not registry.status(pair[0].name).available]
    return replace(found, pairs=tuple(pair for pair in found.pairs if pair not in away), elsewhere=tuple(away))


def _everything(request: RunRequest, registry: Registry, spec: ModelSpec, obstacle: str) -> Targets:
    pairs, untried = [], []
    for runtime in runtimes_of(request, registry):
        # One that is not available stays, with a precision of any kind, so that preflight says what it lacks.
        offered = registry.status(runtime.name).precisions or ("fp32",)
        for precision in offered if spec.precision == FP32 else _of_file(runtime, offered, spec):
            reason = obstacle if takes_int8_graph(runtime, precision, spec) else ""
            if not reason and not request.runtimes:
                try:
                    require_target(runtime, precision, request, registry)
                except PorterError as error:
                    reason = str(error)
            if reason:
                untried.append(Untried(runtime=runtime.name, precision=precision, reason=reason))
            else:
                pairs.append((runtime, precision))
    if not pairs:
        raise BadInput(f"--precision auto: no candidate can be tried: {'; '.join(one.reason for one in untried)}")
    return Targets(pairs=tuple(pairs), untried=tuple(untried))


def _named(request: RunRequest, registry: Registry, spec: ModelSpec) -> tuple[tuple[Runtime, str], ...]:
    pairs = []
    asked, runtimes = request.precisions, runtimes_of(request, registry)
    named = asked != DEFAULT_PRECISIONS
    if spec.precision != FP32:
        if named and asked != (spec.precision,):
            raise BadInput(
                f"--precision {', '.join(map(one_line, asked))}: the model is {spec.precision} and delivered "
                "as it is. Omit --precision"
            )
        asked = (spec.precision,)
    for runtime in runtimes:
        status = registry.status(runtime.name)
        told = status.available or runtime.has_kit
        offered = [one for one in asked if one in status.precisions] if told else list(asked)
        if not offered and (not named or (runtime.as_it_is and spec.precision != FP32)):
            offered = [runtime.own_precision] if spec.precision == FP32 else _of_file(runtime, status.precisions, spec)
        if not offered:
            raise _not_offered(runtime, asked[0], registry)
        pairs += [(runtime, precision) for precision in offered]
    found = {precision for _, precision in pairs}
    for precision in asked:
        if precision not in found and named:
            raise _not_offered(runtimes[0], precision, registry)
    return tuple(pairs)


def _of_file(runtime: Runtime, offered: Sequence[str], spec: ModelSpec) -> list[str]:
    """What a runtime builds of a model that comes in a precision of its own: that one, else its own from there."""
    return [spec.precision if runtime.as_it_is or spec.precision in offered else runtime.own_precision]


def _not_offered(runtime: Runtime, precision: str, registry: Registry) -> BadInput:
    """That a runtime lacks a precision, with the runtimes that have it."""
    if not precision:
        return BadInput("--precision: empty. Name a data type, e.g. fp32")
    status = registry.status(runtime.name)
    offers = {name: registry.status(name).precisions for name in sorted(registry.runtimes())}
    others = [f"`--runtime {name} --precision {precision}`" for name, known in offers.items() if precision in known]
    known = {*PRECISIONS, "auto", *(one for names in offers.values() for one in names)}
    near = "" if precision in known else did_you_mean(precision, known)
    way_out = f"use {' or '.join(others)}" if others else f"no runtime on this machine has it{near}"
    return BadInput(
        f"{runtime.name} has no {one_line(precision)} on this machine (available: {', '.join(status.precisions)}); "
        f"{way_out}"
    )
