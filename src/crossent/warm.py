"""Fits for a grid of penalties, each from the one before: the engine of paths and of cross-validation.

With L1 only the columns that can matter are visited (the sequential strong rule); the certificate holds for all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from crossent.certificate import DualBound
from crossent.design import DenseDesign, Design, SparseDesign
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
INNER = 0.9  # share of the gap for the fit on the selected columns


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
        n_iter, inner = 0, INNER * tol
        for _ in range(REFITS):
            chosen = selection.cover(chosen, spare)
            point, steps = _fit_selected(objective, selection, w, inner, max_iter)
            w, n_iter = point.w, n_iter + steps
            gap = bound.gap(point)
            wrong = (
                selection.any_class(np.abs(point.loss_gradient[: design.columns]) > l1_ratio * (1.0 + tol)) & ~chosen
            )
            if gap <= tol * point.value:
                break
            if not wrong.any():  # its bound came from another point, of which the columns left out say nothing
                inner *= 0.1
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
    inner, certificate = minimise(DualBound(part), SOLVERS[choose(part)](), w[kept], tol, max_iter)
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
