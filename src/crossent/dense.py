"""Loops over the rows of an array of float64 in C order: the two products, and both in one read.

Rows pass through the caches a block at a time, and all of a thread's share in one call: blocks that Python hands out
one by one cost more than their mathematics.
"""

from __future__ import annotations

import numpy as np

from crossent.jit import formula, kernel, part
from crossent.margins import bend, curvature_into, loss_and_residual

BLOCK_VALUES = 1 << 15  # values of X between two products: they wait in a core's second-level cache
POLISH = 1e-4  # of the gap asked for: often one step more, and the certificate is met at the first look
UNSURE = 1e-13  # of a diagonal entry: a pivot that small is rounding
GRAM_ROWS = 128  # rows that are transposed together for a Gram matrix: of few columns, in the first-level cache


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
def both_products(X, v, b, bends, a, s, size, kept, out):
    """Add X.T @ t, and the sum of t below it, to out; return the sum of losses: one read of X.

    t is X @ v + b after what ``margins.Middle`` does to it, ``size`` rows at a time; kept, unless empty, gets it as it
    was before.
    """
    n, d = X.shape
    room, loss = np.empty(min(n, size)), 0.0
    for low in range(0, n, size):
        high = min(n, low + size)
        t = room[: high - low]
        dot_into(X[low:high], v, b, t)
        if kept.size:
            for i in range(low, high):
                kept[i] = t[i - low]
        if bends:
            bend(a[low:high], s[low:high], t)
        else:
            loss += loss_and_residual(t, a[low:high], s[low:high])
        add_products(X[low:high], t, out)
        total = 0.0
        for i in range(high - low):
            total += t[i]
        out[d] += total
    return loss


@part
def scaled_transpose(X, h, T):
    """Write X, rows times the roots of h, and the roots below it, into T by columns. Eight rows fill a cache line."""
    n, d = X.shape
    eight = n - n % 8
    for i in range(n):
        T[d, i] = np.sqrt(h[i])
    for i in range(0, eight, 8):
        for j in range(d):
            for k in range(8):
                T[j, i + k] = X[i + k, j] * T[d, i + k]
    for i in range(eight, n):
        for j in range(d):
            T[j, i] = X[i, j] * T[d, i]


@part
def add_tiles(T, m, out):
    """Add the lower triangle of the products of T's rows, of which m entries count, to out.

    Sixteen sums at a time stay in registers: eight reads for sixteen multiply-adds.
    """
    for a in range(0, T.shape[0], 4):
        for b in range(0, a + 1, 4):
            p0 = p1 = p2 = p3 = q0 = q1 = q2 = q3 = r0 = r1 = r2 = r3 = s0 = s1 = s2 = s3 = 0.0
            for i in range(m):
                p, q, r, s = T[a, i], T[a + 1, i], T[a + 2, i], T[a + 3, i]
                t0, t1, t2, t3 = T[b, i], T[b + 1, i], T[b + 2, i], T[b + 3, i]
                p0, p1, p2, p3 = p0 + p * t0, p1 + p * t1, p2 + p * t2, p3 + p * t3
                q0, q1, q2, q3 = q0 + q * t0, q1 + q * t1, q2 + q * t2, q3 + q * t3
                r0, r1, r2, r3 = r0 + r * t0, r1 + r * t1, r2 + r * t2, r3 + r * t3
                s0, s1, s2, s3 = s0 + s * t0, s1 + s * t1, s2 + s * t2, s3 + s * t3
            add_four(out, a, b, p0, p1, p2, p3)
            add_four(out, a + 1, b, q0, q1, q2, q3)
            add_four(out, a + 2, b, r0, r1, r2, r3)
            add_four(out, a + 3, b, s0, s1, s2, s3)


@formula
def add_four(out, a, b, p, q, r, s):
    """Add four numbers to row a of out, from column b on."""
    out[a, b] += p
    out[a, b + 1] += q
    out[a, b + 2] += r
    out[a, b + 3] += s


@kernel
def add_gram(X, h, out):
    """Add [X 1].T @ diag(h) @ [X 1] to out, its lower triangle; the order of out is rounded up to a multiple of 4.

    A block of rows is transposed, so that the sums run along memory.
    """
    n, order = X.shape[0], out.shape[0]
    T = np.zeros((order, min(n, GRAM_ROWS)))
    for low in range(0, n, GRAM_ROWS):
        m = min(n - low, GRAM_ROWS)
        scaled_transpose(X[low : low + m], h[low : low + m], T)
        add_tiles(T, m, out)


@kernel
def symmetric(lower, out):
    """Write the symmetric matrix with that lower triangle, whose order may be larger, into out."""
    for a in range(out.shape[0]):
        for b in range(a + 1):
            out[a, b] = out[b, a] = lower[a, b]


@kernel
def newton_steps(X, y, s, l2, w, limit, tol):
    """Take Newton steps of whole length from w, in place, while the objective falls; return how many there were.

    For two classes, and an L2 penalty on every column; w and l2 have the intercept, if any, last. They end where the
    gradient, measured as the duality gap measures it, is well within tol; after ``limit`` steps; or where the next is
    not known.
    """
    n, d, m = X.shape[0], X.shape[1], w.size
    order, value = 4 * (d // 4 + 1), np.inf
    z, r, g, last, H = np.empty(n), np.empty(n), np.empty(m), np.empty(m), np.empty((order, order))
    for taken in range(limit + 1):
        before, value = value, penalty_into(l2, w, g)
        value += add_loss(X, y, s, w, z, r, g)
        if not value < before:
            for j in range(m):
                w[j] = last[j]
            return max(0, taken - 1)
        if taken == limit or error_of(g, l2, d) <= POLISH * tol * value:
            return taken
        curvature_into(z, s, r)
        for a in range(order):
            for b in range(order):
                H[a, b] = l2[a] if a == b and a < m else 0.0
        add_gram(X, r, H)
        if not solve_in_place(H, g):
            return taken
        for j in range(m):
            last[j] = w[j]
            w[j] -= g[j]
    return limit


@part
def penalty_into(l2, w, g):
    """Write the penalty's gradient into g; return the penalty."""
    penalty = 0.0
    for j in range(w.size):
        g[j] = l2[j] * w[j]
        penalty += 0.5 * g[j] * w[j]
    return penalty


@part
def add_loss(X, y, s, w, z, r, g):
    """Write margins and residuals at w, and add the loss's gradient to g; return the loss."""
    d, width = X.shape[1], w.size
    dot_into(X, w, w[d] if width > d else 0.0, z)
    for i in range(r.size):
        r[i] = z[i]
    loss = loss_and_residual(r, y, s)
    add_products(X, r, g)
    if width > d:
        for i in range(r.size):
            g[d] += r[i]
    return loss


@part
def error_of(g, l2, penalised):
    """Return the duality gap that a gradient tells of, or what an unpenalised coefficient is off, if that is more."""
    gap, unbalanced = 0.0, 0.0
    for j in range(g.size):
        if j < penalised:
            gap += 0.5 * g[j] * g[j] / l2[j]
        else:
            unbalanced = max(unbalanced, abs(g[j]))
    return max(gap, unbalanced)


@part
def solve_in_place(H, g):
    """Replace g by the solution v of H v = g, H's lower triangle by its Cholesky factor; tell whether it has one."""
    m = g.size
    for i in range(m):
        pivot = H[i, i]
        for j in range(i):
            total = H[i, j]
            for k in range(j):
                total -= H[i, k] * H[j, k]
            H[i, j] = total / H[j, j]
            pivot -= H[i, j] * H[i, j]
        if not pivot > UNSURE * H[i, i]:
            return False
        H[i, i] = np.sqrt(pivot)
        for k in range(i):
            g[i] -= H[i, k] * g[k]
        g[i] /= H[i, i]
    for i in range(m - 1, -1, -1):
        g[i] /= H[i, i]
        for k in range(i):
            g[k] -= H[i, k] * g[i]
    return True
