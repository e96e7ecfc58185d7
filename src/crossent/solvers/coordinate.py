"""Proximal Newton for L1 and the elastic net: coordinate descent on the quadratic model around the current margins.

Sweeps find which coefficients are zero; conjugate gradients on the others go far where columns are alike. Where a Gram
matrix costs less than a step's sweeps did, the next step descends on it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crossent.objective import Objective, Point, Step
from crossent.solvers.cholesky import Factor
from crossent.solvers.sweeps import descend, descend_classes, descend_gram, move_within_signs, solve_on_support

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

FORCING = 0.3  # share of the model's first violation that a step may leave
SLOW = 0.7  # share of the last violation that a step has to undercut, or the forcing is tightened
TIGHTENED = 0.3
LEAST_FORCING = 1e-3
SWEEPS = 6  # sweeps before conjugate gradients try
PRODUCTS = 20  # of conjugate gradients before coordinates are swept again
SOLVED = 0.1  # share of its residual at which they stop
HALVINGS = 10  # of what they propose
ROUNDS = 3  # of both in one Newton step: then the model is out of date
CLASS_SWEEPS = 100  # sweeps of one Newton step for K classes
FLATTEST = 1e-6  # curvature a row keeps however sure it is, or a step could be endless
GRAM_PAIR = 0.75  # time of a multiply-add of a Gram matrix, in values that sweeps visit
GRAM_SWEEPS = 50  # sweeps over a Gram matrix to be expected
RIDGE = 1e-13  # of a Gram matrix's diagonal: what is singular must not look, rounded, as if it fell without end
RANK = 1e-12  # share of the largest eigenvalue below which one is rounding's
FIRST_GRAM_SWEEPS = 30  # sweeps over a Gram matrix before its system is solved on the support
GRAM_ROUNDS = 50
GRAM_FORCING = 0.01  # as FORCING: exactness costs less here
LARGEST_GRAM = 4000


class Coordinate:
    """Proximal Newton steps on a working set: the support, and the columns that violate optimality.

    A step costs half a pass over X for the gradient of all columns (the loop's), and some sweeps over the columns of
    the working set. Coefficients that are zero are exactly zero.
    """

    name = "coordinate"

    def __init__(self) -> None:
        self._visited = 0.0  # values of X that the last step's sweeps visited
        self._forcing, self._before = FORCING, np.inf

    def direction(self, objective: Objective, point: Point, target: float) -> Step:
        """Return the step to the model's minimum over the working set, and X times it."""
        h = objective.curvature_at(point.z)
        allowed = _allowed_violation(objective, point, target)
        violation = _violation(objective, point)
        if violation > SLOW * self._before:  # sweeps see little of what columns that are alike still hide
            self._forcing = max(TIGHTENED * self._forcing, LEAST_FORCING)
        self._before = violation
        gram_cost = _gram_cost(objective)
        if gram_cost <= self._visited:
            v = _gram_step(objective, point, h, allowed)
        else:
            sweep = _sweep if point.w.ndim == 1 else _sweep_classes
            v, self._visited = sweep(
                objective, point, h, _working_set(objective, point), allowed, self._forcing, gram_cost
            )
            objective.passes += self._visited / max(1, objective.design.values)
        return Step(v, objective.margins(v))


def _allowed_violation(objective: Objective, point: Point, target: float) -> float:
    """Return a violation of a coordinate's optimality that leaves a gap below ``target``.

    For the elastic net a violation e costs e^2 / (2 l2). For pure L1 the dual point shrinks by e / l1 towards the
    labels, which costs e |w| in the penalty and about total (e / l1)^2 in the loss.
    """
    w, l1, l2 = point.w, float(objective.penalty.l1.max()), float(objective.penalty.l2.max())
    size = float(np.abs(w).sum())
    shrinking = min(target / (1.0 + size), l1 * float(np.sqrt(target / objective.total)))
    return 0.1 * max(shrinking, float(np.sqrt(2.0 * l2 * target / (1 + int(np.count_nonzero(w))))))


def _gram_cost(objective: Objective) -> float:
    """Return what a step on the Gram matrix costs, in values of X that sweeps could visit instead."""
    order, design = int(np.prod(objective.shape)), objective.design
    if order > LARGEST_GRAM:
        return np.inf
    classes = order // design.width
    return GRAM_PAIR * classes * (classes + 1) / 2 * design.gram_work + GRAM_SWEEPS * order**2


def _violation(objective: Objective, point: Point) -> float:
    """Return the largest distance of zero from a coefficient's subdifferential."""
    l1, g, w = objective.penalty.l1, point.gradient, point.w
    return float(np.where(w != 0.0, np.abs(g + l1 * np.sign(w)), np.maximum(np.abs(g) - l1, 0.0)).max(initial=0.0))


def _working_set(objective: Objective, point: Point) -> Flags:
    """Return which coefficients of the columns of X may move: the support, and what violates optimality."""
    columns = objective.design.columns
    return (point.w[:columns] != 0.0) | (np.abs(point.gradient[:columns]) > objective.penalty.l1[:columns])


def _sweep(
    objective: Objective, point: Point, h: Array, working: Flags, allowed: float, forcing: float, budget: float
) -> tuple[Array, float]:
    """Return the step of the coefficients in the working set, two classes, and the values visited.

    No round begins once ``budget`` of them are.
    """
    design, penalty = objective.design, objective.penalty
    chosen = np.flatnonzero(working)
    h = np.maximum(h, FLATTEST * objective.s)
    root = np.sqrt(h)
    columns = design.scaled_columns(chosen, root)
    edge, total, g = np.zeros(len(chosen)), 1.0, point.gradient[chosen]
    if design.intercept:  # eliminated: the model is that of columns centred at their means
        edge, total = columns.tdot(root), max(float(h.sum()), np.finfo(float).tiny)
        g = g - edge / total * point.gradient[-1]
    curvature = np.maximum(columns.squares() - edge * edge / total, 0.0)
    l1, l2, start = penalty.l1[chosen], penalty.l2[chosen], point.w[chosen]
    w, q, taken = start.copy(), np.zeros(design.n), np.zeros(1)
    model = (*columns.arrays, curvature, edge, total, g, l1, l2, start, w, q, taken)
    visits, enough = 0, -1.0
    for _ in range(ROUNDS):
        worst, first, visited = descend(*model, enough, forcing, SWEEPS)
        visits += visited
        enough = max(allowed, forcing * first) if enough < 0.0 else enough
        if worst <= enough or visits >= budget:
            break
        support, pull, proposed = solve_on_support(*model, SOLVED, PRODUCTS)
        visits += 2 * PRODUCTS * len(columns.data) * len(support) // len(chosen)
        move_within_signs(*columns.arrays, edge, total, l2, w, q, taken, support, pull, proposed, HALVINGS)
    v = np.zeros_like(point.w)
    v[chosen] = w - start
    if design.intercept:
        v[-1] = -taken[0] - point.gradient[-1] / total
    return v, visits


def _sweep_classes(
    objective: Objective, point: Point, p: Array, working: Flags, allowed: float, forcing: float, _: float
) -> tuple[Array, float]:
    """Return the step of the coefficients in the working set, K classes, and the values visited: there are no rounds.

    The intercepts move together, once a sweep.
    """
    design, penalty, K = objective.design, objective.penalty, objective.n_classes
    chosen = np.flatnonzero(working.any(axis=1))
    columns = design.scaled_columns(chosen, np.ones(design.n))
    sp, start = objective.s[:, None] * p, point.w[chosen]
    inverse, pull = np.zeros((K, K)), np.empty(0)
    if design.intercept:
        inverse, pull = _pseudo_inverse(np.diag(sp.sum(axis=0)) - p.T @ sp), point.gradient[-1]
    l1, l2, w = penalty.l1[chosen, 0], penalty.l2[chosen, 0], start.copy()
    shift, visits = descend_classes(
        *columns.arrays, working[chosen], point.gradient[chosen], l1, l2, start, w, p, sp, inverse, pull,
        allowed, forcing, CLASS_SWEEPS,
    )  # fmt: skip
    v = np.zeros_like(point.w)
    v[chosen] = w - start
    if design.intercept:
        v[-1] = shift
    return v, visits


def _gram_step(objective: Objective, point: Point, h: Array, allowed: float) -> Array:
    """Return the step to the model's minimum over all coefficients; those without a penalty are eliminated exactly."""
    hessian, g = objective.hessian(h), point.gradient.reshape(-1)
    l1 = np.broadcast_to(objective.penalty.l1, point.w.shape).reshape(-1)
    free = np.broadcast_to(objective.penalty.free, point.w.shape).reshape(-1)
    kept = ~free
    inner, cross = hessian[np.ix_(kept, kept)], hessian[np.ix_(kept, free)]
    solve = _pseudo_inverse(hessian[np.ix_(free, free)])
    start = point.w.reshape(-1)[kept]
    w = start.copy()
    gram, pull = inner - cross @ solve @ cross.T, g[kept] - cross @ (solve @ g[free])
    gram[np.diag_indices_from(gram)] += RIDGE * np.diag(inner)
    settled, enough = descend_gram(gram, pull, l1[kept], w, -1.0, allowed, GRAM_FORCING, FIRST_GRAM_SWEEPS)
    for _ in range(GRAM_ROUNDS):
        if settled or not w.any():
            break
        _jump(gram, pull, l1[kept], w)
        settled, _ = descend_gram(gram, pull, l1[kept], w, enough, allowed, GRAM_FORCING, FIRST_GRAM_SWEEPS)
    v = np.empty(len(g))
    v[kept] = w - start
    v[free] = -solve @ (g[free] + cross.T @ v[kept])
    return v.reshape(point.w.shape)


def _jump(gram: Array, g: Array, l1: Array, w: Array) -> None:
    """Move w, and the derivative g, to the minimum among its signs, or towards it until the first one reaches zero."""
    support = np.flatnonzero(w)
    now = w[support]
    v = -Factor(gram[np.ix_(support, support)]).solve(g[support] + l1[support] * np.sign(now))
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = np.where(v * now < 0.0, -now / v, np.inf)
    length = min(1.0, float(reach.min(initial=np.inf)))
    w[support] = np.where(reach <= length, 0.0, now + length * v)
    g += gram[:, support] @ (w[support] - now)


def _pseudo_inverse(matrix: Array) -> Array:
    return np.asarray(np.linalg.pinv(matrix, rcond=RANK, hermitian=True), dtype=np.float64)
