"""The quadratic model of a proximal Newton step on a Gram matrix: sweeps, and systems among the signs they find."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crossent.factor import Factor
from crossent.objective import Objective, Point
from crossent.solvers.sweeps import descend_gram

Array = NDArray[np.float64]

RIDGE = 1e-13  # of a Gram matrix's diagonal: what is singular must not look, rounded, as if it fell without end
RANK = 1e-12  # share of the largest eigenvalue below which one is rounding's
SUPPORT_RIDGE = 1e-9  # of the diagonal on the support
SWEEPS = 30  # before the system is solved on the support
ROUNDS = 50  # of both
FORCING = 0.01  # share of the first violation that may be left: exactness costs less here


def gram_step(objective: Objective, point: Point, hessian: Array, allowed: float) -> Array:
    """Return the step to the model's minimum over all coefficients; those without a penalty are eliminated exactly."""
    g, penalty = point.gradient.reshape(-1), objective.penalty
    free = np.broadcast_to(penalty.free, point.w.shape).reshape(-1)
    l1, low, high = (
        np.broadcast_to(each, point.w.shape).reshape(-1) for each in (penalty.l1, penalty.low, penalty.high)
    )
    if not free.any():  # a Gram matrix may be large: no copy
        w = _descended(hessian, g.copy(), l1, low, high, point.w.reshape(-1), allowed)
        return (w - point.w.reshape(-1)).reshape(point.w.shape)
    kept = ~free
    inner, cross = hessian[np.ix_(kept, kept)], hessian[np.ix_(kept, free)]
    solve = pseudo_inverse(hessian[np.ix_(free, free)])
    gram, pull = inner - cross @ solve @ cross.T, g[kept] - cross @ (solve @ g[free])
    gram[np.diag_indices_from(gram)] += RIDGE * np.diag(inner)
    start = point.w.reshape(-1)[kept]
    v = np.empty(len(g))
    v[kept] = _descended(gram, pull, l1[kept], low[kept], high[kept], start, allowed) - start
    v[free] = -solve @ (g[free] + cross.T @ v[kept])
    return v.reshape(point.w.shape)


def _descended(gram: Array, pull: Array, l1: Array, low: Array, high: Array, start: Array, allowed: float) -> Array:
    """Return the coefficients at the model's minimum, or near it, by sweeps and by solving among their signs."""
    w = start.copy()
    settled, enough = descend_gram(gram, pull, l1, low, high, w, -1.0, allowed, FORCING, SWEEPS)
    for _ in range(ROUNDS):
        if settled or not w.any():
            break
        _jump(gram, pull, l1, low, high, w)
        settled, _ = descend_gram(gram, pull, l1, low, high, w, enough, allowed, FORCING, SWEEPS)
    return w


def _jump(gram: Array, g: Array, l1: Array, low: Array, high: Array, w: Array) -> None:
    """Move w, and the derivative g, towards the minimum among its signs: what would change its own, only to zero.

    All the way, or as far as the first to become zero (or meet a bound), the second, the fourth...: where the model is
    least. Where columns add up to others the model may fall without end; the ridge makes that a long step, which the
    first of them ends.
    """
    support = np.flatnonzero((w != 0.0) & (w > low) & (w < high))
    if not len(support):
        return
    now, inner = w[support], gram[np.ix_(support, support)]
    least, most = np.where(now > 0.0, np.maximum(low[support], 0.0), low[support]), high[support]
    most = np.where(now < 0.0, np.minimum(most, 0.0), most)
    inner[np.diag_indices_from(inner)] *= 1.0 + SUPPORT_RIDGE
    slope = g[support] + l1[support] * np.sign(now)
    v = -Factor(inner).solve(slope)
    ends = np.where(v > 0.0, most, least)
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(v != 0.0, (ends - now) / v, np.inf)
    crossed = np.sort(room[room < 1.0])
    best, moved = 0.0, np.zeros(len(v))
    for reach in (1.0, *crossed[2 ** np.arange(len(crossed).bit_length()) - 1]):
        tried = np.where(room <= reach, ends - now, reach * v)
        change = float(tried @ slope + 0.5 * tried @ (inner @ tried))
        if change < best:
            best, moved = change, tried
    w[support] = np.where(moved == ends - now, ends, now + moved)
    g += gram[:, support] @ moved


def pseudo_inverse(matrix: Array) -> Array:
    """Return the inverse of a symmetric matrix where it is not singular, zero elsewhere."""
    return np.asarray(np.linalg.pinv(matrix, rcond=RANK, hermitian=True), dtype=np.float64)
