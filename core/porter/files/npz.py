"""Arrays by name as one `.npz`, whatever they are called: `numpy.savez` takes none named `file` or `allow_pickle`."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import numpy as np


def write_npz(target: Path | BinaryIO, arrays: Mapping[str, np.ndarray]) -> None:
    """Write the arrays, not compressed; `numpy.load` reads them."""
    import numpy as np

    with zipfile.ZipFile(target, "w") as archive:
        for name, values in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, np.asanyarray(values), allow_pickle=False)
