"""porter: from a PyTorch checkpoint to a verified, measured delivery on other hardware."""

from __future__ import annotations

import pluggy

__version__ = "0.1.0"

hookimpl = pluggy.HookimplMarker("porter")
"""Marks a function as the implementation of a porter hook."""
