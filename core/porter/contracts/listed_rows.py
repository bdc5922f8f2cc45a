"""The array type of rows that are lists; apart, since numpy is imported where it is needed."""

from __future__ import annotations

import numpy as np


class Listed(np.ndarray):
    """A one-dimensional array of arrays, K×… each with a K of its own: what an image has so many of as it has."""
