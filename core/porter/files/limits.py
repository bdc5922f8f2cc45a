"""The most that porter takes of a file that it did not write in this run, by kind. docs/reference/formats.md lists all.

A file beyond its limit is refused unread, or where the limit is passed; the message names the kind and the limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

MB, GB = 10**6, 10**9

OTHER = "any other text"
BYTES: Mapping[str, int] = MappingProxyType(
    {
        "config": 1 * MB,
        "run record": 32 * MB,
        "label file": 256 * MB,
        "list of a kit": 256 * MB,
        "template": 4 * MB,
        "file of requirements": 1 * MB,
        OTHER: 64 * MB,
        "ONNX file": 2**31 - 1,
        "image file": 2**30,
        "image file in an archive": 128 * MB,
        "file of arrays": 4 * GB,
        "recorded output": 1 * GB,
        "line of a journal or index": 32 * MB,
        "line of predictions.csv": 1 * MB,
        "line of text": 64 * 1000,
    }
)
"""Bytes, by what a file is called in messages."""

COUNTS: Mapping[str, int] = MappingProxyType(
    {
        "values in a JSON file": 2_000_000,
        "lines of a text file": 2_000_000,
        "lines of a class map or list": 1_000_000,
        "values in a config": 100_000,
        "levels of a config": 50,
        "aliases in a config": 32,
        "digits of a number in a config": 100,
        "levels of a pickle": 100,
        "values in a pickle": 2_000_000,
        "nodes of an ONNX graph, functions expanded": 100_000,
        "pixels of an image": 40_000_000,
        "pixels of a WebP, AVIF or JPEG 2000 image": 25_000_000,
    }
)
"""Limits of what is in a file."""


def limit_of(what: str) -> int:
    """Bytes of a file of that kind."""
    return BYTES.get(what, BYTES[OTHER])


def over(what: str) -> str:
    """What is said of a file beyond its limit: `label file: 256 MB is the limit`."""
    return f"{what}: {in_words(limit_of(what))} is the limit"


def over_count(what: str) -> str:
    """The same of what is in a file."""
    return f"{what}: {COUNTS[what]:,} is the limit"


def in_words(count: int) -> str:
    """Bytes in the unit that fits: `256 MB`."""
    for unit, name in ((GB, "GB"), (MB, "MB"), (1000, "kB")):
        if count >= unit:
            return f"{count / unit:.3g} {name}"
    return f"{count} bytes"
