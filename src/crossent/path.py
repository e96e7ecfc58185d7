"""Regularisation paths: the fits for a whole grid of penalties, from the last one without a feature to many features.

Each fit starts from the one before, on the columns that can matter; its certificate holds for all columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from crossent.blocks import quiet_blas
from crossent.design import as_design
from crossent.errors import CrossentError
from crossent.terms import Terms, as_terms, penalised_objective
from crossent.warm import first_penalty, first_point, null_point, warm_fits

Array = NDArray[np.float64]

LABELS = 0.1  # share of a plot's width for the names


@dataclass(frozen=True)
class LogisticPath:
    """The fits along a grid of C.

    Attributes
    ----------
    Cs : array of shape (m,)
        Increasing.
    coefs : sparse array of shape (m, d), or (m, K d) for K > 2 classes, class after class
    intercepts : array of shape (m, 1) or (m, K)
    classes : array of shape (K,)
    gaps : array of shape (m,)
        Certified relative gaps.
    objectives : array of shape (m,)
    deviance_ratios : array of shape (m,)
        Share of the deviance explained: 1 - loss / loss of the intercept alone (of p = 1/K without an intercept).
    losses : array of shape (m,)
        The weighted loss, in nats.
    weight : float
        The sum of the rows' weights.
    nonzeros : int array of shape (m,)
        Features with a weight that is not zero, in any class.
    converged : bool array of shape (m,)
    passes : float
        Visits to every value of X, all fits together.
    l1_ratio : float
    """

    Cs: Array
    coefs: Any
    intercepts: Array
    classes: NDArray[Any]
    gaps: Array
    objectives: Array
    deviance_ratios: Array
    losses: Array
    weight: float
    nonzeros: NDArray[np.int64]
    converged: NDArray[np.bool_]
    passes: float
    l1_ratio: float

    def coef(self, index: int) -> Array:
        """Return the coefficients of one fit, of shape (1, d) or (K, d)."""
        return np.asarray(self.coefs[[index]].toarray()).reshape(self.intercepts.shape[1], -1)

    def aic(self) -> Array:
        """Return Akaike's criterion of each fit, 2 loss + 2 df: the least is the best."""
        return 2.0 * self.losses + 2.0 * self.degrees()

    def bic(self) -> Array:
        """Return Schwarz's criterion of each fit, 2 loss + log(n) df, n the sum of weights: the least is the best."""
        return 2.0 * self.losses + np.log(self.weight) * self.degrees()

    def degrees(self) -> NDArray[np.int64]:
        """Return the degrees of freedom df of each fit: weights and intercepts that are not zero (Zou et al. 2007)."""
        intercepts = np.count_nonzero(self.intercepts, axis=1)
        return np.diff(self.coefs.indptr) + np.where(intercepts > 1, intercepts - 1, intercepts)


def logistic_path(
    X: Any,
    y: ArrayLike,
    *,
    l1_ratio: float = 1.0,
    n_Cs: int = 100,
    C_min_ratio: float = 1e-2,
    Cs: ArrayLike | None = None,
    fit_intercept: bool = True,
    sample_weight: ArrayLike | None = None,
    penalty_factor: ArrayLike | None = None,
    bounds: tuple[ArrayLike, ArrayLike] | None = None,
    offset: ArrayLike | None = None,
    tol: float = 1e-6,
    max_iter: int = 100,
    n_jobs: int | None = None,
    on_fit: Callable[[int, float, int], Any] | None = None,
) -> LogisticPath:
    """Fit logistic regression with an L1 part for a grid of C, each to a certified relative gap.

    Parameters
    ----------
    X : array or sparse matrix of shape (n, d)
    y : array of shape (n,)
        Labels of two or more classes.
    l1_ratio : float in (0, 1]
    n_Cs : int
        Length of the grid, even on a logarithmic scale, from the largest C at which all penalised weights are zero
        (exact: l1_ratio over the largest |X.T r| there) to that divided by ``C_min_ratio``.
    C_min_ratio : float in (0, 1)
    Cs : array, optional
        The grid itself, instead.
    fit_intercept, sample_weight, penalty_factor, bounds, offset, tol, max_iter, n_jobs
        As in ``crossent.fit``; max_iter counts the Newton steps of each fit. Bounds leave room for zero, where a path
        starts.
    on_fit : callable, optional
        Called after each fit with its index, C and number of features.

    Returns
    -------
    LogisticPath

    Notes
    -----
    A step along the path costs half a pass over X, the gradient of all columns that its certificate needs, and some
    over a copy of those near their threshold; a column that was wrongly left out costs another such step.
    """
    classes, codes = np.unique(np.asarray(y), return_inverse=True)
    X = X if sp.issparse(X) else np.asarray(X)
    s = np.ones(X.shape[0]) if sample_weight is None else np.array(sample_weight, dtype=np.float64)
    given = None if Cs is None else np.sort(np.asarray(Cs, dtype=np.float64))
    _check(X, s, given, codes, classes, l1_ratio)
    if n_Cs < 1 or not 0.0 < C_min_ratio < 1.0:
        raise CrossentError(f"n_Cs is {n_Cs} and C_min_ratio {C_min_ratio}; give n_Cs >= 1 and 0 < C_min_ratio < 1")
    K = len(classes)
    design = as_design(X, intercept=fit_intercept, n_jobs=n_jobs)
    labels = codes.astype(np.float64 if K == 2 else np.int64)
    terms = as_terms((design.n, design.columns), K, penalty_factor, bounds, offset)
    _check_zero(terms)
    passes = 0.0
    with quiet_blas():
        null = null_point(design, labels, s, K, terms)
        if given is None:
            factors = penalised_objective(design, labels, s, K, 1.0, 1.0, terms).penalty
            first = first_penalty(first_point(null, design, labels, s, K, terms), l1_ratio, factors)
            grid = first * C_min_ratio ** -(np.arange(n_Cs) / max(1, n_Cs - 1))
        else:
            grid = given
        coefs, found = [], []
        for index, done in enumerate(warm_fits(design, labels, s, K, grid, l1_ratio, tol, max_iter, terms=terms)):
            row = done.coef.reshape(-1)
            coefs.append((kept := np.flatnonzero(row), row[kept]))
            found.append((done.intercept, done.gap, done.point.value, done.loss, done.features, done.converged))
            passes += done.objective.passes
            if on_fit is not None:
                on_fit(index, float(grid[index]), done.features)
    intercepts, gaps, objectives, losses, features, converged = map(np.array, zip(*found, strict=True))
    return LogisticPath(
        Cs=grid,
        coefs=_compressed(coefs, design.columns * intercepts.shape[1]),
        intercepts=intercepts,
        classes=classes,
        gaps=gaps,
        objectives=objectives,
        deviance_ratios=1.0 - losses / null.value,
        losses=losses,
        weight=float(s.sum()),
        nonzeros=features,
        converged=converged,
        passes=passes,
        l1_ratio=l1_ratio,
    )


def _compressed(rows: list[tuple[NDArray[np.intp], Array]], width: int) -> Any:
    """Return the sparse array of rows that are given by where they are not zero, and what they are there."""
    ends = np.cumsum([0, *(len(row) for row, _ in rows)])
    indices, data = (np.concatenate(parts) for parts in zip(*rows, strict=True))
    return sp.csr_array((data, indices, ends), shape=(len(rows), width))


def _check(X: Any, s: Array, Cs: Array | None, codes: Any, classes: Any, l1_ratio: float) -> None:
    """Refuse, in one line, what has no path."""
    if len(codes) != X.shape[0]:
        raise CrossentError(f"y has {len(codes)} labels and X {X.shape[0]} rows; give one label a row")
    if not np.isfinite(X.data if sp.issparse(X) else X).all():
        raise CrossentError("X has a value that is not finite; fill or leave out such rows")
    if len(classes) < 2:
        raise CrossentError(f"y has one class, {classes[0]!r}; give rows of at least two classes")
    if s.shape != (X.shape[0],) or not np.all(s >= 0.0):
        raise CrossentError(f"sample_weight must be {X.shape[0]} numbers >= 0, one a row; its shape is {s.shape}")
    if not np.all(np.bincount(codes, s, len(classes)) > 0.0):
        raise CrossentError("a class has no row with a positive weight; leave its rows out")
    if not 0.0 < l1_ratio <= 1.0:
        raise CrossentError(f"l1_ratio is {l1_ratio}; only L1 has a path from all zeros, so give 0 < l1_ratio <= 1")
    if Cs is not None and not (Cs.ndim == 1 and len(Cs) and np.all((Cs > 0.0) & (Cs < np.inf))):
        raise CrossentError("Cs must be a list of positive finite numbers")


def _check_zero(terms: Terms) -> None:
    """Refuse bounds without room for the all-zero start of a path."""
    if terms.lower is None or terms.upper is None:
        return
    without = (terms.lower > 0.0) | (terms.upper < 0.0)
    if without.any():
        j = int(np.argmax(without))
        raise CrossentError(
            f"the bounds of column {j}, {terms.lower[j]:g} and {terms.upper[j]:g}, leave out zero, where a path starts"
        )


def plot_path(path: LogisticPath, *, names: Sequence[str] | None = None, labelled: int = 8, axes: Any = None) -> Any:
    """Draw each coefficient against C, and the share of the deviance explained above; return the figure.

    Parameters
    ----------
    path : LogisticPath
    names : sequence of d strings, optional
        The features' names; their numbers otherwise.
    labelled : int
        How many of the largest coefficients at the end carry their name.
    axes : matplotlib Axes, optional
        Where to draw; a new figure otherwise. Only for two classes, or the first class of more.

    Raises
    ------
    CrossentError
        When matplotlib is not installed.
    """
    try:
        from matplotlib import pyplot
    except ImportError:
        raise CrossentError("plot_path needs matplotlib; install crossent[report]") from None
    if axes is None:
        _, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    d = path.coefs.shape[1] // path.intercepts.shape[1]
    curves = path.coefs[:, :d].tocsc()
    last = np.zeros(d) if not len(path.Cs) else path.coefs[[-1], :d].toarray()[0]
    named = np.argsort(-np.abs(last))[:labelled]
    for j in np.flatnonzero(np.diff(curves.indptr)).tolist():
        (line,) = axes.plot(path.Cs, curves[:, [j]].toarray()[:, 0], lw=1)
        if j in named and last[j] != 0.0:
            label = names[j] if names is not None else str(j)
            axes.annotate(label, (path.Cs[-1], last[j]), xytext=(4, 0), textcoords="offset points", va="center")
            line.set_linewidth(2)
    axes.set(xscale="log", xlabel="C", ylabel="coefficient")
    axes.set_xlim(path.Cs[0], path.Cs[-1] * (path.Cs[-1] / path.Cs[0]) ** LABELS)
    axes.axhline(0.0, color="0.7", lw=0.8, zorder=0)
    above = axes.twiny()
    ticks = np.unique(np.linspace(0, len(path.Cs) - 1, 6).astype(int))
    above.set(xscale="log", xlim=axes.get_xlim(), xlabel="deviance explained (features)")
    above.set_xticks(path.Cs[ticks], [f"{path.deviance_ratios[i]:.0%} ({path.nonzeros[i]})" for i in ticks])
    above.minorticks_off()
    return axes.figure
