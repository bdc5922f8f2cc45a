"""Errors of others that a user can mend, in porter's one line."""

from __future__ import annotations

import errno

from porter.errors import BadInput, Missing, PorterError


def mendable(error: Exception) -> PorterError | None:
    """The error as porter says it: of usage, of files, of memory; None: it is none of these, but a bug."""
    import click

    match error:
        case PorterError():
            return error
        case click.ClickException():
            return BadInput(error.format_message())
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            text = "the disk is full. Free some space, then repeat the command to resume"
            return Missing(f"{error.filename or 'output'}: {text}")
        case OSError():
            return BadInput(f"{error.filename or 'input or output'}: {error.strerror or error}")
        case MemoryError():
            return Missing("out of memory")
    return None
