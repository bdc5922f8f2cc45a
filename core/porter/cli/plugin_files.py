"""`--plugin FILE.py`: the files of a command, and the registry with their plugins."""

from __future__ import annotations

import click

from porter.hosting.manager import create_registry
from porter.hosting.plugin_file import require_usable
from porter.hosting.registry import Registry

KEY = "porter.plugin_files"
"""Under which a command's context has them: what makes a registry lies deep in some commands."""


def remember(context: click.Context, _parameter: click.Parameter, files: tuple[str, ...]) -> None:
    """Callback of the option."""
    context.meta[KEY] = tuple(dict.fromkeys(files))


def given_plugins() -> tuple[str, ...]:
    """The files that were given to the command that runs, as typed."""
    context = click.get_current_context(silent=True)
    found: tuple[str, ...] = () if context is None else context.meta.get(KEY, ())
    return found


def open_registry() -> Registry:
    """The installed plugins, and those of the files. Raises `BadInput` where a file is no plugin that works."""
    registry = create_registry(files=given_plugins())
    require_usable(registry.infos)
    return registry
