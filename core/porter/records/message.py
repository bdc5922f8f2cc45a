"""A sentence that documents show: an English template and its values, so that it can be said in another language."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from porter.errors import one_line

Translate: TypeAlias = Callable[[str], str]
"""Gives the template in another language; the template itself where it has none."""

PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)(?::(\.[0-9]{1,2}[efg]|g))?\}")
"""A plain name, never an attribute or an index, and at most a number of digits: run.json may come from a stranger."""


@dataclass(frozen=True, init=False)
class Message:
    """One sentence. Made with its values as keywords: `Message("{count} images", count=3)`.

    What stands in backticks is code; a document shows it as such. Values are of unknown origin.
    """

    text: str
    """The sentence in English, with a placeholder `{name}`, `{name:.2f}`, `{name:.3g}` or `{name:g}` for each value."""
    values: dict[str, Value]
    """The values by name. A tuple is shown as a list, None as "not measured"."""

    def __init__(self, text: str, /, **values: Value) -> None:
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "values", values)

    def __str__(self) -> str:
        """The sentence in English, on one line, as a terminal shows it."""
        return render(self, lambda text: text, PLAIN)


Text: TypeAlias = str | Message
"""What documents show: a sentence, or a text from elsewhere (a plugin, an error), shown as it is."""
Value: TypeAlias = str | int | float | Message | tuple[str | Message, ...] | None
"""What a sentence can hold."""


@dataclass(frozen=True, kw_only=True)
class Markup:
    """How a document writes text, so that no value can break it."""

    text: Callable[[str], str]
    """Plain text."""
    code: Callable[[str], str]
    """Code within a sentence."""


PLAIN = Markup(text=one_line, code=lambda text: f"`{one_line(text)}`")
BARE = Markup(text=str, code=str)
"""For what stands in code already."""
GROUPED_FROM = 10_000
"""Counts of at least so much are written with commas."""


def render(text: Value, translate: Translate, markup: Markup) -> str:
    """`text` as a document shows it: its template translated, and every part of it written by `markup`.

    A placeholder without a value, as only a record that somebody edited has, stays as it is.
    """
    if not isinstance(text, Message):
        return _shown(text, "", translate, markup)
    parts = translate(text.text).split("`")
    if len(parts) % 2 == 0:  # a backtick without its partner is no code
        parts = ["`".join(parts)]
    shown = []
    for place, part in enumerate(parts):
        if place % 2:
            shown.append(markup.code(_filled(part, text, translate, BARE)))
        else:
            shown.append(_filled(part, text, translate, markup))
    return "".join(shown)


def _filled(template: str, message: Message, translate: Translate, markup: Markup) -> str:
    parts, end = [], 0
    for found in PLACEHOLDER.finditer(template):
        name, form = found.groups()
        if name in message.values:
            parts += [_written(template[end : found.start()], markup)]
            parts += [_shown(message.values[name], form or "", translate, markup)]
            end = found.end()
    return "".join([*parts, _written(template[end:], markup)])


def _written(literal: str, markup: Markup) -> str:
    """A part of the sentence itself. Spaces at its ends stand between it and a value, and stay."""
    core = literal.strip(" ")
    if not core:
        return literal
    start = literal.index(core)
    return literal[:start] + markup.text(core) + literal[start + len(core) :]


def _shown(value: Value, form: str, translate: Translate, markup: Markup) -> str:
    if value is None:
        return _written(translate("not measured"), markup)
    if isinstance(value, Message):
        return render(value, translate, markup)
    if isinstance(value, tuple):
        return translate(", ").join(render(one, translate, markup) for one in value)
    if isinstance(value, float) or (isinstance(value, int) and form.endswith(("e", "f"))):
        return markup.text(number(value, form))
    if isinstance(value, int) and markup is not BARE:
        return markup.text(number(value, form))
    return markup.text(str(value))


def number(value: float, form: str) -> str:
    """A figure; one that rounds to nothing has no sign. A count is grouped by thousands from 10,000 on."""
    if isinstance(value, int) and not form:
        return f"{value:,}" if abs(value) >= GROUPED_FROM else str(value)
    text = format(value, form)
    return text.removeprefix("-") if float(text) == 0 else text
