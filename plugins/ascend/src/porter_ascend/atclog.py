"""What atc's output says: the operators that it refuses, and its other errors."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from porter import one_line

SHOWN = 12
"""Operators and errors that a message lists."""
_CODE = re.compile(r"\b(?P<code>E[A-Z0-9]\d{4})\b\)?:?\s*(?P<text>.*)")
"""`E10016: Opname …`, or `Unsupported_Operator(EZ3002): Optype …` in newer versions."""
_NAMED = re.compile(
    r"(?:No parser is registered for Op|No supported Ops kernel and engine are found for)\s*"
    r"\[(?P<name>[^,\[\]]*)\]?,?\s*(?:optype\s*\[(?P<type>[^\]]*)\])?"
)
_UNNAMED = re.compile(r"Op ?type \[?(?P<type>[^\]\s]+)\]? of Ops kernel \[?[^\]\s]+\]? is unsupported")
_SHAPE = ("E10001", "E10002", "E10011", "E10012", "E10018", "E10031")
ADVICE = {
    "E10016": "the name in --input_shape is not an input of the ONNX file",
    **dict.fromkeys(_SHAPE, "a value on the command line is wrong; -1 means a dynamic dimension"),
    "E19010": "export at an opset that this CANN supports, or replace the operator",
    "EZ9010": "export at an opset that this CANN supports, or replace the operator",
    "EZ3002": "the chip has no kernel for it in this data type",
    "EZ3003": "the chip has no kernel for it in this data type",
}
"""The way out, by code. Codes and texts are those of the graph engine's own table of errors."""


@dataclass(frozen=True)
class Refused:
    """One operator that atc refuses."""

    name: str
    """Name of the node; empty where atc gives none."""
    type: str
    """Operator type as atc spells it, e.g. `ai.onnx::11::Einsum`; empty where atc gives none."""


@dataclass(frozen=True)
class AtcError:
    """One line of atc's errors."""

    code: str
    text: str


@dataclass(frozen=True, kw_only=True)
class AtcLog:
    """All that went wrong, in order, each once."""

    refused: tuple[Refused, ...]
    errors: tuple[AtcError, ...]

    def summary(self) -> str:
        """In words, on one line: every refused operator with name, type and count, else the errors; may be empty."""
        if self.refused:
            return self._refused()
        shown = [f"{error.code}: {error.text}{_advice(error.code)}" for error in self.errors[:SHOWN]]
        return one_line("; ".join(shown) + _more(len(self.errors)))

    def _refused(self) -> str:
        types = Counter(one.type or "type not given" for one in self.refused)
        counted = ", ".join(f"{kind} × {count}" for kind, count in types.items())
        named = [
            f"{one.name or 'a node without name'} ({one.type or 'type not given'})" for one in self.refused[:SHOWN]
        ]
        code = next((error.code for error in self.errors if error.code in ADVICE), "")
        listed = ", ".join(named) + _more(len(self.refused))
        return one_line(f"{code} {len(self.refused)} operators rejected: {listed}; by type: {counted}{_advice(code)}")


def read_log(text: str) -> AtcLog:
    """Read what atc printed. Never raises: what is not understood is passed over."""
    refused: dict[Refused, None] = {}
    errors: dict[AtcError, None] = {}
    for line in text.splitlines():
        for found in _NAMED.finditer(line):
            refused[Refused(found["name"].strip(), (found["type"] or "").strip())] = None
        for found in _UNNAMED.finditer(line):
            refused[Refused("", found["type"].strip())] = None
        if match := _CODE.search(line):
            errors[AtcError(match["code"], match["text"].strip()[:300])] = None
    return AtcLog(refused=tuple(refused), errors=tuple(errors))


def _advice(code: str) -> str:
    return f" ({ADVICE[code]})" if code in ADVICE else ""


def _more(count: int) -> str:
    return f" and {count - SHOWN} more" if count > SHOWN else ""
