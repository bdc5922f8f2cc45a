"""What the cases share."""

from __future__ import annotations

from pathlib import Path

import pytest
from workshop import make


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the cases name."""
    folder = tmp_path_factory.mktemp("workshop")
    make(folder)
    return folder
