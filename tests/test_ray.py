"""The executor `ray`, with a real Ray on this machine: the same bytes as the local run, whatever happens to workers."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from commands import porter
from slow import Slow
from tiny import start, write_photos

from porter.cli.execution import executor_from
from porter.errors import BadInput, ExitCode, Missing, PluginError
from porter.files.hashes import file_digest
from porter.pipeline.evaluation.executors.base import Work
from porter.pipeline.evaluation.executors.bundle import Bundle, needed
from porter.pipeline.evaluation.executors.crew import Crew, _packed
from porter.pipeline.evaluation.executors.ray import Ray
from porter.pipeline.evaluation.executors.ray_worker import Worker, _require_same, order_for
from porter.pipeline.evaluation.shapes import JudgedBatch
from porter.pipeline.evaluation.sources import Sources
from porter.pipeline.evaluation.subject import Subject, subjects
from porter.pipeline.run import Run
from porter.runfolder.record_file import read_record

ray = pytest.importorskip("ray")
HERE = Path(__file__).parent
IMAGES = 60
SEARCH_PATH = os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("ray")
    labels = write_photos(folder / "val", [0, 1, 2] * (IMAGES // 3))
    (folder / "val/photo 031.jpg").write_bytes(b"torn")
    return folder / "val", labels


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """Ray with room for four workers. They find the modules of these tests where this process does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(address="local", num_cpus=4, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        yield
        ray.shutdown()


@pytest.fixture(scope="module")
def local(photos: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Run:
    return evaluated(tmp_path_factory.mktemp("local"), photos)


def evaluated(out: Path, photos: tuple[Path, Path], executor: Any = None, plugin: Any = None, **options: Any) -> Run:
    run = start(out, *photos, plugin=plugin or Slow(), batch=2, executor=executor, **options)
    if run.record.export is None:
        run.export()
    run.evaluate()
    return run


def results(out: Path) -> list[bytes]:
    return (out / "predictions.csv").read_bytes()


@pytest.mark.usefixtures("cluster")
def test_one_killed_in_the_middle_changes_no_byte(tmp_path: Path, photos: tuple[Path, Path], local: Run) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    plugin = Slow(pause=0.01, victims=1, meet=2, marks=marks)
    run = evaluated(tmp_path / "out", photos, Ray(workers=3), plugin)
    assert len(list(marks.glob("* ended"))) == 1
    assert results(tmp_path / "out") == results(local.job.folder)
    for ours, theirs in zip(local.record.evaluations, run.record.evaluations, strict=True):
        assert (theirs.metrics, theirs.failures, theirs.session) == (ours.metrics, ours.failures, ours.session)
        assert theirs.compared == ours.compared, "every image is compared, whoever answers it"
        (ran,) = theirs.executions
        assert (ran.executor, ran.images) == ("ray", IMAGES) and ran.workers <= 3
    assert run.record.evaluations[0].executions[0].workers >= 2
    assert run.record.data is not None and local.record.data is not None
    assert run.record.data.content_sha256 == local.record.data.content_sha256


@pytest.mark.usefixtures("cluster")
def test_images_that_end_every_worker_are_named_and_end_the_run(tmp_path: Path, photos: tuple[Path, Path]) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    with pytest.raises(PluginError, match=r"reference: 3 workers ended .* photo \d+\.jpg to photo \d+\.jpg"):
        evaluated(tmp_path / "out", photos, Ray(workers=2), Slow(victims=1000, at=1, marks=marks))
    assert 3 <= len(list(marks.glob("* ended"))) < 10


@pytest.mark.usefixtures("cluster")
def test_what_a_plugin_raises_on_a_worker_ends_the_run_as_it_does_here(
    tmp_path: Path, photos: tuple[Path, Path]
) -> None:
    with pytest.raises(PluginError, match="porter_infer raised TypeError"):
        evaluated(tmp_path, photos, Ray(workers=2), Slow(pause="long"))  # type: ignore[arg-type]


class LatestFirst:
    """Ray, which of several calls that have come back shows the latest first."""

    def __getattr__(self, name: str) -> Any:
        return getattr(ray, name)

    def wait(self, calls: list[Any], *, num_returns: int, timeout: float) -> tuple[list[Any], list[Any]]:
        ready = ray.wait(calls, num_returns=len(calls), timeout=timeout)[0]
        return ready[-num_returns:], []


@pytest.mark.usefixtures("cluster")
def test_an_answer_belongs_to_its_shard_whenever_it_comes(local: Run) -> None:
    work = work_on(local, subjects(local.record)[1])
    with closing(Crew(LatestFirst(), work, 2, {"CPU": 1.0})) as crew:
        crew.start()
        batches = list(crew)
    assert [batch.start for batch in batches] == list(range(0, IMAGES, 2))


def work_on(run: Run, subject: Subject) -> Work:
    return Work(job=run.job, subject=subject, sources=Sources(run.job, run.record, from_files=False), start=0)


@pytest.mark.usefixtures("cluster")
def test_a_machine_that_lacks_the_files_is_sent_them_once(tmp_path: Path, local: Run) -> None:
    order = order_for(work_on(local, subjects(local.record)[1]))
    (tmp_path / "mine").write_text(str(tmp_path))  # no other bundle of this machine has this content
    mine = needed(tmp_path / "mine", "mine", file_digest(tmp_path / "mine"))
    files = (*order.bundle.files, mine)
    bundle = Bundle(files=tuple(replace(file, origin=str(tmp_path / "gone" / file.place)) for file in files))
    packed = ray.cloudpickle.dumps(replace(order, folder=str(tmp_path), bundle=bundle))
    contents = [[ray.put(piece) for piece in file.chunks()] for file in files]
    try:
        worker, again = (ray.remote(Worker).remote(sys.path) for _ in range(2))
        assert ray.get(worker.arrive.remote(packed)).lacks_files
        assert ray.get(worker.open.remote(contents)).batch == 2
        batches: list[JudgedBatch] = ray.get(worker.answer.remote(4, local.job.data.items[4:8]))
        assert [batch.start for batch in batches] == [4, 6]
        assert not ray.get(again.arrive.remote(packed)).lacks_files
        (bundle.folder / bundle.files[0].place).write_bytes(b"altered")
        assert ray.get(again.arrive.remote(packed)).lacks_files
        with pytest.raises(BadInput, match="differs from what was sent"):
            ray.get(again.open.remote([[ray.put(b"something else")]]))
    finally:
        shutil.rmtree(bundle.folder, ignore_errors=True)


@pytest.mark.usefixtures("cluster")
def test_a_plugin_in_a_folder_of_the_programs_own_is_found_or_named(
    tmp_path: Path, local: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "programs_own.py").write_text("from tiny import TinyPlugin\nplugin = TinyPlugin()\n")
    monkeypatch.syspath_prepend(tmp_path)
    plugin = importlib.import_module("programs_own")
    order = order_for(work_on(local, Subject()))
    packed = ray.cloudpickle.dumps(replace(order, plugins=(*(order.plugins or ()), ("own", plugin))))
    del sys.modules["programs_own"]
    finds, lacks = (ray.remote(Worker).remote(path) for path in (sys.path, sys.path[1:]))
    assert ray.get(finds.arrive.remote(packed)).processor == order.installed.processor
    with pytest.raises(Missing, match=r"modules cannot be imported: No module named 'programs_own'\. Install the same"):
        ray.get(lacks.arrive.remote(packed))
    with pytest.raises(BadInput, match=r"plugins of this run cannot be sent to workers: .*lock"):
        _packed(ray, replace(order, plugins=(("own", threading.Lock()),)))


def test_a_machine_with_other_packages_is_refused(local: Run) -> None:
    run = order_for(work_on(local, Subject())).installed
    _require_same("here", run, run)
    older = replace(run, packages=tuple(p.replace("numpy 2", "numpy 1") for p in run.packages))
    with pytest.raises(BadInput, match=r"worker on there: it has numpy 1\S+, the run has numpy 2\S+ Install the same"):
        _require_same("there", run, older)
    changed = replace(run, plugins=tuple(replace(use, source_sha256="0" * 64) for use in run.plugins))
    with pytest.raises(BadInput, match="other code of the model plugin 'tiny'"):
        _require_same("there", run, changed)


def test_a_killed_run_goes_on_here_or_there(tmp_path: Path, photos: tuple[Path, Path], local: Run) -> None:
    out = tmp_path / "out"
    journal = out / "cache/predictions/reference.jsonl"
    command = [sys.executable, str(HERE / "tiny_ray.py"), str(out), *map(str, photos)]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    environment |= {"PYTHONPATH": SEARCH_PATH}
    for number, enough in ((signal.SIGINT, 4), (signal.SIGKILL, 12)):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        while process.poll() is None and (not journal.exists() or journal.read_bytes().count(b"\n") < enough):
            time.sleep(0.02)
        process.send_signal(number)
        _, stderr = process.communicate()
        assert process.returncode == (130 if number == signal.SIGINT else -number), stderr
    evaluated(out, photos, fresh=False)
    assert results(out) == results(local.job.folder)
    reference, artefact = read_record(out).evaluations
    assert artefact.compared == local.record.evaluations[1].compared
    assert artefact.compared is not None and artefact.compared.images == IMAGES - 1
    assert [one.executor for one in reference.executions] == ["ray", "local"]
    assert sum(one.images for one in reference.executions) == IMAGES


def test_without_ray_one_line_names_the_extra_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "ray.py").write_text("raise ModuleNotFoundError(\"No module named 'ray'\")\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = porter(environment, "run", "hrnet", "--executor", "ray", "--out", "out", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (ExitCode.MISSING, "", 1)
    assert "pip install -e '.[ray]'" in done.stderr and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("address", "says"),
    [("127.0.0.1:1", "no answer: .*refused"), ("[::1]:99999", "no answer"), ("x", "Invalid address")],
)
def test_a_cluster_that_is_not_there_is_said_at_once(address: str, says: str) -> None:
    if ray.is_initialized():
        ray.shutdown()
    with pytest.raises(BadInput, match=f"--ray-address {re.escape(address)}: {says}"):
        executor_from({"executor": "ray", "ray_address": address})


def test_options_of_the_cluster_go_with_ray_only() -> None:
    with pytest.raises(BadInput, match="--worker-resources needs --executor ray"):
        executor_from({"executor": None, "worker_resources": {"CPU": 1.0}})
    executor, rest = executor_from({"executor": "local", "workers": None, "limit": 3})
    assert (executor.name, rest) == ("local", {"limit": 3})
