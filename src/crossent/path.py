"""Regularisation paths: the fits for a whole grid of penalties, from the last one without a feature to many features.

Each fit starts from the one before, on the columns that can matter (the sequential strong rule); its certificate holds
for all columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from crossent.blocks import quiet_blas
from crossent.certificate import DualBound
from crossent.design import DenseDesign, Design, SparseDesign, as_design
from crossent.errors import CrossentError
from crossent.fit import minimise, penalised_objective
from crossent.objective import Objective, Point
from crossent.penalty import Penalty
from crossent.solvers import SOLVERS, Solver, choose
from crossent.solvers.borrowed import Borrowed

Array = NDArray[np.float64]

AHEAD = 2  # fits for which one selection of columns is made
WORTHWHILE = 0.5  # share of X's values above which a selection is not copied
REFITS = 10
BORROWED = 1500  # order of the largest Hessian that is lent: one is kept for every C
LABELS = 0.1  # share of a plot's width for the names
INNER = 0.9  # share of the gap for the fit on the selected columns


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
    nonzeros: NDArray[np.int64]
    converged: NDArray[np.bool_]
    passes: float
    l1_ratio: float

    def coef(self, index: int) -> Array:
        """Return the coefficients of one fit, of shape (1, d) or (K, d)."""
        return np.asarray(self.coefs[[index]].toarray()).reshape(self.intercepts.shape[1], -1)


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
        Length of the grid, even on a logarithmic scale, from the largest C at which all weights are zero (exact:
        l1_ratio over the largest |X.T r| there) to that divided by ``C_min_ratio``.
    C_min_ratio : float in (0, 1)
    Cs : array, optional
        The grid itself, instead.
    fit_intercept, sample_weight, tol, max_iter, n_jobs
        As in ``crossent.fit``; max_iter counts the Newton steps of each fit.
    on_fit : callable, optional
        Called after each fit with its index, C and number of features.

    Returns
    -------
    LogisticPath

    Notes
    -----
    A step along the path costs about half a pass over X and some over the columns that the sequential strong rule
    keeps (Tibshirani et al. 2012); what the rule wrongly left out, the half pass finds.
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
    passes = 0.0
    with quiet_blas():
        null = null_point(design, labels, s, K)
        if given is None:
            first = first_penalty(null, l1_ratio, design.columns)
            grid = first * C_min_ratio ** -(np.arange(n_Cs) / max(1, n_Cs - 1))
        else:
            grid = given
        coefs, found = [], []
        for index, done in enumerate(warm_fits(design, labels, s, K, grid, l1_ratio, tol, max_iter)):
            coefs.append(sp.csr_array(done.coef.reshape(1, -1)))
            found.append((done.intercept, done.gap, done.point.value, done.loss, done.features, done.converged))
            passes += done.objective.passes
            if on_fit is not None:
                on_fit(index, float(grid[index]), done.features)
    intercepts, gaps, objectives, losses, features, converged = map(np.array, zip(*found, strict=True))
    return LogisticPath(
        Cs=grid,
        coefs=sp.vstack(coefs, format="csr"),
        intercepts=intercepts,
        classes=classes,
        gaps=gaps,
        objectives=objectives,
        deviance_ratios=1.0 - losses / null.value,
        nonzeros=features,
        converged=converged,
        passes=passes,
        l1_ratio=l1_ratio,
    )


def null_point(design: Design, y: NDArray[Any], s: Array, n_classes: int) -> Point:
    """Return the point where all weights are zero and the intercept is at its optimum, for C = 1 and no penalty."""
    objective = penalised_objective(design, y, s, n_classes, np.inf, 0.0)
    return objective.at(np.zeros(objective.shape), np.zeros((design.n, *objective.shape[1:])))


def first_penalty(null: Point, l1_ratio: float, columns: int) -> float:
    """Return the largest C at which all weights are zero: l1_ratio / max |X.T r|, r the residual without features."""
    largest = float(np.abs(null.loss_gradient[:columns]).max(initial=0.0))
    return l1_ratio / largest if largest > 0.0 else 1.0


@dataclass(frozen=True)
class WarmFit:
    """One fit of a path: its point on all columns, what is proved of it and what it took."""

    point: Point
    objective: Objective
    C: float
    gap: float
    n_iter: int
    converged: bool

    @cached_property
    def hessian(self) -> Array:
        """The Hessian of the smooth part there: a Gram matrix, when first needed."""
        return self.objective.hessian(self.objective.curvature_at(self.point.z))

    @property
    def loss(self) -> float:
        """The weighted loss, for C = 1."""
        return (self.point.value - self.objective.penalty.value(self.point.w)) / self.C

    @property
    def coef(self) -> Array:
        """The coefficients, of shape (1, d) or (K, d)."""
        w = self.point.w[: self.objective.design.columns]
        return w.T if w.ndim == 2 else w[None, :]

    @property
    def intercept(self) -> Array:
        """The intercepts, of shape (1,) or (K,)."""
        w = self.point.w
        if not self.objective.design.intercept:
            return np.zeros(1 if w.ndim == 1 else w.shape[1])
        return w[-1:] if w.ndim == 1 else w[-1]

    @property
    def features(self) -> int:
        """How many features have a weight in any class."""
        return int(self.coef.any(axis=0).sum())


def warm_fits(
    design: Design,
    y: NDArray[Any],
    s: Array,
    n_classes: int,
    Cs: Array,
    l1_ratio: float,
    tol: float = 1e-6,
    max_iter: int = 100,
    solver: str = "auto",
    lead: Sequence[WarmFit] = (),
) -> Iterator[WarmFit]:
    """Yield the fits for increasing C, each from the one before; with L1 on the columns that the strong rule keeps.

    ``lead`` are the fits of a problem nearby (all rows, where these are a fold's): each fit moves from the one before
    as the leader did, and borrows its Hessian where that is small.
    """
    null = null_point(design, y, s, n_classes)
    if l1_ratio > 0.0:
        yield from _screened_fits(design, y, s, n_classes, Cs, l1_ratio, tol, max_iter, null)
        return
    w, before = null.w, null.w
    for index, C in enumerate(Cs.tolist()):
        objective = penalised_objective(design, y, s, n_classes, C, 0.0)
        name = choose(objective, solver)
        if name == "dual" and solver == "auto":
            name = "newton-cg"  # a dual method has no use for weights to start from
        method: Solver = SOLVERS[name]()
        if lead:
            # at the first C this starts where the leader ended
            w, before = w + (lead[index].point.w - before), lead[index].point.w
            if name == "cholesky" and np.prod(objective.shape) <= BORROWED:
                method = Borrowed(objective, lead[index].hessian, objective.total / lead[index].objective.total)
        point, certificate = minimise(DualBound(objective), method, w, tol, max_iter)
        w = point.w
        yield WarmFit(point, objective, C, certificate.relative_gap, certificate.n_iter, certificate.converged)


def _screened_fits(
    design: Design,
    y: NDArray[Any],
    s: Array,
    n_classes: int,
    Cs: Array,
    l1_ratio: float,
    tol: float,
    max_iter: int,
    null: Point,
) -> Iterator[WarmFit]:
    selection = _Selection(design)
    w, gradient, before = null.w, null.loss_gradient, first_penalty(null, l1_ratio, design.columns)
    for C in Cs.tolist():
        objective = penalised_objective(design, y, s, n_classes, C, l1_ratio)
        bound = DualBound(objective)
        chosen = selection.strong(w, gradient, before, C, l1_ratio)
        spare = selection.strong(w, gradient, before, C * (C / before) ** AHEAD, l1_ratio)
        n_iter = 0
        for _ in range(REFITS):
            chosen = selection.cover(chosen, spare)
            point, steps = _fit_selected(objective, selection, w, tol, max_iter)
            w, n_iter = point.w, n_iter + steps
            gap = bound.gap(point)
            wrong = (
                selection.any_class(np.abs(point.loss_gradient[: design.columns]) > l1_ratio * (1.0 + tol)) & ~chosen
            )
            if gap <= tol * point.value or not wrong.any():
                break
            chosen = chosen | wrong
        gradient, before = point.loss_gradient / C, C
        yield WarmFit(point, objective, C, gap / point.value, n_iter, gap <= tol * point.value)


def _fit_selected(
    objective: Objective, selection: _Selection, w: Array, tol: float, max_iter: int
) -> tuple[Point, int]:
    """Return the point, on all columns, where the fit on the selected columns ended, and its steps."""
    design = selection.design
    kept = np.append(selection.chosen, np.ones(design.width - design.columns, dtype=bool))
    penalty = Penalty(objective.penalty.l1[kept], objective.penalty.l2[kept])
    part = Objective(design, objective.y, objective.s, penalty, objective.n_classes)
    inner, certificate = minimise(DualBound(part), SOLVERS[choose(part)](), w[kept], INNER * tol, max_iter)
    objective.passes += part.passes * design.values / max(1, objective.design.values)
    w = np.zeros(objective.shape)
    w[kept] = inner.w
    return objective.at(w, inner.z), certificate.n_iter


class _Selection:
    """The columns of a design that are fitted at present, as a design of their own."""

    def __init__(self, whole: Design):
        self.whole = whole
        self.chosen: NDArray[np.bool_] = np.zeros(whole.columns, dtype=bool)
        self.design = _design_of(whole.scaled_columns(np.empty(0, np.intp), np.ones(whole.n)), whole)

    @staticmethod
    def any_class(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the columns flagged in any class."""
        return flags if flags.ndim == 1 else np.logical_or.reduce(flags, axis=1)

    def strong(self, w: Array, gradient: Array, before: float, C: float, l1_ratio: float) -> NDArray[np.bool_]:
        """Return the columns that the sequential strong rule keeps on the way from C = ``before``, and the support."""
        columns = self.whole.columns
        threshold = l1_ratio * (2.0 / C - 1.0 / before)
        return self.any_class((np.abs(gradient[:columns]) >= threshold) | (w[:columns] != 0.0))

    def cover(self, needed: NDArray[np.bool_], spare: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Make the design hold the columns needed, and return which it holds; if it must be copied, ``spare`` too."""
        if (needed & ~self.chosen).any():
            self.chosen = needed | spare
            columns = self.whole.scaled_columns(np.flatnonzero(self.chosen), np.ones(self.whole.n))
            if len(columns.data) > WORTHWHILE * self.whole.values:
                self.chosen = np.ones(self.whole.columns, dtype=bool)
                self.design = self.whole
            else:
                self.design = _design_of(columns, self.whole)
        return self.chosen


def _design_of(columns: Any, whole: Design) -> Design:
    """Return a design over a copy of some of its columns."""
    shape = (whole.n, len(columns.indptr) - 1)
    if isinstance(whole, DenseDesign):
        part: Design = DenseDesign(columns.data.reshape(shape[::-1]).T, intercept=whole.intercept)
    else:
        X = sp.csc_array((columns.data, columns.indices, columns.indptr), shape=shape)
        X.has_canonical_format = True
        part = SparseDesign(X, intercept=whole.intercept)
    part.threads = min(part.threads, whole.threads)
    return part


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
