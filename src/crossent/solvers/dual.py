"""Dual coordinate ascent, one row after another, and Newton's method where that is too slow; for many columns.

Each row has a probability p' = sigma(u), which may be anything; w = sum_i s_i (y_i - p'_i) x_i. Visiting a row moves
its u to where the margin meets it, u = z(u), by Newton's method in one dimension: z falls by s_i |x_i|^2 for each unit
that p' rises. At a fixed point u = z for all rows, which is the optimum; every state on the way is a dual point, so it
bounds the optimum from below.

Two threads take half of the rows each, drawn anew for every epoch, and each its own copy of w, in which its moves count
double: as if the other half, which it does not see, moved w as it does. The mean of both copies is the true w again.
Drawn once, the halves would settle against each other, and slowly; drawn anew they need no more epochs than one thread.

The intercept is unpenalised, which the dual states as a sum over all rows. So it gets a penalty after all, towards
where it stands, (b - b_k)^2 / (2 beta), and b_k follows after each epoch (the proximal point method): the rows hold
the intercept so much harder than that penalty that two or three moves settle it.

Ma and others, Adding vs. averaging in distributed primal-dual optimization (2015), but for a row's own stiffness, which
counts once here: half as many epochs, and where that goes too far the gap says so and Newton's method takes over;
Shalev-Shwartz and Zhang, Stochastic dual coordinate ascent methods for regularized loss minimization (2013); Yu, Huang
and Lin, Dual coordinate descent methods for logistic regression and maximum entropy models (2011).
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from crossent.blocks import run
from crossent.design import SMALL
from crossent.equations import sigmoid, sigmoid_roughly
from crossent.jit import formula, kernel
from crossent.objective import DualPoint, Objective, Point, Step
from crossent.solvers.newton_cg import NewtonCG
from crossent.sparse import vector_add, vector_dot

Array = NDArray[np.float64]

RUN = 8  # rows in stored order between two random jumps: as fast as in order, and converges as at random
EPOCHS_A_STEP = 8  # then the loop looks at the gap and shows progress
TRIAL = 2  # epochs before the pace is judged
PATIENCE = 30  # epochs to come for which conjugate gradients would need as long, were a visit free but for its values
VISIT = 8  # values that could be visited in the time that a row's exponential and its jump take
SETTLED = 0.5  # a Newton step in u after which its error is an eighth at most: the next visit sees to that
HALVES = 2  # of the rows, where there are values enough for two threads
MEETINGS = 2  # of both copies of w in an epoch
INTERCEPT_SHARE = 0.1  # beta over the mean |x|^2: more would slow the rows down
INTERCEPT_HOLD = 40.0  # beta times the sum of the weights at least: less and b_k would not follow quickly
SMALL_SHARE = 0.01  # of p (1 - p), by which a row may move for the others' balance
SHARE_ROWS = 512  # that tell where the ascent begins: more would tell it better than its use deserves
SHARE_HALVINGS = 12
LEAST_SHARE = 1e-8
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
        """Tell whether the problem is one for this method: two classes, an L2 penalty of strength one, no offset."""
        l2 = objective.penalty.l2[: objective.design.columns]
        return (
            objective.n_classes == 2
            and objective.penalty.smooth
            and objective.offset is None
            and bool((l2 == 1.0).all())
            and objective.design.values > 0
        )

    def direction(self, objective: Objective, point: Point, target: float) -> Step:
        """Return the way to where the next epochs lead, with their dual point; or a Newton-CG step."""
        if self._newton is None:
            self._ascent = self._ascent or _Ascent(objective, point)
            promising = self._ascent.run(objective, target)
            v = self._ascent.coefficients(objective) - point.w
            dual = self._ascent.dual_point(objective)
            sane = self._ascent.gaps[-1] < point.value  # else it knows less than the point
            if not promising:
                self._newton, self._ascent = NewtonCG(), None
            if sane and float((point.gradient * v).sum()) < 0.0:
                return Step(v, objective.margins(v), dual=dual)
            self._newton = self._newton or NewtonCG()
        return self._newton.direction(objective, point, target)


class _Ascent:
    """The state of the ascent: u and p' of every row, and the w they make; the intercept with its centre b_k."""

    def __init__(self, objective: Objective, point: Point):
        """Begin between the point's own probabilities and the labels, where the dual is largest."""
        design = objective.design
        self.random = np.random.default_rng(0)
        rows = design.compressed_rows()
        self.rows = rows.arrays
        self.y, self.s = objective.y, objective.s
        self.squares = rows.squares()
        least = INTERCEPT_HOLD / objective.total
        self.beta = max(INTERCEPT_SHARE * float(self.squares.mean()), least) if design.intercept else 0.0
        gradient = point.loss_gradient
        residual = sigmoid(point.z) - self.y
        share = self._best_share(residual, gradient[: design.columns])
        self.p = self.y + share * residual
        self.u = _logit(self.y, share * residual)
        # the last is the intercept
        self.w = np.zeros((HALVES if design.values >= SMALL else 1, design.columns + 1))
        self.w[:, : design.columns] = -share * gradient[: design.columns]
        self.centre = 0.0
        if design.intercept:
            self.w[:, -1] = point.w[-1]
            self.centre = float(point.w[-1] + self.beta * share * gradient[-1])
        self.starts = np.arange(0, len(self.y), RUN)
        self.gaps: list[float] = []
        self.claims = 0
        self.patience = PATIENCE * design.values / (design.values + VISIT * design.n)

    def _best_share(self, residual: Array, gradient: Array) -> float:
        """Return the share of the residual at which the dual is largest, as some of the rows tell: no pass."""
        n = len(self.y)
        rows = np.arange(n) if n <= SHARE_ROWS else self.random.integers(0, n, SHARE_ROWS)
        y, r, s = self.y[rows], residual[rows], self.s[rows]
        times, square = self.s.sum() / max(s.sum(), np.finfo(float).tiny), float(gradient @ gradient)
        low, high = np.log(LEAST_SHARE), 0.0
        for _ in range(SHARE_HALVINGS):
            share = np.exp(0.5 * (low + high))
            rises = -times * float((s * r) @ _logit(y, share * r)) > share * square
            low, high = (np.log(share), high) if rises else (low, np.log(share))
        return float(np.exp(high))

    def run(self, objective: Objective, target: float) -> bool:
        """Do some epochs; return whether it is worth while to do more, should the gap be above ``target`` still."""
        for _ in range(EPOCHS_A_STEP):
            objective.passes += 1.0
            self.gaps.append(self._epoch(objective.design.threads))
            if self.beta > 0.0:
                intercept = float(self.w[0, -1])
                move = intercept - self.centre
                self.gaps[-1] += 0.5 * move * move / self.beta
                self.w[:, -1] += move
                self.centre = intercept
            if self._close(target):
                self.claims += 1
                return self.claims < CLAIMS
            if len(self.gaps) >= TRIAL and not self._quick(target):
                return False
        return True

    def _epoch(self, threads: int) -> float:
        """Visit every row once; return the duality gap as met on the way, roughly."""
        self.random.shuffle(self.starts)
        halves, gap = len(self.w), 0.0
        parts = np.array_split(self.starts, halves * (MEETINGS if halves > 1 else 1))
        for meeting in range(0, len(parts), halves):
            gap += sum(run([partial(self._visit, meeting + half, half, parts) for half in range(halves)], threads))
            if halves > 1:
                _average(self.w)
        return gap

    def _visit(self, part: int, half: int, parts: list[NDArray[np.intp]]) -> float:
        weights = self.y, self.s, self.squares
        state = self.u, self.p, self.w[half], self.beta, len(self.w)
        return _visit(*self.rows, *weights, parts[part], *state)

    def _close(self, target: float) -> bool:
        """Tell whether the epoch to come would find a gap well below ``target``."""
        if len(self.gaps) < 2:
            return False
        before, now = self.gaps[-2:]
        return now <= 0.5 * target or now * now <= 0.5 * target * before

    def _quick(self, target: float) -> bool:
        epochs = min(2, len(self.gaps) - 1)
        pace = np.log(max(self.gaps[-1 - epochs], np.finfo(float).tiny) / self.gaps[-1]) / epochs
        return bool(pace * self.patience >= np.log(self.gaps[-1] / target))

    def dual_point(self, objective: Objective) -> DualPoint:
        """Return a dual point: the rows' probabilities, after some moved so that with an intercept they balance."""
        p, w = self.p.copy(), self.w[0, :-1].copy()
        if not objective.design.intercept:
            return DualPoint(p, -w)
        _balance(*self.rows, self.y, self.s, p, w)
        return DualPoint(p, -np.append(w, self.s @ (self.y - p)))

    def coefficients(self, objective: Objective) -> Array:
        """Return w, and the intercept below it."""
        return self.w[0, : objective.design.width].copy()


def _logit(y: Array, r: Array) -> Array:
    """Return log(p / (1 - p)) of p = y + r, which may be 0 or 1: finite."""
    tiny = np.finfo(float).tiny
    return np.asarray(np.log(np.maximum(y + r, tiny)) - np.log(np.maximum((1.0 - y) - r, tiny)))


@formula
def _meeting(u, p, z, stiffness):
    """Solve u = z + stiffness (p - sigma(u)) from u, inside the bracket that 0 < sigma < 1 gives; return sigma(u) too.

    By Newton's method; p is sigma(u) at the start, so that one evaluation does where u moves little.
    """
    target = z + stiffness * p
    low, high = target - stiffness, target
    for _ in range(50):
        excess = u + stiffness * p - target
        if excess > 0.0:
            high = u
        else:
            low = u
        step = excess / (1.0 + stiffness * p * (1.0 - p))
        u -= step
        settled = abs(step) <= SETTLED
        if not settled and not low <= u <= high:
            u = 0.5 * (low + high)
        p = sigmoid_roughly(u)
        if settled:
            break
    return u, p


@formula
def _share(u, p, z, moved):
    """Return KL(p || sigma(z)), a row's share of the duality gap, roughly and without a logarithm.

    To second order where z is near u, with the larger curvature of before and after; |z - u| times p or 1 - p far out.
    """
    far, off = abs(z - u), 1.0 - p if z > u else p
    half = 0.5 * max(p * (1.0 - p), moved * (1.0 - moved)) * far
    return half * far * off / (off + half) if half > 0.0 else 0.0


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
            vector_add(indptr, indices, data, i, s[i] * delta, w)


@kernel
def _visit(indptr, indices, data, y, s, squares, starts, u, p, w, beta, halves):
    """Visit the rows of some runs; return their share of the duality gap as met on the way."""
    gap = 0.0
    weights, intercept = w[:-1], w[-1]
    for start in starts:
        for i in range(start, min(start + RUN, y.size)):
            z = intercept + vector_dot(indptr, indices, data, i, weights)
            met, moved = _meeting(u[i], p[i], z, s[i] * (squares[i] + beta))
            gap += s[i] * _share(u[i], p[i], z, moved)
            delta = halves * s[i] * (p[i] - moved)
            u[i], p[i] = met, moved
            vector_add(indptr, indices, data, i, delta, weights)
            if beta > 0.0:
                intercept += beta * delta
    w[-1] = intercept
    return gap


@kernel
def _average(w):
    """Replace both rows of w by their mean."""
    for j in range(w.shape[1]):
        w[0, j] = w[1, j] = 0.5 * (w[0, j] + w[1, j])
