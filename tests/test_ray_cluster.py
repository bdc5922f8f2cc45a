"""The executor `ray` on several nodes: one is lost, one comes, one has other code, one has no porter."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from slow import Slow
from tiny import start, write_photos

from porter.contracts.progress import Progress
from porter.errors import ExitCode, PorterError
from porter.pipeline.evaluation.executors import crew
from porter.pipeline.evaluation.executors.base import EvaluationExecutor, Work
from porter.pipeline.evaluation.executors.local import Local
from porter.pipeline.evaluation.executors.ray import Ray
from porter.pipeline.evaluation.shapes import Judged
from porter.pipeline.evaluation.sources import Sources
from porter.pipeline.evaluation.subject import subjects
from porter.pipeline.run import Run

ray = pytest.importorskip("ray")
HERE = Path(__file__).parent
SOON = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 3}
"""A node that is gone is known to be gone after a second and a half, not half a minute."""


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """A cluster whose first node has no room for workers."""
    cluster_utils = pytest.importorskip("ray.cluster_utils")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        head = {"num_cpus": 0, "include_dashboard": False, "_system_config": SOON}
        cluster = cluster_utils.Cluster(initialize_head=True, head_node_args=head)
        ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
        yield cluster
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Of a run that got no further, another with a plugin and notes of its own."""
    folder = tmp_path_factory.mktemp("nodes")
    labels = write_photos(folder / "val", [0, 1, 2] * 10)

    def begun(plugin: Any, notes: Progress, *, fresh: bool = False) -> Run:
        options: dict[str, Any] = {"batch": 2, "runtimes": ("onnxruntime",), "progress": notes}
        return start(folder / "out", folder / "val", labels, plugin=plugin, fresh=fresh, **options)

    run = begun(Slow(), Progress(), fresh=True)
    assert (run.export(), run.verify()) == (ExitCode.OK, ExitCode.OK)
    return begun


class Notes(Progress):
    """What is noted. A note that holds one of the keys of `then` has that done, once."""

    def __init__(self, then: dict[str, Callable[[], object]] | None = None) -> None:
        self.texts: list[str] = []
        self.then = then or {}

    def note(self, text: str) -> None:
        self.texts.append(text)
        for words in [words for words in self.then if words in text]:
            self.then.pop(words)()


def answers(run: Run, executor: EvaluationExecutor) -> tuple[list[tuple[Judged, ...]], int]:
    """Those of the artefact's session, and how many workers gave them."""
    artefact = subjects(run.record)[1]
    work = Work(job=run.job, subject=artefact, sources=Sources(run.job, run.record, from_files=False), start=0)
    with executor.answering(work) as answering:
        return [batch.images for batch in answering], answering.workers


def test_a_lost_node_costs_nothing_once_another_comes(
    tmp_path: Path, nodes: Any, exported: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All workers wait for one another with the first images in hand: two on the node that is then lost, two on the
    node that comes when the user has been told that no worker is left."""
    monkeypatch.setattr(crew, "PATIENCE", 0.0)
    lost, came = nodes.add_node(num_cpus=2), []

    def lose() -> None:
        while len(list(tmp_path.iterdir())) < 2:
            time.sleep(0.02)
        nodes.remove_node(lost, allow_graceful=False)

    def come() -> None:
        thread.join()
        came.append(nodes.add_node(num_cpus=2))

    thread = threading.Thread(target=lose, daemon=True)
    notes = Notes({"Another is starting": lambda: notes.then.update({"no worker yet": come})})
    thread.start()
    found, workers = answers(exported(Slow(meet=4, marks=tmp_path), notes), Ray(workers=3))
    nodes.remove_node(*came)
    assert (found, workers) == (answers(exported(Slow(), Notes()), Local())[0], 2)
    assert len(list(tmp_path.iterdir())) == 4
    assert notes.texts[0] == "3 workers requested, the cluster has room for 2"
    losses = [
        text for text in notes.texts if re.match(r"a worker was lost on \S+: The actor (died|is dead) because", text)
    ]
    assert len(losses) == 2


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("tiny.py", (HERE / "tiny.py").read_text() + "# changed", "it has other code of the model plugin 'tiny'"),
        ("porter.py", "raise ImportError('there is none')", "cannot start: ImportError: there is none"),
    ],
    ids=["other code", "no porter"],
)
def test_a_node_with_other_code_ends_the_run_in_one_line(
    tmp_path: Path, nodes: Any, exported: Any, file: str, text: str, says: str
) -> None:
    (tmp_path / file).write_text(text)
    node = nodes.add_node(num_cpus=1, resources={"odd": 1}, env_vars={"PYTHONPATH": str(tmp_path)})
    with pytest.raises(PorterError, match=rf"^a? ?worker on \S+ {says}\. Install the same on every machine$"):
        answers(exported(Slow(), Notes()), Ray(workers=1, resources={"odd": 1.0}))
    nodes.remove_node(node)
