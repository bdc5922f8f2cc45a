"""A runtime plugin of a third party, written as the how-to pages say and from their text: a precision, a quantiser and
an option of its own, a kit and the way back, values inside the graph, and another interpreter's packages."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import runpy
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from pages import DOCS, write_files
from site_folder import install
from tiny import TinyPlugin, write_photos

from porter.contracts.progress import Progress
from porter.contracts.runtime import ProbeRequest, TakeBackRequest
from porter.contracts.worker_environment import WorkerEnvironment
from porter.errors import ExitCode
from porter.hosting.manager import create_registry
from porter.importing.import_request import ImportRequest
from porter.importing.import_results import import_results
from porter.pipeline.begin import begin
from porter.pipeline.run import Run
from porter.records.request import RunRequest
from porter.testing import ImageSet, check_conformance
from porter.worker.environments import LOCK_NAME, place_of

PAGES = ("write-a-runtime-plugin.md", "run-a-runtime-in-another-interpreter.md")
ENGINE = {"numpy==1.26.4", "onnx==1.16.2"}


@pytest.fixture(scope="module")
def index() -> None:
    """Skips where no package index answers."""
    ask = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--quiet", "--dest"]
    try:
        done = subprocess.run([*ask, "/dev/null", "protobuf==4.25.5"], capture_output=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("no package index answers")
    if b"Connection" in done.stderr or b"No matching distribution" in done.stderr:
        pytest.skip("no package index answers")


@pytest.fixture(scope="module")
def outside(index: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The plugin of the pages as an installed distribution, and a cache folder for its environment: made once."""
    folder = tmp_path_factory.mktemp("outside")
    written = [one for page in PAGES for one in write_files(DOCS / "how-to" / page, folder)]
    assert len([one for one in written if one.startswith("porter-fp8/src/")]) == 4
    site = folder / "porter-fp8/src"
    (site / "porter_fp8/__init__.py").touch()
    install(site, "porter-fp8", fp8="porter_fp8.plugin")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PORTER_CACHE_HOME", str(folder / "cache"))
        patch.syspath_prepend(site)
        yield importlib.import_module("porter_fp8.plugin")
    for name in [name for name in sys.modules if name.partition(".")[0] == "porter_fp8"]:
        del sys.modules[name]


@pytest.fixture
def photos(tmp_path: Path) -> dict[str, str]:
    labels = write_photos(tmp_path / "val", [0, 1, 2] * 4)
    return {"data": str(tmp_path / "val"), "labels": str(labels)}


def begun(out: Path, photos: dict[str, str], plugin: Any, **more: Any) -> Run:
    settings: dict[str, Any] = {"runtimes": ("fp8", "onnxruntime"), "precisions": ("fp32", "fp8"), **more}
    request = RunRequest(
        model="tiny", batch_sizes=(1, 3), bench_seconds=0.0, threads=1, calibration_images=3, **settings, **photos
    )
    registry = create_registry([("tiny", TinyPlugin()), ("fp8", plugin)])
    return begin(out, request, registry, Progress(), "porter run tiny", fresh=False)


def test_it_imports_nothing_but_the_public_face(outside: ModuleType) -> None:
    folder = Path(str(outside.__file__)).parent
    for path in folder.glob("*.py"):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert not [line for line in lines if line.startswith(("from porter.", "import porter"))], path
    assert "porter" not in (folder / "inside.py").read_text().replace("porter_fp8", "").partition('"""\n')[2].replace(
        "porter prints the text", ""
    )


def test_it_passes_the_conformance_check(outside: ModuleType, tmp_path: Path) -> None:
    check_conformance(outside, images=ImageSet(data=tmp_path, labels=None), folder=tmp_path / "folder")


def test_a_run_with_its_own_precision_quantiser_and_option(
    outside: ModuleType, tmp_path: Path, photos: dict[str, str]
) -> None:
    out = tmp_path / "out"
    run = begun(out, photos, outside, options=("fp8.percentile=99.5",))
    assert run.everything() is ExitCode.OK
    record = run.record
    made = {artefact.id: artefact for artefact in record.artefacts}
    assert set(made) == {"fp8-fp32", "fp8-fp8", "onnxruntime-fp32"}
    coarse = made["fp8-fp8"]
    assert coarse.options == {"percentile": 99.5} and coarse.calibration is not None
    scored, apart = {item.id for item in run.job.data.items}, set(coarse.calibration.ids)
    assert apart and not scored & apart and len(scored | apart) == 12
    # Other packages than porter's, by the lock and by what really ran.
    assert coarse.environment is not None and set(coarse.environment.packages) >= ENGINE
    assert not {f"{name}=={importlib.metadata.version(name)}" for name in ("numpy", "onnx")} & ENGINE
    evaluations = {one.name: one for one in record.evaluations}
    info = evaluations["fp8-fp8"].session
    assert (info.version, info.precision, info.environment_sha256) == ("1.16.2", "fp8", coarse.environment.sha256)
    # fp8 rounds, and fp32 does not; both answer as the reference does.
    errors = {one.candidate: max(o.max_abs_error or 0.0 for o in one.outputs) for one in record.parity}
    assert errors["fp8-fp32"] < 1e-5 < 1e-3 < errors["fp8-fp8"]
    assert all(one.metric("top1").value == 100 for one in evaluations.values())
    assert {(one.artefact, one.batch) for one in record.performance} == {(name, b) for name in made for b in (1, 3)}
    readme = (out / "README.md").read_text(encoding="utf-8")
    assert "Environment of fp8" in readme and "numpy==1.26.4" in readme
    assert "fp8 的独立环境" in (out / "README.zh.md").read_text(encoding="utf-8")


def test_another_lock_makes_artefacts_again_and_the_same_one_keeps_all(
    outside: ModuleType, tmp_path: Path, photos: dict[str, str]
) -> None:
    out, runtime = tmp_path / "out", outside.Fp8Runtime()
    assert begun(out, photos, outside, precisions=("fp32",)).everything() is ExitCode.OK
    again = begun(out, photos, outside, precisions=("fp32",))
    assert again.everything() is ExitCode.OK
    assert {"artefacts", "evaluations", "performance"} <= set(again.record.kept)
    lock = place_of("fp8", runtime.environment).folder / LOCK_NAME
    before = lock.read_bytes()
    said = json.loads(before)
    said["lock"] |= {"packages": [*said["lock"]["packages"], "another==1.0"], "sha256": "0" * 64}
    try:
        lock.write_text(json.dumps(said), encoding="utf-8")
        third = begun(out, photos, outside, precisions=("fp32",))
        assert third.everything() is ExitCode.OK
    finally:
        lock.write_bytes(before)
    assert "export" in third.record.kept and not {"artefacts", "evaluations"} & set(third.record.kept)
    environments = [one.environment for one in third.record.artefacts if one.runtime == "fp8"]
    assert all(one is not None and "another==1.0" in one.packages for one in environments)
    resumed = [one.end_to_end.resumed for one in third.record.evaluations if one.end_to_end and one.name == "fp8-fp32"]
    assert resumed == [0]  # nor do its answers stand


def test_it_gives_values_inside_the_graph(outside: ModuleType, tmp_path: Path, photos: dict[str, str]) -> None:
    run = begun(tmp_path / "out", photos, outside, precisions=("fp32",), runtimes=("fp8",))
    assert run.export() is ExitCode.OK
    onnx = run.job.folder / "models/tiny.onnx"
    request = ProbeRequest(onnx=onnx, precision="fp32", threads=1, spec=run.job.spec)
    feed = {"image": np.random.default_rng(0).standard_normal((2, 3, 16, 16), dtype=np.float32)}
    with closing(outside.Fp8Runtime().probe(request)) as probe:
        names = probe.names()
        found = probe.fetch(names, feed)
    assert "class" in names and len(names) > 1
    pooled = feed["image"].mean(axis=(2, 3))
    assert any(values.size == pooled.size and np.allclose(values.ravel(), pooled.ravel()) for values in found.values())


@pytest.fixture
def away(outside: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The plugin on a machine that lacks its interpreter."""
    environment = replace(outside.Fp8Runtime.environment, python="3.99")
    assert isinstance(environment, WorkerEnvironment)
    monkeypatch.setattr(outside.Fp8Runtime, "environment", environment)
    return outside


@pytest.fixture
def kit(away: ModuleType, tmp_path: Path, photos: dict[str, str]) -> tuple[Run, Path]:
    """A run that wrote a kit, and the kit as it came back from a machine that ran it."""
    run = begun(tmp_path / "out", photos, away, precisions=("fp32",))
    assert run.everything() is ExitCode.OK
    [kit] = run.record.kits
    assert kit.runtime == "fp8" and "no such Python" in kit.lacks and kit.images == 12
    folder = run.job.folder / kit.path
    runpy.run_path(str(folder / kit.script))
    return run, folder


def test_its_kit_goes_there_and_comes_back(away: ModuleType, kit: tuple[Run, Path]) -> None:
    run, folder = kit
    returned = away.Fp8Runtime().take_back(TakeBackRequest(folder=folder))
    assert returned.findings == () and returned.sent is not None
    assert [item.id for item in returned.sent.manifest.items] == [item.id for item in run.job.data.items]
    [outputs] = returned.outputs
    assert outputs.missing(returned.sent.names) == [] and outputs.extra(returned.sent.names) == []
    labels = [item.label for item in returned.sent.manifest.items]
    answers = [int(outputs.read(name, run.job.spec.outputs)["class"].argmax()) for name in returned.sent.names]
    assert answers == labels


def test_what_it_takes_back_is_scored_and_delivered(
    away: ModuleType, kit: tuple[Run, Path], tmp_path: Path, photos: dict[str, str]
) -> None:
    registry = create_registry([("tiny", TinyPlugin()), ("fp8", away)])
    request = ImportRequest(runtime="fp8", folder=kit[1], model="tiny")
    record = import_results(request, tmp_path / "imported", registry, Progress())
    [evaluation] = record.evaluations
    assert evaluation.metric("top1").hits == evaluation.listed == 12
    assert record.imported is not None and record.imported.runtime == "fp8"
    assert [str(one.text) for one in record.imported.findings] == ["no speed: no readable report"]
    assert "Top-1" in (tmp_path / "imported/README.md").read_text(encoding="utf-8")


def test_diagnose_looks_inside_it(outside: ModuleType, tmp_path: Path, photos: dict[str, str]) -> None:
    assert begun(tmp_path / "out", photos, outside, runtimes=("fp8",)).everything() is ExitCode.OK
    again = begun(tmp_path / "out", photos, outside, runtimes=("fp8",))
    again.diagnose()
    assert again.record.diagnosis is not None
    graphs = {graph.candidate: graph for graph in again.record.diagnosis.graphs}
    assert set(graphs) == {"fp8-fp32", "fp8-fp8"} and graphs["fp8-fp8"].worst
    assert not again.record.diagnosis.not_probed
