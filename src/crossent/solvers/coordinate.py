"""Proximal Newton for L1 and the elastic net: coordinate descent on the quadratic model around the current margins.

The model's curvature is a number for each row (or a row of probabilities), so the loops here know no sigma: they need
a column's product with a vector over the rows, and to add a column to one. Where a Gram matrix is cheaper than walking
the columns again and again, the same descent runs on it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crossent.columns import column_add, column_dot
from crossent.jit import kernel
from crossent.objective import Objective, Point, Step

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

SWEEPS = 6  # sweeps before conjugate gradients try
PRODUCTS = 20  # of conjugate gradients before coordinates are swept again
SOLVED = 0.1  # share of its residual at which they stop
ROUNDS = 3  # of both in one Newton step: then the model is out of date
MAX_EPOCHS = 100  # sweeps of one Newton step for K classes
FLATTEST = 1e-6  # curvature a row keeps however sure it is, or a step could be endless
FORCING = 0.3  # share of the model's first violation that a step may leave
GRAM_PAIR = 4  # time of a multiply-add of a Gram matrix, in values that sweeps visit
GRAM_SWEEPS = 10  # sweeps over a Gram matrix to be expected
LARGEST_GRAM = 4000


class Coordinate:
    """Proximal Newton steps on a working set: the support, and the columns that violate optimality.

    A step costs half a pass over X for the gradient of all columns (the loop's), and some sweeps over the columns of
    the working set. Coefficients that are zero are exactly zero.
    """

    name = "coordinate"

    def __init__(self) -> None:
        self._visited = 0.0  # values of X that the last step's sweeps visited

    def direction(self, objective: Objective, point: Point, target: float) -> Step:
        """Return the step to the model's minimum over the working set, and X times it."""
        h = objective.curvature_at(point.z)
        allowed = _allowed_violation(objective, point, target)
        if _gram_cost(objective) <= self._visited:
            v = _gram_step(objective, point, h, allowed)
        else:
            sweep = _sweep if point.w.ndim == 1 else _sweep_classes
            v, self._visited = sweep(objective, point, h, _working_set(objective, point), allowed)
            objective.passes += self._visited / max(1, objective.design.values)
        return Step(v, objective.margins(v))


def _allowed_violation(objective: Objective, point: Point, target: float) -> float:
    """Return a violation of a coordinate's optimality that leaves a gap below ``target``.

    For pure L1 the dual point shrinks by the relative violation, which costs that share of l1 |w|; for the elastic net
    a violation e costs e^2 / (2 l2).
    """
    penalty, w = objective.penalty, point.w
    size = float(np.abs(w).sum())
    linear = target / max(size, 1.0)
    quadratic = np.sqrt(2.0 * float(penalty.l2.max()) * target / max(1, np.count_nonzero(w)))
    return 0.1 * float(max(linear, quadratic))


def _gram_cost(objective: Objective) -> float:
    """Return what a step on the Gram matrix costs, in values of X that sweeps could visit instead."""
    order, design = int(np.prod(objective.shape)), objective.design
    if order > LARGEST_GRAM:
        return np.inf
    classes = order // design.width
    return GRAM_PAIR * classes * (classes + 1) / 2 * design.gram_work + GRAM_SWEEPS * order**2


def _working_set(objective: Objective, point: Point) -> NDArray[np.bool_]:
    """Return which coefficients of the columns of X may move: the support, and what violates optimality."""
    columns = objective.design.columns
    return (point.w[:columns] != 0.0) | (np.abs(point.gradient[:columns]) > objective.penalty.l1[:columns])


# ---------------------------------------------------------------- two classes


def _sweep(objective: Objective, point: Point, h: Array, working: NDArray[np.bool_], allowed: float) -> Step:
    """Return the step of the coefficients in the working set, the intercept's profiled out of the model."""
    design, penalty = objective.design, objective.penalty
    chosen = np.flatnonzero(working)
    h = np.maximum(h, FLATTEST * objective.s)
    columns = design.scaled_columns(chosen, np.sqrt(h))
    edge, total = np.zeros(len(chosen)), 1.0
    g = point.gradient[chosen]
    if design.intercept:
        edge, total = columns.tdot(np.sqrt(h)), max(float(h.sum()), np.finfo(float).tiny)
        g = g - edge / total * point.gradient[-1]
    curvature = np.maximum(columns.squares() - edge * edge / total, 0.0)
    l1, l2, start = penalty.l1[chosen], penalty.l2[chosen], point.w[chosen]
    w, q, taken = start.copy(), np.zeros(design.n), np.zeros(1)
    model = (*columns.arrays, curvature, edge, total, g, l1, l2, start, w, q, taken)
    visits, enough = 0, -1.0
    for _ in range(ROUNDS):
        worst, first, visited = _descend(*model, enough, FORCING, SWEEPS)
        enough = max(allowed, FORCING * first) if enough < 0.0 else enough
        visits += visited
        if worst <= enough:
            break
        visits += _solve_on_support(*model, SOLVED, PRODUCTS)
    v = np.zeros_like(point.w)
    v[chosen] = w - start
    if design.intercept:
        v[-1] = -taken[0] - point.gradient[-1] / total
    return v, visits


@kernel
def _descend(indptr, indices, data, curvature, edge, total, g, l1, l2, start, w, q, taken, enough, forcing, sweeps):
    """Minimise g.v + |q|^2/2 - total c^2/2 + penalty(start + v) over w = start + v by cyclic coordinate descent.

    ``data`` holds the columns times the root of the curvature, q = data @ v, and c = edge.v / total (in ``taken``) is
    what the intercept takes back. Sweeps over all columns alternate with sweeps over those that are not zero.
    Return the last full sweep's largest violation, the first sweep's, and the values visited.
    """
    d = w.size
    order = np.arange(d)
    active = d
    first = -1.0
    everything = True
    visits = 0
    c = taken[0]
    worst = 0.0
    for _ in range(sweeps):
        worst = 0.0
        kept = 0
        for o in range(active):
            j = order[o]
            bend = curvature[j] + l2[j]
            slope = g[j] + column_dot(indptr, indices, data, j, q) - c * edge[j] + l2[j] * (w[j] - start[j])
            visits += indptr[j + 1] - indptr[j]
            new = step_to(w[j], slope, bend, l1[j])
            delta = new - w[j]
            if delta != 0.0:
                worst = max(worst, abs(delta) * bend)
                w[j] = new
                c += delta * edge[j] / total
                column_add(indptr, indices, data, j, delta, q)
            if new != 0.0:  # keep it in front: order[:kept]
                order[o], order[kept] = order[kept], j
                kept += 1
        if first < 0.0:
            first = worst
        if worst <= (enough if enough >= 0.0 else forcing * first):
            if everything:
                break
            active, everything = d, True
        else:
            worst = np.inf
            active, everything = (kept, False) if everything else (active, False)
    taken[0] = c
    return worst, first, visits


@kernel
def _solve_on_support(indptr, indices, data, curvature, edge, total, g, l1, l2, start, w, q, taken, solved, products):
    """Move the coefficients that are not zero towards the model's minimum among their signs, by conjugate gradients.

    What would change its sign is set to zero, and the step halved until the model falls. Return the values visited.
    """
    support = np.flatnonzero(w)
    m = support.size
    r, p, v, diagonal = np.empty(m), np.empty(m), np.zeros(m), np.empty(m)
    rho, visits = 0.0, 0
    for a in range(m):
        j = support[a]
        slope = g[j] + column_dot(indptr, indices, data, j, q) - taken[0] * edge[j] + l2[j] * (w[j] - start[j])
        r[a] = -slope - l1[j] * np.sign(w[j])
        diagonal[a] = max(curvature[j] + l2[j], 1e-300)
        p[a] = r[a] / diagonal[a]
        rho += r[a] * p[a]
        visits += indptr[j + 1] - indptr[j]
    size = visits
    slope = r.copy()
    t = np.empty(q.size)
    enough = solved * solved * rho
    for _ in range(products):
        t[:] = 0.0
        c = 0.0
        for a in range(m):
            j = support[a]
            column_add(indptr, indices, data, j, p[a], t)
            c += edge[j] * p[a] / total
        bend = 0.0
        h = diagonal * 0.0
        for a in range(m):
            j = support[a]
            h[a] = column_dot(indptr, indices, data, j, t) - c * edge[j] + l2[j] * p[a]
            bend += h[a] * p[a]
        visits += 2 * size
        if bend <= 0.0:
            break
        step = rho / bend
        before, rho = rho, 0.0
        for a in range(m):
            v[a] += step * p[a]
            r[a] -= step * h[a]
            rho += r[a] * r[a] / diagonal[a]
        if rho <= enough:
            break
        for a in range(m):
            p[a] = r[a] / diagonal[a] + rho / before * p[a]
    length = 1.0
    for _ in range(10):
        t[:] = 0.0
        c, change = 0.0, 0.0
        for a in range(m):
            j = support[a]
            new = w[j] + length * v[a]
            if new * w[j] <= 0.0:
                new = 0.0
            p[a] = new - w[j]
            change += p[a] * (0.5 * l2[j] * p[a] - slope[a])
            c += edge[j] * p[a] / total
            column_add(indptr, indices, data, j, p[a], t)
        visits += size
        change -= 0.5 * total * c * c
        for i in range(t.size):
            change += 0.5 * t[i] * t[i]
        if change < 0.0:
            for a in range(m):
                j = support[a]
                w[j] = 0.0 if w[j] * (w[j] + length * v[a]) <= 0.0 else w[j] + p[a]
            taken[0] += c
            for i in range(t.size):
                q[i] += t[i]
            break
        length /= 2.0
    return visits


@kernel
def step_to(w, slope, bend, l1):
    """Return the minimum of slope (x - w) + bend/2 (x - w)^2 + l1 |x|; w where the column is empty."""
    if bend <= 0.0:
        return w
    u = bend * w - slope
    if u > l1:
        return (u - l1) / bend
    if u < -l1:
        return (u + l1) / bend
    return 0.0


# ---------------------------------------------------------------- K classes


def _sweep_classes(objective: Objective, point: Point, p: Array, working: NDArray[np.bool_], allowed: float) -> Step:
    """Return the step of the coefficients in the working set; the intercepts move together, once a sweep."""
    design, penalty, K = objective.design, objective.penalty, objective.n_classes
    chosen = np.flatnonzero(working.any(axis=1))
    columns = design.scaled_columns(chosen, np.ones(design.n))
    w = point.w[chosen].copy()
    sp, t, mean = objective.s[:, None] * p, np.zeros((design.n, K)), np.zeros(design.n)
    if design.intercept:
        inverse = np.linalg.pinv(np.diag(sp.sum(axis=0)) - p.T @ sp, hermitian=True)
        pull = point.gradient[-1]
    else:
        inverse, pull = np.zeros((K, K)), np.zeros(K)
    l1, l2 = penalty.l1[chosen, 0], penalty.l2[chosen, 0]
    shift, epochs = _descend_classes(
        *columns.arrays,
        working[chosen],
        point.gradient[chosen],
        l1,
        l2,
        w,
        p,
        sp,
        t,
        mean,
        inverse,
        pull,
        allowed,
        FORCING,
        MAX_EPOCHS,
    )
    v = np.zeros_like(point.w)
    v[chosen] = w - point.w[chosen]
    if design.intercept:
        v[-1] = shift
    return v, epochs * columns.data.size * K


@kernel
def _descend_classes(
    indptr, indices, data, working, g, l1, l2, w, p, sp, t, mean, inverse, pull, allowed, forcing, max_epochs
):
    """Minimise the model of K classes; w becomes w + v. Return the intercepts' step and the number of sweeps.

    The model's curvature is s (diag(p) - p p.T) in each row; t = X @ v, and mean = sum_k p_k t_k.
    """
    d, K = w.shape
    n = mean.size
    dense = indices.size == 0
    start = w.copy()
    curvature = np.zeros((d, K))
    for j in range(d):
        for e in range(indptr[j], indptr[j + 1]):
            i = e - indptr[j] if dense else np.int64(indices[e])
            x2 = data[e] * data[e]
            for k in range(K):
                curvature[j, k] += x2 * sp[i, k] * (1.0 - p[i, k])
    shift = np.zeros(K)
    order = np.arange(d)
    active = d
    first = -1.0
    everything = True
    epochs = 0.0
    for _ in range(max_epochs):
        worst = 0.0
        kept = 0
        if pull.size and inverse[0, 0] > 0.0:
            excess = pull.copy()
            for i in range(n):
                for k in range(K):
                    excess[k] += sp[i, k] * (t[i, k] - mean[i])
            for k in range(K):
                move = 0.0
                for m in range(K):
                    move -= inverse[k, m] * excess[m]
                shift[k] += move
                for i in range(n):
                    t[i, k] += move
                    mean[i] += p[i, k] * move
        for o in range(active):
            j = order[o]
            some = False
            for k in range(K):
                if not working[j, k] or (not everything and w[j, k] == 0.0):
                    continue
                slope = g[j, k] + l2[j] * (w[j, k] - start[j, k])
                for e in range(indptr[j], indptr[j + 1]):
                    i = e - indptr[j] if dense else np.int64(indices[e])
                    slope += data[e] * sp[i, k] * (t[i, k] - mean[i])
                bend = curvature[j, k] + l2[j]
                new = step_to(w[j, k], slope, bend, l1[j])
                delta = new - w[j, k]
                if delta != 0.0:
                    worst = max(worst, abs(delta) * bend)
                    w[j, k] = new
                    for e in range(indptr[j], indptr[j + 1]):
                        i = e - indptr[j] if dense else np.int64(indices[e])
                        change = delta * data[e]
                        t[i, k] += change
                        mean[i] += p[i, k] * change
                some = some or new != 0.0
            if some:
                order[o], order[kept] = order[kept], j
                kept += 1
        epochs += active / d
        if first < 0.0:
            first = worst
        if worst <= max(allowed, forcing * first):
            if everything:
                break
            active, everything = d, True
        else:
            active, everything = (kept, False) if everything else (active, False)
    return shift, epochs


# ---------------------------------------------------------------- few columns: the Gram matrix


def _gram_step(objective: Objective, point: Point, h: Array, allowed: float) -> Array:
    """Return the step to the model's minimum over all coefficients; those without a penalty are eliminated exactly."""
    hessian, g = objective.hessian(h), point.gradient.reshape(-1)
    l1 = np.broadcast_to(objective.penalty.l1, point.w.shape).reshape(-1)
    free = np.broadcast_to(objective.penalty.free, point.w.shape).reshape(-1)
    kept = ~free
    inner, cross = hessian[np.ix_(kept, kept)], hessian[np.ix_(kept, free)]
    solve = np.linalg.pinv(hessian[np.ix_(free, free)], hermitian=True)
    w = point.w.reshape(-1)[kept]
    start = w.copy()
    _descend_gram(inner - cross @ solve @ cross.T, g[kept] - cross @ (solve @ g[free]), l1[kept], w, allowed, FORCING)
    v = np.zeros(len(g))
    v[kept] = w - start
    v[free] = -solve @ (g[free] + cross.T @ v[kept])
    return v.reshape(point.w.shape)


@kernel
def _descend_gram(gram, g, l1, w, allowed, forcing):
    """Minimise g.v + v.gram.v/2 + l1 |w + v| by cyclic coordinate descent; w becomes w + v, g the model's gradient."""
    d = w.size
    first = -1.0
    for _ in range(100000):
        worst = 0.0
        for j in range(d):
            new = step_to(w[j], g[j], gram[j, j], l1[j])
            delta = new - w[j]
            if delta != 0.0:
                worst = max(worst, abs(delta) * gram[j, j])
                w[j] = new
                for k in range(d):
                    g[k] += delta * gram[j, k]
        if first < 0.0:
            first = worst
        if worst <= max(allowed, forcing * first):
            break
