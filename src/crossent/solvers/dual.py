"""Dual coordinate ascent, one row after another, and Newton's method where that is too slow; for many columns.

Each row has a probability p' = sigma(u), which may be anything; w = sum_i s_i (y_i - p'_i) x_i. Visiting a row moves
its u to where the margin meets it, u = z(u), by Newton's method in one dimension: z falls by s_i |x_i|^2 for each unit
that p' rises. At a fixed point u = z for all rows, which is the optimum; every state on the way is a dual point, so it
bounds the optimum from below. With K classes a row has K probabilities, softmax(u), and as many columns of w; a visit
moves them all. What one row does is in ``visits.py``.

Where there is work enough, two threads take half of the rows each, drawn anew for every epoch, and each its own copy of
w, in which its moves count double: as if the other half, which it does not see, moved w as it does. The mean of both
copies is the true w again. Drawn once, the halves would settle against each other, and slowly; drawn anew they need
hardly more epochs than one thread.

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

from crossent.blocks import run, split
from crossent.margins import loss_and_residual
from crossent.objective import DualPoint, Objective, Point, Step, solved
from crossent.solvers.newton_cg import NewtonCG
from crossent.solvers.visits import RUN, average, visit, visit_classes

Array = NDArray[np.float64]

EPOCHS_A_STEP = 12  # then the loop looks at the gap and shows progress
TRIAL = 2  # epochs before the pace is judged
PATIENCE = 30  # epochs to come for which conjugate gradients would need as long, were a visit free but for its values
VISIT = 8  # values that could be visited in the time that a row's exponential and its jump take
HALVES = 2  # of the rows, where there is work enough for two threads
TWO_COPIES = 1 << 21  # of a pass's multiply-adds, below which to wait for a thread costs what it saves
MEETINGS = 2  # of both copies of w in an epoch
AVERAGED = 1 << 16  # of their values at a time, by each thread
INTERCEPT_SHARE = 0.1  # beta over the mean |x|^2: more would slow the rows down
INTERCEPT_HOLD = 40.0  # beta times the sum of the weights at least: less and b_k would not follow quickly
LAGGING, MOST_LAGGING = 0.3, 0.8  # ratio of two moves of the intercept from which on it is helped, and most
SMALL_SHARE = 0.01  # of p (1 - p), by which a row may move for the others' balance
FIRST_ROWS = 64  # that are asked to
SHARE_ROWS = 512  # that tell where the ascent begins: more would tell it better than its use deserves
SHARE_HALVINGS = 12
LEAST_SHARE = 1e-8
CLAIMS = 3  # times the ascent may think itself done and be wrong


class DualAscent:
    """Epochs of dual coordinate ascent while they are quick, then steps of Newton-CG from where they led.

    An epoch is one pass over X: short runs of rows in random order, so that a file sorted by class does as well as any
    other.
    """

    name = "dual"

    def __init__(self) -> None:
        self._ascent: _Ascent | None = None
        self._newton: NewtonCG | None = None

    @staticmethod
    def handles(objective: Objective) -> bool:
        """Tell whether the problem is one for this method: an L2 penalty of strength one, and no offset."""
        l2 = objective.penalty.l2[: objective.design.columns]
        return (
            objective.penalty.smooth
            and objective.offset is None
            and bool((l2 == 1.0).all())
            and objective.design.values > 0
        )

    def direction(self, objective: Objective, point: Point, target: float, limit: int = 1) -> Step:
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
        return self._newton.direction(objective, point, target, limit)


class _Ascent:
    """The state of the ascent: u and p' of every row, and the w they make; the intercept with its centre b_k.

    Of K classes, each with one axis more, of length K.
    """

    def __init__(self, objective: Objective, point: Point):
        """Begin between the point's own probabilities and the labels, where the dual is largest."""
        design = objective.design
        self.random = np.random.default_rng(0)
        rows = design.compressed_rows()
        self.rows = rows.arrays
        self.s = objective.s
        self.visit = visit if objective.n_classes == 2 else visit_classes
        self.squares = rows.squares()
        least = INTERCEPT_HOLD / objective.total
        self.beta = max(INTERCEPT_SHARE * float(self.squares.mean()), least) if design.intercept else 0.0
        gradient = point.loss_gradient
        self.labels = _labels(objective)
        residual = point.z.copy()
        loss_and_residual(residual, objective.y, np.ones(design.n))
        share = self._best_share(residual, gradient[: design.columns])
        self.p = self.labels + share * residual
        self.u = _natural(self.labels, share * residual)
        # the last is the intercept
        copies = HALVES if objective.pass_work >= TWO_COPIES else 1
        self.w = np.zeros((copies, design.columns + 1, *objective.shape[1:]))
        self.w[:, : design.columns] = -share * gradient[: design.columns]
        self.centre = self.w[0, -1].copy()
        if design.intercept:
            self.w[:, -1] = point.w[-1]
            self.centre = point.w[-1] + self.beta * share * gradient[-1]
        self.moved: Array | None = None  # by how much the intercept, in the last epoch
        self.starts = np.arange(0, design.n, RUN)
        self.gaps: list[float] = []
        self.claims = 0
        self.patience = PATIENCE * design.values / (design.values + VISIT * design.n)

    def _best_share(self, residual: Array, gradient: Array) -> float:
        """Return the share of the residual at which the dual is largest, as some of the rows tell: no pass."""
        n = len(self.s)
        rows = np.arange(n) if n <= SHARE_ROWS else self.random.integers(0, n, SHARE_ROWS)
        y, r, s = self.labels[rows], residual[rows], self.s[rows]
        times, square = self.s.sum() / max(s.sum(), np.finfo(float).tiny), float(np.vdot(gradient, gradient))
        low, high = np.log(LEAST_SHARE), 0.0
        for _ in range(SHARE_HALVINGS):
            share = np.exp(0.5 * (low + high))
            slopes = r * _natural(y, share * r)
            rises = -times * float((s @ slopes).sum()) > share * square
            low, high = (np.log(share), high) if rises else (low, np.log(share))
        return float(np.exp(high))

    def run(self, objective: Objective, target: float) -> bool:
        """Do some epochs; return whether it is worth while to do more, should the gap be above ``target`` still."""
        for _ in range(EPOCHS_A_STEP):
            objective.passes += 1.0
            self.gaps.append(self._epoch(objective.design.threads))
            if self.beta > 0.0:
                move = self.w[0, -1] - self.centre
                self.gaps[-1] += 0.5 * float(np.vdot(move, move)) / self.beta
                move = self._stride(move) * move
                self.w[:, -1] += move
                self.centre = self.centre + move
            if self._close(target):
                self.claims += 1
                return self.claims < CLAIMS
            if len(self.gaps) >= TRIAL and not self._quick(target):
                return False
        return True

    def _stride(self, move: Array) -> float:
        """Return how far to follow the intercept: to the limit of its moves, where two of them have one ratio (Aitken).

        Where the weights can stand in for the intercept it moves slowly.
        """
        before, self.moved = self.moved, move
        if before is None or not before.any():
            return 1.0
        share = float(np.vdot(move, before)) / float(np.vdot(before, before))
        if not LAGGING <= share < 1.0:
            return 1.0
        self.moved = None  # the next one starts from elsewhere
        return 1.0 / (1.0 - min(share, MOST_LAGGING))

    def _epoch(self, threads: int) -> float:
        """Visit every row once; return the duality gap as met on the way, roughly."""
        self.random.shuffle(self.starts)
        halves, gap = len(self.w), 0.0
        parts = np.array_split(self.starts, halves * (MEETINGS if halves > 1 else 1))
        for meeting in range(0, len(parts), halves):
            gap += sum(run([partial(self._visit, half, parts[meeting + half]) for half in range(halves)], threads))
            if halves > 1:
                one, other = self.w.reshape(halves, -1)
                run([partial(average, one[j], other[j]) for j in split(one.size, AVERAGED)], threads)
        return gap

    def _visit(self, half: int, starts: NDArray[np.intp]) -> float:
        state = self.u, self.p, self.w[half], self.beta, len(self.w)
        return self.visit(*self.rows, self.s, self.squares, starts, *state)

    def _close(self, target: float) -> bool:
        """Tell whether the epoch to come would find a gap well below ``target``."""
        if len(self.gaps) < 2:
            return False
        before, now = self.gaps[-2:]
        return now <= 0.5 * target or now * now <= 0.3 * target * before

    def _quick(self, target: float) -> bool:
        epochs = min(2, len(self.gaps) - 1)
        pace = np.log(max(self.gaps[-1 - epochs], np.finfo(float).tiny) / self.gaps[-1]) / epochs
        return bool(pace * self.patience >= np.log(self.gaps[-1] / (0.5 * target)))  # what is close

    def dual_point(self, objective: Objective) -> DualPoint:
        """Return a dual point: the rows' probabilities, after some moved so that with an intercept they balance."""
        p, gradient = self.p.copy(), -self.coefficients(objective)
        if objective.design.intercept:
            gradient[-1] = self.s @ p - self.s @ self.labels
            gradient -= self._balance(objective, p, gradient[-1])
        return DualPoint(p, gradient)

    def _balance(self, objective: Objective, p: Array, excess: Array) -> Array:
        """Move the first rows' p so that the sum of s (p - y), now ``excess``, vanishes; return by what X.T @ it falls.

        Each moves by its share of the curvature, and as many as it takes for none to move by much of p (1 - p).
        """
        count, enough = FIRST_ROWS, False
        while not enough:
            q, s = p[:count], self.s[:count]
            enough = len(q) == len(p) or bool((SMALL_SHARE * (s @ (q * (1.0 - q))) >= np.abs(excess)).all())
            count *= 2
        own = s @ (q * (1.0 - q)) if q.ndim == 1 else np.diag(s @ q) - q.T @ (s[:, None] * q)
        shift = solved(np.atleast_2d(own), np.atleast_1d(excess))
        if shift is None or not np.abs(shift).max() < 1.0:
            return np.zeros_like(self.w[0, : objective.design.width])
        change = q * (1.0 - q) * shift[0] if q.ndim == 1 else q * (shift - (q @ shift)[:, None])
        q -= change
        return objective.design.some_rows(np.arange(len(q))).tdot((s * change.T).T)

    def coefficients(self, objective: Objective) -> Array:
        """Return w, and the intercept below it."""
        return self.w[0, : objective.design.width].copy()


def _labels(objective: Objective) -> Array:
    """Return the labels as probabilities, of shape (n,) or (n, K)."""
    if objective.n_classes == 2:
        return objective.y
    labels = np.zeros((objective.design.n, objective.n_classes))
    labels[np.arange(len(labels)), objective.y] = 1.0
    return labels


def _natural(y: Array, r: Array) -> Array:
    """Return u of p = y + r: log(p / (1 - p)), or the logarithms of p of K classes; finite, though p be 0 or 1."""
    tiny = np.finfo(float).tiny
    up = np.log(np.maximum(y + r, tiny))
    return np.asarray(up - np.log(np.maximum((1.0 - y) - r, tiny)) if y.ndim == 1 else up)
