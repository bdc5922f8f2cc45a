"""Is this file the one that its user meant?"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from porter.checkpoints.checkpoint_file import require_file
from porter.checkpoints.naming import quoted
from porter.errors import BadInput, one_line
from porter.files.hashes import file_digest

Algorithm = Literal["sha256", "md5"]
"""md5 is here for the lists that model zoos publish; it proves a whole download, not an honest one."""

_HEX_DIGITS: dict[Algorithm, int] = {"sha256": 64, "md5": 32}


def require_digest(path: Path, expected: str, algorithm: Algorithm = "sha256") -> str:
    """Check that the file at `path` has the digest `expected`, hex in either case; return it in lower case.

    Raises:
        BadInput: `expected` is no digest of that kind, the file cannot be read, or its digest differs.
    """
    digits = _HEX_DIGITS[algorithm]
    wanted = expected.strip().lower()
    if not re.fullmatch(rf"[0-9a-f]{{{digits}}}", wanted):
        raise BadInput(
            f"{one_line(path)}: {quoted(expected)} is not a {algorithm} digest ({digits} hex digits expected)"
        )
    require_file(path)
    found = file_digest(path, algorithm)
    if found != wanted:
        raise BadInput(
            f"{one_line(path)}: {algorithm} is {found}, expected {wanted}. "
            "Download the file again, or correct the digest"
        )
    return found
