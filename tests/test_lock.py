"""One command at a time in a run's folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from porter.errors import BadInput
from porter.runfolder.lock import FolderLock

pytest.importorskip("fcntl")


def test_a_second_command_is_told_and_the_first_is_left_alone(tmp_path: Path) -> None:
    with FolderLock(tmp_path):
        with (
            pytest.raises(BadInput, match=r"another porter uses this folder\. Wait for it, or use another"),
            FolderLock(tmp_path),
        ):
            pass
        code = (
            "from porter.runfolder.lock import FolderLock\nfrom pathlib import Path\n"
            f"with FolderLock(Path({str(tmp_path)!r})): pass"
        )
        assert b"BadInput" in subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).stderr
    with FolderLock(tmp_path):
        pass


def test_a_process_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    code = (
        "import os, signal\nfrom pathlib import Path\nfrom porter.runfolder.lock import FolderLock\n"
        f"with FolderLock(Path({str(tmp_path)!r})): os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    with FolderLock(tmp_path):
        assert list(tmp_path.iterdir()) == []


def test_a_folder_is_made_only_when_it_is_needed_and_goes_again_when_empty(tmp_path: Path) -> None:
    folder = tmp_path / "a/b"
    with FolderLock(folder):
        assert not folder.exists()
    with FolderLock(folder) as lock:
        lock.take()
        assert folder.is_dir()
    assert not folder.exists()
    with FolderLock(folder) as lock:
        lock.take()
        (folder / "run.json").touch()
    assert (folder / "run.json").exists()


def test_half_written_files_are_swept_and_nothing_else(tmp_path: Path) -> None:
    ours = [".run.json.ab12cd_3.part", "models/.m.onnx.zzzzzzzz.part", "cache/predictions/.x.jsonl.00000000.part"]
    theirs = [".part", "film.part", ".film.part", ".x.AB12CD34.part", "notes.txt"]
    for name in (*ours, *theirs):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "models/.ir.xml.aaaaaaaa.part").mkdir()
    (tmp_path / "models/.ir.xml.aaaaaaaa.part/ir.bin").write_text("x")
    with FolderLock(tmp_path) as lock:
        lock.take()
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == set(theirs)
