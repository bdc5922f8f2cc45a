"""Sentences about several artefacts: each stands once, with all that it holds for."""

from __future__ import annotations

from collections.abc import Iterable

from porter.records.message import Message, Text

FEW = 3
"""Names that a sentence lists; more that are all there are, it counts."""


def grouped(lines: Iterable[tuple[Text, Text]], everyone: int, *, models: bool = False) -> list[Text]:
    """Of (artefact, sentence) each sentence once, in order. `everyone`: how many artefacts there are; `models`: the
    reference is one of them."""
    found: list[tuple[Text, list[Text]]] = []
    for name, text in lines:
        names = next((names for known, names in found if known == text), None)
        if names is None:
            found.append((text, names := []))
        if name not in names:
            names.append(name)
    return [
        Message("{artefacts}: {text}", artefacts=_named(names, everyone, models), text=text) for text, names in found
    ]


def _named(names: list[Text], everyone: int, models: bool) -> tuple[Text, ...] | Message:
    if len(names) > FEW and len(names) == everyone:
        count = len(names)
        return Message("all {count} models", count=count) if models else Message("all {count} artefacts", count=count)
    return tuple(names)
