"""How fast this machine multiplies: one float32 matrix product, timed."""

from __future__ import annotations

import functools
import time

SIZE, ROUNDS = 384, 8
BELIEVED_FROM = 4e9
"""Operations a second below which numpy was built without a fast matrix product, and says nothing of the machine."""


@functools.cache
def operations_a_second() -> float | None:
    """float32 operations (an addition or a multiplication each) a second of processor time, the best of some rounds;
    None: it says nothing of the machine.

    By processor time and not by wall time, so that neither other processes nor the number of threads counts.
    """
    import numpy as np

    a = np.random.default_rng(0).standard_normal((SIZE, SIZE), dtype=np.float32)
    a @ a
    best = 0.0
    for _ in range(ROUNDS):
        started = time.process_time()
        a @ a
        seconds = time.process_time() - started
        best = max(best, 2 * SIZE**3 / seconds if seconds > 0 else 0.0)
    return best if best >= BELIEVED_FROM else None
