"""Loops over the rows of an array of float64 in C order: the two products, and both in one read.

Rows pass through the caches a block at a time, and all of a thread's share in one call: blocks that Python hands out
one by one cost more than their mathematics.
"""

from __future__ import annotations

import numpy as np

from crossent.jit import formula, kernel
from crossent.margins import bend, loss_and_residual

BLOCK_VALUES = 1 << 15  # values of X between two products: they wait in a core's second-level cache


@formula
def block_rows(d):
    """Return how many rows of d columns make a block: a multiple of the rows that ``add_products`` takes together."""
    return 4 * max(1, BLOCK_VALUES // (4 * max(1, d)))


@kernel
def dot_into(X, v, b, z):
    """Write X @ v + b into z."""
    for i in range(X.shape[0]):
        total = 0.0
        for j in range(X.shape[1]):
            total += X[i, j] * v[j]
        z[i] = total + b


@kernel
def add_products(X, r, out):
    """Add X.T @ r to out. Four rows together: out is read and written a quarter as often."""
    n, d = X.shape
    four = n - n % 4
    for i in range(0, four, 4):
        r0, r1, r2, r3 = r[i], r[i + 1], r[i + 2], r[i + 3]
        for j in range(d):
            out[j] += (X[i, j] * r0 + X[i + 1, j] * r1) + (X[i + 2, j] * r2 + X[i + 3, j] * r3)
    for i in range(four, n):
        for j in range(d):
            out[j] += X[i, j] * r[i]


@kernel
def both_products(X, v, b, bends, a, s, kept, out):
    """Add X.T @ t, and the sum of t below it, to out; return the sum of losses: one read of X.

    t is X @ v + b after what ``margins.Middle`` does to it; kept, unless empty, gets it as it was before.
    """
    n, d = X.shape
    size = block_rows(d)
    room, loss = np.empty(min(n, size)), 0.0
    for low in range(0, n, size):
        high = min(n, low + size)
        t = room[: high - low]
        dot_into(X[low:high], v, b, t)
        if kept.size:
            kept[low:high] = t
        if bends:
            bend(a[low:high], s[low:high], t)
        else:
            loss += loss_and_residual(t, a[low:high], s[low:high])
        add_products(X[low:high], t, out)
        out[d] += t.sum()
    return loss
