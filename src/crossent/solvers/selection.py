"""Some columns of a design as a design of their own: what a method that leaves columns out works on."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from crossent.blocks import BLOCK_VALUES, MAX_PIECES, run, split, split_by_weight
from crossent.columns import Columns
from crossent.design import DenseDesign, Design, SparseDesign
from crossent.objective import Objective
from crossent.penalty import Penalty

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

WORTHWHILE = 0.5  # share of X's columns above which a selection is not copied


class Selection:
    """The columns of a design that are visited at present."""

    def __init__(self, whole: Design):
        self.whole = whole
        self.chosen: Flags = np.zeros(whole.columns, dtype=bool)
        self.design: Design | None = None

    def cover(self, needed: Flags, ahead: Flags) -> Flags:
        """Make the design hold the columns needed; if it must be copied, those ``ahead`` too; return what it has."""
        if self.design is None or (needed & ~self.chosen).any():
            self.chosen = needed | ahead
            if np.count_nonzero(self.chosen) > WORTHWHILE * self.whole.columns:
                self.chosen = np.ones(self.whole.columns, dtype=bool)
                self.design = self.whole
            else:
                columns = self.whole.scaled_columns(np.flatnonzero(self.chosen), np.ones(self.whole.n))
                self.design = _design_of(columns, self.whole)
        return np.append(self.chosen, np.ones(self.whole.width - self.whole.columns, dtype=bool))

    def part(self, objective: Objective, kept: Flags) -> Objective:
        """Return the objective in the coefficients kept."""
        assert self.design is not None
        penalty = Penalty(objective.penalty.l1[kept], objective.penalty.l2[kept])
        return Objective(self.design, objective.y, objective.s, penalty, objective.n_classes)


def _design_of(columns: Columns, whole: Design) -> Design:
    """Return a design over a copy of some of its columns."""
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
    def pieces(self) -> list[slice]:
        """Slices of rows whose sums are kept apart; they depend on the data only."""
        return split(self.n, max(-(-self.n // MAX_PIECES), BLOCK_VALUES))

    @cached_property
    def gram_work(self) -> float:
        """What a Gram matrix costs: the pairs of values in each row, and one sum for each piece of rows."""
        lengths = np.bincount(self._columns.indices, minlength=self.n).astype(np.float64)
        return float((lengths * (lengths + 1.0)).sum() / 2.0)

    def dot(self, v: Array) -> Array:
        """Return X @ v, of shape (n,) or (n, K)."""
        if v.ndim == 2:
            return super().dot(v)
        z = self._columns.dot(v[: self.columns], self.n)
        return z + v[-1] if self.intercept else z

    def tdot(self, r: Array) -> Array:
        """Return X.T @ r, of shape (width,) or (width, K)."""
        if r.ndim == 2:
            return super().tdot(r)
        columns, out = self._columns, np.empty(self.columns)

        def fill(c: slice) -> None:
            out[c] = Columns(columns.indptr[c.start : c.stop + 1], columns.indices, columns.data).tdot(r)

        pieces = split_by_weight(columns.indptr, max(1, min(MAX_PIECES, self.values // BLOCK_VALUES)))
        run([lambda c=c: fill(c) for c in pieces], self.threads)  # type: ignore[misc]
        return self._with_ones(out, r)
