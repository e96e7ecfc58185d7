"""Newton's method with the whole Hessian: few steps, whatever the scales of the columns; for few columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crossent.dense import newton_steps
from crossent.design import SMALL, SparseDesign
from crossent.factor import Factor, is_solved
from crossent.objective import Objective, Point, Step
from crossent.solvers.conjugate import conjugate_gradients
from crossent.solvers.newton_cg import Forcing

Array = NDArray[np.float64]

LITTLE = 128  # coefficients whose Hessian is factorised before LAPACK is called
KEEP = 0.6  # share of a Gram matrix's cost that conjugate gradients may take before a new one is due


class NewtonCholesky:
    """Newton steps by Cholesky's factorisation. A step is a Gram matrix (one pass, n d^2/2) and half a pass.

    Where a Gram matrix costs many passes, the last one's factor serves on as the preconditioner of conjugate gradients,
    for as long as they take fewer passes than a new one would. The first is that of a sample, where rows are many.
    """

    name = "cholesky"

    def __init__(self) -> None:
        self._factor: Factor | None = None
        self._forcing = Forcing()

    def direction(self, objective: Objective, point: Point, target: float, limit: int = 1) -> Step:
        """Return the Newton step at the point; with little data, as many of them as may be."""
        several = _at_once(objective, point, target, limit)
        if several is not None:
            return several
        h = objective.curvature_at(point.z)
        step = self._with_last_factor(objective, point, h, target)
        if step is not None:
            return step
        self._factor = _factorised(objective, h)
        v = -self._factor.solve(point.gradient)
        if objective.tries_whole_steps:
            return Step(v, None)
        left = point.gradient.reshape(-1) + self._factor.matrix @ v.reshape(-1)
        return Step(v, objective.margins(v), 0.0 if is_solved(left, point.gradient) else np.inf)

    def _with_last_factor(self, objective: Objective, point: Point, h: Array, target: float) -> Step | None:
        """Return the step that conjugate gradients find with the last factor, if they do in the passes allowed."""
        limit = int(KEEP * objective.hessian_work / objective.pass_work)
        if limit > 0 and self._factor is None and objective.sample is not None:
            rows, part = objective.sample
            self._factor = _factorised(part, part.curvature_at(point.z[rows]))
        factor = self._factor
        if factor is None or limit == 0:
            return None
        v, residual, solved = conjugate_gradients(
            lambda p: objective.hessian_product(h, p),
            point.gradient,
            factor.solve,
            self._forcing.test(objective, point.gradient, factor.diagonal.reshape(point.w.shape), target),
            limit,
        )
        leftover = float(np.sqrt(max(0.0, float((residual * factor.solve(residual)).sum()))))
        return Step(v, objective.margins(v), leftover) if solved else None


def _at_once(objective: Objective, point: Point, target: float, limit: int) -> Step | None:
    """Return where Newton steps in one call lead; None where there is much to do in a step, or not even one is good.

    With little data a step's calls cost more than its mathematics, and zeros cost less than knowing where they are.
    """
    design, w = objective.design, point.w.copy()
    if objective.n_classes > 2 or objective.offset is not None or not objective.tries_whole_steps:
        return None
    if design.n * design.columns >= SMALL or w.size > LITTLE:
        return None
    X = design.rows.toarray() if isinstance(design, SparseDesign) else design.X  # type: ignore[attr-defined]
    X = np.ascontiguousarray(X, dtype=np.float64)
    taken = newton_steps(X, objective.y, objective.s, objective.penalty.l2, w, limit, target / point.value)
    objective.passes += 2.0 * taken
    return Step(w - point.w, None, steps=taken) if taken else None


def _factorised(objective: Objective, h: Array) -> Factor:
    hessian = objective.hessian(h)
    if h.ndim == 2:
        hold_common_shift(hessian, objective)
    return Factor(hessian)


def hold_common_shift(hessian: Array, objective: Objective) -> None:
    """Give curvature to adding a constant to all K classes of an unpenalised coefficient, which changes no margin.

    The gradient has no part along that direction, so the step has none either.
    """
    K = objective.n_classes
    for j in np.flatnonzero(objective.penalty.l2[:, 0] == 0.0):
        own = hessian[j * K : (j + 1) * K, j * K : (j + 1) * K]
        own += own.trace() / K**2
