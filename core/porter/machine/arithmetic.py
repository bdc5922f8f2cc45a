"""How fast this machine multiplies: one float32 matrix product, timed."""

from __future__ import annotations

import functools
import time

SIZE, PRODUCTS, ROUNDS = 64, 20, 40
"""So small a product stays in the thread that asks for it: threads that wait for each other burn time on a busy
machine, and a measurement with them was found too low by a factor of ten there."""
BELIEVED_FROM = 4e9
"""Operations a second below which numpy was built without a fast matrix product, and says nothing of the machine."""


@functools.cache
def operations_a_second() -> float | None:
    """float32 operations (an addition or a multiplication each) a second of one processor, the best of some rounds;
    None: it says nothing of the machine.

    By the processor time of this thread, so that other processes do not count.
    """
    import numpy as np

    a = np.random.default_rng(0).standard_normal((SIZE, SIZE), dtype=np.float32)
    found = np.empty_like(a)
    best = 0.0
    for _ in range(ROUNDS):
        started = time.thread_time()
        for _ in range(PRODUCTS):
            np.matmul(a, a, out=found)
        seconds = time.thread_time() - started
        best = max(best, PRODUCTS * 2 * SIZE**3 / seconds if seconds > 0 else 0.0)
    return best if best >= BELIEVED_FROM else None
