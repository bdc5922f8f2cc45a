"""Files given by the user: is this one a file that can be read?"""

from __future__ import annotations

from pathlib import Path

from porter.errors import BadInput, one_line
from porter.files.received import open_regular


def require_file(path: Path) -> None:
    """Check that `path` is a regular file that holds something and that this user may read.

    Raises:
        BadInput: it does not exist, is a folder or a device, is empty, or may not be read.
    """
    try:
        with open_regular(path) as stream:
            empty = not stream.read(1)
        if empty:
            raise BadInput(f"{one_line(path)}: empty file. Copy or download it again")
    except IsADirectoryError:
        raise BadInput(f"{one_line(path)}: a folder, not a file") from None
    except FileNotFoundError as error:
        raise BadInput(f"{one_line(path)}: no such file") from error
    except (OSError, ValueError) as error:  # ValueError: the path itself is malformed, e.g. it holds a NUL.
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        if reason == "not a regular file; the path of the file itself is needed":
            raise BadInput(f"{one_line(path)}: {reason}") from error
        raise BadInput(f"{one_line(path)}: cannot be read: {one_line(reason)}") from error
