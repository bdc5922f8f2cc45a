"""Which numbers a document states, and whether a record holds each of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

GROUPED, PLAIN = r"\d{2,3}(?:,\d{3})+|\d(?:,\d{3}){2,}", r"\d+(?:\.\d+)?(?:e[+-]\d+)?"
NUMBER = re.compile(rf"(?<![\w.])(?:{GROUPED}|{PLAIN})(?!\w|\.\d)", re.ASCII)
"""Letters of other scripts may stand right beside a number, as Chinese ones do. From 10,000 on commas group it."""
NO_TEXT = re.compile(r"[0-9a-f]{32,}|[A-Za-z0-9+/=]{200,}")
"""Digests and pictures: digits in them are no figures that a document may state."""


def unfounded(document: str, record: Any) -> list[str]:
    """The numbers of `document` that are no rounding of a number in `record`, nor part of a text in it."""
    leaves = list(_leaves(record))
    floats = [float(leaf) for leaf in leaves if isinstance(leaf, int | float) and not isinstance(leaf, bool)]
    texts = " ".join(leaf for leaf in leaves if isinstance(leaf, str) and not NO_TEXT.fullmatch(leaf))
    in_texts = set(re.findall(r"\d+(?:\.\d+)?(?:e[+-]\d+)?", texts)) | set(re.findall(r"[\d.]+", texts))
    found = {token.replace(",", "") for token in NUMBER.findall(document)}
    return sorted(token for token in found if token not in in_texts and not _rounds(token, floats))


def rounded_twice(document: str, record: Any) -> dict[float, list[str]]:
    """The numbers of `record` that `document` states with two roundings, each with both.

    Of a rounding to fewer than three digits nobody can say which number it is, nor of one that is a number itself.
    """
    floats = {abs(leaf) for leaf in _leaves(record) if isinstance(leaf, float)}
    own = {float(leaf) for leaf in _leaves(record) if isinstance(leaf, int | float)}
    stated = {token.replace(",", "") for token in NUMBER.findall(document) if "." in token}
    exact = {token for token in stated if float(token) in own}
    found = {}
    for value in floats:
        written = {f"{value:.{places}{kind}}" for places in range(7) for kind in "fe"} & stated
        telling = {token: _digits(token) for token in written - exact if _digits(token) >= 3}
        if len(set(telling.values())) > 1:
            found[value] = sorted(telling)
    return found


def _digits(token: str) -> int:
    return len(token.split("e")[0].replace(".", "").lstrip("0"))


def figures(document: str) -> list[str]:
    """Every number that `document` states, in order of size."""
    return sorted(NUMBER.findall(document))


def _rounds(token: str, floats: list[float]) -> bool:
    if "e" in token:
        digits = len(token.split("e")[0].partition(".")[2])
        return any(f"{value:.{digits}e}" == token for value in floats)
    digits = len(token.partition(".")[2])
    return any(f"{abs(value):.{digits}f}" == token for value in floats)


def _leaves(node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield key
            yield from _leaves(value)
    elif isinstance(node, list):
        yield len(node)
        for value in node:
            yield from _leaves(value)
    else:
        yield node
