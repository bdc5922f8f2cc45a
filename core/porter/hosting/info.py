"""A plugin as `porter plugins` shows it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PluginInfo:
    """One plugin that was found."""

    name: str
    """Name of its entry point."""
    distribution: str
    """What was installed to get it; empty for a plugin that was handed to the factory."""
    version: str
    state: str
    """`active`, `failed` or `disabled`."""
    reason: str = ""
    """Why it failed, who disabled it, or why it does nothing."""
    made_for: str | None = None
    """The versions of porter-core that its metadata requires; empty: it does not say; None: a part of core, or handed
    over."""
    hooks: tuple[str, ...] = ()
    """The hooks that it implements."""
