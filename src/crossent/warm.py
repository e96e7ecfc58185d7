"""Fits for a grid of penalties, each from the one before: the engine of paths and of cross-validation.

With L1 the method keeps its copy of the columns that can matter from one fit to the next; the certificate is for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossent.certificate import Certificate, DualBound, Outcome
from crossent.design import Design
from crossent.fit import minimise
from crossent.line import take_step
from crossent.objective import Objective, Point, Step
from crossent.part import design_of
from crossent.penalty import Penalty
from crossent.solvers import SOLVERS, Solver, choose
from crossent.solvers.borrowed import Borrowed
from crossent.solvers.coordinate import Coordinate
from crossent.terms import NONE, Terms, penalised_objective

Array = NDArray[np.float64]

AHEAD = 0.8  # share of its threshold at which a column is copied before it is needed
SCORE = 1e-4  # error of a fold's mean loss that its fit's gap may leave
BORROWED = 1500  # order of the largest Hessian that is lent: one is kept for every C
ROUNDING = 1e-12  # of a gradient, in the sum of the weights
FIRST_TOL, FIRST_STEPS = 1e-10, 1000  # of the fit of the columns without a penalty, which starts a path


def null_point(design: Design, y: NDArray[Any], s: Array, n_classes: int, terms: Terms = NONE) -> Point:
    """Return the point where all weights are zero and the intercept is at its optimum, for C = 1 and no penalty."""
    objective = penalised_objective(design, y, s, n_classes, np.inf, 0.0, Terms(offset=terms.offset))
    w = objective.origin()
    return objective.at(w, objective.margins_at(w))


def first_point(null: Point, design: Design, y: NDArray[Any], s: Array, n_classes: int, terms: Terms) -> Point:
    """Return the optimum where all weights are zero but those of columns without a penalty, for C = 1."""
    if terms.factor is None or terms.factor.all():
        return null
    objective = penalised_objective(design, y, s, n_classes, np.inf, 0.0, terms)
    free = terms.factor == 0.0
    kept = np.append(free, np.ones(design.width - design.columns, dtype=bool))
    columns = design_of(design.scaled_columns(np.flatnonzero(free), np.ones(design.n)), design)
    part = Objective(columns, y, s, objective.penalty.of(kept), n_classes, terms.offset)
    start = part.penalty.within(null.w[kept])
    inner, _ = _minimised(part, SOLVERS[choose(part)](), part.at(start), FIRST_TOL, FIRST_STEPS)
    w = np.zeros(objective.shape)
    w[kept] = inner.w
    return objective.at(w, inner.z)


def first_penalty(first: Point, l1_ratio: float, factors: Penalty) -> float:
    """Return the largest C at which all penalised weights are zero: l1_ratio / max |X.T r|, r the residual there.

    Each column's product is over its factor, the l1 of ``factors``.
    """
    penalised = np.where(factors.l1 > 0.0, factors.l1, np.inf)
    largest = float((factors.pull(first.loss_gradient) / penalised).max(initial=0.0))
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


def lends(
    design: Design, y: NDArray[Any], s: Array, n_classes: int, l1_ratio: float, solver: str, terms: Terms = NONE
) -> bool:
    """Tell whether a fit nearby should lead: where a Hessian is small enough to be lent for every C."""
    if l1_ratio > 0.0:
        return False
    objective = penalised_objective(design, y, s, n_classes, 1.0, 0.0, terms)
    return choose(objective, solver) == "cholesky" and int(np.prod(objective.shape)) <= BORROWED


def warm_fits(
    design: Design,
    y: NDArray[Any],
    s: Array,
    n_classes: int,
    Cs: Iterable[float],
    l1_ratio: float,
    tol: float = 1e-6,
    max_iter: int = 100,
    solver: str = "auto",
    lead: Sequence[WarmFit] = (),
    terms: Terms = NONE,
) -> Iterator[WarmFit]:
    """Yield the fits for increasing C, each from the one before.

    ``lead`` are the fits of a problem nearby (all rows, where these are a fold's): each fit moves from the one before
    along the leader's way, and borrows its Hessian where that is small. Without a leader it moves on along its own way
    so far. How far is a search along a line on which the margins are known: it costs half a pass, and saves many.
    """
    null = null_point(design, y, s, n_classes, terms)
    if l1_ratio > 0.0:
        first = first_point(null, design, y, s, n_classes, terms)
        yield from _sparse_fits(design, y, s, n_classes, Cs, l1_ratio, tol, max_iter, first, terms)
        return
    point, before, objective = null, null, penalised_objective(design, y, s, n_classes, np.inf, 0.0, terms)
    way = Step(np.zeros_like(null.w), np.zeros_like(null.z))
    for index, C in enumerate(Cs):
        other, objective = objective, penalised_objective(design, y, s, n_classes, C, 0.0, terms)
        name = choose(objective, solver)
        if name == "dual" and solver == "auto":
            name = "newton-cg"  # a dual method has no use for weights to start from
        method: Solver = SOLVERS[name]()
        if lead:
            ahead = lead[index]
            way, before = Step(ahead.point.w - before.w, ahead.point.z - before.z), ahead.point
            if name == "cholesky":
                method = Borrowed(objective, ahead.hessian, objective.total / ahead.objective.total)
        start = _adopted(objective, point, other)
        if objective.penalty.smooth and float((start.gradient * way.v).sum()) < 0.0:
            start = take_step(objective, start, way)
        point, certificate = _minimised(objective, method, start, tol, max_iter)
        n_iter, scored = certificate.n_iter, _gap_for_scores(objective, point)
        if certificate.converged and certificate.gap > scored:
            point, certificate = _minimised(objective, method, point, scored / point.value, max_iter - n_iter)
            n_iter += certificate.n_iter
        converged = certificate.relative_gap <= tol
        if not lead:
            way, before = Step(point.w - before.w, point.z - before.z), point
        yield WarmFit(point, objective, C, certificate.relative_gap, n_iter, converged)


def _gap_for_scores(objective: Objective, point: Point) -> float:
    """Return the gap at which the mean loss of rows like these is off by ``SCORE`` at most.

    A gap bounds the distance d to the optimum, d^2 <= 2 gap, and there the mean loss has the slope |w| / total. It asks
    for more than ``tol`` where C is small: nearly all of F is then a loss that no weights change.
    """
    allowed, length = SCORE * objective.total, float(np.linalg.norm(objective.penalty.l2 * point.w))
    distance = 2.0 * allowed / (length + np.sqrt(length**2 + 4.0 * allowed))  # d (|w| + d) = allowed
    return 0.5 * distance**2


def _adopted(objective: Objective, point: Point, before: Objective) -> Point:
    """Return the point as one of the objective, within its bounds: a pass where it was not."""
    w = objective.penalty.within(point.w)
    return objective.adopt(point, before) if np.array_equal(w, point.w) else objective.at(w)


def _minimised(
    objective: Objective, method: Solver, start: Point, tol: float, max_iter: int
) -> tuple[Point, Certificate]:
    """Return what the loop returns; an interruption ends the whole walk and not one fit."""
    point, certificate = minimise(DualBound(objective), method, start, tol, max_iter)
    if certificate.outcome == Outcome.INTERRUPTED.value:
        raise KeyboardInterrupt
    return point, certificate


def _sparse_fits(
    design: Design,
    y: NDArray[Any],
    s: Array,
    n_classes: int,
    Cs: Iterable[float],
    l1_ratio: float,
    tol: float,
    max_iter: int,
    first: Point,
    terms: Terms,
) -> Iterator[WarmFit]:
    method = Coordinate(AHEAD)
    point, before = first, penalised_objective(design, y, s, n_classes, np.inf, 0.0, terms)
    penalty = penalised_objective(design, y, s, n_classes, 1.0, l1_ratio, terms).penalty
    for C in Cs:
        objective = Objective(design, y, C * s, penalty, n_classes, terms.offset)
        point, before = _adopted(objective, point, before), objective
        moved = max_iter > 0 and _violates(objective, point)
        if moved:  # within tol or not: else a path would go in stairs
            point = take_step(objective, point, method.direction(objective, point, tol * point.value))
        point, certificate = _minimised(objective, method, point, tol, max_iter - moved)
        yield WarmFit(point, objective, C, certificate.relative_gap, certificate.n_iter + moved, certificate.converged)


def _violates(objective: Objective, point: Point) -> bool:
    """Tell whether a coefficient is off its optimum by more than rounding."""
    return float(objective.penalty.violation(point.w, point.gradient).max(initial=0.0)) > ROUNDING * objective.total
