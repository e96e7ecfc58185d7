"""Proximal Newton for L1 and the elastic net: coordinate descent on the quadratic model around the current margins.

Sweeps find which coefficients are zero; conjugate gradients on the others go far where columns are alike. Where a Gram
matrix costs less than a few steps' sweeps, steps descend on it, and on the same one while it serves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from crossent.design import PRODUCT_SPEED, SMALL, Design, SparseDesign
from crossent.equations import residual
from crossent.line import halved_length
from crossent.objective import Objective, Point, Step
from crossent.solvers.gram import RIDGE, gram_step, pseudo_inverse
from crossent.solvers.model import Model
from crossent.solvers.selection import Selection
from crossent.solvers.settle import settle
from crossent.solvers.sweeps import descend_classes

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

PACE = 4.0  # by which the penalty falls on the way from zero
FEW_ROWS, ROWS_A_COLUMN = 4096, 40  # rows of a sample that leads most of the way
THINNEST = 4  # rows for each one of a sample that is worth its time
ROUGH = 1e-4  # relative gap that would do there
LESS = 0.5  # share of the violation, over all columns, to which a step has to come although more were allowed
INNER = 0.1  # share of the violation, over all columns, that Newton steps on the working set may leave
INNER_ON_THE_WAY = 0.5  # where the penalty is not yet the one asked for
ROUNDS = 30  # working sets of little data
WORST = 0.6  # share of the largest violation that takes a column into one
NEWTON_STEPS = 20  # of them, before the gradient of all columns is looked at
STALE = 0.3  # share of the last violation that a step on the last Gram matrix has to undercut, or a new one is due
MODEL = 0.3  # share of the violation allowed at a point that its model's minimum may have
FORCING = 0.3  # share of the model's first violation that a step may leave
SLOW = 0.7  # share of the last violation that a step has to undercut, or the forcing is tightened
TIGHTENED = 0.3
LEAST_FORCING = 1e-3
SWEEPS = 5  # sweeps before conjugate gradients
PRODUCTS = 20  # of conjugate gradients
PRODUCTS_ON_THE_WAY = 5
DEEPER, DEEPEST = 3, 16  # times as many, once signs stay: restarts throw away what makes the last ones the fastest
FEW_SIGNS = 0.003  # share of signs that may change for that
SOLVED = 0.1  # share of their residual at which they stop
LEAST_SOLVED = 1e-3  # the same where more is allowed to be left
CLASS_SWEEPS = 100  # sweeps of one Newton step for K classes
LONGEST = 100.0  # way of a row's margin to the minimum of its own term of the model
SHORT = 3.0  # the same after a step that had to be cut; ten times as long after each that had not
GRAM_PAIR = 0.75  # time of a multiply-add of a Gram matrix, in values that sweeps visit
GRAM_PAIR_FAR = 12.0  # the same where those of sparse rows lie all over a matrix that no cache near a core holds
CACHE = 1 << 20  # bytes that one does
GRAM_SWEEPS = 10  # sweeps over a Gram matrix to be expected
GRAM_USES = 10  # steps for which one serves
LARGEST_GRAM = 4000


@dataclass
class _Lent:
    """A Hessian, of which design and l2, and the violation at the point where it served last."""

    design: Design
    l2: Array
    hessian: Array
    violation: float


class Coordinate:
    """Proximal Newton steps on a working set: the support, and the columns that violate optimality.

    A step is several Newton steps on a copy of the working set; it costs half a pass over X for the gradient of all
    columns (the loop's). From zero, the penalty falls by and by to its own strength, so that few columns enter that
    leave again. Coefficients that are zero are exactly zero.
    """

    name = "coordinate"

    def __init__(self, ahead: float = 1.0) -> None:
        self._visited = 0.0  # values of X that the last step's sweeps visited
        self._forcing, self._before = FORCING, np.inf
        self._ahead, self._longest = ahead, LONGEST
        self._depth = 1  # times as many products as at first
        self._selection: Selection | None = None
        self._lent: _Lent | None = None
        self._settled: Objective | None = None  # for which all was tried in one call

    def direction(self, objective: Objective, point: Point, target: float, limit: int = 1) -> Step:
        """Return the step to the minimum over the working set, or near it, and X times it."""
        allowed = min(_allowed_violation(objective, point, target), LESS * _violation(objective, point))
        if self._settled is not objective and _is_small(objective):
            self._settled = objective
            w, z = _settled(objective, point, allowed)
        else:
            start = point if point.w[: objective.design.columns].any() else self._approach(objective, point)
            w, z = self._descend(objective, start, allowed)
        return Step(w - point.w, z - point.z)

    def _approach(self, objective: Objective, point: Point) -> Point:
        """Return a point on the way from zero: the optimum of few rows, or for a penalty a few times as strong."""
        n, few = objective.design.n, FEW_ROWS + ROWS_A_COLUMN * objective.design.width
        penalised = not np.any((objective.penalty.free | objective.penalty.half_free)[: objective.design.columns])
        if n >= THINNEST * few and point.w.ndim == 1 and penalised:
            rows = np.sort(np.random.default_rng(0).choice(n, few, replace=False))
            y, s = objective.y[rows], objective.s[rows]
            if 0.0 < float(s @ y) < float(s.sum()):
                return self._from_rows(objective, rows)
        return self._from_penalties(objective, point)

    def _from_rows(self, objective: Objective, rows: NDArray[np.intp]) -> Point:
        """Return the point at the optimum for some rows, drawn by a fixed seed."""
        design, times = objective.design.some_rows(rows), objective.design.n / len(rows)
        offset = None if objective.offset is None else objective.offset[rows]
        few = Objective(design, objective.y[rows], times * objective.s[rows], objective.penalty, offset=offset)
        zero = few.at(np.zeros(objective.shape), few.margins_at(np.zeros(objective.shape)))
        found = Coordinate().direction(few, zero, ROUGH * zero.value)
        objective.passes += few.passes / times
        return objective.at(few.penalty.after(zero.w, found.v))

    def _from_penalties(self, objective: Objective, point: Point) -> Point:
        """Return a point near the optimum for a penalty a few times as strong, by way of stronger ones."""
        penalty = objective.penalty
        times = float((np.abs(point.gradient) / np.where(penalty.l1 > 0.0, penalty.l1, np.inf)).max())
        now = objective
        while times > PACE:
            times /= PACE
            before, eased = now, replace(penalty, l1=times * penalty.l1, l2=times * penalty.l2)
            now = Objective(objective.design, objective.y, objective.s, eased, objective.n_classes, objective.offset)
            point = now.at(*self._descend(now, now.adopt(point, before), 0.0, on_the_way=True))
            objective.passes += now.passes
        return objective.adopt(point, now)

    def _descend(
        self, objective: Objective, point: Point, allowed: float, on_the_way: bool = False
    ) -> tuple[Array, Array]:
        """Return coefficients and margins after Newton steps on the working set."""
        products = PRODUCTS_ON_THE_WAY if on_the_way else PRODUCTS
        if self._selection is None or self._selection.whole is not objective.design:
            self._selection = Selection(objective.design)
        kept = self._selection.cover(
            _any_class(_working_set(objective, point)), _any_class(_working_set(objective, point, self._ahead))
        )
        part = self._selection.part(objective, kept)
        at = Point(point.w[kept], point.z, point.value, point.loss_gradient[kept], point.gradient[kept])
        enough = max((INNER_ON_THE_WAY if on_the_way else INNER) * _violation(objective, point), allowed)
        if self._lent is not None:  # it may serve once more
            self._lent.violation = np.inf
        before, value = np.inf, np.inf
        for _ in range(NEWTON_STEPS):
            violation = _violation(part, at)
            if violation <= enough or (violation >= before and at.value >= value):  # or rounding is all that is left
                break
            before, value = violation, at.value
            v = self._model_step(part, at, violation, MODEL * enough, products)
            dz = part.design.dot(v)
            length = halved_length(part, at, v, dz)
            if length > 0.0:
                at = part.at(part.penalty.after(at.w, length * v), at.z + length * dz)
            self._longest = 10.0 * self._longest if length == 1.0 else SHORT
            self._depth = self._depth if length == 1.0 else 1
        w, z = np.zeros_like(point.w), part.margins_at(at.w)
        w[kept] = at.w
        objective.passes += part.passes * part.design.values / max(1, objective.design.values)
        return w, z

    def _model_step(self, part: Objective, point: Point, violation: float, allowed: float, products: int) -> Array:
        """Return the step to the minimum of the quadratic model, or of the last one that still serves."""
        lent, l2 = self._lent, part.penalty.l2
        fits = lent is not None and lent.design is part.design and np.array_equal(lent.l2, l2)
        if lent is not None and fits and violation <= STALE * lent.violation:
            lent.violation = violation
            return gram_step(part, point, lent.hessian, allowed)
        self._lent = None
        h, gram_cost = _curvature(part, point.z, self._longest), _gram_cost(part)
        if gram_cost <= GRAM_USES * max(self._visited, part.design.values):
            hessian = part.hessian(h)
            hessian[np.diag_indices_from(hessian)] *= 1.0 + RIDGE
            self._lent = _Lent(part.design, l2, hessian, violation)
            return gram_step(part, point, self._lent.hessian, allowed)
        if violation > SLOW * self._before:  # sweeps see little of what columns that are alike still hide
            self._forcing = max(TIGHTENED * self._forcing, LEAST_FORCING)
        self._before = violation
        if point.w.ndim == 1:
            solved = min(SOLVED, max(LEAST_SOLVED, allowed / violation))
            model = Model(part, point, h, np.flatnonzero(_working_set(part, point)))
            settled = model.sweep(allowed, self._forcing, SWEEPS)
            lost = 1.0 if settled else model.solve(solved, self._depth * products)
            v, visited = model.step(), model.visits
            self._visited = visited / self._depth  # deep ones are few
            self._depth = min(DEEPER * self._depth, DEEPEST) if lost <= FEW_SIGNS else max(1, self._depth // DEEPER)
        else:
            v, visited = _sweep_classes(part, point, h, allowed, self._forcing)
            self._visited = visited
        part.passes += visited / max(1, part.design.values)
        return v


def _is_small(objective: Objective) -> bool:
    """Tell whether a descent is one call: few values, two classes, a penalty or two bounds for every column of X."""
    penalty, columns = objective.penalty, objective.design.columns
    without = (penalty.free | penalty.half_free)[:columns]
    return objective.n_classes == 2 and objective.design.values <= SMALL and not without.any()


def _settled(objective: Objective, point: Point, allowed: float) -> tuple[Array, Array]:
    """Return coefficients and margins after Newton steps on working sets that grow, each in one call."""
    design, penalty, d = objective.design, objective.penalty, objective.design.columns
    terms = np.stack([penalty.l1[:d], penalty.l2[:d], penalty.low[:d], penalty.high[:d]])
    for _ in range(ROUNDS):
        violation = penalty.violation(point.w, point.gradient)
        worst = float(violation.max(initial=0.0))
        if worst <= allowed:
            break
        far = WORST * violation[:d].max(initial=0.0)
        chosen = np.flatnonzero((point.w[:d] != 0.0) | (violation[:d] > far))
        if len(chosen) * design.n > SMALL:
            break
        w, some, z = point.w.copy(), np.append(point.w[chosen], point.w[d:]), point.z.copy()
        enough, X = max(INNER * worst, allowed), _dense_columns(design, chosen)
        of_some = np.take(terms, chosen, axis=1)
        settle(X, objective.y, objective.s, design.intercept, of_some, enough, allowed, some, z)
        w[chosen], w[d:] = some[: len(chosen)], some[len(chosen) :]
        moved = objective.at(w)
        if not moved.value < point.value:
            break
        point = moved
    return point.w, point.z


def _dense_columns(design: Design, chosen: NDArray[np.intp]) -> Array:
    """Return some columns of X as an array."""
    if isinstance(design, SparseDesign):
        return np.asarray(design.by_column[:, chosen].toarray(order="C"), dtype=np.float64)
    return np.asarray(np.take(design.X, chosen, axis=1), dtype=np.float64)  # type: ignore[attr-defined]


def _allowed_violation(objective: Objective, point: Point, target: float) -> float:
    """Return a violation of a coordinate's optimality that leaves a gap below ``target``.

    For the elastic net a violation e costs e^2 / (2 l2). For pure L1 the dual point shrinks by e / l1 towards the
    labels, which costs e |w| in the penalty and about total (e / l1)^2 in the loss.
    """
    w, l1 = point.w, objective.penalty.l1
    l2 = float(objective.penalty.l2[: objective.design.columns].min(initial=np.inf))
    size, least = float(np.abs(w).sum()), float(l1.min(initial=np.inf, where=l1 > 0.0))
    shrinking = min(target / (1.0 + size), least * float(np.sqrt(target / objective.total)))
    bending = float(np.sqrt(2.0 * l2 * target / (1 + int(np.count_nonzero(w))))) if np.isfinite(l2) else 0.0
    return 0.4 * max(shrinking, bending)


def _curvature(objective: Objective, z: Array, longest: float) -> Array:
    """Return the rows' curvature, or what keeps a row's own step from being longer; for K classes, the probabilities.

    A row far on the wrong side has a slope and no curvature: its step would be endless, and no step's length good.
    """
    h = objective.curvature_at(z)
    if z.ndim > 1:
        return h
    return np.maximum(h, objective.s * np.abs(residual(z, objective.y)) / longest)


def _gram_cost(objective: Objective) -> float:
    """Return what a step on the Gram matrix costs, in values of X that sweeps could visit instead."""
    order, design = int(np.prod(objective.shape)), objective.design
    if order > LARGEST_GRAM:
        return np.inf
    classes = order // design.width
    far = isinstance(design, SparseDesign) and 8 * design.width**2 > CACHE
    pair = GRAM_PAIR_FAR if far else GRAM_PAIR
    gram = pair * classes * (classes + 1) / 2 * design.gram_work
    return gram + GRAM_SWEEPS * order**2 + order**3 / 3 / PRODUCT_SPEED


def _violation(objective: Objective, point: Point) -> float:
    """Return the largest distance of zero from a coefficient's subdifferential."""
    return float(objective.penalty.violation(point.w, point.gradient).max(initial=0.0))


def _working_set(objective: Objective, point: Point, share: float = 1.0) -> Flags:
    """Return which coefficients of the columns of X may move: the support, and what violates optimality.

    With a ``share``, also what comes that near.
    """
    penalty, columns = objective.penalty, objective.design.columns
    return ((point.w != 0.0) | (penalty.pull(point.gradient) > share * penalty.l1))[:columns]


def _any_class(flags: Flags) -> Flags:
    """Return the columns flagged in any class."""
    return flags if flags.ndim == 1 else np.logical_or.reduce(flags, axis=1)


def _sweep_classes(objective: Objective, point: Point, p: Array, allowed: float, forcing: float) -> tuple[Array, float]:
    """Return the step of the coefficients in the working set, K classes, and the values visited.

    The intercepts move together, once a sweep.
    """
    design, penalty, K = objective.design, objective.penalty, objective.n_classes
    working = _working_set(objective, point)
    chosen = np.flatnonzero(working.any(axis=1))
    columns = design.scaled_columns(chosen, np.ones(design.n))
    sp, start = objective.s[:, None] * p, point.w[chosen]
    inverse, pull = np.zeros((K, K)), np.empty(0)
    if design.intercept:
        inverse, pull = pseudo_inverse(np.diag(sp.sum(axis=0)) - p.T @ sp), point.gradient[-1]
    l1, l2, w = penalty.l1[chosen, 0], penalty.l2[chosen, 0], start.copy()
    low, high = penalty.low[chosen, 0], penalty.high[chosen, 0]
    shift, visits = descend_classes(
        *columns.arrays, working[chosen], point.gradient[chosen], l1, l2, low, high, start, w, p, sp, inverse, pull,
        allowed, forcing, CLASS_SWEEPS,
    )  # fmt: skip
    v = np.zeros_like(point.w)
    v[chosen] = w - start
    if design.intercept:
        v[-1] = shift
    return v, visits
