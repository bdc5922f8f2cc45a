"""Sentences about several artefacts: each stands once, with all that it holds for."""

from __future__ import annotations

from collections.abc import Iterable

from porter.records.message import Message, Text

FEW = 3
"""Names that a sentence lists; more that are all there are, it counts."""


def grouped(lines: Iterable[tuple[Text, Text]], everyone: int) -> list[Text]:
    """Of (artefact, sentence) each sentence once, in order. `everyone`: how many artefacts there are."""
    found: list[tuple[Text, list[Text]]] = []
    for name, text in lines:
        names = next((names for known, names in found if known == text), None)
        if names is None:
            found.append((text, names := []))
        if name not in names:
            names.append(name)
    return [Message("{artefacts}: {text}", artefacts=_named(names, everyone), text=text) for text, names in found]


def _named(names: list[Text], everyone: int) -> tuple[Text, ...] | Message:
    if len(names) > FEW and len(names) == everyone:
        return Message("all {count} artefacts", count=len(names))
    return tuple(names)
