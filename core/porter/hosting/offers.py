"""What each plugin offers: models, runtimes, tasks and forms, checked, so that one plugin's mistake stays its own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pluggy

from porter.contracts.form import Form
from porter.contracts.requests import ModelOffer, Shipped
from porter.contracts.runtime import Runtime
from porter.contracts.task import Task
from porter.errors import one_line
from porter.records.spec import ModelSpec
from porter.runfolder.layout import CACHE, KIT, LOGS, MODELS, OUTPUTS, TENSORS
from porter.runfolder.option import LANGUAGES

KINDS: dict[str, type] = {
    "porter_models": ModelOffer,
    "porter_runtimes": Runtime,
    "porter_tasks": Task,
    "porter_forms": Form,
}
"""Hook: what it offers."""
NAME = re.compile(r"\w[\w.+-]*")
"""A name is one word of a command line, and part of file names."""
FOLDERS = (MODELS, KIT, LOGS, TENSORS, OUTPUTS, CACHE)
"""Folders of a run, which no form may be named after."""


@dataclass(kw_only=True)
class Offers:
    """Every offer by name, each with the plugins that make it, in the order in which the plugins were found."""

    models: dict[str, list[tuple[ModelOffer, str]]] = field(default_factory=dict)
    runtimes: dict[str, list[tuple[Runtime, str]]] = field(default_factory=dict)
    tasks: dict[str, list[tuple[Task, str]]] = field(default_factory=dict)
    forms: dict[str, list[tuple[Form, str]]] = field(default_factory=dict)

    def add(self, plugin: str, hook: str, offers: Sequence[Any]) -> None:
        """Note what `plugin` answered to `hook`."""
        kind: dict[str, list[tuple[Any, str]]] = getattr(self, hook.removeprefix("porter_"))
        for offer in offers:
            kind.setdefault(offer.name, []).append((offer, plugin))


class OfferFault(Exception):
    """A plugin raised when asked for its offers, or answered with something else. The text is one line."""


def ask(manager: pluggy.PluginManager, plugin: str) -> dict[str, list[Any]]:
    """Everything that one plugin offers, by hook. Raises `OfferFault`: a plugin that fails here offers nothing."""
    return {
        hook: _checked(hook, kind, implementation.function)
        for hook, kind in KINDS.items()
        for implementation in getattr(manager.hook, hook).get_hookimpls()
        if implementation.plugin_name == plugin
    }


def _checked(hook: str, kind: type, function: Any) -> list[Any]:
    try:
        answer = function()
    except (Exception, SystemExit) as error:  # a plugin can raise anything
        raise OfferFault(f"{hook} raised {type(error).__name__}: {one_line(error)}") from error
    wanted = f"must return a list of {kind.__name__}"
    if answer is None:
        return []
    if not isinstance(answer, Sequence) or isinstance(answer, str | bytes):
        raise OfferFault(f"{hook} returned {_what(answer)}, {wanted}")
    named: dict[str, Any] = {}
    for offer in answer:
        if not isinstance(offer, kind):
            raise OfferFault(f"{hook} returned a list with {_what(offer)} in it, {wanted}")
        name = getattr(offer, "name", None)
        if not isinstance(name, str) or not name.strip():
            raise OfferFault(f"{hook} returned {_what(offer)} without a name")
        if not NAME.fullmatch(name):
            raise OfferFault(f"{hook} returned the name {one_line(name)!r}: letters, digits and . _ + - make a name")
        if misfit := _misfit(offer):
            raise OfferFault(f"{hook}: {hook.removeprefix('porter_').removesuffix('s')} {name!r}: {misfit}")
        if name in named:
            raise OfferFault(f"{hook} returned two of the name {one_line(name)!r}")
        named[name] = offer
    return list(named.values())


def _misfit(offer: Any) -> str:
    """What in an offer is of another type than declared; empty where nothing is."""
    if offer.templates is not None and not isinstance(offer.templates, Path):
        return f"templates is {_what(offer.templates)}, it must be a Path or None"
    if isinstance(offer, ModelOffer | Form) and not isinstance(getattr(offer, "title", None), str):
        return f"title is {_what(getattr(offer, 'title', None))}, it must be text"
    if isinstance(offer, Form) and not (offer.languages and set(offer.languages) <= set(LANGUAGES)):
        return f"languages is {one_line(offer.languages)}, it must name some of {', '.join(LANGUAGES)}"
    if isinstance(offer, Form) and offer.name.startswith(FOLDERS):
        return f"the folder {offer.name!r} is a run's own; give the form another name"
    if not isinstance(offer, ModelOffer):
        return ""
    if not isinstance(offer.variants, Sequence) or any(not isinstance(one, ModelSpec) for one in offer.variants):
        return "variants must be a tuple of ModelSpec"
    if offer.shipped is None:
        return ""
    if not isinstance(offer.shipped, Shipped):
        return f"shipped is {_what(offer.shipped)}, it must be Shipped or None"
    for role in ("config", "checkpoint", "data", "labels"):
        path = getattr(offer.shipped, role)
        if path is not None and not isinstance(path, Path):
            return f"shipped.{role} is {_what(path)}, it must be a Path or None"
    return ""


def _what(value: object) -> str:
    """The kind of a value, with its article."""
    if isinstance(value, type):
        return f"the class {value.__name__} (not an instance)"
    if isinstance(value, Mapping):
        return f"a mapping ({type(value).__name__})"
    return f"a value of type {type(value).__name__}"
