"""A module built by the user's own code, which the yaml names."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from porter import BadInput, Missing, one_line
from porter_torch.config import TorchConfig


def build(path: Path, config: TorchConfig) -> Any:
    """The `torch.nn.Module`, on the CPU. Raises `BadInput` with the yaml and the key, `Missing` where a package that
    the code imports is not installed."""
    import torch

    where = f"{path}: module: {one_line(config.module)}"
    make = _function(path, config.module, where)
    try:
        with torch.device("cpu"):
            network = make(**config.args)
    except ModuleNotFoundError as error:
        raise Missing(f"{where} needs {error.name}, which is not installed") from None
    except Exception as error:  # it is the user's code
        raise BadInput(f"{where} failed with {config.args}: {type(error).__name__}: {one_line(error)}") from None
    if not isinstance(network, torch.nn.Module):
        raise BadInput(f"{where} gave {type(network).__name__}, not a torch.nn.Module")
    return network


def _function(path: Path, named: str, where: str) -> Any:
    source, _, function = named.rpartition(":")
    if not source or not function.isidentifier():
        raise BadInput(f"{where}: write package.module:function or file.py:function")
    code = _file(path, source, where) if source.endswith(".py") else _module(path, source, where)
    found = getattr(code, function, None)
    if not callable(found):
        raise BadInput(f"{where}: {one_line(source)} has no function or class {function!r}")
    return found


def _file(path: Path, source: str, where: str) -> Any:
    file = path.parent / source
    if not file.is_file():
        raise BadInput(f"{where}: {file}: no such file")
    spec = importlib.util.spec_from_file_location(f"porter_torch_user_{file.stem}", file)
    assert spec is not None and spec.loader is not None
    execute = spec.loader.exec_module
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # as dataclasses and pickle look it up
    with _also_from(file.parent):
        _run(lambda: execute(module), where)
    return module


def _module(path: Path, source: str, where: str) -> Any:
    with _also_from(path.parent):
        return _run(lambda: importlib.import_module(source), where)


def _run(load: Any, where: str) -> Any:
    try:
        return load()
    except ModuleNotFoundError as error:
        raise Missing(f"{where} needs {error.name}, which is neither installed nor beside the yaml") from None
    except Exception as error:  # it is the user's code
        raise BadInput(f"{where}: {type(error).__name__}: {one_line(error)}") from None


@contextmanager
def _also_from(folder: Path) -> Iterator[None]:
    """A folder that modules are imported from as well, for a while."""
    place = str(folder.resolve())
    sys.path.insert(0, place)
    try:
        yield
    finally:
        sys.path.remove(place)
