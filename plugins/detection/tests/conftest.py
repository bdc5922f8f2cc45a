"""Runs of the plugin on its sample, and a port of it whose graph has NMS inside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from porter import Run, testing
from porter_detection import plugin, shapes

Start = Callable[..., Run]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Begin a run with these plugins and core's own, whatever else is installed."""

    def begin_run(*plugins: object, **options: Any) -> Run:
        settings: dict[str, Any] = {"batch_sizes": (4,), "bench_seconds": 0.0, "threads": 1, **options}
        return testing.start_run(tmp_path / "out", *(plugins or (shapes,)), plugin, **settings)

    return begin_run
