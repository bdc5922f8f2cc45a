"""What a task may leave behind, and what core says of a task that breaks its contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from segmentation import plugin
from segmentation.runs import start, write_inputs
from segmentation.task import SemanticSegmentation

from porter import hookimpl
from porter.comparing.compare import compare_records
from porter.contracts.task import Task
from porter.errors import PluginError
from porter.records.comparison import Presence
from porter.records.evaluation import Metric
from porter.records.spec import ModelSpec


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """Six images with their masks."""
    return write_inputs(tmp_path / "few", 6)


class Documented(SemanticSegmentation):
    """Writes a file of its own; a test can take its name from it."""

    files = ("overlap.txt",)
    written = "overlap.txt"

    def documents(self, metrics: Sequence[Metric], spec: ModelSpec) -> Mapping[str, bytes]:
        return {self.written: f"{metrics[0].title}: {metrics[0].value:.1f}\n".encode()}


class Careless(Documented):
    written = "../run.json"


class Gateless(SemanticSegmentation):
    gate = "mIoU"


def offering(task: Task) -> object:
    """The plugin with another task in the place of its own."""
    names = [name for name in vars(plugin) if name.startswith("porter_") and name != "porter_tasks"]
    parts: dict[str, Any] = {name: staticmethod(getattr(plugin, name)) for name in names}
    parts["porter_tasks"] = staticmethod(hookimpl(lambda: [task]))
    return type("Plugin", (), parts)()


def test_a_file_of_the_tasks_own_is_delivered(few: Path, tmp_path: Path) -> None:
    run = start(tmp_path / "out", few, ("segmentation", offering(Documented())))
    run.everything()
    assert (tmp_path / "out/overlap.txt").read_text().startswith("Mean IoU: ")
    assert "overlap.txt" in {file.path for file in run.record.files}
    assert "overlap.txt" in (tmp_path / "out/README.md").read_text()
    # What `reproduce.sh` holds against the new run.
    folders, records = (tmp_path / "out", tmp_path / "again"), (run.record, replace(run.record, files=()))
    presence = {file.path: file.presence for file in compare_records(folders, records).files}
    assert presence["overlap.txt"] is Presence.ONLY_FIRST


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        (Careless(), r"task 'semantic_segmentation': documents\(\) wrote '../run.json', which is not in its `files"),
        (Gateless(), "task 'semantic_segmentation': no metric is named 'mIoU', its gate"),
    ],
)
def test_a_task_that_breaks_its_contract_is_named(few: Path, tmp_path: Path, task: Task, reason: str) -> None:
    run = start(tmp_path / "out", few, ("segmentation", offering(task)))
    with pytest.raises(PluginError, match=reason):
        run.everything()
