"""Nothing that lies in the working folder runs, in any process that porter starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import decoys
import pytest
from corpus import good

QUICK = "--batch-sizes 1 --bench-seconds 0 --threads 1"
RUN = f"run onnx --config tiny.yaml --data val --labels labels.txt --out ../out {QUICK}"


@pytest.fixture
def received(tmp_path: Path) -> Path:
    """Good inputs with modules among them."""
    folder = good.make(tmp_path / "received")
    decoys.put(folder)
    return folder


def started(program: list[str], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "RAY_"))}
    return subprocess.run(program, cwd=folder, env={**environment, **variables}, capture_output=True, text=True)


def test_the_decoys_are_seen(received: Path) -> None:
    started([sys.executable, "-c", "import msgspec"], received)
    assert decoys.imported(received) == ["canary-msgspec"]


def test_python_m_porter_imports_nothing_of_it(received: Path) -> None:
    done = started([sys.executable, "-m", "porter", *RUN.split()], received)
    assert done.returncode == 0, done.stderr
    assert decoys.imported(received) == []


def test_workers_of_ray_import_nothing_of_it(received: Path) -> None:
    pytest.importorskip("ray")
    program = [str(Path(sys.executable).parent / "porter"), *RUN.split(), "--executor", "ray", "--workers", "1"]
    done = started(program, received)
    assert done.returncode == 0, done.stderr
    assert decoys.imported(received) == []


ALONE = """
import os, subprocess, sys
from porter.pipeline.evaluation.executors.ray import TOKEN, Ray
executor = Ray(workers=1)
ray = executor._connected(1)
address = ray.get_runtime_context().gcs_address
others = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
program = f"from ray._raylet import GcsClient; GcsClient({address!r}).get_all_node_info(timeout=5)"
foreign = subprocess.run([sys.executable, "-c", program], env={**others, "HOME": "/nowhere"}, capture_output=True)
own = subprocess.run([sys.executable, "-c", program], env=os.environ, capture_output=True)
print(foreign.returncode, b"uthenticat" in foreign.stderr, own.returncode)
executor.close()
"""


def test_a_cluster_of_this_run_refuses_who_has_no_token(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    done = started([sys.executable, "-c", ALONE], tmp_path, HOME=str(tmp_path), RAY_USAGE_STATS_ENABLED="0")
    assert done.stdout.split() == ["1", "True", "0"], done.stderr[-2000:]
    assert not list(tmp_path.rglob("auth_token"))


def test_a_kits_script_imports_nothing_of_it(received: Path, tmp_path: Path) -> None:
    """The parts of run.sh that start Python, with a package where CANN's environment would have it."""
    template = Path(__file__).parents[1] / "plugins/ascend/src/porter_ascend/templates/run.sh.j2"
    lines = template.read_text(encoding="utf-8").splitlines()
    first = next(place for place, line in enumerate(lines) if line.startswith("elsewhere="))
    last = next(place for place, line in enumerate(lines) if line.startswith("if python3 -c"))
    package = tmp_path / "packages/ais_bench"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text("import sys; print('ran', *sys.argv[1:])")
    script = "\n".join([*lines[first : last + 1], "    ais_bench --loop 1 'a b'", "fi"])
    assert "python3 -m" not in "\n".join(lines)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # An empty entry, as CANN's set_env.sh leaves it where PYTHONPATH was not set; modules of Python's own are out of
    # reach there, since it imports some before it runs anything.
    for name in ("contextlib", "functools", "types", "warnings", "sitecustomize", "usercustomize"):
        (received / f"{name}.py").unlink()
    done = started(["sh", "-c", script], received, PATH=path, PYTHONPATH=f"{tmp_path / 'packages'}:")
    assert done.stdout == "ran --loop 1 a b\n", done.stderr
    assert decoys.imported(received) == []
