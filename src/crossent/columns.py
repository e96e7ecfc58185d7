"""Some columns of X, copied out and scaled row by row, for methods that move one coefficient at a time.

Dense and sparse columns look alike to the loops: compressed, without ``indices`` where every row has a value.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossent.blocks import BLOCK_VALUES, MAX_PIECES, in_order, run, split_by_weight
from crossent.jit import kernel
from crossent.sparse import place, places, vector_add, vector_dot

Array = NDArray[np.float64]

SUMS = 2  # of columns times numbers, that are made apart: each as long as a column
VALUES_A_SUM = 8  # values for each row, fewer than which are not worth two sums


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

    def tdot(self, r: Array, threads: int = 1) -> Array:
        """Return each column's product with r of shape (n,)."""
        out = np.empty(len(self.indptr) - 1)
        pieces = self._pieces(MAX_PIECES)
        run([lambda c=c: products_into(*self._between(c), r, out[c]) for c in pieces], threads)  # type: ignore[misc]
        return out

    def squares(self) -> Array:
        """Return each column's product with itself."""
        out = np.empty(len(self.indptr) - 1)
        _squares(self.indptr, self.data, out)
        return out

    def dot(self, v: Array, n: int, threads: int = 1) -> Array:
        """Return the sum of v_j times column j, of shape (n,)."""

        def piece(c: slice) -> Array:
            out = np.zeros(n)
            _sum(*self._between(c), v[c], out)
            return out

        sums = self._pieces(SUMS if len(self.data) >= VALUES_A_SUM * n else 1)
        return in_order(run([lambda c=c: piece(c) for c in sums], threads))  # type: ignore[misc]

    def some(self, chosen: NDArray[np.intp], scale: Array, threads: int = 1) -> Columns:
        """Return a copy of the chosen columns, each value times its row's ``scale``."""
        if self.indices is None:
            data = self.data.reshape(-1, len(scale))[chosen] * scale
            return Columns(len(scale) * np.arange(len(chosen) + 1), None, data.reshape(-1))
        lengths = self.indptr[chosen + 1] - self.indptr[chosen]
        indptr = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        copy = Columns(indptr, np.empty(indptr[-1], self.indices.dtype), np.empty(indptr[-1]))

        def fill(c: slice) -> None:
            gather(*self.arrays, chosen[c], scale, indptr[c.start : c.stop + 1], copy.indices, copy.data)

        run([lambda c=c: fill(c) for c in copy._pieces(MAX_PIECES)], threads)  # type: ignore[misc]
        return copy

    def across(self, n: int, threads: int = 1) -> Columns:
        """Return the same n rows compressed themselves, each in the order of the columns; or the columns of rows."""
        assert self.indices is not None
        pieces = self._pieces(SUMS)
        counts = np.zeros((len(pieces), n), np.int64)

        def count(k: int, c: slice) -> None:
            _count(self.indptr[c.start : c.stop + 1], self.indices, counts[k])

        run([partial(count, k, c) for k, c in enumerate(pieces)], threads)
        ends = np.cumsum(np.concatenate([[0], counts.sum(axis=0)]))
        starts = ends[:-1] + np.cumsum(counts, axis=0) - counts
        out = Columns(ends.astype(self.indptr.dtype), np.empty_like(self.indices), np.empty_like(self.data))

        def fill(k: int, c: slice) -> None:
            _place(*self._between(c), c.start, starts[k], out.indices, out.data)

        run([partial(fill, k, c) for k, c in enumerate(pieces)], threads)
        return out

    def _pieces(self, most: int) -> list[slice]:
        """Return slices of columns, of about equal work."""
        return split_by_weight(self.indptr, max(1, min(most, len(self.data) // BLOCK_VALUES)))

    def _between(self, c: slice) -> tuple[NDArray[np.int64], NDArray[Any] | None, NDArray[Any]]:
        return self.indptr[c.start : c.stop + 1], self.indices, self.data


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


@kernel
def _count(indptr, indices, counts):
    """Add to each count how many entries of the compressed columns are in that row."""
    for e in range(np.uint64(indptr[0]), np.uint64(indptr[-1])):
        counts[place(indices, e)] += 1


@kernel
def _place(indptr, indices, data, first, starts, out_indices, out_data):
    """Write the entries of compressed columns, which are numbered from ``first`` on, where their rows go on."""
    for j in range(indptr.size - 1):
        for e in places(indptr, j):
            i = place(indices, e)
            to = np.uint64(starts[i])
            out_indices[to], out_data[to] = first + j, data[e]
            starts[i] += 1
