"""A plugin in one file: loaded by its path, known by its content."""

from __future__ import annotations

import hashlib
import importlib.util
import stat
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from porter.errors import BadInput, one_line
from porter.hosting.info import PluginInfo

LARGEST = 10 * 2**20
"""Bytes of such a file at most: it is source text."""


@dataclass(frozen=True, kw_only=True)
class PluginFile:
    """The file as it was read, so that what runs is what was hashed, and another machine can be sent the same."""

    path: str
    """As typed."""
    place: str
    """Absolute path on the machine that read it."""
    source: bytes

    @property
    def name(self) -> str:
        """Name of the plugin: the file's own."""
        return Path(self.path).name

    @property
    def sha256(self) -> str:
        """Of its content."""
        return hashlib.sha256(self.source).hexdigest()

    def load(self) -> ModuleType:
        """Run the file as a module. Its name comes from the content alone, so that every machine gives it the same and
        a changed file is another module. Raises whatever the file raises.
        """
        name = f"porter_plugin_file_{self.sha256[:16]}"
        if name in sys.modules:
            return sys.modules[name]
        spec = importlib.util.spec_from_file_location(name, self.place)
        assert spec is not None  # the name ends with .py
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            exec(compile(self.source, self.place, "exec"), module.__dict__)
        except BaseException:
            del sys.modules[name]
            raise
        return module


def read_plugin_file(path: str) -> PluginFile:
    """Read it; a link is followed. Raises `BadInput` where it is no file that could be a plugin."""
    shown = f"--plugin {one_line(path)}"
    file = Path(path)
    if file.suffix != ".py":
        raise BadInput(f"{shown}: not a .py file. Install a plugin of several files with pip")
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise BadInput(f"{shown}: not a regular file")
        if status.st_size > LARGEST:
            raise BadInput(f"{shown}: larger than {LARGEST} bytes, the limit for a plugin")
        return PluginFile(path=path, place=str(file.absolute()), source=file.read_bytes())
    except FileNotFoundError:
        lost = ": a symbolic link to a file that is not there" if file.is_symlink() else ": no such file"
        raise BadInput(f"{shown}{lost}") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"{shown}: cannot be read: {one_line(error)}") from None


def require_usable(infos: Iterable[PluginInfo]) -> None:
    """Raise `BadInput` for the first file whose plugin failed, is switched off, or implements no hook."""
    for info in infos:
        if info.file and info.reason:
            raise BadInput(f"--plugin {one_line(info.file)}: {info.reason}")
