"""The textbook's algorithm: gradient descent that steps along (4.61) and nothing else.

Full batch, mini-batch or one row at a time. It is the reference for the fast solvers, which must end where it ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, cast

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from crossent.equations import cross_entropy, residual
from crossent.errors import CrossentError

LARGEST = 1e150  # of a value in X: the squares of larger ones overflow, and with them the bound


@dataclass(frozen=True)
class Descent:
    """Where gradient descent ended, and how it went there.

    Attributes
    ----------
    coef : ndarray of shape (d,)
    intercept : float
    rate : float
        The rate that was used.
    loss, gradient_norm : ndarray of shape (epochs + 1,)
        Mean loss and Euclidean norm of its gradient over all rows, before the first epoch and after each.
    step : ndarray of shape (epochs + 1,)
        How far the weights and the bias moved in each epoch; 0 before the first.
    """

    coef: NDArray[np.float64]
    intercept: float
    rate: float
    loss: NDArray[np.float64]
    gradient_norm: NDArray[np.float64]
    step: NDArray[np.float64]


def safe_rate(X: Any, *, every_row: bool = False) -> float:
    """Return 4 / mean(|x|^2 + 1), the largest rate proved never to raise the mean loss over the rows of X.

    With ``every_row``, 4 / max(|x|^2 + 1): no step along any subset of the rows raises that subset's loss.
    Proved: `descent_step_with_bias`, from `gradient_lipschitz_with_bias`.
    """
    X = _numbers("X", X)
    squares = np.ravel((X.multiply(X) if sp.issparse(X) else np.square(X)).sum(axis=1))
    return float(4.0 / ((squares.max() if every_row else squares.mean()) + 1.0))


def gradient_descent(
    X: Any,
    y: ArrayLike,
    rate: float | None = None,
    batch: int | None = None,
    epochs: int = 100,
    *,
    start: tuple[ArrayLike, float] | None = None,
    seed: int = 0,
) -> Descent:
    """Minimise the mean loss by steps ``w <- w - rate * mean((sigma(w.x + b) - y) x)``, and the same for b with x = 1.

    Parameters
    ----------
    X : array or sparse matrix of shape (n, d)
    y : array of shape (n,)
        Labels in [0, 1].
    rate : float, optional
        The learning rate. By default the proven bound, 4 / mean(|x|^2 + 1), under which no full-batch step raises the
        loss; for smaller batches that of the worst row, 4 / max(|x|^2 + 1), which holds for every batch's own loss.
    batch : int, optional
        Rows per step: all of them by default (full-batch), 1 for stochastic descent.
    epochs : int
        Passes over the rows; each visits every row once, in a fresh random order when ``batch`` is given.
    start : (w, b), optional
        Where to start; at zero by default.
    seed : int
        Of the order of the rows.

    Returns
    -------
    Descent
        The weights, and the trace of loss, gradient norm and step.

    Raises
    ------
    CrossentError
        When the shapes disagree, a value is no finite number, a label is outside [0, 1], or the rate, batch or epochs
        are not positive.

    Notes
    -----
    Each epoch costs two passes over X, one for the steps and one for the trace.
    Proved: `mean_gradient`, `descent_step_with_bias`.
    """
    X, y = _numbers("X", X), cast("NDArray[np.float64]", _numbers("y", y))
    _check(X, y, rate, batch, epochs)
    n, d = X.shape
    w, b = (np.zeros(d), 0.0) if start is None else _start(start, d)
    size = n if batch is None else min(batch, n)
    if rate is None:
        rate = safe_rate(X, every_row=size < n)
    rng = np.random.default_rng(seed)

    trace = [(*_loss_and_slope(X, y, w, b), 0.0)]
    for _ in range(epochs):
        before = np.append(w, b)
        order = np.arange(n) if size == n else rng.permutation(n)
        for first in range(0, n, size):
            rows = order[first : first + size]
            x = X[rows]
            r = residual(x @ w + b, y[rows])  # sigma(w.x + b) - y
            w = w - rate * (x.T @ r) / len(rows)  # (4.61)
            b = b - rate * r.mean()
        trace.append((*_loss_and_slope(X, y, w, b), float(np.linalg.norm(np.append(w, b) - before))))
    loss, norm, step = map(np.array, zip(*trace, strict=True))
    return Descent(w, float(b), float(rate), loss, norm, step)


def _loss_and_slope(X: Any, y: NDArray[np.float64], w: NDArray[np.float64], b: float) -> tuple[float, float]:
    z = X @ w + b
    r = residual(z, y)
    return float(cross_entropy(z, y).mean()), float(np.linalg.norm(np.append(X.T @ r, r.sum())) / len(y))


def _numbers(what: str, given: Any) -> Any:
    """An array, or a sparse one, of float64."""
    try:
        if np.iscomplexobj(given):
            raise TypeError
        return sp.csr_array(given, dtype=np.float64) if sp.issparse(given) else np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise CrossentError(f"{what} does not hold numbers only, in rows of one length; encode texts first") from None


def _start(start: Any, d: int) -> tuple[NDArray[np.float64], float]:
    try:
        w, b = np.array(start[0], dtype=np.float64), float(start[1])
    except (TypeError, ValueError, IndexError):
        w, b = np.full(0, np.nan), np.nan
    if w.shape != (d,) or not np.all(np.isfinite(w)) or not np.isfinite(b):
        raise CrossentError(f"start is not a pair (w, b) of {d} finite weights, one a column of X, and a number")
    return w, b


def _check(X: Any, y: NDArray[np.float64], rate: Any, batch: Any, epochs: Any) -> None:
    if X.ndim != 2 or y.shape != X.shape[:1] or not len(y):
        raise CrossentError(
            f"X has shape {X.shape} and y {y.shape}; give X of shape (n, d), n >= 1, and one label a row"
        )
    largest = np.max(np.abs(X.data if sp.issparse(X) else X), initial=0.0)
    if not largest < LARGEST:
        size = "too large" if np.isfinite(largest) else "not finite"
        raise CrossentError(f"X has a value that is {size} ({largest:g}); scale, remove or replace it")
    if not np.all((y >= 0) & (y <= 1)):
        raise CrossentError("y has a label outside [0, 1]; for two classes give 0 and 1")
    if rate is not None and not (isinstance(rate, Real) and 0 < float(rate) < np.inf):
        raise CrossentError(f"rate is {rate!r}; it must be positive and finite (default: the proven bound)")
    if batch is not None and not (isinstance(batch, Integral) and int(batch) >= 1):
        raise CrossentError(f"batch is {batch!r}; give the rows per step, at least 1, or None for all of them")
    if not (isinstance(epochs, Integral) and int(epochs) >= 1):
        raise CrossentError(f"epochs is {epochs!r}; give the passes over the rows, at least 1")
