"""A module that is not there: what to install, out of the plugin's own metadata and nothing else.

A module's name is not a distribution's. Whoever advises `pip install MODULE` sends people to whatever somebody has
registered under that name.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from porter.errors import one_line

if TYPE_CHECKING:
    from packaging.requirements import Requirement

GROUP = "porter"
CORE = "porter-core"


def advice(module: str, plugin: str) -> str:
    """`the module 'x', which is not installed: …`, with the command where the plugin's metadata knows one."""
    shown, top = one_line(module), module.partition(".")[0]
    if top != module and _is_there(top):
        return f"the module {shown!r}, which {_owner(top)} does not have: another version of it is needed"
    missing = f"the module {shown!r}, which is not installed"
    distribution = distribution_of(plugin)
    if distribution is None:
        return f"{missing}; the plugin's metadata does not name its distribution"
    command = _command(top, distribution)
    return f"{missing}: {command}" if command else f"{missing}; the metadata of {distribution.name} does not list it"


def distribution_of(plugin: str) -> importlib.metadata.Distribution | None:
    """The installed distribution of a plugin, by its name or its module; None for one that was handed over."""
    points = importlib.metadata.entry_points(group=GROUP)
    return next((one.dist for one in points if plugin in (one.name, one.value.partition(":")[0])), None)


def requirements_of(distribution: importlib.metadata.Distribution) -> Iterator[Requirement]:
    """What its metadata requires; a line that is none is passed over."""
    from packaging.requirements import InvalidRequirement, Requirement

    for line in distribution.requires or ():
        try:
            yield Requirement(line)
        except InvalidRequirement:
            continue


def is_plain(requirement: Requirement) -> bool:
    """Whether it holds here without any extra."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def canonical(name: str) -> str:
    """A distribution's name as PEP 503 spells it; `packaging.utils` takes longer to import than to do this."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _command(top: str, distribution: importlib.metadata.Distribution) -> str:
    """How to install the requirement that has the module `top`; empty where none is known to."""
    required = list(requirements_of(distribution))
    named = [one for one in required if canonical(one.name) == canonical(top)]
    if any(map(is_plain, named)):
        return _install([next(filter(is_plain, named))])
    if named:
        return f"pip install '{distribution.name}[{_extra(named[0], distribution)}]'"
    absent = [one for one in required if is_plain(one) and not _is_installed(one.name)]
    if absent:  # a distribution may have another name than its module
        return _install(absent)
    if canonical(distribution.name) != CORE and any(canonical(one.name) == CORE for one in required):
        return _command(top, importlib.metadata.distribution(CORE))
    return ""


def _install(requirements: Sequence[Requirement]) -> str:
    texts = []
    for one in requirements:
        extras = f"[{','.join(sorted(one.extras))}]" if one.extras else ""
        text = f"{one.name}{extras}{one.specifier}"
        texts.append(text if text == one.name else f"'{text}'")
    return f"pip install {' '.join(texts)}"


def _extra(requirement: Requirement, distribution: importlib.metadata.Distribution) -> str:
    """The first extra of the distribution that asks for a requirement."""
    extras = distribution.metadata.get_all("Provides-Extra") or []
    return next((e for e in extras if requirement.marker and requirement.marker.evaluate({"extra": e})), "")


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _is_there(top: str) -> bool:
    """Whether the package itself can be imported."""
    try:
        return importlib.util.find_spec(top) is not None
    except (ImportError, ValueError):
        return False


def _owner(top: str) -> str:
    """The installed package `top`, with its distribution and version where one is known."""
    names = importlib.metadata.packages_distributions().get(top, ())
    known = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in dict.fromkeys(names))
    return f"the installed package {one_line(top)!r}" + (f" ({known})" if known else "")
