"""A drawing of matplotlib's as SVG that stands inside an HTML page.

matplotlib writes a file of its own: with a style sheet, with style attributes, which a page ignores whose
Content-Security-Policy allows no inline style, and with colours that only a white ground suits. Here styles become
attributes, colours become classes that the page's style sheet colours for light, dark and paper, and ids are made
unique in the page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import escape
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from markupsafe import Markup

from porter.documents.drawings.style import ROLES
from porter.documents.drawings.svg import GRID, INK, MUTED, new_figure, plain_style, svg_of
from porter.errors import one_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FONT = re.compile(r"(?:(?:bold|normal|\d+) )?(?P<size>[\d.]+)px ")
_TICK = re.compile(r"[xy]tick_\d+")
_LONG = re.compile(r"-?\d+\.\d{3,}")
_COORDINATES = frozenset({"d", "x", "y", "width", "height", "transform", "points", "viewBox"})
_LOOK: Any = {
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "none",
    "font.size": 9.5,
    "grid.color": GRID,
    "hatch.linewidth": 0.8,
    "legend.fontsize": 9.0,
    "legend.frameon": False,
    "savefig.facecolor": "none",
    "text.color": INK,
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
}


def chart(name: str, title: str, size: tuple[float, float], draw: Callable[[Figure], str]) -> Markup:
    """One drawing. `draw` fills the figure and answers with the text that stands for it; `name` is unique in the page.

    Raises `Missing` without matplotlib.
    """
    with plain_style(f"porter {name}"):
        import matplotlib

        matplotlib.rcParams.update(_LOOK)
        figure = new_figure(*size)
        description = draw(figure)
        svg = svg_of(figure, "")
    return inline(svg, name, one_line(title), one_line(description))


def inline(svg: str, name: str, title: str, description: str) -> Markup:
    """The SVG document as an element of an HTML page, with its text alternative."""
    root = ElementTree.fromstring(svg)
    used = set(re.findall(r"#([^\"');\s]+)", svg))
    body = "".join(_written(child, name, used) for child in root)
    box = _rounded(root.attrib["viewBox"])
    return Markup(
        f'<svg class="plot" viewBox="{box}" role="img" aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
        f"{body}</svg>"
    )


def _written(node: ElementTree.Element, name: str, used: set[str]) -> str:
    tag = _local(node.tag)
    if tag in ("metadata", "style", "title"):
        return ""
    attributes = dict(_attributes(node, name, used))
    if tag == "text" and not attributes.get("class"):
        attributes["class"] = f"f-{ROLES[INK]}"
    inner = escape(node.text or "", quote=False) if tag in ("text", "tspan") else ""
    inner += "".join(_written(child, name, used) for child in node)
    if not inner and tag in ("g", "defs"):
        return ""
    written = "".join(f' {key}="{escape(value)}"' for key, value in attributes.items())
    return inner if tag == "g" and not attributes else f"<{tag}{written}>{inner}</{tag}>"


def _attributes(node: ElementTree.Element, name: str, used: set[str]) -> Iterator[tuple[str, str]]:
    """The attributes of an element for the page, the class last."""
    classes = []
    for key, value in _declared(node):
        if key in ("fill", "stroke") and value in ROLES:
            classes.append(f"{key[0]}-{ROLES[value]}")
        elif key == "font":  # the shorthand of older versions
            yield "font-size", _FONT.match(value)["size"] + "px"  # type: ignore[index]
        elif key == "href":
            yield "href", f"#{name}-{value.removeprefix('#')}"
        elif key == "id" and value in used:
            yield "id", f"{name}-{value}"
        elif key == "id" and _TICK.fullmatch(value):
            classes.append("tick")
        elif key not in ("id", "font-family") and not value.startswith("rotate(-0 "):
            yield key, _rounded(value) if key in _COORDINATES else value.replace("url(#", f"url(#{name}-")
    if classes:
        yield "class", " ".join(classes)


def _declared(node: ElementTree.Element) -> Iterator[tuple[str, str]]:
    """Attributes, and what a style attribute declares."""
    for key, value in node.attrib.items():
        if _local(key) != "style":
            yield _local(key), value
            continue
        for declaration in filter(str.strip, value.split(";")):
            name, _, content = declaration.partition(":")
            yield name.strip(), content.strip()


def _rounded(value: str) -> str:
    return " ".join(_LONG.sub(lambda found: f"{float(found[0]):.2f}", value).split())


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
