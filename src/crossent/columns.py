"""Some columns of X, copied out and scaled row by row, for methods that move one coefficient at a time.

Dense and sparse columns look alike to the loops: compressed, without ``indices`` where every row has a value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossent.jit import kernel
from crossent.sparse import place, places, vector_add, vector_dot

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Columns:
    """Columns compressed one after the other: column j is ``data[indptr[j]:indptr[j + 1]]``.

    ``indices`` are its rows; None when each column holds all of them.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[Any] | None
    data: NDArray[Any]

    @property
    def arrays(self) -> tuple[NDArray[np.int64], NDArray[Any] | None, NDArray[Any]]:
        """The three arrays, as the loops take them."""
        return self.indptr, self.indices, self.data

    def tdot(self, r: Array) -> Array:
        """Return each column's product with r of shape (n,)."""
        out = np.empty(len(self.indptr) - 1)
        products_into(*self.arrays, r, out)
        return out

    def squares(self) -> Array:
        """Return each column's product with itself."""
        out = np.empty(len(self.indptr) - 1)
        _squares(self.indptr, self.data, out)
        return out

    def dot(self, v: Array, n: int) -> Array:
        """Return the sum of v_j times column j, of shape (n,)."""
        out = np.zeros(n)
        _sum(*self.arrays, v, out)
        return out


@kernel
def products_into(indptr, indices, data, r, out):
    """Write each column's product with r into out."""
    for j in range(out.size):
        out[j] = vector_dot(indptr, indices, data, j, r)


@kernel
def _squares(indptr, data, out):
    for j in range(out.size):
        total = 0.0
        for e in places(indptr, j):
            total += data[e] * data[e]
        out[j] = total


@kernel
def _sum(indptr, indices, data, v, out):
    for j in range(v.size):
        if v[j] != 0.0:
            vector_add(indptr, indices, data, j, v[j], out)


@kernel
def gather(indptr, indices, data, chosen, scale, out_indptr, out_indices, out_data):
    """Copy the chosen compressed columns, each value times its row's scale."""
    for c in range(chosen.size):
        j, out_e = chosen[c], np.uint64(out_indptr[c])
        for e in places(indptr, j):
            i = place(indices, e)
            out_indices[out_e] = i
            out_data[out_e] = data[e] * scale[i]
            out_e += np.uint64(1)
