"""Systems with a positive semidefinite matrix, which may be singular."""

from __future__ import annotations

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

Array = NDArray[np.float64]

EPS = float(np.finfo(np.float64).eps)
UNSOLVED = 0.1  # share of its right side that a solution may leave
DEPENDENT = 1e-14  # times the order: a pivot that small is rounding, the diagonal being one


def is_solved(left: Array, right: Array) -> bool:
    """Tell whether a system was solved at all, given what is left of its right side.

    It was not where all rows are too sure to have a curvature: the matrix has underflowed.
    """
    return bool(np.abs(left).max(initial=0.0) <= UNSOLVED * np.abs(right).max(initial=0.0))


class Factor:
    """A positive semidefinite matrix, its diagonal scaled to one and factorised; the scaling judges rank fairly."""

    def __init__(self, matrix: Array):
        self.matrix, diagonal = matrix, matrix.diagonal()
        self.diagonal = np.where(diagonal > 0.0, diagonal, 1.0)
        self._scale = np.sqrt(self.diagonal)
        least = 100.0 * EPS * len(matrix)
        # the transpose, equal to it, is as LAPACK wants it: no copy
        self._lower, info = scipy.linalg.lapack.dpotrf(self._scaled().T, lower=True, clean=False, overwrite_a=True)
        self._spectrum = None
        if info != 0 or self._lower.diagonal().min() ** 2 <= least:
            values, vectors = np.linalg.eigh(self._scaled())
            kept = values > least * values[-1]
            self._spectrum = values[kept], vectors[:, kept]

    def _scaled(self) -> Array:
        return self.matrix / self._scale / self._scale[:, None]

    def solve(self, g: Array) -> Array:
        """Return the solution v of H v = g, in g's shape; the least one if H is singular."""
        rhs = g.reshape(-1) / self._scale
        if self._spectrum is None:
            v = scipy.linalg.lapack.dpotrs(self._lower, rhs, lower=True)[0]
        else:
            values, vectors = self._spectrum
            v = vectors @ ((vectors.T @ rhs) / values)
        return (v / self._scale).reshape(g.shape)


class Pivoted:
    """The same by Cholesky's factorisation with pivots: of columns that depend on one another, some get zero."""

    def __init__(self, matrix: Array):
        self._scale = np.sqrt(np.where(np.diag(matrix) > 0.0, np.diag(matrix), 1.0))
        scaled = matrix / self._scale / self._scale[:, None]
        lower, pivots, rank, _ = scipy.linalg.lapack.dpstrf(scaled, lower=True, tol=DEPENDENT * len(matrix))
        self._kept = pivots[:rank] - 1
        self._lower = lower[:rank, :rank]

    def solve(self, g: Array) -> Array:
        """Return a solution v of H v = g, for g in H's range."""
        v = np.zeros(len(g))
        if not len(self._kept):
            return v
        v[self._kept] = scipy.linalg.lapack.dpotrs(self._lower, (g / self._scale)[self._kept], lower=True)[0]
        return v / self._scale
