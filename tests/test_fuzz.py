"""The fuzz targets, each for a fixed number of inputs that are always the same; `make fuzz` tries others."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzzing.run import fuzz
from fuzzing.targets import TARGETS

EXAMPLES = 200


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_read_ends_well_or_in_one_line(name: str, tmp_path: Path) -> None:
    fuzz(TARGETS[name], tmp_path / "fuzz", EXAMPLES)


@pytest.mark.parametrize("name", TARGETS)
def test_every_seed_is_whole(name: str, tmp_path: Path) -> None:
    """So that edits of it go deep."""
    target = TARGETS[name]
    for number, seed in enumerate(target.seeds()):
        target.check(seed, tmp_path / str(number))
