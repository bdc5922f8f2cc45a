"""Text of unknown origin in HTML: nothing in it is markup, runs, or turns the direction of what stands beside it."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from porter.documents.bidi import isolated
from porter.errors import one_line
from porter.files.urls import is_web_address
from porter.records import message

if TYPE_CHECKING:
    import jinja2


def html_environment(plain: jinja2.Environment) -> jinja2.Environment:
    """`plain` for HTML: everything is escaped, each text is on one line with control characters made visible."""
    environment = plain.overlay(autoescape=True, finalize=shown)
    environment.filters = {**plain.filters, "text": text, "say": say, "code": code, "link": link, "csp": csp}
    return environment


def shown(value: Any) -> Any:
    """What an expression of a template becomes. Raises `UndefinedError` for a missing figure: no cell is ever empty."""
    if value is None:
        from jinja2 import UndefinedError

        raise UndefinedError("a figure that was not measured stands where a number must")
    if type(value) is int:
        return message.number(value, "")
    if type(value) is not str:
        return value
    before, after = (" " if value[edge : edge + 1] == " " else "" for edge in (0, len(value) - 1))
    return before + text(value) + after if value.strip() else escape(before)


def text(value: object) -> Markup:
    """Text of unknown origin: one line without markup. Letters from right to left turn nothing beside them."""
    return escape(isolated(one_line(value)))


def say(sentence: message.Value) -> Markup:
    """A sentence of the record, or several as a list: what it quotes in backticks is code."""
    return Markup(message.render(sentence, lambda template: template, HTML))


def code(value: object) -> Markup:
    """Text of unknown origin as code."""
    return Markup("<code>{}</code>").format(text(value))


def link(value: object) -> Markup:
    """A web address as a link; any other text, such as a script in the form of an address, as text."""
    address = str(value)
    if not is_web_address(address):
        return text(address)
    return Markup('<a href="{0}" rel="noreferrer">{0}</a>').format(address)


def csp(content: str) -> str:
    """The source of a Content-Security-Policy that allows this very style sheet or script, and no other."""
    digest = hashlib.sha256(str(content).encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


HTML = message.Markup(text=lambda plain: str(text(plain)), code=lambda plain: str(code(plain)))
