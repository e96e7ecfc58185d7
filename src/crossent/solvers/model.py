"""The quadratic model of a proximal Newton step for two classes, known by its columns: sweeps, then a system.

Sweeps find which coefficients are zero; conjugate gradients among those that are not go far where columns are alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crossent.objective import Objective, Point
from crossent.solvers.conjugate import conjugate_gradients
from crossent.solvers.sweeps import descend

Array = NDArray[np.float64]

FLATTEST = 1e-6  # curvature a row keeps however sure it is, or a step could be endless
HALVINGS = 10  # of what a solved system proposes


class Model:
    """The model over some coefficients, those of the columns ``chosen``, which it moves; see ``sweeps``.

    ``visits`` counts the values of X visited.
    """

    def __init__(self, objective: Objective, point: Point, h: Array, chosen: NDArray[np.intp]):
        design, penalty = objective.design, objective.penalty
        h = np.maximum(h, FLATTEST * objective.s)
        root = np.sqrt(h)
        self.point, self.chosen, self.intercept = point, chosen, design.intercept
        self.n, self.threads = design.n, design.threads
        self.columns = design.scaled_columns(chosen, root)
        self.edge, self.total, self.g = np.zeros(len(chosen)), 1.0, point.gradient[chosen]
        if design.intercept:  # eliminated: the model is that of columns centred at their means
            self.edge = self.columns.tdot(root, self.threads)
            self.total = max(float(h.sum()), np.finfo(float).tiny)
            self.g = self.g - self.edge / self.total * point.gradient[-1]
        self.curvature = np.maximum(self.columns.squares() - self.edge * self.edge / self.total, 0.0)
        self.l1, self.l2, self.start = penalty.l1[chosen], penalty.l2[chosen], point.w[chosen]
        self.low, self.high = penalty.low[chosen], penalty.high[chosen]
        self.w, self.q, self.taken = self.start.copy(), np.zeros(design.n), np.zeros(1)
        self.visits = 0.0

    def sweep(self, enough: float, forcing: float, sweeps: int) -> bool:
        """Sweep over the coordinates; tell whether no violation is above ``enough``, or ``forcing`` times the first."""
        done, visits = descend(
            *self.columns.arrays, self.curvature, self.edge, self.total, self.g, self.l1, self.l2, self.low, self.high,
            self.start, self.w, self.q, self.taken, enough, forcing, sweeps,
        )  # fmt: skip
        self.visits += visits
        return bool(done)

    def solve(self, solved: float, products: int) -> float:
        """Move to the minimum among the signs, by so many products at most; return the share of signs that were lost.

        Until the residual is ``solved`` of the first. What would change sign becomes zero, what would leave its bounds
        stops there; half as far until the model falls. All are lost if that was not at once.
        """
        support = np.flatnonzero((self.w != 0.0) & (self.w > self.low) & (self.w < self.high))
        columns = self.columns.some(support, np.ones(self.n), self.threads)
        l2, w, edge = self.l2[support], self.w[support], self.edge[support]
        diagonal = np.maximum(self.curvature[support] + l2, 1e-300)
        slope = self.g[support] + columns.tdot(self.q, self.threads) - self.taken[0] * edge
        slope += l2 * (w - self.start[support]) + self.l1[support] * np.sign(w)
        enough = solved * solved * float((slope * slope / diagonal).sum())

        def product(p: Array) -> Array:
            self.visits += 2.0 * len(columns.data)
            image = columns.tdot(columns.dot(p, self.n, self.threads), self.threads)
            return image - float(edge @ p) / self.total * edge + l2 * p

        v, _, _ = conjugate_gradients(
            product, slope, lambda r: r / diagonal, lambda r: float((r * r / diagonal).sum()) <= enough, products
        )
        for halving in range(HALVINGS):
            lost = w * (w + v) <= 0.0
            new = np.where(lost, 0.0, np.clip(w + v, self.low[support], self.high[support]))
            moved = new - w
            dq, c = columns.dot(moved, self.n, self.threads), float(edge @ moved) / self.total
            change = float(moved @ (slope + 0.5 * l2 * moved)) + 0.5 * float(dq @ dq) - 0.5 * self.total * c * c
            if change < 0.0:
                self.w[support], self.taken[0] = new, self.taken[0] + c
                self.q += dq
                return float(lost.mean()) if halving == 0 else 1.0
            v = 0.5 * v
        return 1.0

    def step(self) -> Array:
        """Return the step of all coefficients, shaped as the point's."""
        v = np.zeros_like(self.point.w)
        v[self.chosen] = self.w - self.start
        if self.intercept:
            v[-1] = -self.taken[0] - self.point.gradient[-1] / self.total
        return v
