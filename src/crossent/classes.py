"""The loops of ``margins`` for K classes: z of shape (m, K), and y codes 0..K-1.

Some rows at a time are turned into columns, which stand side by side: loops along them vectorise, however few the
classes.
"""

from __future__ import annotations

import numpy as np

from crossent.equations import SIDE_BY_SIDE, divergence_term, log_beside_one, softmax_columns, turned, turned_back
from crossent.jit import row_formula

BEYOND = 1e-9  # of a probability: what rounding may have moved it below zero by


@row_formula
def classes_loss(z, y, s):
    """Replace margins z by weighted residuals s (p_k - y_k); return the weighted loss."""
    return classes_shifted(z, np.zeros(z.shape[1]), y, s, z, np.empty(0), np.empty((0, 0)))


@row_formula
def classes_shifted(z, shift, y, s, r, excess, bend):
    """Write the weighted residuals at z + shift into r, which may be z; return the weighted loss.

    Its derivatives in the shift are added to ``excess`` and ``bend``, unless those are empty.
    """
    n, K = z.shape
    side, total = min(n, SIDE_BY_SIDE), 0.0
    p, room, own = np.empty((K, side)), np.empty((3, side)), np.empty(side)
    for low in range(0, n, SIDE_BY_SIDE):
        m = min(n - low, SIDE_BY_SIDE)
        turned(z, low, m, p)
        for k in range(K):
            for i in range(m):
                p[k, i] += shift[k]
        for i in range(m):
            own[i] = p[np.int64(y[low + i]), i]
        softmax_columns(p, m, room)
        for i in range(m):
            total += s[low + i] * ((room[0, i] - own[i]) + room[1, i])
        if bend.size:
            _add_products(p, s, low, m, bend)
        for k in range(K):
            for i in range(m):
                p[k, i] *= s[low + i]
        for i in range(m):
            p[np.int64(y[low + i]), i] -= s[low + i]
        for k in range(excess.size):
            for i in range(m):
                excess[k] += p[k, i]
        turned_back(p, low, m, r)
    return total


@row_formula
def _add_products(p, s, low, m, bend):
    """Add the sum of s (diag(p) - p p.T) over the columns of p."""
    for k in range(p.shape[0]):
        for j in range(k + 1):
            total = 0.0
            for i in range(m):
                total += s[low + i] * p[k, i] * ((1.0 if j == k else 0.0) - p[j, i])
            bend[k, j] += total
            bend[j, k] = bend[k, j]


@row_formula
def classes_along(z, dz, y, s, step):
    """Return the loss at z + step dz, and its first and second derivative in step."""
    value, slope, second = 0.0, 0.0, 0.0
    n, K = z.shape
    side = min(n, SIDE_BY_SIDE)
    p, d = np.empty((K, side)), np.empty((K, side))
    room, own, mean = np.empty((3, side)), np.empty(side), np.empty(side)
    for low in range(0, n, SIDE_BY_SIDE):
        m = min(n - low, SIDE_BY_SIDE)
        turned(z, low, m, p)
        turned(dz, low, m, d)
        for k in range(K):
            for i in range(m):
                p[k, i] += step * d[k, i]
        for i in range(m):
            c = np.int64(y[low + i])
            own[i], mean[i] = p[c, i], -d[c, i]
        softmax_columns(p, m, room)
        for i in range(m):
            value += s[low + i] * ((room[0, i] - own[i]) + room[1, i])
            slope += s[low + i] * mean[i]
            mean[i] = 0.0
        for k in range(K):
            for i in range(m):
                mean[i] += p[k, i] * d[k, i]
        for k in range(K):
            for i in range(m):
                second += s[low + i] * p[k, i] * (d[k, i] - mean[i]) ** 2
        for i in range(m):
            slope += s[low + i] * mean[i]
    return value, slope, second


@row_formula
def classes_divergence(z, y, s, tau, q, theta, shift):
    """Sum s KL(p_new || p): see ``margins.divergence_to_dual``."""
    n, K = z.shape
    side, total, outside = min(n, SIDE_BY_SIDE), 0.0, 0
    p, log_p, moves = np.empty((K, side)), np.empty((K, side)), np.zeros((K, side))
    room, mean, parts = np.empty((3, side)), np.empty(side), np.empty(side)
    for low in range(0, n, SIDE_BY_SIDE):
        m = min(n - low, SIDE_BY_SIDE)
        turned(z, low, m, p)
        turned(z, low, m, log_p)
        if shift.size:
            turned(shift, low, m, moves)
        softmax_columns(p, m, room)
        for i in range(m):
            mean[i] = parts[i] = 0.0
        for k in range(K):
            for i in range(m):
                mean[i] += p[k, i] * moves[k, i]
        for k in range(K):
            for i in range(m):
                change = tau * (q[k] - p[k, i]) + p[k, i] * (moves[k, i] - mean[i])
                change += (1.0 - theta) * ((1.0 if y[low + i] == k else 0.0) - p[k, i] - change)
                outside += change < -(1.0 + BEYOND) * p[k, i]
                new = p[k, i] + max(change, -p[k, i])
                parts[i] += divergence_term(p[k, i], (log_p[k, i] - room[0, i]) - room[1, i], new)
        for i in range(m):
            total += s[low + i] * max(parts[i], 0.0)
    return np.inf if outside else total


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
