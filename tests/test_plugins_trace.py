"""PORTER_TRACE: one line a call, and nothing at all where it is off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from plugin_objects import IMAGE, offering, plugin
from tiny import SPEC, TinyPlugin

from porter import hookimpl
from porter.builtin import defaults
from porter.contracts.requests import Loaded, LoadRequest, ModelRequest
from porter.errors import PluginError
from porter.hosting.manager import create_registry
from porter.records.artefact import SessionInfo


def raising(request: LoadRequest) -> Loaded:
    raise LookupError("no weights today")


class EchoSession:
    info = SessionInfo(runtime="echo", version="0", precision="fp32", provider="cpu", threads=1)

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {"class": feeds["image"]}


def test_a_trace_has_one_line_a_call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PORTER_TRACE", "1")

    def wrap(session: Any) -> Any:
        return (yield)

    around = plugin()
    around.porter_infer = hookimpl(wrapper=True)(wrap)
    own = offering(porter_preprocess=lambda: None, porter_load=raising)
    _offer, hooks = create_registry([("other", own), ("around", around)]).model("other")
    assert "trace: porter_models other " in capsys.readouterr().err
    hooks.preprocess(IMAGE, SPEC)
    hooks.infer(EchoSession(), {"image": np.zeros((1, 3, 2, 2), np.float32)}, SPEC)  # type: ignore[arg-type]
    with pytest.raises(PluginError, match="'other': porter_load raised LookupError"):
        hooks.load(LoadRequest(spec=SPEC))
    lines = [line.split(maxsplit=5) for line in capsys.readouterr().err.splitlines()]
    assert [(mark, hook, who, unit, outcome) for mark, hook, who, _time, unit, outcome in lines] == [
        ("trace:", "porter_preprocess", "other", "ms", "passed"),
        ("trace:", "porter_preprocess", "defaults", "ms", "answered"),
        ("trace:", "porter_infer", "defaults", "ms", "answered"),
        ("trace:", "porter_infer", "around", "ms", "wrapped the others"),
        ("trace:", "porter_load", "other", "ms", "raised LookupError"),
    ]
    assert all(float(line[3]) >= 0 for line in lines)


@pytest.mark.parametrize("value", ["", "0"])
def test_without_a_trace_nothing_is_wrapped(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTER_TRACE", value)
    [implementation] = create_registry([]).manager.hook.porter_infer.get_hookimpls()
    assert implementation.function is defaults.porter_infer


def test_a_traced_method_gets_its_arguments() -> None:
    registry = create_registry([("tiny", TinyPlugin())], trace=True)
    assert registry.model("tiny")[1].describe(ModelRequest(model="tiny")) is SPEC
