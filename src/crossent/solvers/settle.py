"""Proximal Newton on a working set in one compiled call, for data so small that calls cost more than their mathematics.

The method of ``coordinate`` on a Gram matrix, for two classes.
"""

from __future__ import annotations

import numpy as np

from crossent.dense import add_gram, add_products, dot_into
from crossent.jit import kernel, part
from crossent.line import ROUNDING, SUFFICIENT
from crossent.margins import along_line, curvature_into, loss_and_residual
from crossent.solvers.gram import RIDGE
from crossent.solvers.sweeps import descend_gram, violation_of

STEPS = 20  # of Newton's
SWEEPS = 100  # of a step
FORCING = 0.01  # share of the model's violation that a step may leave
HALVINGS = 30


@part
def _gradient(X, y, s, l2, w, z, r, g):
    """Write residuals at margins z, and the smooth part's gradient, the intercept's below it; return the loss."""
    m = X.shape[1]
    for i in range(z.size):
        r[i] = z[i]
    loss = loss_and_residual(r, y, s)
    g[m] = 0.0
    for a in range(m):
        g[a] = l2[a] * w[a]
    for i in range(z.size):
        g[m] += r[i]
    add_products(X, r, g)
    return loss


@part
def _model(X, h, l2, intercept, sums, gram):
    """Write the model's second derivative into ``gram``, the intercept eliminated by the last row of the sums."""
    m = X.shape[1]
    for a in range(sums.shape[0]):
        for b in range(sums.shape[0]):
            sums[a, b] = 0.0
    add_gram(X, h, sums)
    for a in range(m):
        for b in range(a + 1):
            shared = sums[m, a] * sums[m, b] / sums[m, m] if intercept else 0.0
            gram[a, b] = gram[b, a] = sums[a, b] - shared
        gram[a, a] = max(gram[a, a], 0.0) * (1.0 + RIDGE) + l2[a]


@part
def _length(y, s, z, dz, w, v, l1, l2, value, slope):
    """Return the first of 1, 1/2, 1/4... at which the objective falls enough; ``slope`` is that of the loss."""
    t = 1.0
    for halving in range(HALVINGS):
        change = 0.0
        for a in range(v.size):
            new = w[a] + t * v[a]
            change += l1[a] * (abs(new) - abs(w[a])) + 0.5 * l2[a] * (new * new - w[a] * w[a])
        if halving == 0:
            slope += change
        loss, _, _ = along_line(z, dz, y, s, t)
        if loss + change - value <= ROUNDING * value + SUFFICIENT * t * min(slope, 0.0):
            return t
        t *= 0.5
    return 0.0


@kernel
def settle(X, y, s, intercept, terms, enough, allowed, w, z):
    """Take Newton steps from w, the intercept last, where the margins are z; both follow.

    The rows of ``terms`` are l1, l2, and the lower and upper bounds. Until no violation is above ``enough``; a step
    leaves none in its model above ``allowed``, or a share of those it found.
    """
    (n, m), l1, l2, low, high = X.shape, terms[0], terms[1], terms[2], terms[3]
    order = 4 * (m // 4 + 1)
    sums, gram, g, pull = np.empty((order, order)), np.empty((m, m)), np.empty(m + 1), np.empty(m)
    r, dz, new, v, start = np.empty(n), np.empty(n), np.empty(m), np.empty(m), w[:m]
    for _ in range(STEPS):
        value, excess = _gradient(X, y, s, l2, w, z, r, g), 0.0
        if intercept:
            excess = g[m]
        if max(violation_of(g, l1, low, high, start), abs(excess)) <= enough:
            return
        curvature_into(z, s, r)
        _model(X, r, l2, intercept, sums, gram)
        if not sums[m, m] > 0.0:
            return
        for a in range(m):
            pull[a], new[a] = g[a] - sums[m, a] * excess / sums[m, m], w[a]
        descend_gram(gram, pull, l1, low, high, new, -1.0, allowed, FORCING, SWEEPS)
        shift, slope = -excess / sums[m, m], 0.0
        for a in range(m):
            v[a] = new[a] - w[a]
            slope += (g[a] - l2[a] * w[a]) * v[a]
            if intercept:
                shift -= sums[m, a] * v[a] / sums[m, m]
        dot_into(X, v, shift, dz)
        t = _length(y, s, z, dz, w, v, l1, l2, value, slope + excess * shift)
        if t == 0.0:
            return
        for a in range(m):
            w[a] = new[a] if t == 1.0 else w[a] + t * v[a]
        if intercept:
            w[m] += t * shift
        for i in range(n):
            z[i] += t * dz[i]
