"""Dual coordinate ascent, one row after another, and Newton's method where that is too slow; for many columns.

Each row has a probability p' = sigma(u), which may be anything; w = sum_i s_i (y_i - p'_i) x_i. Visiting a row moves
its u to where the margin meets it, u = z(u), by Newton's method in one dimension: z falls by s_i |x_i|^2 for each unit
that p' rises. At a fixed point u = z for all rows, which is the optimum; every state on the way is a dual point, so it
bounds the optimum from below.

The intercept is unpenalised, which the dual states as a sum over all rows. So it gets a penalty after all, towards
where it stands, (b - b_k)^2 / (2 beta), and b_k follows after each epoch (the proximal point method): the rows hold
the intercept so much harder than that penalty that two or three moves settle it.

Shalev-Shwartz and Zhang, Stochastic dual coordinate ascent methods for regularized loss minimization (2013); Yu, Huang
and Lin, Dual coordinate descent methods for logistic regression and maximum entropy models (2011).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crossent.columns import column_add, column_dot
from crossent.equations import conjugate_at, loss_at, sigmoid_at
from crossent.jit import formula, kernel
from crossent.objective import DualPoint, Objective, Point, Step
from crossent.solvers.newton_cg import NewtonCG

Array = NDArray[np.float64]

RUN = 8  # rows in stored order between two random jumps: as fast as in order, and converges as at random
EPOCHS_A_STEP = 8  # then the loop looks at the gap and shows progress
TRIAL = 5  # epochs before the pace is judged
PATIENCE = 30  # epochs to come for which conjugate gradients would need as long
SETTLED = 1e-3  # a Newton step in u after which its error is a millionth
INTERCEPT_SHARE = 0.1  # beta over the mean |x|^2: more would slow the rows down
INTERCEPT_HOLD = 40.0  # beta times the sum of the weights at least: less and b_k would not follow quickly
SMALL_SHARE = 0.01  # of p (1 - p), by which a row may move for the others' balance
CLAIMS = 3  # times the ascent may think itself done and be wrong


class DualAscent:
    """Epochs of dual coordinate ascent while they are quick, then steps of Newton-CG from where they led.

    An epoch is one pass over X, on one thread: short runs of rows in random order, so that a file sorted by class does
    as well as any other.
    """

    name = "dual"

    def __init__(self) -> None:
        self._ascent: _Ascent | None = None
        self._newton: NewtonCG | None = None

    @staticmethod
    def handles(objective: Objective) -> bool:
        """Tell whether the problem is one for this method: two classes, and an L2 penalty of strength one."""
        l2 = objective.penalty.l2[: objective.design.columns]
        return (
            objective.n_classes == 2
            and objective.penalty.smooth
            and bool((l2 == 1.0).all())
            and objective.design.values > 0
        )

    def direction(self, objective: Objective, point: Point, target: float) -> Step:
        """Return the way to where the next epochs lead, with their dual point; or a Newton-CG step."""
        if self._newton is None:
            self._ascent = self._ascent or _Ascent(objective)
            promising = self._ascent.run(objective, target)
            v = self._ascent.coefficients(objective) - point.w
            dual = self._ascent.dual_point(objective)
            if not promising:
                self._newton, self._ascent = NewtonCG(), None
            if float((point.gradient * v).sum()) < 0.0:
                return Step(v, objective.margins(v), dual=dual)
            self._newton = self._newton or NewtonCG()
        return self._newton.direction(objective, point, target)


class _Ascent:
    """The state of the ascent: u and p' of every row, and the w they make; the intercept with its centre b_k."""

    def __init__(self, objective: Objective):
        design = objective.design
        self.random = np.random.default_rng(0)
        self.rows = design.compressed_rows()
        self.y, self.s = objective.y, objective.s
        self.squares = self.rows.squares()
        least = INTERCEPT_HOLD / objective.total
        self.beta = max(INTERCEPT_SHARE * float(self.squares.mean()), least) if design.intercept else 0.0
        self.p = self.y.copy()  # the dual's zero: every row at its label, w = 0
        self.u = (2.0 * self.y - 1.0) * np.log(np.e**2 + self.s * self.squares)
        self.w = np.zeros(design.columns)
        self.intercept = self.centre = 0.0
        self.gaps: list[float] = []
        self.claims = 0

    def run(self, objective: Objective, target: float) -> bool:
        """Do some epochs; return whether it is worth while to do more, should the gap be above ``target`` still."""
        starts = np.arange(0, len(self.y), RUN)
        for _ in range(EPOCHS_A_STEP):
            objective.passes += 1.0
            self.random.shuffle(starts)
            state = self.u, self.p, self.w, self.beta, self.intercept
            gap, self.intercept = _epoch(*self.rows.arrays, self.y, self.s, self.squares, starts, *state)
            self.gaps.append(gap)
            if self.beta > 0.0:
                self.centre, self.intercept = self.intercept, 2.0 * self.intercept - self.centre
            if len(self.gaps) > 1 and gap * min(1.0, gap / self.gaps[-2]) <= 0.5 * target:
                self.claims += 1
                return self.claims < CLAIMS
            if len(self.gaps) >= TRIAL and not self._quick(target):
                return False
        return True

    def _quick(self, target: float) -> bool:
        pace = np.log(self.gaps[-3] / self.gaps[-1]) / 2.0
        return bool(pace * PATIENCE >= np.log(self.gaps[-1] / target))

    def dual_point(self, objective: Objective) -> DualPoint:
        """Return a dual point: the rows' probabilities, after some moved so that with an intercept they balance."""
        if not objective.design.intercept:
            return DualPoint(self.p.copy(), -self.w)
        p, w = self.p.copy(), self.w.copy()
        _balance(*self.rows.arrays, self.y, self.s, p, w)
        return DualPoint(p, -np.append(w, self.s @ (self.y - p)))

    def coefficients(self, objective: Objective) -> Array:
        """Return w, and the intercept below it."""
        return np.append(self.w, self.intercept) if objective.design.intercept else self.w.copy()


@formula
def _meeting(u, target, stiffness):
    """Solve u = target - stiffness sigma(u) from u, by Newton's method inside the bracket that 0 < sigma < 1 gives."""
    low, high = target - stiffness, target
    for _ in range(50):
        p = sigmoid_at(u)
        excess = u + stiffness * p - target
        if excess > 0.0:
            high = u
        else:
            low = u
        step = excess / (1.0 + stiffness * p * (1.0 - p))
        u -= step
        if abs(step) <= SETTLED:
            break
        if not low <= u <= high:
            u = 0.5 * (low + high)
    return u


@kernel
def _balance(indptr, indices, data, y, s, p, w):
    """Move the probabilities of the first rows so that sum s (p - y) vanishes, each by its share of the curvature.

    As many rows as it takes for none to move by more than a small share of p (1 - p).
    """
    excess = 0.0
    for i in range(y.size):
        excess += s[i] * (p[i] - y[i])
    curvature, count = 0.0, 0
    while count < y.size and curvature * SMALL_SHARE < abs(excess):
        curvature += s[count] * p[count] * (1.0 - p[count])
        count += 1
    if curvature == 0.0:
        return
    share = excess / curvature
    for i in range(count):
        delta = share * p[i] * (1.0 - p[i])
        if delta < p[i] and delta > p[i] - 1.0:
            p[i] -= delta
            column_add(indptr, indices, data, i, s[i] * delta, w)


@kernel
def _epoch(indptr, indices, data, y, s, squares, starts, u, p, w, beta, b):
    """Visit every row once; return the duality gap as met on the way, and the intercept."""
    gap = 0.0
    for start in starts:
        for i in range(start, min(start + RUN, y.size)):
            z = b + column_dot(indptr, indices, data, i, w)
            r = p[i] - y[i]
            gap += s[i] * (loss_at(z, y[i]) + conjugate_at(r, y[i]) - z * r)
            stiffness = s[i] * (squares[i] + beta)
            u[i] = _meeting(u[i], z + stiffness * p[i], stiffness)
            moved = sigmoid_at(u[i])
            delta = s[i] * (p[i] - moved)
            p[i] = moved
            column_add(indptr, indices, data, i, delta, w)
            b += beta * delta
    return gap, b
