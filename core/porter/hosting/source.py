"""The code of a plugin by content: a change that raises no version must not go unseen."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

PASSED_OVER = frozenset({"__pycache__", ".pytest_cache", ".mypy_cache"})


def source_digest(modules: Iterable[str]) -> str:
    """SHA-256 over the files of the packages that these imported modules belong to.

    A module outside any package is digested alone. Empty where there is no file, as for code typed into an
    interpreter.
    """
    places: set[str] = set()
    for name in modules:
        top, module = sys.modules.get(name.partition(".")[0]), sys.modules.get(name)
        inside = tuple(getattr(top, "__path__", ()))
        file = getattr(module, "__file__", None)
        places.update(inside or ((file,) if file else ()))
    return _digest(tuple(sorted(places)))


@cache
def _digest(places: tuple[str, ...]) -> str:
    """Over the relative path and content of every file; once in a process, which runs what it has imported."""
    whole = hashlib.sha256()
    paths = [(root, path) for root in map(Path, places) for path in _files(root)]
    for root, path in paths:
        whole.update(str(path.relative_to(root)).encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest() if paths else ""


def _files(root: Path) -> list[Path]:
    if root.is_file():
        return [root]
    found = (path for path in root.rglob("*") if not PASSED_OVER.intersection(path.parts))
    return sorted(path for path in found if path.is_file() and path.suffix != ".pyc")
