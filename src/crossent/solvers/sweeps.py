"""Loops that minimise the quadratic model of a proximal Newton step: sweeps over coordinates.

For two classes the model is, over w = start + v,

    g.v + |q|^2 / 2 - total c^2 / 2 + l2/2 |v|^2 + l1 |w|_1,    q = data @ v,    c = edge.v / total,

each w between its bounds, low and high, where ``data`` holds the columns times the root of the curvature and c (kept in
``taken``) is what the intercept, which is eliminated, takes back. For K classes the curvature of a row is
s (diag(p) - p p.T). No loop here knows sigma.
"""

from __future__ import annotations

import numpy as np

from crossent.jit import kernel, row_formula
from crossent.sparse import place, places, vector_add, vector_dot


@row_formula
def minimum_at(w, slope, bend, l1, low, high):
    """Return the minimum of slope (x - w) + bend/2 (x - w)^2 + l1 |x|, low <= x <= high; w where there is none."""
    u = bend * w - slope
    if abs(u) <= l1:
        return min(max(0.0, low), high)
    if bend <= 0.0:
        return w
    return min(max((u - l1) / bend if u > 0.0 else (u + l1) / bend, low), high)


# ---------------------------------------------------------------- two classes


@row_formula
def _slope_of(indptr, indices, data, edge, g, l2, start, w, q, c, j):
    """Return the model's derivative in coefficient j, but for L1."""
    return g[j] + vector_dot(indptr, indices, data, j, q) - c * edge[j] + l2[j] * (w[j] - start[j])


@kernel
def descend(
    indptr, indices, data, curvature, edge, total, g, l1, l2, low, high, start, w, q, taken, enough, forcing, sweeps
):
    """Minimise the model by cyclic coordinate descent, from w on; w, q and taken follow.

    Sweeps over all columns alternate with sweeps over those that are not zero, until a full one finds no violation
    above ``enough`` or ``forcing`` times the first sweep's. Return whether one did, and the values visited.
    """
    order = np.arange(w.size)
    active, everything = w.size, True
    first, visits, done = -1.0, 0, False
    c = taken[0]
    for _ in range(sweeps):
        worst, kept = 0.0, 0
        for o in range(active):
            j = order[o]
            bend = curvature[j] + l2[j]
            slope = _slope_of(indptr, indices, data, edge, g, l2, start, w, q, c, j)
            new = minimum_at(w[j], slope, bend, l1[j], low[j], high[j])
            visits += indptr[j + 1] - indptr[j]
            delta = new - w[j]
            if delta != 0.0:
                worst = max(worst, abs(delta) * bend)
                w[j] = new
                c += delta * edge[j] / total
                vector_add(indptr, indices, data, j, delta, q)
            if new != 0.0:  # those that are not zero move to the front
                order[o], order[kept] = order[kept], j
                kept += 1
        first = worst if first < 0.0 else first
        settled = worst <= max(enough, forcing * first)
        done = settled and everything
        if done:
            break
        active = w.size if settled else (kept if everything else active)
        everything = settled
    taken[0] = c
    return done, visits


# ---------------------------------------------------------------- K classes


@row_formula
def _row_of(indptr, indices, j, e):
    """Return the row of entry e, which belongs to column j."""
    return e - np.uint64(indptr[j]) if indices is None else place(indices, e)


@row_formula
def _class_curvature(indptr, indices, data, p, sp, j, k):
    total = 0.0
    for e in places(indptr, j):
        i = _row_of(indptr, indices, j, e)
        total += data[e] * data[e] * sp[i, k] * (1.0 - p[i, k])
    return total


@row_formula
def _class_dot(indptr, indices, data, sp, t, mean, j, k):
    """Return the model's second derivative times v, at coefficient j of class k."""
    total = 0.0
    for e in places(indptr, j):
        i = _row_of(indptr, indices, j, e)
        total += data[e] * sp[i, k] * (t[i, k] - mean[i])
    return total


@row_formula
def _class_add(indptr, indices, data, p, t, mean, j, k, delta):
    """Let t = X @ v and mean = sum_k p_k t_k follow a change of coefficient j of class k."""
    for e in places(indptr, j):
        i = _row_of(indptr, indices, j, e)
        t[i, k] += delta * data[e]
        mean[i] += delta * data[e] * p[i, k]


@row_formula
def _move_intercepts(inverse, pull, p, sp, t, mean, shift):
    """Move the intercepts to the model's minimum, all else fixed; ``inverse`` is of their second derivative."""
    excess = pull.copy()
    for i in range(mean.size):
        for k in range(excess.size):
            excess[k] += sp[i, k] * (t[i, k] - mean[i])
    for k in range(excess.size):
        move = -(inverse[k] * excess).sum()
        shift[k] += move
        for i in range(mean.size):
            t[i, k] += move
            mean[i] += p[i, k] * move


@kernel
def descend_classes(
    indptr, indices, data, working, g, l1, l2, low, high, start, w, p, sp, inverse, pull, allowed, forcing, sweeps
):
    """Minimise the model of K classes from w on, which follows; return the intercepts' step and the values visited."""
    d, K = w.shape
    t, mean, shift, curvature = np.zeros(p.shape), np.zeros(len(p)), np.zeros(K), np.zeros((d, K))
    for j in range(d):
        for k in range(K):
            curvature[j, k] = _class_curvature(indptr, indices, data, p, sp, j, k)
    first, visits, everything = -1.0, 0, True
    for _ in range(sweeps):
        worst = 0.0
        if pull.size:
            _move_intercepts(inverse, pull, p, sp, t, mean, shift)
        for j in range(d):
            for k in range(K):
                if not working[j, k] or not (everything or w[j, k] != 0.0):
                    continue
                slope = g[j, k] + _class_dot(indptr, indices, data, sp, t, mean, j, k)
                slope += l2[j] * (w[j, k] - start[j, k])
                bend = curvature[j, k] + l2[j]
                new = minimum_at(w[j, k], slope, bend, l1[j], low[j], high[j])
                delta = new - w[j, k]
                visits += indptr[j + 1] - indptr[j]
                if delta != 0.0:
                    worst = max(worst, abs(delta) * bend)
                    w[j, k] = new
                    _class_add(indptr, indices, data, p, t, mean, j, k, delta)
        first = worst if first < 0.0 else first
        settled = worst <= max(allowed, forcing * first)
        if settled and everything:
            break
        everything = settled
    return shift, visits


# ---------------------------------------------------------------- a Gram matrix


@row_formula
def distance(g, l1, low, high, w):
    """Return the distance of zero from the subdifferential at w, given the derivative g of all but L1 and bounds."""
    falls = g + (l1 if w > 0.0 else -l1) if w > low else 0.0  # what it would gain by falling, and by rising
    rises = -g - (l1 if w >= 0.0 else -l1) if w < high else 0.0
    return max(falls, rises, 0.0)


@row_formula
def violation_of(g, l1, low, high, w):
    """Return the largest of these distances."""
    worst = 0.0
    for j in range(w.size):
        worst = max(worst, distance(g[j], l1[j], low[j], high[j], w[j]))
    return worst


@kernel
def descend_gram(gram, g, l1, low, high, w, enough, allowed, forcing, sweeps):
    """Minimise g.v + v.gram.v/2 + l1 |w + v| by cyclic coordinate descent; w becomes w + v, g the derivative there.

    Until no violation is above ``enough`` (if that is negative: above ``allowed`` and ``forcing`` times today's);
    return whether that was reached, and it.
    """
    if enough < 0.0:
        enough = max(allowed, forcing * violation_of(g, l1, low, high, w))
    for _ in range(sweeps):
        for j in range(w.size):
            new = minimum_at(w[j], g[j], gram[j, j], l1[j], low[j], high[j])
            delta = new - w[j]
            if delta != 0.0:
                w[j] = new
                for k in range(w.size):
                    g[k] += delta * gram[j, k]
        if violation_of(g, l1, low, high, w) <= enough:
            return True, enough
    return False, enough
