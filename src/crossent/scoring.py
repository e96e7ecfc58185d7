"""Margins and probabilities of new rows: fast for one row, and on all threads for many."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from crossent.blocks import BLOCK_VALUES, cores, quiet_blas, run, split
from crossent.design import SMALL, as_design
from crossent.equations import cross_entropy, log_sum_exp_above
from crossent.jit import kernel, uncompiled
from crossent.margins import probabilities_into

Array = NDArray[np.float64]

SIGMOID = 64  # operations, about
FEW_CLASSES = 8  # a matrix product is faster for more


def margins(X: Any, coef: Array, intercept: Array, n_jobs: int | None = None) -> Array:
    """Return z = X w + b, of shape (n,) for one row of coefficients, (n, K) for K: half a pass.

    Parameters
    ----------
    X : array or sparse matrix of shape (n, d), of finite values
    coef : array of shape (1 or K, d)
    intercept : array of shape (1,) or (K,)
    n_jobs : int, optional
        Threads; all cores by default.
    """
    w = coef[0] if len(coef) == 1 else np.ascontiguousarray(coef.T)  # a row of coefficients may be long: no copy of it
    with quiet_blas(not issparse(X)):  # which takes longer than a few texts
        z: Array = as_design(X, intercept=False, n_jobs=n_jobs).dot(w.astype(np.float64, copy=False))
    z += intercept
    return z


def margins_if_finite(X: Any, coef: Array, intercept: Array, n_jobs: int | None = None) -> Array | None:
    """Return what ``margins`` does, for float64, or None when a value is not finite; of an array in one read."""
    if issparse(X):
        return margins(X, coef, intercept, n_jobs) if all_finite(X, n_jobs) else None
    z = np.empty((len(X), len(coef)))
    into = _margins_into(X, coef, intercept)
    finite = all(_by_rows(lambda rows: into(X[rows], z[rows]), X, n_jobs))
    return _as_margins(z) if finite else None


def probabilities_if_finite(X: Any, coef: Array, intercept: Array, n_jobs: int | None = None) -> Array | None:
    """Return the ``probabilities`` of ``margins_if_finite``, or None, made of margins that are still in a cache."""
    if issparse(X):
        z = margins_if_finite(X, coef, intercept, n_jobs)
        return None if z is None else probabilities(z, n_jobs)
    p = np.empty((len(X), max(2, len(coef))))
    into = _margins_into(X, coef, intercept)

    def fill(rows: slice) -> bool:
        block = X[rows]
        z = np.empty((len(block), len(coef)))
        finite = into(block, z)
        probabilities_into(_as_margins(z), p[rows])
        return finite

    return p if all(_by_rows(fill, X, n_jobs)) else None


def _margins_into(X: Array, coef: Array, intercept: Array) -> Callable[[Array, Array], bool]:
    """Return what writes the margins of a block of X's rows, and tells whether all its values are finite."""
    coef, intercept = coef.astype(np.float64, copy=False), intercept.astype(np.float64, copy=False)
    if X.flags.c_contiguous and len(coef) <= FEW_CLASSES:
        coef = np.ascontiguousarray(coef)
        return lambda block, z: margins_into(block, coef, intercept, z)

    def products_into(block: Array, z: Array) -> bool:
        with np.errstate(over="ignore", invalid="ignore"):  # told below
            np.add(block @ coef.T, intercept, out=z)
        return _sum_is_finite(block)

    return products_into


def _as_margins(z: Array) -> Array:
    """Return z of shape (n,) for one row of coefficients."""
    return z[:, 0] if z.shape[1] == 1 else z


def probabilities(z: Array, n_jobs: int | None = None) -> Array:
    """Return the probability of each class, of shape (n, 2) for z of shape (n,), else (n, K)."""
    p = np.empty((len(z), 2) if z.ndim == 1 else z.shape)
    into = uncompiled(probabilities_into, SIGMOID * z.size)
    _by_rows(lambda rows: into(z[rows], p[rows]), z, n_jobs)
    return p


def log_probabilities(z: Array, n_jobs: int | None = None) -> Array:
    """Return the logarithms of ``probabilities``, exact also where those round to 0 or 1."""
    out = np.empty((len(z), 2) if z.ndim == 1 else z.shape)

    def fill(rows: slice) -> None:
        if z.ndim == 1:
            out[rows, 0], out[rows, 1] = -cross_entropy(z[rows], 0.0), -cross_entropy(z[rows], 1.0)
        else:
            below = z[rows] - z[rows].max(axis=1, keepdims=True)
            out[rows] = below - log_sum_exp_above(below)[:, None]

    _by_rows(fill, z, n_jobs)
    return out


def all_finite(X: Any, n_jobs: int | None = None) -> bool:
    """Tell in one read whether the values of an array or a sparse matrix are finite; False also if their sum is not."""
    values = X.data if issparse(X) else X
    return all(_by_rows(lambda rows: _sum_is_finite(values[rows]), values, n_jobs))


def _sum_is_finite(X: Array) -> bool:
    with np.errstate(over="ignore", invalid="ignore"):
        return isfinite(X.sum())


def _by_rows(block: Callable[[slice], Any], X: NDArray[Any], n_jobs: int | None) -> list[Any]:
    """Call ``block`` on slices of the rows of X, on all threads when there are many, and return the results."""
    if X.size < SMALL:
        return [block(slice(len(X)))]
    pieces = split(len(X), BLOCK_VALUES * len(X) // X.size)
    with quiet_blas():
        return run([lambda rows=rows: block(rows) for rows in pieces], cores(n_jobs))  # type: ignore[misc]


@kernel
def margins_into(X, W, b, z):
    """Write X @ W.T + b into z; tell whether it is finite: it is not where X is not, for 0 x is 0 for finite x only."""
    unlike = 0.0
    for i in range(X.shape[0]):
        for k in range(W.shape[0]):
            total = 0.0
            for j in range(X.shape[1]):
                total += X[i, j] * W[k, j]
            z[i, k] = total + b[k]
            unlike += z[i, k] * 0.0
    return unlike == 0.0
