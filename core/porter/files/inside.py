"""Paths that stand in files which somebody else made: they stay in the folder of that file, links followed."""

from __future__ import annotations

import os
from pathlib import Path, PureWindowsPath


def leads_out(folder: Path, path: Path | str) -> bool:
    """Whether `path`, relative to `folder` or below it, leads out: by `..`, as an absolute path, or by a link.

    Two names of one file, by hard links, are not told apart.
    """
    try:
        inside = Path(path).relative_to(folder) if Path(path).is_relative_to(folder) else Path(path)
        parts = (*inside.parts, *PureWindowsPath(inside).parts)
        if not inside.parts or inside.is_absolute() or ".." in parts:
            return True
        return not Path(os.path.realpath(folder / inside)).is_relative_to(os.path.realpath(folder))
    except ValueError:  # a NUL
        return True
