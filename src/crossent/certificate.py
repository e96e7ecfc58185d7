"""How far a fit is from the optimum, proved: the duality gap.

The dual of F is a maximum over probabilities p' whose residual s (p' - y) is orthogonal to every unpenalised column.
Any such p' bounds F from below, and F(w) less that bound is a sum of terms that are never negative:

    gap = sum_i s_i KL(p'_i || sigma(z_i)) + sum_j penalty(w_j) + penalty*(u_j) - u_j w_j,   u = -X.T @ (s (p' - y)).

For L2 without an intercept p' = sigma(z) will do, and the gap is half the squared gradient (over l2).
Proved: `conjugate_bound`, `weak_duality`, `stationary_is_global_minimum`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossent.free import FreeColumns
from crossent.margins import conjugate_sum, divergence_to_dual
from crossent.objective import DualPoint, Objective, Point, Step

Array = NDArray[np.float64]

BALANCED = 1e-12  # share of a class's weight that rounding may hide in the intercept's equation
ROUNDING = 1e-14  # relative: what sums over the rows, and the objective less a dual value, may have lost
RISEN = 1e-9  # relative: a bound that far above an objective seen is none
LAST_PLACE = float(np.finfo(np.float64).eps)  # relative: a smaller gap is not claimed of numbers of 53 bits


class Outcome(Enum):
    """How a fit ended; the value says it to the user."""

    CONVERGED = "converged: the certified gap is within tol"
    MAX_ITER = "stopped at max_iter before the gap was within tol"
    STALLED = "stopped where rounding allows no further progress"
    INTERRUPTED = "interrupted: these are the best weights so far"
    STOPPED = "stopped by a callback: these are the best weights so far"
    OVERFLOW = "stopped where numbers leave the range of floating point: these are the best weights so far"
    SEPARABLE = "the classes are separable and nothing penalises the weights, so no finite optimum exists"


REMEDIES = {
    Outcome.MAX_ITER: "raise max_iter",
    Outcome.STALLED: "raise tol to the gap reached",
    Outcome.INTERRUPTED: "fit again with warm_start=True to go on",
    Outcome.STOPPED: "fit again with warm_start=True to go on",
    Outcome.OVERFLOW: "divide the largest columns of X, or C, by a power of ten",
    Outcome.SEPARABLE: "give a finite C, and no column a penalty factor of 0",
}


@dataclass(frozen=True)
class Certificate:
    """What a fit proves about itself.

    Attributes
    ----------
    objective : float
        F at the returned weights: C times the weighted loss in nats, plus the penalty.
    dual : float
        A lower bound on F everywhere; minus infinity where none is known.
    gap, relative_gap : float
        objective - dual, which bounds F(w) - F*; and that over objective.
    tol : float
        The relative gap that was asked for.
    gradient_norm : float
        Euclidean norm of the gradient of the smooth part.
    passes : float
        Visits to every value of X.
    seconds : float
    n_iter : int
    solver, outcome : str
    converged : bool
    """

    objective: float
    dual: float
    gap: float
    relative_gap: float
    tol: float
    gradient_norm: float
    passes: float
    seconds: float
    n_iter: int
    solver: str
    outcome: str
    converged: bool

    def as_dict(self) -> dict[str, Any]:
        """Return the certificate as plain values."""
        return asdict(self)

    def shortfall(self) -> str:
        """Say how a fit that did not converge ended, which gap it reached and was asked, and one remedy."""
        reached = f"{self.relative_gap:.2g}" if np.isfinite(self.relative_gap) else "not yet known"
        outcome = Outcome(self.outcome)
        if outcome is Outcome.STALLED and not self.relative_gap < 1.0:  # no tol to ask for: the scales are to blame
            outcome = Outcome.OVERFLOW
        return (
            f"{self.outcome}. Relative gap reached {reached}, asked {self.tol:.2g}, after {self.n_iter} iterations; "
            f"{REMEDIES[outcome]}."
        )

    def __str__(self) -> str:
        return (
            f"{self.outcome}\n"
            f"objective {self.objective:.10g}, certified within {self.gap:.2g} of the optimum "
            f"(relative gap {self.relative_gap:.2g}, asked {self.tol:.2g})\n"
            f"{self.solver}: {self.n_iter} iterations, {self.passes:.4g} passes over the data, {self.seconds:.3g} s, "
            f"gradient norm {self.gradient_norm:.2g}"
        )


class DualBound:
    """The duality gap of points of one objective.

    With an intercept, probabilities are mixed with one fixed distribution just enough that their weighted sums equal
    the labels': p' = p + tau (q - p). That needs X.T @ s and X.T @ (s y), computed once, when first needed.
    """

    def __init__(self, objective: Objective):
        self.objective = objective
        self.label_sums = objective.label_sums
        free = objective.penalty.free[: objective.design.columns]
        self.needs_newton = bool(free.size and free.all())
        some = not self.needs_newton and (free.any() or objective.penalty.half_free.any())
        self._free_columns = FreeColumns(objective) if some else None
        self.endless: Array | None = None  # a change of the margins, by what neither penalty nor bound holds back
        self.best = 0.0  # the largest dual value seen, of any point: neither loss nor penalty is negative
        self.least = np.inf  # the smallest objective seen
        self._column_sums: tuple[Array, Array] | None = None

    def gap(self, point: Point, step: Step | None = None) -> float:
        """Return the duality gap at the point: no pass over X, O(n) work. Infinite where no dual point is known.

        The Newton step is needed where no column of X is penalised: p' = p + p'(z) X v is orthogonal to them, but for
        what is left over of Newton's equation. That enters the bound as its product with twice the step's length: near
        the optimum, and there only, the optimum is that close. Where some columns are penalised and some are not, a
        step in the latter is taken here (``FreeColumns``), at the cost of a pass.
        """
        if self._free_columns is not None:
            gap = self._gap_beside_free(point, self._free_columns)
        else:
            gap = self._gap_of_newton(point, step) if self.needs_newton else self._gap_of_gradient(point)
        if self.needs_newton and step is not None:
            self.endless = step.dz
        self.least = min(self.least, point.value)
        if point.value - gap > self.least * (1.0 + RISEN):  # no bound: the objective has been below it
            gap = np.inf
        gap = min(np.inf if np.isnan(gap) else gap, point.value - self.best + ROUNDING * point.value)
        gap = max(gap, 0.0) + LAST_PLACE * point.value
        if step is None or step.leftover == 0.0:  # else it holds near the optimum only
            self.best = max(self.best, point.value - gap)
        return gap

    def is_above(self, point: Point, allowed: float) -> bool:
        """Tell whether the gap is seen to be above ``allowed`` by the penalty's share alone."""
        if not self.objective.ridge:
            return False
        self.least = min(self.least, point.value)
        return min(self.objective.penalty.gap(point.w, -point.loss_gradient), point.value - self.best) > allowed

    def _gap_of_newton(self, point: Point, step: Step | None) -> float:
        if step is None or step.dz is None:
            return np.inf
        none = np.zeros_like(self.label_sums)
        length = np.sqrt(max(0.0, -float((point.gradient * step.v).sum())))
        return self._divergence(point, 0.0, none, 1.0, step.dz) + 2.0 * step.leftover * length

    def _gap_beside_free(self, point: Point, columns: FreeColumns) -> float:
        corrected = columns.correct(point)
        if corrected is None or not corrected.solved:
            return np.inf
        self.endless = corrected.shift if corrected.endless else None
        penalty, none = self.objective.penalty, np.zeros_like(self.label_sums)
        theta = penalty.dual_scale(-corrected.loss_gradient)
        gap = penalty.gap(point.w, -theta * corrected.loss_gradient) + corrected.leftover
        return gap + self._divergence(point, 0.0, none, theta, corrected.shift)

    def _gap_of_gradient(self, point: Point) -> float:
        objective = self.objective
        tau, q, loss_gradient = self._feasible(point.loss_gradient)
        theta = objective.penalty.dual_scale(-loss_gradient)
        gap = objective.penalty.gap(point.w, -theta * loss_gradient)
        if tau > 0.0 or theta < 1.0:
            gap += self._divergence(point, tau, q, theta, np.empty((0, *point.z.shape[1:])))
        return gap

    def observe(self, dual: DualPoint) -> None:
        """Keep the dual value of a point that a method has found, if it is the best so far: no pass, O(n) work."""
        objective = self.objective
        tau, q, loss_gradient = self._feasible(dual.loss_gradient)
        loss = objective.design.over_rows(
            lambda rows: conjugate_sum(dual.p[rows], objective.y[rows], objective.s[rows], tau, q)
        )
        self.best = max(self.best, -sum(loss) - objective.penalty.conjugate(-loss_gradient))

    def _feasible(self, loss_gradient: Array) -> tuple[float, Array, Array]:
        """Return tau, q and the gradient of the loss once the probabilities are mixed for the intercept's sake."""
        if self.objective.design.intercept:
            tau, q = self._mixture(np.atleast_1d(loss_gradient[-1]))
            if tau > 0.0:
                column_sums, label_products = self._sums()
                to_q = column_sums * q[0] if loss_gradient.ndim == 1 else np.outer(column_sums, q)
                return tau, q, loss_gradient + tau * (to_q - loss_gradient - label_products)
        return 0.0, np.zeros_like(self.label_sums), loss_gradient

    def _mixture(self, excess: Array) -> tuple[float, Array]:
        """Return tau and q that make the probabilities' sums, now label_sums + excess, equal the labels' sums."""
        sums, over = (self.label_sums + excess).tolist(), excess.tolist()  # few numbers: lists are faster than arrays
        if len(sums) == 1:  # the other class's sum, for the same formula
            sums.append(self.objective.total - sums[0])
            over.append(-over[0])
        tau = max(e / total if e > 0.0 else 0.0 for e, total in zip(over, sums, strict=True))
        if tau <= BALANCED:
            return 0.0, np.zeros_like(self.label_sums)
        q = np.array([max(total - e / tau, 0.0) for e, total in zip(over, sums, strict=True)])
        return tau, (q / q.sum())[: len(self.label_sums)]

    def _sums(self) -> tuple[Array, Array]:
        """Return X.T @ s and X.T @ (s y) (or of the one-hot labels): one pass."""
        if self._column_sums is None:
            objective = self.objective
            s, y = objective.s, objective.y
            if objective.n_classes == 2:
                labels = s * y
            else:
                labels = np.zeros((len(y), objective.n_classes))
                labels[np.arange(len(y)), y] = s
            objective.passes += 1.0
            self._column_sums = objective.design.tdot(s), objective.design.tdot(labels)
        return self._column_sums

    def _divergence(self, point: Point, tau: float, q: Array, theta: float, shift: Array) -> float:
        objective = self.objective
        return sum(
            objective.design.over_rows(
                lambda rows: divergence_to_dual(
                    point.z[rows], objective.y[rows], objective.s[rows], tau, q, theta, shift[rows]
                )
            )
        )
