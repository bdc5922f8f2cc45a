"""Which porter-core a plugin says that it was made for: the requirement in its distribution's metadata."""

from __future__ import annotations

import importlib.metadata

from porter.hosting.lacking import CORE, canonical, is_plain, requirements_of
from porter.records.version import __version__


def made_for(distribution: importlib.metadata.Distribution | None) -> str:
    """The versions of porter-core that a plugin's distribution requires, e.g. `>=0.1,<0.2`; empty: it does not say."""
    from packaging.specifiers import SpecifierSet

    versions = SpecifierSet()
    for one in requirements_of(distribution) if distribution is not None else ():
        if canonical(one.name) == CORE and is_plain(one):
            versions &= one.specifier
    return ",".join(sorted(map(str, versions), key=lambda one: (not one.startswith(">"), one)))  # as people write it


def misfit(versions: str) -> str:
    """Why a plugin made for these versions cannot run here, in one line; empty where it can."""
    from packaging.specifiers import SpecifierSet

    if not versions or SpecifierSet(versions).contains(__version__, prereleases=True):
        return ""
    return f"made for porter-core {versions}, this is {__version__}. Install a version of the plugin for {__version__}"
