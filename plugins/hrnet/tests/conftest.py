"""Where the tests find the official configs, which are no part of this repository."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

OFFICIAL = Path(__file__).resolve().parents[3] / "../shared/hrnet"
VARIANTS = ("w18_small_v1", "w18_small_v2", "w18", "w30", "w32", "w40", "w44", "w48", "w64")


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> str:
    """The name of each published variant in turn."""
    return str(request.param)


@pytest.fixture
def official_config(variant: str) -> Path:
    """The authors' config of `variant`, unchanged."""
    path = OFFICIAL / f"cls_hrnet_{variant}_sgd_lr5e-2_wd1e-4_bs32_x100.yaml"
    if not path.is_file():
        pytest.skip("the official configs are not here")
    return path


@pytest.fixture
def golden(official_config: Path) -> dict[str, Any]:
    """What the authors' own network gave for `variant`, see `golden_recipe`."""
    facts: dict[str, Any] = json.loads((OFFICIAL / "golden.json").read_text())[official_config.name]
    return facts
