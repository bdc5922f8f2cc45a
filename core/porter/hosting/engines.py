"""The packages that do a runtime plugin's work: their versions bear on every figure that it makes."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Collection

from porter.hosting.registry import Registry

OWN = re.compile(r"porter(-|$)")
FOR_AUTHORS = re.compile(r"extra *== *['\"](test|dev|doc|lint)")
"""Extras that a plugin's users do not install."""


def engine_packages(registry: Registry, runtimes: Collection[str] | None = None) -> tuple[str, ...]:
    """Distributions that plugins require, also by an extra, in alphabetical order: those of the plugins that offer one
    of `runtimes`; None: of every installed plugin that offers any.

    What porter itself requires is known (`porter.machine.host.PACKAGES`).
    """
    offered = registry.runtimes()
    offering = {offers[0][1] for name, offers in offered.items() if runtimes is None or name in runtimes}
    distributions = {info.distribution for info in registry.infos if info.name in offering and info.state == "active"}
    return tuple(sorted({name for one in distributions if one and one != "porter-core" for name in _required(one)}))


def _required(distribution: str) -> list[str]:
    try:
        lines = importlib.metadata.requires(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        return []
    names = [re.split(r"[^\w.-]", line, maxsplit=1)[0].lower() for line in lines if not FOR_AUTHORS.search(line)]
    return [name for name in names if not OWN.match(name)]
