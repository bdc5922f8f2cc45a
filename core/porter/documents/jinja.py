"""Templates compiled once in a process: compiling takes longer than rendering, and each document has an environment."""

from __future__ import annotations

from functools import cache

from jinja2.bccache import Bucket, BytecodeCache


class Compiled(BytecodeCache):
    """Keeps the code of templates in memory. jinja2 itself compares the source's digest before it takes one."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give the code that was kept under the bucket's key, if any."""
        code = self._code.get(bucket.key)
        if code is not None:
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the bucket's code."""
        self._code[bucket.key] = bucket.bytecode_to_string()


@cache
def compiled(kind: str) -> Compiled:
    """The cache of all environments of one kind. What is escaped is compiled in, so HTML and Markdown share none."""
    return Compiled()
