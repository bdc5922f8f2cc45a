"""The fixtures of the kit. Override `porter_plugin`; the others follow from it and can be overridden, too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from porter.contracts.progress import Progress
from porter.errors import ExitCode
from porter.hosting.registry import Registry
from porter.pipeline.begin import begin
from porter.pipeline.run import Run
from porter.records.record import RunRecord
from porter.records.request import RunRequest
from porter.testing.conformance import QUICK, check_conformance, plugin_name, registry_of
from porter.testing.made_images import ImageSet, write_image_set


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A run that went through all its stages."""

    folder: Path
    """The run's folder, with all that it wrote."""
    record: RunRecord
    """What was measured."""
    exit_code: ExitCode
    """What `porter run` would have ended with."""


def start_run(folder: Path, *plugins: object, fresh: bool = True, **options: Any) -> Run:
    """A run that has not begun, with core's own plugins and these; call its stages, e.g. `run.export()`.

    Args:
        folder: Where it is written.
        plugins: The modules or objects that entry points name; the first one's model is run, unless `model` says which.
        fresh: False goes on with what the folder holds.
        options: Fields of `RunRequest`; speed is not measured but once, at batch 2, unless they say otherwise.
    """
    registry = registry_of(*plugins)
    paths = {name: str(value) if isinstance(value, Path) else value for name, value in options.items()}
    request = RunRequest(**{"model": model_of(registry, plugins[0]), **QUICK, **paths})
    return begin(folder, request, registry, Progress(), "porter.testing", fresh=fresh)


def model_of(registry: Registry, plugin: object) -> str:
    """Name of the first model that a plugin offers; empty where it offers none."""
    name = plugin_name(plugin)
    return next((model for model, made in registry.models().items() if any(by == name for _, by in made)), "")


@pytest.fixture
def porter_plugin() -> object:
    """The plugin under test: the module or object that its entry point names. Override it."""
    pytest.fail("override the fixture porter_plugin: it returns your plugin's module", pytrace=False)


@pytest.fixture
def porter_registry(porter_plugin: object) -> Registry:
    """Core's own plugins and yours, whatever else is installed. Override it where yours needs another plugin."""
    return registry_of(porter_plugin)


@pytest.fixture
def porter_model(porter_plugin: object, porter_registry: Registry) -> str:
    """Name of the model under test: the one that the plugin offers; empty where it offers none."""
    name = plugin_name(porter_plugin)
    mine = [model for model, offers in porter_registry.models().items() if any(plugin == name for _, plugin in offers)]
    if len(mine) > 1:
        pytest.fail(f"override the fixture porter_model: the plugin offers {', '.join(mine)}", pytrace=False)
    return mine[0] if mine else ""


@pytest.fixture
def porter_data(tmp_path: Path) -> ImageSet:
    """Ten images with the class indices 0 and 1. Override it where labels are of another kind."""
    return write_image_set(tmp_path / "porter-data")


@pytest.fixture
def porter_folder(tmp_path: Path) -> Path:
    """An empty folder for a run."""
    return tmp_path / "porter-run"


@pytest.fixture
def porter_run(porter_registry: Registry, porter_model: str, porter_folder: Path) -> Callable[..., Finished]:
    """Run all stages in this process: `porter_run(**options)`, fields of `RunRequest` (`data`, `checkpoint`, …).

    Without options the model runs on what its plugin ships. Speed is not measured but once, at batch 2.
    """

    def run(**options: Any) -> Finished:
        paths = {name: str(value) if isinstance(value, Path) else value for name, value in options.items()}
        request = RunRequest(**{"model": porter_model, **QUICK, **paths})
        started = begin(porter_folder, request, porter_registry, Progress(), "porter.testing", fresh=True)
        code = started.everything()
        return Finished(folder=porter_folder, record=started.record, exit_code=code)

    return run


@pytest.fixture
def porter_conformance(
    porter_plugin: object,
    porter_model: str,
    porter_registry: Registry,
    porter_data: ImageSet,
    porter_folder: Path,
) -> Callable[..., None]:
    """Examine the plugin: `porter_conformance(**options)`, fields of `RunRequest`. Fails with every finding."""

    def conformance(**options: Any) -> None:
        __tracebackhide__ = True
        check_conformance(
            porter_plugin,
            porter_model,
            images=porter_data,
            folder=porter_folder,
            registry=porter_registry,
            **{name: str(value) if isinstance(value, Path) else value for name, value in options.items()},
        )

    return conformance
