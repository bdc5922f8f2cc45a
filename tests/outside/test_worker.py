"""The worker by itself: arrays there and back, isolation, and each way to fail as one line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sessions import opening
from tiny import SPEC
from wild import WildRuntime

from porter.errors import BadInput, ExitCode, Missing, PluginError, TargetFailed
from porter.records.artefact import Artefact
from porter.worker.bounded_log import HEAD_BYTES, TAIL_BYTES
from porter.worker.process import PATIENCE, PATIENCE_VARIABLE, Errand, Worker, patience_of

SCRIPT = Path(__file__).with_name("wild_inside.py")


def errand(log: Path | None = None, **how: Any) -> Errand:
    return Errand(runtime="wild", python=Path(sys.executable), script=SCRIPT, log=log, **how)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    with closing(Worker(errand(tmp_path / "logs/wild.log"))) as worker:
        yield worker


@pytest.mark.parametrize(
    "kind", ["float32", "float16", "float64", "int8", "uint8", "int32", "int64", "bool", "uint16", ">f4"]
)
def test_arrays_of_every_type_pass_both_ways(worker: Worker, kind: str) -> None:
    for rows in (1, 3, 64, 2):  # the memory grows, and is used again
        given = {"a": (np.arange(rows * 3 * 50).reshape(rows, 3, 50) % 5).astype(kind), "b": np.zeros((0, 4), kind)}
        given["strided"] = given["a"][:, ::2, ::-1]
        found = worker.call("same", {}, feeds=given, returns="arrays")
        for name, array in given.items():
            assert found[name].dtype == array.dtype.newbyteorder("="), name
            assert np.array_equal(found[name], array), name


def test_what_came_back_stays_as_it_is(worker: Worker) -> None:
    first = worker.call("same", {}, feeds={"a": np.ones(1000)}, returns="arrays")["a"]
    worker.call("same", {}, feeds={"a": np.zeros(1000)}, returns="arrays")
    assert first.all()
    with pytest.raises(TypeError, match="cannot be passed between processes"):
        worker.call("same", {}, feeds={"a": np.array(["text"])}, returns="arrays")


def test_nothing_of_porter_or_the_working_folder_reaches_the_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit('the wrong numpy')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "numpy.py"))
    with closing(Worker(errand(threads=3))) as worker:
        told = worker.call("told", {})
    assert told["isolated"] and not told["porter"] and "site-packages" in told["numpy"]
    assert str(tmp_path) not in told["path"] and told["path"][-1] == str(SCRIPT.parent)
    assert told["listed"] == [] and not Path(told["cwd"]).exists()
    assert not any(name.startswith("PYTHON") for name in told["variables"])
    assert "OMP_NUM_THREADS" in told["variables"]


@pytest.mark.parametrize(
    ("call", "kind", "says"),
    [
        ("lack", Missing, "runtime wild: no licence was found"),
        ("need", PluginError, "its environment lacks the package 'a_package_that_is_not_there'"),
        ("absent", PluginError, r"absent\(\) of wild_inside.py raised AttributeError: there is no absent\(\) in it"),
    ],
)
def test_what_a_function_raises_is_one_line(worker: Worker, call: str, kind: type[Exception], says: str) -> None:
    for _ in range(2):  # and the worker goes on
        with pytest.raises(kind, match=says) as raised:
            worker.call(call, {})
        assert "\n" not in str(raised.value)
    assert worker.call("told", {})["pid"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("SIGSEGV", r"ended in stop_at\(\), by SIGSEGV; it printed nothing"),
        ("SIGKILL", r"was killed \(SIGKILL\) in stop_at\(\): out of memory, or ended by someone"),
    ],
)
def test_a_death_is_one_line_and_stays(worker: Worker, name: str, says: str) -> None:
    with pytest.raises(TargetFailed, match=says) as first:
        worker.call("stop_at", {"signal": name})
    assert first.value.exit_code is (ExitCode.MISSING if name == "SIGKILL" else ExitCode.VERDICT_FAILED)
    with pytest.raises(TargetFailed) as again:
        worker.call("told", {})
    assert again.value is first.value


def test_silence_ends_it_and_the_log_says_where(tmp_path: Path) -> None:
    gave_up = pytest.raises(TargetFailed, match=r"stay\(\) gave no answer in \d+ s and was stopped")
    with closing(Worker(errand(tmp_path / "logs/wild.log"))) as worker, gave_up as raised:
        worker.call("told", {})  # its start may take long on a busy machine, and is no silence
        worker._patience = 2.0
        worker.call("stay", {})
    assert f"the end of its log ({tmp_path}/logs/wild.log): staying" in str(raised.value)
    assert (tmp_path / "logs/wild.log").read_text() == "staying\n"


def test_the_limit_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert patience_of(errand()) == PATIENCE and patience_of(errand(patience=7.5)) == 7.5
    monkeypatch.setenv(PATIENCE_VARIABLE, "4")
    assert patience_of(errand()) == patience_of(errand(patience=7.5)) == 4.0


@pytest.mark.parametrize("value", ["0", "-1", "soon", "nan"])
def test_a_wrong_limit_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PATIENCE_VARIABLE, value)
    with pytest.raises(BadInput, match=f"PORTER_WORKER_TIMEOUT={value}: not a number of seconds above 0"):
        Worker(errand())


def opened(runtime: WildRuntime, folder: Path, **how: Any) -> Any:
    artefact = Artefact(runtime="wild", precision="fp32", path="models/a.onnx")
    request = opening(folder / artefact.path, artefact, **{"threads": 4, **how})
    return runtime.open(type(request)(**{**vars(request), "spec": SPEC}))


def test_ten_megabytes_of_chatter_hold_nobody_up(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with closing(opened(WildRuntime(), tmp_path, options={"mood": "chatter", "nth": 2})) as session:
        for _ in range(3):
            session.run({"image": np.zeros((2, 3, 4, 4), np.float32)})
    log = (tmp_path / "logs/wild-fp32.log").read_bytes()
    assert len(log) < HEAD_BYTES + TAIL_BYTES + 100
    assert log.startswith(b"about to chatter") and b" bytes left out]" in log and b"the end" in log[-(1 << 19) :]
    assert capfd.readouterr() == ("", "")


def test_calls_of_many_threads_wait_for_one_process(tmp_path: Path) -> None:
    images = [{"image": np.full((1 + k % 3, 3, 8, 8), k, np.float32)} for k in range(48)]
    with closing(opened(WildRuntime(), tmp_path, streams=4)) as session:
        assert (session.info.streams, session.info.threads) == (1, 1)
        assert "one process" in str(session.info.announced["streams"])
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(session.run, images))
    for k, one in enumerate(found):
        assert one["class"].shape == (1 + k % 3, 3) and (one["class"] == 4 * k).all()


def test_each_stream_has_a_process_where_the_plugin_says_so(tmp_path: Path) -> None:
    class Parallel(WildRuntime):
        parallel = True

    with closing(opened(Parallel(), tmp_path, streams=2)) as session:
        assert (session.info.streams, session.info.threads, session.info.announced) == (2, 2, {})
        with ThreadPoolExecutor(4) as pool:
            images = [{"image": np.full((1, 3, 8, 8), k, np.float32)} for k in range(16)]
            found = list(pool.map(session.run, images))
    assert [float(one["class"][0, 0]) for one in found] == [4.0 * k for k in range(16)]


def test_an_info_that_says_what_it_must_not_is_the_plugins_fault(tmp_path: Path) -> None:
    script = tmp_path / "inside.py"
    for info, says in (
        ({"precision": "fp32"}, "lacks 'provider'"),
        ({"precision": "fp32", "provider": "a", "speed": 9}, "has 'speed'"),
        ([], "is list, it must be a dict"),
    ):
        script.write_text(f"class S:\n    info = {info!r}\ndef open(request):\n    return S()\n")
        runtime = WildRuntime()
        runtime.script = script
        with pytest.raises(PluginError, match=says):
            opened(runtime, tmp_path)


def test_it_ends_with_porter_however_that_ends(tmp_path: Path) -> None:
    program = (
        "import os, sys, signal, threading\nfrom pathlib import Path\n"
        "from porter.worker.process import Errand, Worker\n"
        "def work():\n"
        "    global worker\n"
        f"    worker = Worker(Errand(runtime='wild', python=Path(sys.executable), script=Path({str(SCRIPT)!r})))\n"
        "    print(worker.call('told', {})['pid'], flush=True)\n"
        "thread = threading.Thread(target=work)\nthread.start()\nthread.join()\n"
        "assert worker.call('told', {})['pid'], 'it ended with the thread that asked for it'\n"
        "threading.Thread(target=worker.call, args=('stay', {}), daemon=True).start()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    gone, pid = threading.Event(), int(done.stdout)
    for _ in range(600):
        if not _lives(pid):
            break
        gone.wait(0.1)
    assert not _lives(pid)


def test_ctrl_c_ends_it(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom contextlib import closing\nfrom pathlib import Path\n"
        "from porter.worker.process import Errand, Worker\n"
        f"errand = Errand(runtime='wild', python=Path(sys.executable), script=Path({str(SCRIPT)!r}))\n"
        "with closing(Worker(errand)) as worker:\n"
        "    print(worker.call('told', {})['pid'], flush=True)\n"
        "    worker.call('stay', {})\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        pid = int(running.stdout.readline())
        running.send_signal(signal.SIGINT)
        _, said = running.communicate()
    assert b"KeyboardInterrupt" in said and not _lives(pid)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
