"""Names of files that runtimes' native code can open: it takes them as UTF-8, whatever the locale writes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from porter.errors import BadInput, one_line


def require_native_name(path: Path, shown: str) -> None:
    """Raise `BadInput`, which begins with `shown`, where the name's bytes on disk are not those of its UTF-8.

    Python reads and writes such a file; the runtimes say that it does not exist.
    """
    try:
        if os.fsencode(path) == str(path).encode():
            return
    except UnicodeEncodeError:  # bytes that are no text in this locale
        pass
    encoding = sys.getfilesystemencoding()
    given = next((os.environ[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if os.environ.get(name)), encoding)
    if encoding.replace("-", "").lower() == "utf8":
        problem = f"its name is not UTF-8, in which the runtimes read names (the locale is {one_line(given)})"
    else:
        problem = f"the locale {one_line(given)} writes this name in {encoding}, and the runtimes read names in UTF-8"
    raise BadInput(f"{shown}: {problem}. Use a name of ASCII letters and digits, or a UTF-8 locale")


def require_text(shown: str, name: str) -> None:
    """Raise `BadInput`, which begins with `shown`, for a name in bytes that are no UTF-8: a GBK one on a UTF-8
    system."""
    try:
        name.encode()
    except UnicodeEncodeError:
        problem = "its name is not UTF-8 (GBK?). Rename it, e.g. `convmv -f gbk -t utf8 -r --notest`"
        raise BadInput(f"{shown}: {problem}") from None
