"""The loops of ``margins`` for K classes: z of shape (m, K), and y codes 0..K-1.

Some rows at a time are turned into columns, side by side, for their exponentials to vectorise.
"""

from __future__ import annotations

import numpy as np

from crossent.equations import SIDE_BY_SIDE, divergence_term, log_beside_one, softmax_columns, turned
from crossent.jit import row_formula

BEYOND = 1e-9  # of a probability: what rounding may have moved it below zero by


@row_formula
def classes_loss(t, y, s):
    """Replace margins t by weighted residuals s (p_k - y_k); return the weighted loss."""
    n, K = t.shape
    side, total = min(n, SIDE_BY_SIDE), 0.0
    p, room = np.empty((K, side)), np.empty((3, side))
    for low in range(0, n, SIDE_BY_SIDE):
        m = min(n - low, SIDE_BY_SIDE)
        turned(t, low, m, p)
        softmax_columns(p, m, room)
        for i in range(m):
            c, si = np.int64(y[low + i]), s[low + i]
            total += si * ((room[0, i] - t[low + i, c]) + room[1, i])
            for k in range(K):
                t[low + i, k] = si * p[k, i]
            t[low + i, c] -= si
    return total


@row_formula
def classes_shifted(z, shift, y, s, r, excess, bend):
    """Write the weighted residuals at z + shift into r; return the weighted loss: see ``margins.shifted_residual``."""
    n, K = z.shape
    side, total = min(n, SIDE_BY_SIDE), 0.0
    p, room = np.empty((K, side)), np.empty((3, side))
    for low in range(0, n, SIDE_BY_SIDE):
        m = min(n - low, SIDE_BY_SIDE)
        for i in range(m):
            for k in range(K):
                p[k, i] = r[low + i, k] = z[low + i, k] + shift[k]
        softmax_columns(p, m, room)
        for k in range(K):
            for j in range(k + 1):
                both = 0.0
                for i in range(m):
                    both += s[low + i] * p[k, i] * p[j, i]
                bend[k, j] -= both
                bend[j, k] = bend[k, j]
        for i in range(m):
            c, si = np.int64(y[low + i]), s[low + i]
            total += si * ((room[0, i] - r[low + i, c]) + room[1, i])
            for k in range(K):
                bend[k, k] += si * p[k, i]
                r[low + i, k] = si * p[k, i]
            r[low + i, c] -= si
            for k in range(K):
                excess[k] += r[low + i, k]
    return total


@row_formula
def classes_along(z, dz, y, s, step):
    """Return the loss at z + step dz, and its first and second derivative in step."""
    value, slope, second = 0.0, 0.0, 0.0
    n, K = z.shape
    side = min(n, SIDE_BY_SIDE)
    p, room = np.empty((K, side)), np.empty((3, side))
    for low in range(0, n, SIDE_BY_SIDE):
        m = min(n - low, SIDE_BY_SIDE)
        for i in range(m):
            for k in range(K):
                p[k, i] = z[low + i, k] + step * dz[low + i, k]
        softmax_columns(p, m, room)
        for i in range(m):
            c, mean, square = np.int64(y[low + i]), 0.0, 0.0
            for k in range(K):
                mean += p[k, i] * dz[low + i, k]
            for k in range(K):
                square += p[k, i] * (dz[low + i, k] - mean) ** 2
            own = z[low + i, c] + step * dz[low + i, c]
            value += s[low + i] * ((room[0, i] - own) + room[1, i])
            slope += s[low + i] * (mean - dz[low + i, c])
            second += s[low + i] * square
    return value, slope, second


@row_formula
def classes_divergence(z, y, s, tau, q, theta, shift):
    """Sum s KL(p_new || p): see ``margins.divergence_to_dual``."""
    n, K = z.shape
    side, total = min(n, SIDE_BY_SIDE), 0.0
    p, room = np.empty((K, side)), np.empty((3, side))
    for low in range(0, n, SIDE_BY_SIDE):
        m = min(n - low, SIDE_BY_SIDE)
        turned(z, low, m, p)
        softmax_columns(p, m, room)
        for i in range(m):
            mean = 0.0
            if shift.size:
                for k in range(K):
                    mean += p[k, i] * shift[low + i, k]
            part = 0.0
            for k in range(K):
                change = tau * (q[k] - p[k, i])
                if shift.size:
                    change += p[k, i] * (shift[low + i, k] - mean)
                label = 1.0 if k == y[low + i] else 0.0
                change += (1.0 - theta) * (label - p[k, i] - change)
                if change < -(1.0 + BEYOND) * p[k, i]:
                    return np.inf
                change = max(change, -p[k, i])
                part += divergence_term(p[k, i], (z[low + i, k] - room[0, i]) - room[1, i], p[k, i] + change)
            total += s[low + i] * max(part, 0.0)
    return total


@row_formula
def classes_conjugate(p, s, tau, q):
    """Return sum s L*(p_new - y), sum s p_new log p_new, where p_new = p + tau (q - p)."""
    total = 0.0
    for i in range(p.shape[0]):
        own = 0.0
        for k in range(p.shape[1]):
            new = p[i, k] + tau * (q[k] - p[i, k])
            own += new * log_beside_one(new - 1.0, new)
        total += s[i] * own
    return total
