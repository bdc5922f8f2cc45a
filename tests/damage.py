"""Ways in which a file is damaged."""

from __future__ import annotations

from collections.abc import Callable

Change = Callable[[bytes], bytes]
CHANGES: dict[str, Change] = {
    "one flipped bit": lambda data: (
        data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]
    ),
    "cut in half": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "zeros": lambda data: bytes(len(data)),
    "longer": lambda data: data + b"\0",
}
