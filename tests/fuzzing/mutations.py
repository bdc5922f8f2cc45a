"""Valid inputs, damaged: bytes edited anywhere, and JSON whose values are replaced so that it stays JSON."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

TOKENS: tuple[bytes, ...] = (
    b"",
    b"\x00",
    b"\xff" * 8,
    b"\n",
    b"\r",
    b" ",
    b"\t",
    b"-",
    b"1e999",
    b"nan",
    b"9" * 400,
    b"\x1b[2J",
    "\u202e".encode(),
    b"\xed\xa0\x80",
    b"../../canary",
    b"/etc/passwd",
    b"{{ 7*7 }}",
    b"{0.__class__}",
    b"!!python/object/apply:os.system ['touch canary']",
    b"&a [*a]",
    b"[" * 200,
    b'"',
    b"'",
    b"$(touch canary)",
)
"""What is put in between."""
VALUES: tuple[Any, ...] = (
    *(None, True, "", "x", -1, 0, 1, 2**63, -(2**63), 1e308, -0.5, 10**40),
    *([], {}, [[]], "../../canary", "/etc/passwd", "\u202e\x1b[2J", "{{ 7*7 }}", "{0.__class__}{x}", "a\0b"),
    *("<script>alert(1)</script>", "`|*", "\ud800", "\n# x\n"),
)
"""What a value of a JSON document is replaced by."""


@st.composite
def edited(draw: st.DrawFn, seeds: Sequence[bytes], tokens: Sequence[bytes] = TOKENS) -> bytes:
    """One of `seeds` after a few edits."""
    data = bytearray(draw(st.sampled_from(list(seeds))))
    for _ in range(draw(st.integers(0, 5))):
        at = draw(st.integers(0, len(data)))
        end = min(len(data), at + draw(st.integers(0, 24)))
        match draw(st.sampled_from(("bit", "byte", "cut", "drop", "token", "repeat", "splice"))):
            case "bit" if at < len(data):
                data[at] ^= 1 << draw(st.integers(0, 7))
            case "byte" if at < len(data):
                data[at] = draw(st.sampled_from((0, 1, 0x7F, 0x80, 0xFF)))
            case "cut":
                del data[at:]
            case "drop":
                del data[at:end]
            case "token":
                data[at:end] = draw(st.sampled_from(list(tokens)))
            case "repeat":
                data[at:at] = data[at:end] * draw(st.integers(1, 8))
            case "splice":
                other = draw(st.sampled_from(list(seeds)))
                data[at:] = other[draw(st.integers(0, len(other))) :]
            case _:
                pass
    return bytes(data)


@st.composite
def changed_json(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """One of the JSON `seeds` with a few values replaced, left out, doubled or moved."""
    document = json.loads(draw(st.sampled_from(list(seeds))))
    for _ in range(draw(st.integers(1, 4))):
        places = list(_places(document))
        if not places:
            break
        holder, key = draw(st.sampled_from(places))
        match draw(st.sampled_from(("replace", "remove", "double", "move"))):
            case "replace":
                holder[key] = copy.deepcopy(draw(st.sampled_from(VALUES)))
            case "remove":
                del holder[key]
            case "double" if isinstance(holder, list):
                holder.append(holder[key])
            case "move":
                other, name = draw(st.sampled_from(places))
                holder[key] = copy.deepcopy(other[name])
            case _:
                pass
    return json.dumps(document).encode()


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every container and key below `value`."""
    found: list[tuple[Any, Any]] = []
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in list(keys):
        found.append((value, key))
        found += _places(value[key])
    return found
