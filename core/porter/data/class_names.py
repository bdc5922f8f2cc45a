"""Names of classes, and the index that each stands for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from porter.data.image_names import nfc

WORDNET = re.compile(r"n[0-9]{8}", re.ASCII | re.IGNORECASE)
"""A WordNet id, as ImageNet names its classes."""
_ID_IN_FRONT = re.compile(r"(n[0-9]{8})[\s:,]+(\S.*)", re.ASCII | re.IGNORECASE)


class ClassNames:
    """Looks a name up: as it is; without regard to case, underscores and width; as one of several synonyms."""

    def __init__(self, pairs: Iterable[tuple[str, int]]) -> None:
        self._levels: tuple[dict[str, tuple[int, ...]], ...] = ({}, {}, {})
        for name, index in pairs:
            for level, keys in zip(self._levels, ([nfc(name)], [_plain(name)], _synonyms(name)), strict=True):
                for key in keys:
                    known = level.get(key, ())
                    if index not in known:
                        level[key] = (*known, index)

    def __bool__(self) -> bool:
        return bool(self._levels[0])

    def find(self, name: str) -> tuple[int, ...]:
        """The classes of that name: none, one, or several that share it."""
        for level, key in zip(self._levels, (nfc(name), _plain(name), _plain(name)), strict=True):
            if found := level.get(key):
                return found
        several = {self._levels[2].get(key, ()) for key in _synonyms(name)} if "," in name else set()
        return next(iter(several)) if len(several) == 1 else ()


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().replace("_", " ").split())


def _synonyms(name: str) -> Iterator[str]:
    """`n01440764 tench, Tinca tinca` has three names."""
    if found := _ID_IN_FRONT.fullmatch(name.strip()):
        yield found.group(1).lower()
        yield _plain(found.group(2))
        name = found.group(2)
    for part in name.split(","):
        if part.strip():
            yield _plain(part)
