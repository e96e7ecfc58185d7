"""Newton's method with a Hessian borrowed from a problem nearby: for the folds of cross-validation."""

from __future__ import annotations

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from crossent.objective import Objective, Point, Step
from crossent.solvers.cholesky import NewtonCholesky, hold_common_shift

Array = NDArray[np.float64]

RIDGE = 1e-9  # of the diagonal: a borrowed Hessian need not be exact, but its factor must exist
SLOW = 0.4  # share of the gradient, in the Hessian's norm, above which a borrowed step was not worth its pass


class Borrowed:
    """Steps by a factor made once: a pass each, no Gram matrix. A Newton step of its own follows where one is slow.

    Parameters
    ----------
    hessian : array
        As ``Objective.hessian`` returns it, for the objective nearby.
    share : float
        The weight of this objective's rows over that of the other's: its loss's curvature is about that much of it.
    """

    name = "cholesky"

    def __init__(self, objective: Objective, hessian: Array, share: float):
        l2 = np.broadcast_to(objective.penalty.l2, objective.shape).reshape(-1)
        borrowed = share * hessian
        if len(objective.shape) == 2:
            hold_common_shift(borrowed, objective)
        borrowed[np.diag_indices_from(borrowed)] += (1.0 - share) * l2 + RIDGE * np.diag(borrowed)
        self._factor = scipy.linalg.cho_factor(borrowed, lower=True)
        self._own = NewtonCholesky()
        self._before = np.inf

    def direction(self, objective: Objective, point: Point, target: float, limit: int = 1) -> Step:
        """Return the step at the point, by the borrowed factor unless its last step helped little."""
        v = -scipy.linalg.cho_solve(self._factor, point.gradient.reshape(-1)).reshape(point.w.shape)
        length = float(np.sqrt(max(0.0, -(v * point.gradient).sum())))
        slow, self._before = length > SLOW * self._before, length
        if slow:
            self._before = np.inf
            return self._own.direction(objective, point, target, limit)
        return Step(v, objective.margins(v))
