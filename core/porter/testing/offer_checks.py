"""Checks of what a plugin is and offers, before any model is loaded."""

from __future__ import annotations

import builtins
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from porter.hosting.manager import create_registry
from porter.records.message import Message
from porter.records.spec import ModelSpec
from porter.testing.tried_model import Problem, Subject

HEAVY = ("cv2", "jax", "onnx", "onnxruntime", "tensorflow", "torch", "torchvision")
"""Packages that take long to import: `porter plugins` must answer at once."""
NEEDED = ("porter_describe", "porter_load")
"""Hooks of a model for which core has no default."""
IMPORT_SECONDS = 120
LIST_HEAVY = """
import importlib, json, sys
from porter.hosting.manager import create_registry
create_registry([("plugin", importlib.import_module(sys.argv[1]))], disabled=())
print(json.dumps(sorted(set(json.loads(sys.argv[2])) & set(sys.modules))))
"""


def registration(subject: Subject) -> Iterator[Problem]:
    """Core takes the plugin: known hooks and arguments, offers of the right type. Hooks without a default are there."""
    info = next((info for info in subject.registry.infos if info.name == subject.name), None)
    if info is None:
        yield Problem("plugin", f"the registry has no plugin {subject.name!r}: see porter.testing.registry_of")
        return
    if info.state != "active":
        named = re.match(r"(porter_\w+):? (.*)", info.reason)
        yield Problem(*named.groups()) if named else Problem("plugin", info.reason)
        return
    if not info.hooks:
        yield Problem("plugin", f"{subject.name!r} has no hook: mark its functions with @porter.hookimpl")
    if "porter_models" in info.hooks:
        for hook in NEEDED:
            if hook not in info.hooks:
                yield Problem(hook, "not implemented, and core has no default for it")


def models(subject: Subject) -> Iterator[Problem]:
    """The same offer on every call; its variants are specs of that model, and what it ships exists."""
    offer = subject.job.offer
    again = [one for one in subject.offered("porter_models") if one.name == offer.name]
    if again != [offer]:
        yield Problem("porter_models", f"two calls give different offers of {offer.name!r}")
    for variant in offer.variants:
        if not isinstance(variant, ModelSpec):
            yield Problem("porter_models", f"a variant is a {type(variant).__name__}, it must be a ModelSpec")
        elif variant.name != offer.name:
            yield Problem("porter_models", f"variant {variant.variant!r} is named {variant.name!r}, not {offer.name!r}")
    for role in ("config", "checkpoint", "data", "labels"):
        path = getattr(offer.shipped, role, None)
        if path is not None and not path.exists():
            yield Problem("porter_models", f"ships {role} {path}, which does not exist")


def cheap(subject: Subject) -> Iterator[Problem]:
    """Neither importing the plugin nor asking for its offers imports torch, onnx or a runtime."""
    heavy = _heavy(subject)
    if isinstance(subject.plugin, ModuleType) and _importable(subject.plugin):
        found, when = _imported_afresh(subject.plugin.__name__, heavy), f"importing {subject.plugin.__name__} and "
    else:
        # An object, or a module without a name that another process could import: only the calls can be watched.
        with _watched_imports(heavy) as found:
            create_registry([(subject.name, subject.plugin)], disabled=())
        when = ""
    if found:
        yield Problem(
            "porter_models",
            f"{when}asking for what the plugin offers imports {', '.join(sorted(found))}. "
            "Import them inside the functions that need them, or every porter command waits for them",
        )


def tasks(subject: Subject) -> Iterator[Problem]:
    """A task has its attributes."""
    wanted: dict[str, tuple[type, ...]] = {
        "title": (str,),
        "gate": (str,),
        "answer_name": (str, Message),
        "columns": (tuple,),
    }
    for task in subject.offered("porter_tasks"):
        for name, kinds in wanted.items():
            value = getattr(task, name, None)
            if not isinstance(value, kinds) or not value:
                named = " or ".join(kind.__name__ for kind in kinds)
                yield Problem("porter_tasks", f"{type(task).__name__}.{name} must be a {named}, not {value!r}")


def _heavy(subject: Subject) -> list[str]:
    """`HEAVY`, and the packages that the plugin's runtimes are named after."""
    own = getattr(subject.plugin, "__name__", "").partition(".")[0]
    engines = {str(runtime.name).replace("-", "_") for runtime in subject.offered("porter_runtimes")}
    return [*HEAVY, *sorted(engines - {own})]


def _importable(module: ModuleType) -> bool:
    """Whether another process that imports the module's name gets this module."""
    try:
        found = importlib.util.find_spec(module.__name__)
    except (ImportError, ValueError):
        return False
    return found is not None and found.origin == getattr(module, "__file__", None)


def _imported_afresh(module: str, heavy: Sequence[str]) -> set[str]:
    """Which of these packages a fresh interpreter has imported after it asked the plugin for its offers."""
    done = subprocess.run(
        [sys.executable, "-c", LIST_HEAVY, module, json.dumps(heavy)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=IMPORT_SECONDS,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise RuntimeError(f"a fresh interpreter cannot import {module} and ask for its offers: {last}")
    return set(json.loads(done.stdout.splitlines()[-1]))


@contextmanager
def _watched_imports(heavy: Sequence[str]) -> Iterator[set[str]]:
    """Collect which of these packages an import statement asks for, whether or not it was imported before."""
    found: set[str] = set()
    original = builtins.__import__

    def watching(name: str, *arguments: Any, **keywords: Any) -> Any:
        if name.partition(".")[0] in heavy:
            found.add(name.partition(".")[0])
        return original(name, *arguments, **keywords)

    builtins.__import__ = watching
    try:
        yield found
    finally:
        builtins.__import__ = original
