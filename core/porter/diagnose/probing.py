"""The probe of any runtime, as core uses it: what it raises or answers wrongly is laid at its plugin by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from porter.contracts.probe import Probe
from porter.contracts.runtime import ProbeRequest
from porter.errors import BadInput, PluginError, one_line
from porter.graphs.graph import Graph
from porter.graphs.onnx_probe import OnnxProbe
from porter.graphs.onnxfile import read_onnx
from porter.hosting.guard import guarded
from porter.hosting.plugin_faults import raise_as_plugin_error
from porter.hosting.registry import Registry


def probing(registry: Registry) -> list[str]:
    """Names of the runtimes that probe."""
    return sorted(name for name, offers in registry.runtimes().items() if offers[0][0].probes)


def open_probe(registry: Registry, name: str, request: ProbeRequest) -> tuple[Probe, Graph]:
    """The probe of runtime `name`, and the ONNX graph that its tensors belong to.

    The file is read here before any runtime sees it: `BadInput` where it is broken. Raises `PluginError` where the
    runtime gives no probe, beside what `Runtime.probe` raises.
    """
    graph = Graph(read_onnx(request.onnx), one_line(request.onnx))
    runtime = registry.runtime(name)
    plugin, what = registry.provider_of("runtime", name), f"probe() of runtime {name!r}"
    try:
        probe = runtime.probe(request)
    except (Exception, SystemExit) as error:
        raise_as_plugin_error(error, plugin, what)
    if isinstance(probe, OnnxProbe):
        return probe, probe.graph
    if not isinstance(probe, Probe) or not isinstance(getattr(probe, "label", None), str):
        raise PluginError(f"plugin {plugin!r}: {what} returned {type(probe).__name__}, must return a Probe")

    def returned(result: Any) -> Any:
        return _arrays(result, plugin, what) if isinstance(result, Mapping) else result

    return guarded(probe, plugin, f"the probe of runtime {name!r}", returned), graph


def require_probing(registry: Registry, name: str) -> None:
    """Raise `BadInput` with the runtimes that probe, where `name` is none of them."""
    known = probing(registry)
    if name in known:
        return
    why = "does not provide values inside a graph" if name in registry.runtimes() else "is not installed"
    raise BadInput(f"runtime {one_line(name)!r} {why}. Available: {', '.join(known)}")


def _arrays(result: Mapping[Any, Any], plugin: str, what: str) -> Mapping[str, Any]:
    import numpy as np

    wrong = next((value for value in result.values() if not isinstance(value, np.ndarray)), None)
    if wrong is not None:
        raise PluginError(f"plugin {plugin!r}: {what}: fetch() returned {type(wrong).__name__} instead of an array")
    return result
