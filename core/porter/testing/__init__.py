"""The kit for the authors of plugins: pytest fixtures, and one conformance check that any plugin can call.

Activate it where your tests begin, in the top `conftest.py` or in the test module itself, and say which plugin is
yours; every fixture is named `porter_…` and can be overridden:

    import pytest

    pytest_plugins = ["porter.testing"]

    @pytest.fixture
    def porter_plugin():
        from porter_tiny import plugin
        return plugin

    def test_conformance(porter_conformance):
        porter_conformance()

    def test_accuracy(porter_run):
        record = porter_run(data="val", labels="val_label.txt").record
        assert record.evaluation("reference").metric("top1").value > 70

It needs pytest (`pip install 'porter-core[testing]'`). PYTEST_DONT_REWRITE: nothing here relies on rewritten asserts,
and a test module may import from this package before pytest does.
"""

from __future__ import annotations

from porter.testing.conformance import ConformanceError, check_conformance, registry_of
from porter.testing.fixtures import (
    Finished,
    porter_conformance,
    porter_data,
    porter_folder,
    porter_model,
    porter_plugin,
    porter_registry,
    porter_run,
    start_run,
)
from porter.testing.made_images import ImageSet, write_image_set
from porter.testing.tried_model import Problem

__all__ = [
    "ConformanceError",
    "Finished",
    "ImageSet",
    "Problem",
    "check_conformance",
    "porter_conformance",
    "porter_data",
    "porter_folder",
    "porter_model",
    "porter_plugin",
    "porter_registry",
    "porter_run",
    "registry_of",
    "start_run",
    "write_image_set",
]
