"""Plugins made of a few functions, for the tests of the manager."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from porter import hookimpl
from porter.contracts.requests import Image, ModelOffer
from porter.hosting.info import PluginInfo
from porter.hosting.registry import Registry

IMAGE = Image(id="a.png", pixels=np.zeros((20, 20, 3), np.uint8))


def info_of(registry: Registry, name: str) -> PluginInfo:
    [info] = [info for info in registry.infos if info.name == name]
    return info


def plugin(**functions: Any) -> SimpleNamespace:
    """A plugin object of marked functions; SimpleNamespace can be neither hashed nor compared by identity."""
    return SimpleNamespace(**{name: hookimpl(function) for name, function in functions.items()})


def offering(name: str = "other", /, **functions: Any) -> SimpleNamespace:
    """A plugin that offers a model, and whatever else."""
    return plugin(porter_models=lambda: [ModelOffer(name=name, title=name, variants=())], **functions)
