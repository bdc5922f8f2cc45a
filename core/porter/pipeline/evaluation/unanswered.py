"""unanswered: why items have no answer, each reason once with its count."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from porter.records.evaluation import Evaluation, Unanswered
from porter.records.message import Message, Text

SHOWN = 3
"""Items that a reason names."""
MOST = 20
"""Reasons that are kept apart; what is left is counted as one."""
OTHERS = Message("other reasons, listed in predictions.csv")


class Reasons:
    """Counts reasons as they come; those that differ in nothing but numbers are one."""

    def __init__(self) -> None:
        self._found: dict[str, Unanswered] = {}

    def add(self, item: str, reason: Text) -> None:
        """One more item without an answer."""
        kind = re.sub(r"\d+", "0", str(reason).replace(item, ""))
        known = self._found.get(kind)
        if known is None and len(self._found) >= MOST:
            kind, reason = "", OTHERS
            known = self._found.get(kind)
        first = () if known is None else known.first
        self._found[kind] = Unanswered(
            reason=reason if known is None else known.reason,
            count=1 if known is None else known.count + 1,
            first=(*first, item)[:SHOWN],
        )

    def grouped(self, texts: Mapping[str, Text] | None = None) -> tuple[Unanswered, ...]:
        """The commonest first; `texts` has the sentence, in any language, of a reason that is one."""
        said = texts or {}
        found = sorted(self._found.values(), key=lambda one: -one.count)
        return tuple(
            Unanswered(reason=said.get(str(one.reason), one.reason), count=one.count, first=one.first) for one in found
        )


def of_the_model(evaluation: Evaluation) -> Evaluation:
    """The evaluation without the doubt that it is near chance, where that only says that most items have no answer."""
    return replace(evaluation, chance="") if evaluation.mostly_unanswered else evaluation
