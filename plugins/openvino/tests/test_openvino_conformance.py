"""The plugin passes porter's own conformance checks, and knows nothing of porter but its public face."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import porter_openvino.plugin
from porter import read_yaml

pytest_plugins = ("porter.testing",)
pytest.importorskip("openvino")


@pytest.fixture
def porter_plugin() -> ModuleType:
    return porter_openvino.plugin


def test_it_conforms(porter_conformance: Callable[[], None]) -> None:
    porter_conformance()


def test_it_imports_the_public_face_alone() -> None:
    sources = sorted(Path(porter_openvino.plugin.__file__).parent.glob("*.py"))
    assert len(sources) > 4
    found = [path.name for path in sources if re.search(r"(from|import) porter\.", path.read_text(encoding="utf-8"))]
    assert found == []


def test_what_it_says_in_a_document_has_its_chinese() -> None:
    folder = Path(porter_openvino.plugin.__file__).parent
    said = {
        text for path in folder.glob("*.py") for text in re.findall(r'\bMessage\("([^"]+)"', path.read_text("utf-8"))
    }
    known = read_yaml(folder / "templates/languages/zh.yaml", as_text=True)
    assert said and said == set(known)
