"""Files given by the user: is this one a file that can be read?"""

from __future__ import annotations

import stat
from pathlib import Path

from porter.errors import BadInput, one_line


def require_file(path: Path) -> None:
    """Check that `path` is a regular file that holds something and that this user may read.

    Raises:
        BadInput: it does not exist, is a folder or a device, is empty, or may not be read.
    """
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise BadInput(f"{one_line(path)}: is a folder, not a file")
        # Opening a pipe would wait for a writer for ever.
        if not stat.S_ISREG(status.st_mode):
            raise BadInput(f"{one_line(path)}: is not a regular file")
        if status.st_size == 0:
            raise BadInput(f"{one_line(path)}: is empty; copy or download it again")
        with path.open("rb"):
            pass
    except FileNotFoundError as error:
        raise BadInput(f"{one_line(path)}: no such file") from error
    except (OSError, ValueError) as error:  # ValueError: the path itself is malformed, e.g. it holds a NUL.
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadInput(f"{one_line(path)}: cannot be read: {one_line(reason)}") from error
