"""Loops over compressed rows (or columns) of a sparse matrix, in SciPy's three arrays.

Dense ones look alike where a loop moves one at a time: ``indices`` is None where each holds a value for every place. A
kernel is compiled for the one or the other.
"""

from __future__ import annotations

import numpy as np

from crossent.jit import formula, kernel, row_formula


@formula
def places(indptr, i):
    """Return where the entries of compressed row (or column) i are.

    Unsigned, as is ``place``: an index that might be negative, and so count from the end, is tested for it at every
    use, and its loop does not vectorise. That is half of a product's time.
    """
    return range(np.uint64(indptr[i]), np.uint64(indptr[i + 1]))


@formula
def place(indices, e):
    """Return the column (or row) of entry e."""
    return np.uint64(indices[e])


@row_formula
def vector_dot(indptr, indices, data, j, q):
    """Return the product of compressed row (or column) j with q."""
    total = 0.0
    if indices is None:
        start = np.uint64(indptr[j])
        for i in range(q.size):
            total += data[start + np.uint64(i)] * q[i]
    else:
        for e in places(indptr, j):
            total += data[e] * q[place(indices, e)]
    return total


@row_formula
def vector_add(indptr, indices, data, j, delta, q):
    """Add delta times compressed row (or column) j to q."""
    if indices is None:
        start = np.uint64(indptr[j])
        for i in range(q.size):
            q[i] += delta * data[start + np.uint64(i)]
    else:
        for e in places(indptr, j):
            q[place(indices, e)] += delta * data[e]


@formula
def place_of(indptr, indices, j, e):
    """Return the place of entry e of compressed row (or column) j, which may be dense."""
    return e - np.uint64(indptr[j]) if indices is None else place(indices, e)


@row_formula
def vectors_dot(indptr, indices, data, j, Q, out):
    """Add the products of compressed row j with the columns of Q to out.

    Four values together: out is read and written a quarter as often.
    """
    start, end = np.uint64(indptr[j]), np.uint64(indptr[j + 1])
    four = end - (end - start) % np.uint64(4)
    for e in range(start, four, np.uint64(4)):
        e1, e2, e3 = e + np.uint64(1), e + np.uint64(2), e + np.uint64(3)
        x0, x1, x2, x3 = data[e], data[e1], data[e2], data[e3]
        q0, q1 = Q[place_of(indptr, indices, j, e)], Q[place_of(indptr, indices, j, e1)]
        q2, q3 = Q[place_of(indptr, indices, j, e2)], Q[place_of(indptr, indices, j, e3)]
        for k in range(out.size):
            out[k] += (x0 * q0[k] + x1 * q1[k]) + (x2 * q2[k] + x3 * q3[k])
    for e in range(four, end):
        x, q = data[e], Q[place_of(indptr, indices, j, e)]
        for k in range(out.size):
            out[k] += x * q[k]


@row_formula
def vectors_add(indptr, indices, data, j, deltas, Q):
    """Add compressed row j, times each delta, to the column of Q that goes with it."""
    for e in places(indptr, j):
        x, q = data[e], Q[place_of(indptr, indices, j, e)]
        for k in range(deltas.size):
            q[k] += x * deltas[k]


def column_sums(r):
    """Return the sum of r over its rows, as ``r.sum(axis=0)``: that takes ten times as long where rows are short."""
    return np.ones(len(r)) @ r


@kernel
def repeats(indptr, indices, seen):
    """Tell whether a compressed row (or column) holds an index twice; ``seen`` starts at -1 for every index."""
    for i in range(indptr.size - 1):
        for e in places(indptr, i):
            j = place(indices, e)
            if seen[j] == i:
                return True
            seen[j] = i
    return False


@kernel
def compressed_dot(indptr, indices, data, v, out, squared):
    """Add to each out[i] the product of compressed row (or column) i with v; the entries of X squared if asked."""
    for i in range(out.shape[0]):
        if out.ndim == 1:
            total = 0.0
            for e in places(indptr, i):
                x = data[e]
                total += (x * x if squared else x) * v[place(indices, e)]
            out[i] += total
        else:
            for e in places(indptr, i):
                x = data[e]
                x = x * x if squared else x
                j = place(indices, e)
                for k in range(out.shape[1]):
                    out[i, k] += x * v[j, k]


@kernel
def scatter(indptr, indices, data, r, out, squared):
    """Add X.T @ r of a block of compressed rows to out; the entries of X squared if asked."""
    for i in range(r.shape[0]):
        for e in places(indptr, i):
            x = data[e]
            x = x * x if squared else x
            j = place(indices, e)
            if r.ndim == 1:
                out[j] += x * r[i]
            else:
                for k in range(r.shape[1]):
                    out[j, k] += x * r[i, k]


@kernel
def outer_products(indptr, indices, data, h, half):
    """Add sum_i h_i x_i x_i.T, each pair of columns on one side of the diagonal, and half of that itself."""
    for i in range(h.size):
        for e in places(indptr, i):
            j = place(indices, e)
            row, x = half[j], h[i] * data[e]
            for f in range(np.uint64(indptr[i]), e):
                row[place(indices, f)] += x * data[f]
            row[j] += 0.5 * x * data[e]
