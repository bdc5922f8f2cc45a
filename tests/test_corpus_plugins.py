"""Objects of plugins that fail when they are called: one line that names the plugin, and what it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny

from porter import hookimpl
from porter.builtin.classification import Classification, Classified, TopKScorer, classify
from porter.builtin.onnxruntime import OnnxRuntime
from porter.contracts.runtime import BuildRequest, Runtime, Session
from porter.contracts.task import Scorer, Task
from porter.errors import PluginError
from porter.records.artefact import Artefact
from porter.records.spec import ModelSpec


def fail(*_: Any, **__: Any) -> Any:
    raise ZeroDivisionError("by design")


def leave(*_: Any, **__: Any) -> Any:
    raise SystemExit(0)


class OddTask(Classification):
    name = "odd"


class OddRuntime(OnnxRuntime):
    name = "odd"

    def build(self, request: BuildRequest) -> Artefact:
        return replace(super().build(request), runtime=self.name)


class Plugin(tiny.TinyPlugin):
    """The tiny model with a task and a runtime of its own, of which a test breaks a method."""

    def __init__(self, task: Task, runtime: Runtime) -> None:
        super().__init__(replace(tiny.SPEC, task="odd"))
        self.offered = task, runtime

    @hookimpl
    def porter_tasks(self) -> Sequence[Task]:
        return [self.offered[0]]

    @hookimpl
    def porter_postprocess(self, outputs: Mapping[str, np.ndarray], spec: ModelSpec) -> Sequence[Classified]:
        return classify(outputs["class"])

    @hookimpl
    def porter_runtimes(self) -> Sequence[Runtime]:
        return [self.offered[1]]


def run(tmp_path: Path, task: dict[str, Any], runtime: dict[str, Any]) -> str:
    """The error of a run in which methods are replaced."""
    labels = tiny.write_photos(tmp_path / "val", [0, 1, 2])
    odd = type("Odd", (OddTask,), task)(), type("Odd", (OddRuntime,), runtime)()
    with pytest.raises(PluginError) as caught:
        tiny.start(
            tmp_path / "out", tmp_path / "val", labels, plugin=Plugin(*odd), batch_sizes=(1,), runtimes=("odd",)
        ).everything()
    text = str(caught.value)
    assert text.isprintable()
    return text


@pytest.mark.parametrize("broken", [fail, leave])
@pytest.mark.parametrize("method", ["manifest", "scorer", "row", "answer", "ranking", "margin", "chance", "documents"])
def test_a_tasks_exception_names_task_and_plugin(tmp_path: Path, method: str, broken: Any) -> None:
    text = run(tmp_path, {method: broken}, {})
    assert f"plugin 'tiny': {method}() of task 'odd' raised {'ZeroDivisionError' if broken is fail else 'Sys'}" in text


def test_a_scorers_exception_names_task_and_plugin(tmp_path: Path) -> None:
    class Odd(TopKScorer):
        add = fail

    def scorer(self: Task, *_: Any) -> Scorer:
        return Odd(3)

    assert "plugin 'tiny': add() of the scorer of task 'odd' raised ZeroDivisionError" in run(
        tmp_path, {"scorer": scorer}, {}
    )


@pytest.mark.parametrize("fields", [(), ("1",) * 11])
def test_a_row_of_another_length_is_named(tmp_path: Path, fields: tuple[str, ...]) -> None:
    def row(self: Task, prediction: Any) -> Sequence[str]:
        return fields

    text = run(tmp_path, {"row": row}, {})
    assert f"task 'odd': row() gave {len(fields)} fields for the 10 columns class1, class2" in text


@pytest.mark.parametrize("broken", [fail, leave])
def test_an_exception_of_open_names_runtime_and_plugin(tmp_path: Path, broken: Any) -> None:
    assert "plugin 'tiny': open() of runtime 'odd' raised" in run(tmp_path, {}, {"open": broken})


def test_a_session_that_is_none_is_named(tmp_path: Path) -> None:
    def opened(self: Runtime, *_: Any) -> Session:
        return "a session"  # type: ignore[return-value]

    text = run(tmp_path, {}, {"open": opened})
    assert text.endswith("open() of runtime 'odd' returned str, must return a Session")
