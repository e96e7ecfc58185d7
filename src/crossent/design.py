"""The rows of X, dense or sparse, and the two products that are all a fit does with them: X @ w and X.T @ r.

A design may carry an intercept: a column of ones after the columns of X, which is never stored. Coefficients are
vectors of length ``width`` (two classes) or arrays of shape (width, K); margins have shape (n,) or (n, K).

Each product is one pass over X. ``sandwich`` does both in one read of each block of rows. A design knows no formula.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from crossent.blocks import BLOCK_VALUES, MAX_PIECES, cores, in_order, run, split, split_by_weight
from crossent.columns import Columns
from crossent.dense import add_gram, add_products, block_rows, both_products, dot_into, symmetric
from crossent.jit import uncompiled
from crossent.margins import Middle
from crossent.sparse import column_sums, compressed_dot, outer_products, repeats, scatter

Array = NDArray[np.float64]

PRODUCT_SPEED = 16  # multiply-adds of a matrix product in the time of one of a pass, which memory bounds
SUM_SHARE = 4  # multiply-adds of a Gram matrix for each of its entries that adding one more sum is worth
GRAM_ENTRIES = 1 << 23  # of all sums of a Gram matrix together
SMALL = 1 << 17  # values of X below which threads cost more than they give


def as_design(X: Any, *, intercept: bool = True, n_jobs: int | None = None) -> Design:
    """Return the design over X: an array (any numeric type, C or Fortran order) or a SciPy sparse matrix, uncopied."""
    if sp.issparse(X):
        return SparseDesign(X, intercept=intercept, n_jobs=n_jobs)
    return DenseDesign(np.asarray(X), intercept=intercept, n_jobs=n_jobs)


class Design(ABC):
    """What every storage offers. ``n`` rows, ``columns`` of X, ``width`` = columns + 1 with an intercept."""

    def __init__(self, shape: tuple[int, int], values: int, intercept: bool, n_jobs: int | None):
        self.n, self.columns = shape
        self.values = values
        self.intercept = intercept
        self.width = self.columns + intercept
        self.threads = 1 if values < SMALL else cores(n_jobs)

    @property
    @abstractmethod
    def pieces(self) -> Sequence[slice]:
        """Slices of rows whose sums are kept apart; they depend on the data only."""

    @property
    @abstractmethod
    def gram_work(self) -> float:
        """What a Gram matrix costs, in units of one multiply-add of a pass."""

    @abstractmethod
    def dot(self, v: Array) -> Array:
        """Return X @ v, of shape (n,) or (n, K)."""

    @abstractmethod
    def sandwich(self, v: Array, middle: Middle) -> tuple[Array, float]:
        """Return X.T @ t and the loss, where t = X @ v once ``middle`` has altered it."""

    @abstractmethod
    def tdot(self, r: Array) -> Array:
        """Return X.T @ r, of shape (width,) or (width, K)."""

    @abstractmethod
    def squares(self, h: Array) -> Array:
        """Return (X * X).T @ h: the diagonal of the Gram matrix below, for each column of h."""

    @abstractmethod
    def gram(self, h: Array) -> Array:
        """Return X.T @ diag(h) @ X for weights h >= 0 of shape (n,); a (width, width) array."""

    @abstractmethod
    def scaled_columns(self, chosen: NDArray[np.intp], scale: Array) -> Columns:
        """Return a copy of the chosen columns of X, each value times its row's ``scale``."""

    @abstractmethod
    def some_rows(self, chosen: NDArray[np.intp]) -> Design:
        """Return a design over a copy of the chosen rows."""

    @abstractmethod
    def compressed_rows(self) -> Columns:
        """Return the rows of X, one after the other as the columns of X.T; without a copy where X is stored so."""

    def over_rows(self, block: Callable[[slice], Any]) -> list[Any]:
        """Call ``block`` on every piece of rows, on all threads; return the results in order."""
        if len(self.pieces) == 1:
            return [block(self.pieces[0])]
        return run([lambda rows=rows: block(rows) for rows in self.pieces], self.threads)  # type: ignore[misc]

    def _bordered(self, inner: Array, edge: Array, corner: float) -> Array:
        """Return the Gram matrix with the intercept's row and column."""
        if not self.intercept:
            return inner
        out = np.empty((self.width, self.width))
        out[:-1, :-1], out[-1, :-1], out[:-1, -1], out[-1, -1] = inner, edge, edge, corner
        return out

    def _with_ones(self, product: Array, r: Array) -> Array:
        """Return X.T @ r with the intercept's entry, the sum of r, below it."""
        if not self.intercept:
            return product
        total = in_order([r[rows].sum(axis=0, keepdims=True) for rows in self.pieces])
        return np.concatenate([product, total])


class DenseDesign(Design):
    """An array. Blocks that are not float64 are converted as they are read, so the whole never is."""

    def __init__(self, X: NDArray[Any], *, intercept: bool = True, n_jobs: int | None = None):
        super().__init__(X.shape, X.size, intercept, n_jobs)
        self.X = X

    @cached_property
    def pieces(self) -> Sequence[slice]:
        """Slices of rows whose sums are kept apart; they depend on the data only."""
        blocks = -(-self.values // BLOCK_VALUES)
        return split(self.n, -(-self.n // max(1, min(MAX_PIECES, blocks))))

    @property
    def gram_work(self) -> float:
        """What a Gram matrix costs: n d^2 / 2 multiply-adds, but in products that memory does not bound."""
        return self.n * self.columns**2 / 2 / PRODUCT_SPEED

    def _blocks(self, rows: slice, values: int = BLOCK_VALUES) -> list[slice]:
        n = rows.stop - rows.start
        if n * self.columns <= values:
            return [rows]
        inside = split(n, max(1, values // max(1, self.columns)))
        return [slice(rows.start + b.start, rows.start + b.stop) for b in inside]

    def _block(self, rows: slice | NDArray[np.intp]) -> Array:
        return np.asarray(self.X[rows], dtype=np.float64)

    def _plain(self, rows: slice) -> Iterator[tuple[slice, Array]]:
        """Yield rows as the loops take them: all at once where X is stored so; else the blocks that they would make."""
        if self.X.dtype == np.float64 and self.X.flags.c_contiguous:
            yield rows, self.X[rows]
            return
        size = block_rows(self.columns)
        for low in range(rows.start, rows.stop, size):
            b = slice(low, min(rows.stop, low + size))
            yield b, np.ascontiguousarray(self.X[b], dtype=np.float64)

    def _margin(self, block: Array, v: Array) -> Array:
        return block @ v[:-1] + v[-1] if self.intercept else block @ v

    def dot(self, v: Array) -> Array:
        """Return X @ v, of shape (n,) or (n, K)."""
        z = np.empty((self.n, *v.shape[1:]))

        def fill(rows: slice) -> None:
            if v.ndim == 1:
                for b, block in self._plain(rows):
                    dot = uncompiled(dot_into, self.values)
                    dot(block, v, v[-1] if self.intercept else 0.0, z[b])
            else:
                for b in self._blocks(rows):
                    z[b] = self._margin(self._block(b), v)

        self.over_rows(fill)
        return z

    def sandwich(self, v: Array, middle: Middle) -> tuple[Array, float]:
        """Return X.T @ t and the loss, where t = X @ v once ``middle`` has altered it: one read of X."""

        def piece(rows: slice) -> tuple[Array, float]:
            if v.ndim == 1:
                return self._both_products(rows, v, middle)
            out, total = np.zeros_like(v), 0.0
            for b in self._blocks(rows):
                block = self._block(b)
                t = self._margin(block, v)
                total += middle(b, t)
                out[: self.columns] += block.T @ t
                if self.intercept:
                    out[-1] += t.sum(axis=0)
            return out, total

        parts = self.over_rows(piece)
        return in_order([part for part, _ in parts]), sum(total for _, total in parts)

    def _both_products(self, rows: slice, v: Array, middle: Middle) -> tuple[Array, float]:
        out, start, loss = np.zeros(self.columns + 1), v[-1] if self.intercept else 0.0, 0.0
        size = block_rows(self.columns)
        for b, block in self._plain(rows):
            loss += both_products(block, v, start, middle.bends, middle.a[b], middle.s[b], size, middle.kept[b], out)
        return out[: self.width], loss

    def tdot(self, r: Array) -> Array:
        """Return X.T @ r, of shape (width,) or (width, K)."""

        def piece(rows: slice) -> Array:
            out = np.zeros((self.width, *r.shape[1:]))
            if r.ndim == 1:
                for b, block in self._plain(rows):
                    add_products(block, r[b], out)
            else:
                for b in self._blocks(rows):
                    out[: self.columns] += self._block(b).T @ r[b]
            if self.intercept:
                out[-1] = r[rows].sum(axis=0)
            return out

        return in_order(self.over_rows(piece))

    def squares(self, h: Array) -> Array:
        """Return (X * X).T @ h."""

        def piece(rows: slice) -> Array:
            return in_order([np.square(self._block(b)).T @ h[b] for b in self._blocks(rows)])

        return self._with_ones(in_order(self.over_rows(piece)), h)

    def gram(self, h: Array) -> Array:
        """Return X.T @ diag(h) @ X: half of n d^2 multiply-adds, for it is symmetric."""

        def piece(rows: slice) -> Array:
            order = 4 * (self.columns // 4 + 1)
            lower = np.zeros((order, order))
            for b, block in self._plain(rows):
                add_gram(block, h[b], lower)
            return lower

        # as many rows as columns a piece, so that adding the sums costs little
        pieces = split(self.n, max(self.columns, -(-self.n // len(self.pieces))))
        lower = in_order(run([lambda rows=rows: piece(rows) for rows in pieces], self.threads))  # type: ignore[misc]
        out = np.empty((self.width, self.width))
        symmetric(lower, out)
        return out

    def scaled_columns(self, chosen: NDArray[np.intp], scale: Array) -> Columns:
        """Return a copy of the chosen columns of X, each value times its row's ``scale``."""
        data = np.empty((len(chosen), self.n))

        def fill(rows: slice) -> None:
            for b in self._blocks(rows):
                np.multiply(self.X[b][:, chosen].T, scale[b], out=data[:, b])

        self.over_rows(fill)
        return Columns(self.n * np.arange(len(chosen) + 1), None, data.reshape(-1))

    def compressed_rows(self) -> Columns:
        """Return the rows of X, one after the other as the columns of X.T; without a copy where X is stored so."""
        ends = self.columns * np.arange(self.n + 1, dtype=np.int64)
        return Columns(ends, None, np.ascontiguousarray(self.X, dtype=np.float64).reshape(-1))

    def some_rows(self, chosen: NDArray[np.intp]) -> Design:
        """Return a design over a copy of the chosen rows."""
        part = DenseDesign(np.ascontiguousarray(self.X[chosen]), intercept=self.intercept)
        part.threads = min(part.threads, self.threads)
        return part


class SparseDesign(Design):
    """A sparse matrix by rows: a transpose would cost as much as thirty passes. By columns too, where a method asks."""

    def __init__(self, X: Any, *, intercept: bool = True, n_jobs: int | None = None):
        X = X if X.format in {"csr", "csc"} else X.tocsr()
        if not X.has_canonical_format and repeats(X.indptr, X.indices, np.full(max(X.shape), -1)):
            X = X.copy()
            X.sum_duplicates()
        if X.dtype not in {np.dtype(np.float64), np.dtype(np.float32)}:
            X = X.astype(np.float64)
        super().__init__(X.shape, X.nnz, intercept, n_jobs)
        self._given = X

    @cached_property
    def rows(self) -> Any:
        """The matrix as CSR."""
        return self._given if self._given.format == "csr" else self._across(sp.csr_array)

    @cached_property
    def by_column(self) -> Any:
        """The matrix as CSC; made once."""
        return self._given if self._given.format == "csc" else self._across(sp.csc_array)

    def _across(self, kind: Any) -> Any:
        """Return the matrix compressed the other way: by SciPy where it is small, which has but one thread."""
        given = self._given
        if self.values < 2 * BLOCK_VALUES:
            return kind(given)
        columns = Columns(given.indptr, given.indices, given.data)
        indptr, indices, data = columns.across(given.shape[given.format == "csr"], self.threads).arrays
        X = kind((data, indices, indptr), shape=given.shape)
        X.has_canonical_format = True
        return X

    @cached_property
    def pieces(self) -> Sequence[slice]:
        """Slices of rows whose sums are kept apart; they depend on the data only."""
        return split_by_weight(self.rows.indptr, max(1, min(MAX_PIECES, self.values // BLOCK_VALUES)))

    @cached_property
    def gram_work(self) -> float:
        """What a Gram matrix costs: the pairs of values in each row, and one sum for each piece of rows."""
        lengths = np.diff(self.rows.indptr).astype(np.float64)
        return float((lengths * (lengths + 1.0)).sum() / 2.0)

    @cached_property
    def sum_pieces(self) -> list[slice]:
        """Coarser slices of rows, each with a sum over all columns: so few that adding those costs little."""
        affordable = self.values // (8 * max(1, self.columns))
        return split_by_weight(self.rows.indptr, max(1, min(MAX_PIECES, affordable, len(self.pieces))))

    def dot(self, v: Array) -> Array:
        """Return X @ v, of shape (n,) or (n, K)."""
        z = np.empty((self.n, *v.shape[1:]))
        start = v[-1] if self.intercept else np.zeros(v.shape[1:])[()]
        self.over_rows(lambda rows: self._dot_into(v, start, z[rows], rows))
        return z

    def _dot_into(self, v: Array, start: Array, z: Array, rows: slice) -> None:
        z[:] = start
        X = self.rows
        dot = uncompiled(compressed_dot, self.values)
        dot(X.indptr[rows.start : rows.stop + 1], X.indices, X.data, v, z, False)

    def sandwich(self, v: Array, middle: Middle) -> tuple[Array, float]:
        """Return X.T @ t and the loss, where t = X @ v once ``middle`` has altered it: one read of X."""
        start = v[-1] if self.intercept else np.zeros(v.shape[1:])[()]

        def piece(rows: slice) -> tuple[Array, float]:
            t = np.empty((rows.stop - rows.start, *v.shape[1:]))
            self._dot_into(v, start, t, rows)
            total = middle(rows, t)
            out = np.zeros(v.shape)
            self._add_products(t, out, rows, squared=False)
            if self.intercept:
                out[-1] += column_sums(t)
            return out, total

        parts = run([lambda rows=rows: piece(rows) for rows in self.sum_pieces], self.threads)  # type: ignore[misc]
        return in_order([part for part, _ in parts]), sum(total for _, total in parts)

    def tdot(self, r: Array) -> Array:
        """Return X.T @ r, of shape (width,) or (width, K)."""
        return self._transposed_product(r, squared=False)

    def squares(self, h: Array) -> Array:
        """Return (X * X).T @ h."""
        return self._transposed_product(h, squared=True)

    def _transposed_product(self, r: Array, squared: bool) -> Array:
        def piece(rows: slice) -> Array:
            part = np.zeros((self.width, *r.shape[1:]))
            self._add_products(r[rows], part, rows, squared)
            return part

        parts = run([lambda rows=rows: piece(rows) for rows in self.sum_pieces], self.threads)  # type: ignore[misc]
        total = in_order(parts)
        if self.intercept:
            total[-1] = in_order([column_sums(r[rows]) for rows in self.pieces])
        return total

    def _add_products(self, r: Array, out: Array, rows: slice, squared: bool) -> None:
        X = self.rows
        scatter(X.indptr[rows.start : rows.stop + 1], X.indices, X.data, r, out, squared)

    def gram(self, h: Array) -> Array:
        """Return X.T @ diag(h) @ X, summed from the outer products of the rows."""
        X = self.rows
        entries = max(1, self.columns**2)
        count = min(MAX_PIECES, self.gram_work // (SUM_SHARE * entries), GRAM_ENTRIES // entries)
        pieces = split_by_weight(X.indptr, max(1, int(count)))

        def piece(rows: slice) -> Array:
            half = np.zeros((self.columns, self.columns))
            outer_products(X.indptr[rows.start : rows.stop + 1], X.indices, X.data, h[rows], half)
            return half

        half = in_order(run([lambda rows=rows: piece(rows) for rows in pieces], self.threads))  # type: ignore[misc]
        inner = half + half.T
        edge = self._transposed_product(h, squared=False)[: self.columns] if self.intercept else np.empty(0)
        return self._bordered(inner, edge, h.sum())

    def some_rows(self, chosen: NDArray[np.intp]) -> Design:
        """Return a design over a copy of the chosen rows."""
        part = SparseDesign(self.rows[chosen], intercept=self.intercept)
        part.threads = min(part.threads, self.threads)
        return part

    def compressed_rows(self) -> Columns:
        """Return the rows of X, one after the other as the columns of X.T; without a copy where X is stored so."""
        return Columns(self.rows.indptr, self.rows.indices, self.rows.data)

    def scaled_columns(self, chosen: NDArray[np.intp], scale: Array) -> Columns:
        """Return a copy of the chosen columns of X, each value times its row's ``scale``."""
        T = self.by_column
        return Columns(T.indptr, T.indices, T.data).some(chosen, scale, self.threads)
