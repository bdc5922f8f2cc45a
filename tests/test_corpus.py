"""Every entry of the corpus: one line, the right exit code, and nothing left behind that should not be."""

from __future__ import annotations

import hashlib
import importlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from corpus import good
from corpus.case import CANARY, Case, porter, write
from corpus.configs import ONNX
from corpus.received import SECRET

KINDS = (
    "options",
    "configs",
    "labels",
    "images",
    "graphs",
    "checkpoints",
    "folders",
    "records",
    "templates",
    "received",
)
CORPUS = [(kind, case) for kind in KINDS for case in importlib.import_module(f"corpus.{kind}").CASES]
ON_A_RUN = ("records", "templates")
"""Kinds whose commands go on with a run in `out`."""
RUN = f"{ONNX} --batch-sizes 1 --bench-seconds 0 --threads 1"


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of good inputs, and `out` with a good run of them."""
    folder = good.make(tmp_path_factory.mktemp("corpus") / "ground")
    shutil.copy(folder / "hrnet.pth", folder / "good.pth")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        done = porter(RUN, lambda: ("", ""))
    assert done.code == 0
    shutil.copy(folder / "out/run.json", folder / "out/run.good")
    return folder


def test_the_corpus_is_large_and_its_names_are_unique() -> None:
    names = [(kind, case.name) for kind, case in CORPUS]
    assert len(names) == len(set(names)) >= 60


def settings() -> Iterator[Any]:
    """Each entry with `out` absent, and once more with a good run in it, which a mistake must leave as it was."""
    for kind, case in CORPUS:
        on_a_run = kind in ON_A_RUN
        if not on_a_run:
            yield pytest.param(case, False, id=f"{kind}: {case.name}")
        if on_a_run or ("--out out" in case.command and not case.leaves):
            yield pytest.param(case, True, id=f"{kind}: {case.name}, on a run")


@pytest.mark.parametrize(("case", "earlier"), list(settings()))
def test_an_input(
    case: Case,
    earlier: bool,
    ground: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    folder = shutil.copytree(ground, tmp_path / "here", symlinks=True)
    if not earlier:
        shutil.rmtree(folder / "out")
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    monkeypatch.chdir(folder)
    write(folder, case.files)
    before = contents(tmp_path)
    ended = porter(case.command, capfd.readouterr)
    assert "Traceback" not in ended.out + ended.err
    assert all(line.isprintable() for line in (ended.out + ended.err).splitlines())
    assert ended.code == case.code, ended.err
    if case.code >= 2:
        assert re.search(case.says, ended.error), ended.error
    else:
        assert re.search(case.says, ended.out + report_of(folder)), ended.out + ended.err
    after = contents(tmp_path)
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert {path for path in changed if not (case.leaves and path.startswith("here/out"))} == set()
    assert all((folder / "out" / name).exists() for name in case.leaves)
    assert not [path for path in after if path.endswith(CANARY)]
    assert SECRET not in ended.out + ended.err + report_of(folder)
    assert earlier or case.leaves or not (folder / "out").exists()


def report_of(folder: Path) -> str:
    """What the run's record says, where there is one."""
    path = folder / "out/run.json"
    return path.read_text(errors="replace") if path.exists() else ""


def contents(folder: Path) -> dict[str, str]:
    """Every file below a folder with its digest, and every link with its target."""
    found = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_file():
            large = path.stat().st_size > 1 << 30  # a sparse file, which nothing may read
            found[name] = "large" if large else hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            found[name] = "folder" if path.is_dir() else "other"
    return found
