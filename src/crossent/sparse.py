"""Loops over compressed rows (or columns) of a sparse matrix, in SciPy's three arrays."""

from __future__ import annotations

from crossent.jit import kernel


@kernel
def repeats(indptr, indices, seen):
    """Tell whether a compressed row (or column) holds an index twice; ``seen`` starts at -1 for every index."""
    for i in range(indptr.size - 1):
        for e in range(indptr[i], indptr[i + 1]):
            j = indices[e]
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
            for e in range(indptr[i], indptr[i + 1]):
                x = data[e]
                total += (x * x if squared else x) * v[indices[e]]
            out[i] += total
        else:
            for e in range(indptr[i], indptr[i + 1]):
                x = data[e]
                x = x * x if squared else x
                j = indices[e]
                for k in range(out.shape[1]):
                    out[i, k] += x * v[j, k]


@kernel
def scatter(indptr, indices, data, r, out, squared):
    """Add X.T @ r of a block of compressed rows to out; the entries of X squared if asked."""
    for i in range(r.shape[0]):
        for e in range(indptr[i], indptr[i + 1]):
            x = data[e]
            x = x * x if squared else x
            j = indices[e]
            if r.ndim == 1:
                out[j] += x * r[i]
            else:
                for k in range(r.shape[1]):
                    out[j, k] += x * r[i, k]


@kernel
def outer_products(indptr, indices, data, h, half):
    """Add sum_i h_i x_i x_i.T, each pair of columns on one side of the diagonal, and half of that itself."""
    for i in range(h.size):
        for e in range(indptr[i], indptr[i + 1]):
            row, x = half[indices[e]], h[i] * data[e]
            for f in range(indptr[i], e):
                row[indices[f]] += x * data[f]
            row[indices[e]] += 0.5 * x * data[e]
