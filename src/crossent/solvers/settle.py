"""Proximal Newton in one compiled call, for data so small that calls cost more than their mathematics.

The method of ``coordinate`` on a Gram matrix, for two classes: a working set, Newton steps on it, the gradient of all
columns, until no column violates optimality by more than is allowed.
"""

from __future__ import annotations

import numpy as np

from crossent.columns import products_into
from crossent.jit import kernel, part, row_formula, step
from crossent.line import ROUNDING, SUFFICIENT
from crossent.margins import along_line, curvature_into, loss_and_residual
from crossent.solvers.sweeps import descend_gram, distance, violation_of
from crossent.sparse import vector_add

ROUNDS = 30  # working sets
STEPS = 20  # of Newton's on each
SWEEPS = 100  # of a step
WORST = 0.6  # share of the largest violation that takes a column into the working set
INNER = 0.1  # share of the violation, over all columns, that steps on the working set may leave
FORCING = 0.01  # share of the model's violation that a step may leave
RIDGE = 1e-13  # of a Gram matrix's diagonal
HALVINGS = 30


@row_formula
def _product(a, b):
    total = 0.0
    for i in range(a.size):
        total += a[i] * b[i]
    return total


@step
def _residual(z, y, s, intercept, r):
    """Write the residual at margins z into r; return the loss, and by how much an intercept is off."""
    excess = 0.0
    for i in range(z.size):
        r[i] = z[i]
    loss = loss_and_residual(r, y, s)
    for i in range(z.size):
        excess += r[i]
    return loss, excess if intercept else 0.0


@part
def _model(T, h, l2, intercept, gram, edge):
    """Write the model's second derivative, the intercept eliminated, and sums that do so; return their divisor."""
    m, n = T.shape
    scaled, total = np.empty(n), 0.0
    for i in range(n):
        total += h[i]
    for a in range(m):
        edge[a] = 0.0
        for i in range(n):
            scaled[i] = h[i] * T[a, i]
            edge[a] += scaled[i]
        if not intercept:
            edge[a] = 0.0
        for b in range(a + 1):
            gram[a, b] = _product(scaled, T[b]) - edge[a] * edge[b] / total
            gram[b, a] = gram[a, b]
        gram[a, a] = max(gram[a, a], 0.0) * (1.0 + RIDGE) + l2[a]
    return total


@part
def _length(T, y, s, z, v, shift, w, l1, l2, value, slope, dz):
    """Write the change dz of the margins; return the first of 1, 1/2, 1/4... at which the objective falls enough."""
    for i in range(z.size):
        dz[i] = shift
    for a in range(v.size):
        for i in range(z.size):
            dz[i] += v[a] * T[a, i]
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


@part
def _newton(T, y, s, intercept, l1, l2, low, high, enough, allowed, w, b, z):
    """Take Newton steps in the coefficients w of the columns T, which hold all rows, and the intercept; all follow."""
    m, n = T.shape
    gram, edge, g, pull = np.empty((m, m)), np.empty(m), np.empty(m), np.empty(m)
    r, h, dz, new, v = np.empty(n), np.empty(n), np.empty(n), np.empty(m), np.empty(m)
    for _ in range(STEPS):
        value, excess = _residual(z, y, s, intercept, r)
        for a in range(m):
            g[a] = _product(T[a], r) + l2[a] * w[a]
        if max(violation_of(g, l1, low, high, w), abs(excess)) <= enough:
            return
        curvature_into(z, s, h)
        total = _model(T, h, l2, intercept, gram, edge)
        if total <= 0.0:
            return
        for a in range(m):
            pull[a], new[a] = g[a] - edge[a] * excess / total, w[a]
        descend_gram(gram, pull, l1, low, high, new, -1.0, allowed, FORCING, SWEEPS)
        shift = -excess / total
        slope = 0.0
        for a in range(m):
            v[a] = new[a] - w[a]
            shift -= edge[a] * v[a] / total
            slope += (g[a] - l2[a] * w[a]) * v[a]
        t = _length(T, y, s, z, v, shift, w, l1, l2, value, slope + excess * shift, dz)
        if t == 0.0:
            return
        for a in range(m):
            w[a] = new[a] if t == 1.0 else w[a] + t * v[a]
        b[0] += t * shift
        for i in range(n):
            z[i] += t * dz[i]


@kernel
def settle(indptr, indices, data, y, s, offset, intercept, terms, allowed, largest, w, b, z, g):
    """Minimise from w, b, where the margins are z and the smooth part has the gradient g; all of them follow.

    The rows of ``terms`` are l1, l2, and the lower and upper bounds. Until no violation is above ``allowed``, or the
    working set's columns would hold more than ``largest`` values. Return how often all columns were visited.
    """
    n, d = z.size, w.size
    l1, l2, low, high = terms[0], terms[1], terms[2], terms[3]
    chosen, r, excess = np.empty(d, dtype=np.int64), np.empty(n), 0.0
    for rounds in range(ROUNDS):
        worst = violation_of(g, l1, low, high, w)
        if max(worst, abs(excess)) <= allowed:
            return rounds
        m = 0
        for j in range(d):
            if w[j] != 0.0 or distance(g[j], l1[j], low[j], high[j], w[j]) > WORST * worst:
                chosen[m] = j
                m += 1
        if m * n > largest:
            return rounds
        T, of, v = np.zeros((m, n)), np.empty((4, m)), np.empty(m)
        for a in range(m):
            j = chosen[a]
            vector_add(indptr, indices, data, j, 1.0, T[a])
            v[a] = w[j]
            for k in range(4):
                of[k, a] = terms[k, j]
        enough = max(INNER * worst, allowed)
        _newton(T, y, s, intercept, of[0], of[1], of[2], of[3], enough, allowed, v, b, z)
        for i in range(n):
            z[i] = offset[i] + b[0]
        for a in range(m):
            w[chosen[a]] = v[a]
            if v[a] != 0.0:
                vector_add(indptr, indices, data, chosen[a], v[a], z)
        _, excess = _residual(z, y, s, intercept, r)
        products_into(indptr, indices, data, r, g)
        for j in range(d):
            g[j] += l2[j] * w[j]
    return ROUNDS
