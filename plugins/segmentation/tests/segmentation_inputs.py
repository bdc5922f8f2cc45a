"""What the tests draw, and runs of the sample's model on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from porter import Run, testing
from porter_segmentation import plugin, shapes


def start(out: Path, *more: object, **options: Any) -> Run:
    """A run of the sample, quick to bench."""
    settings: dict[str, Any] = {"batch_sizes": (1,), "bench_seconds": 0.0, "threads": 2, **options}
    return testing.start_run(out, shapes, plugin, *more, **settings)


def write_mask(path: Path, values: NDArray[Any]) -> Path:
    """A PNG of ids, 8 bits, or 16 where they need it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values.astype(np.uint8 if values.max() < 256 else np.uint16)).save(path)
    return path
