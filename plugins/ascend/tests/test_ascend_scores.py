"""`result.json`: written for every run of a classifier where the plugin is installed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny import SPEC, start, write_photos

from porter import Metric
from porter_ascend import plugin
from porter_ascend.scores import read_scores, scores_document


def test_a_run_of_any_runtime_has_the_accuracy_in_the_scorers_format(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2])
    run = start(tmp_path / "out", tmp_path / "val", labels, beside=[("ascend", plugin)])
    run.everything()
    document = json.loads((tmp_path / "out/result.json").read_text())
    assert document["title"] == "Overall statistical evaluation"
    assert document["value"] == [
        {"key": "Number of images", "value": "3"},
        {"key": "Number of classes", "value": "3"},
        {"key": "Top1 accuracy", "value": "100.0%"},
        {"key": "Top2 accuracy", "value": "100.0%"},
        {"key": "Top3 accuracy", "value": "100.0%"},
    ]
    assert run.record.accuracy_files == ("result.json",) and run.record.templates == ()
    assert read_scores(tmp_path / "out/result.json").top == {1: 100.0, 2: 100.0, 3: 100.0}


@pytest.mark.parametrize("name", ["miou", "top1_of_two", "Top1"])
def test_what_is_no_top_k_is_not_written(name: str) -> None:
    assert scores_document((Metric(name=name, title=name, value=50.0, count=2),), SPEC) is None


def test_no_figure_is_no_file() -> None:
    assert scores_document((), SPEC) is None
