"""What all tests share."""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from porter.images import opencv, resample
from porter.machine.host import let_threads_sleep

let_threads_sleep()  # before any test imports PyTorch: as in a run

# A job in the background begins with SIGINT ignored, and so would each process that a test starts and then interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No example fails for the time it takes, and each run has the same ones: `make fuzz` looks for others. Examples may
# share a fixture of their test, as the folder of `tmp_path`.
ALLOWED = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile("suite", deadline=None, suppress_health_check=ALLOWED, derandomize=True)
settings.load_profile("suite")

ALONE = (
    "test_ray.py",
    "test_ray_cluster.py",
    "test_plugin_file.py",
    "test_report_browser.py",
    "test_network.py",
    "test_wheels.py",
)
"""Files that take much memory or several processes: one worker takes all of them, one after another."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file's tests share fixtures, so one worker takes them all; so it does all of the files `ALONE`."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return "alone" if Path(file).name in ALONE else file

    return Scheduling(config, log)


def pytest_collection_finish() -> None:
    """What is there for good is not searched for garbage again and again: of 100 small runs that took 2.3 s of 26."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """porter's folder in the user's cache is this worker's alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PORTER_CACHE_HOME", str(tmp_path_factory.mktemp("porter-cache")))
        yield


@pytest.fixture(scope="module", autouse=True)
def own_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No file's tests leave a folder of theirs on the path, from which those after it would find plugins."""
    before, base = set(sys.path), str(tmp_path_factory.getbasetemp())
    yield
    assert not [folder for folder in sys.path if folder.startswith(base) and folder not in before]


@pytest.fixture
def without_opencv() -> Iterator[None]:
    """A process in which OpenCV cannot be imported, and nothing has asked for it yet."""
    asked = (opencv.unusable, resample.unusable)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "cv2", None)
        for answer in asked:
            answer.cache_clear()
        yield
    for answer in asked:
        answer.cache_clear()
