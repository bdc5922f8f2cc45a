"""Names that are no UTF-8 on disk, and locales that write none: one clear line, or it works."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tiny import start, write_photos

from porter.errors import BadInput
from porter.files import native_names
from porter.files.native_names import require_native_name, require_text

CHINESE = "\u7ed3\u679c"
IN_GBK = os.fsdecode(CHINESE.encode("gbk"))
"""As a UTF-8 system has a name that a GBK one wrote."""


@pytest.mark.parametrize("name", ["out", f"out/{CHINESE}", "with blanks"])
def test_names_in_utf_8_pass(name: str) -> None:
    require_native_name(Path(name), "--out")
    require_text("--out", name)


def test_a_name_in_another_encoding_is_named_with_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.GBK")
    with pytest.raises(BadInput, match=r"^--out x: its name is not UTF-8, .*the locale is zh_CN\.GBK"):
        require_native_name(Path(IN_GBK), "--out x")
    with pytest.raises(BadInput, match=r"^--data x: its name is not UTF-8"):
        require_text("--data x", IN_GBK)


def test_a_locale_that_writes_no_utf_8_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.GBK")
    monkeypatch.setattr(native_names.os, "fsencode", lambda path: str(path).encode("gbk"))
    monkeypatch.setattr(native_names.sys, "getfilesystemencoding", lambda: "gbk")
    require_native_name(Path("out"), "--out")
    with pytest.raises(BadInput, match=r"^--out: the locale zh_CN\.GBK writes this name in gbk"):
        require_native_name(Path(CHINESE), "--out")


def test_a_run_says_it_before_any_work(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2])
    with pytest.raises(BadInput, match=r"--out .*: its name is not UTF-8"):
        start(tmp_path / IN_GBK, tmp_path / "val", labels)
    (tmp_path / "val").rename(tmp_path / IN_GBK)
    with pytest.raises(BadInput, match=r"^--data .*: its name is not UTF-8"):
        start(tmp_path / "out", tmp_path / IN_GBK, labels)


def test_a_locale_without_a_letter_prints_all_the_same() -> None:
    code = "from porter.cli.main import _open_closed_streams as opened; opened(); print('\\u7ed3')"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "\\u7ed3\n"


RAY = "from porter.pipeline.evaluation.executors.ray import Ray; Ray().require()"
ALONE = ["unshare", "--mount", "sh", "-c"]


def test_ray_in_a_container_that_is_read_only() -> None:
    """Shared memory mounted so in a name space of its own; Ray itself would try for a minute and give no reason."""
    pytest.importorskip("ray")
    mount = "mount -o remount,bind,ro /dev/shm"
    if shutil.which("unshare") is None or subprocess.run([*ALONE, mount], capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    command = [*ALONE, f"{mount} && exec {sys.executable} -c '{RAY}'"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "Missing: --executor ray: /dev/shm cannot be written, but Ray keeps its objects there" in done.stderr
