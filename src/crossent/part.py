"""Some columns of a design, as a design of their own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from crossent.blocks import BLOCK_VALUES, MAX_PIECES, split
from crossent.columns import Columns
from crossent.design import DenseDesign, Design, SparseDesign

Array = NDArray[np.float64]


def design_of(columns: Columns, whole: Design) -> Design:
    """Return a design over a copy of some of its columns; with an intercept where the whole has one."""
    shape = (whole.n, len(columns.indptr) - 1)
    if isinstance(whole, DenseDesign):
        part: Design = DenseDesign(columns.data.reshape(shape[::-1]).T, intercept=whole.intercept)
    else:
        X = sp.csc_array((columns.data, columns.indices, columns.indptr), shape=shape)
        X.has_canonical_format = True
        part = ByColumn(X, columns, intercept=whole.intercept)
    part.threads = min(part.threads, whole.threads)
    return part


class ByColumn(SparseDesign):
    """A sparse matrix of which columns are at hand: products are column by column, rows are made for a Gram matrix."""

    def __init__(self, X: Any, columns: Columns, *, intercept: bool):
        super().__init__(X, intercept=intercept)
        self._columns = columns

    @cached_property
    def pieces(self) -> Sequence[slice]:
        """Slices of rows whose sums are kept apart; they depend on the data only."""
        return split(self.n, max(-(-self.n // MAX_PIECES), BLOCK_VALUES))

    @cached_property
    def gram_work(self) -> float:
        """What a Gram matrix costs: the pairs of values in each row, and one sum for each piece of rows."""
        lengths = np.bincount(self._given.indices, minlength=self.n).astype(np.float64)
        return float((lengths * (lengths + 1.0)).sum() / 2.0)

    def dot(self, v: Array) -> Array:
        """Return X @ v, of shape (n,) or (n, K)."""
        if v.ndim == 2:
            return super().dot(v)
        z = self._columns.dot(v[: self.columns], self.n, self.threads)
        return z + v[-1] if self.intercept else z

    def tdot(self, r: Array) -> Array:
        """Return X.T @ r, of shape (width,) or (width, K)."""
        if r.ndim == 2:
            return super().tdot(r)
        return self._with_ones(self._columns.tdot(r, self.threads), r)
