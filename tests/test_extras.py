"""Without an extra the same is done, and said what it would bring."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from porter.runfolder.layout import TENSORS


def porter(environment: dict[str, str], *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "porter.cli.main", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def test_without_numba_the_bytes_are_the_same_and_doctor_and_record_say_what_would_be_faster(tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    (blocked / "numba.py").write_text("raise ModuleNotFoundError(\"No module named 'numba'\")\n")
    without = {**os.environ, "PYTHONPATH": str(blocked)}
    advice = "Numba cannot be imported (No module named 'numba'); install the extra `fast`"
    assert f"preprocessing is not as fast as possible: {advice}\n" in porter(without, "doctor", cwd=tmp_path).stdout
    for environment, out in ((without, "slow"), (dict(os.environ), "fast")):
        done = porter(environment, "preprocess", "hrnet", "--limit", "9", "--out", out, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    slow, fast = (
        {path.name: path.read_bytes() for path in (tmp_path / out / TENSORS).iterdir()} for out in ("slow", "fast")
    )
    arrays = [name for name in slow if not name.endswith(".json")]
    assert arrays and [slow[name] for name in arrays] == [fast[name] for name in arrays]
    said, nothing = (
        json.loads((tmp_path / out / "run.json").read_text())["environment"]["slower_because"]
        for out in ("slow", "fast")
    )
    assert "install the extra `fast`" in json.dumps(said) and not nothing
