"""Newton's method with the whole Hessian: few steps, whatever the scales of the columns; for few columns."""

from __future__ import annotations

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from crossent.objective import Objective, Point, Step

Array = NDArray[np.float64]


class NewtonCholesky:
    """Newton steps by Cholesky's factorisation. A step is a Gram matrix (one pass, n d^2/2) and half a pass."""

    name = "cholesky"

    def direction(self, objective: Objective, point: Point, target: float) -> Step:
        """Return the Newton step at the point."""
        hessian = objective.hessian(objective.curvature_at(point.z))
        if point.w.ndim == 2:
            hold_common_shift(hessian, objective)
        v = -solve_scaled(hessian, point.gradient.reshape(-1)).reshape(point.w.shape)
        return Step(v, objective.margins(v))


def hold_common_shift(hessian: Array, objective: Objective) -> None:
    """Give curvature to adding a constant to all K classes of an unpenalised coefficient, which changes no margin.

    The gradient has no part along that direction, so the step has none either.
    """
    K = objective.n_classes
    for j in np.flatnonzero(objective.penalty.l2[:, 0] == 0.0):
        own = slice(j * K, (j + 1) * K)
        hessian[own, own] += np.trace(hessian[own, own]) / K**2


def solve_scaled(hessian: Array, g: Array) -> Array:
    """Solve H v = g for a positive semidefinite H, after scaling its diagonal to one; the least solution if singular.

    The scaling makes columns of any units alike, so rank is judged fairly.
    """
    scale = np.sqrt(np.diag(hessian))
    scale = np.where(scale > 0.0, scale, 1.0)
    scaled = hessian / scale / scale[:, None]
    rhs = g / scale
    eps = np.finfo(float).eps * len(g)
    factor, info = scipy.linalg.lapack.dpotrf(scaled, lower=True, clean=False)
    if info == 0 and np.diag(factor).min() ** 2 > 100.0 * eps:
        v, _ = scipy.linalg.lapack.dpotrs(factor, rhs, lower=True)
    else:
        values, vectors = np.linalg.eigh(scaled)
        kept = values > 100.0 * eps * values[-1]
        v = vectors[:, kept] @ ((vectors[:, kept].T @ rhs) / values[kept])
    return v / scale
