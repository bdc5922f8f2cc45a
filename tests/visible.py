"""What a reader of an HTML page sees or hears: its text, the text of its drawings, and text alternatives."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = frozenset({"meta", "img", "br", "link", "input", "hr"})
SPOKEN = ("alt", "aria-label", "title")


class Visible(HTMLParser):
    """Collects text; style sheets, scripts and the ticks of axes are left out."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        """Tag, name and value of every attribute."""
        self.tags: list[str] = []
        self._open: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in known.items()]
        self.parts += [known[name] for name in SPOKEN if name in known]
        if tag not in VOID:
            self._open.append((tag, tag in ("style", "script") or "tick" in known.get("class", "").split()))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        opened, _ = self._open.pop()
        assert opened == tag, f"<{opened}> is closed by </{tag}>"

    def handle_data(self, data: str) -> None:
        if not any(hidden for _, hidden in self._open):
            self.parts.append(data)

    def close(self) -> None:
        super().close()
        assert not self._open, f"never closed: {self._open}"


def read(page: str) -> Visible:
    """Parse a page. An element that is not closed in its turn is an AssertionError."""
    found = Visible()
    found.feed(page)
    found.close()
    return found


def text_of(page: str) -> str:
    """All that is seen or heard, its parts apart."""
    return " ".join(" ".join(read(page).parts).split())
