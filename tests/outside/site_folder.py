"""A distribution written into a folder, as an installer would leave it."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path


def install(site: Path, name: str, **points: str) -> None:
    """Write the metadata of a distribution, with its entry points by name; its modules are there already."""
    info = site / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    lines = [f"{point} = {module}" for point, module in points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[porter]", *lines]) + "\n", encoding="utf-8")


def write_wheel(folder: Path, name: str, version: str) -> Path:
    """A wheel of one module that holds its version."""
    module = re.sub(r"\W", "_", name)
    path, info = folder / f"{module}-{version}-py3-none-any.whl", f"{module}-{version}.dist-info"
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        f"{module}.py": f"__version__ = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{one},,\n" for one in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(path, "w") as wheel:
        for one, text in {**files, f"{info}/RECORD": record}.items():
            wheel.writestr(one, text)
    return path
