"""When a fit ends, and how: converged, stalled, separable."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crossent.certificate import Outcome
from crossent.objective import Objective, Point, Step
from crossent.separation import has_separation, separates

Array = NDArray[np.float64]

STALL_STEPS = 5  # steps with neither a smaller gap nor a smaller objective, after which rounding is to blame
SEPARATING_SLACK = 1e-6  # moves the wrong way that rounding excuses, relative to the largest move
LATE_SLACK = 1e-4  # the same once the objective has stopped falling: what is finite still settles
SEPARATED = 1e-6  # share of the loss at which a separable fit is done: its infimum is never reached


class Watch:
    """What the loop remembers in order to say how a fit ends."""

    def __init__(self, objective: Objective, tol: float, max_iter: int):
        self.objective, self.tol, self.max_iter = objective, tol, max_iter
        self.n_iter = 0
        self.separable = False
        self.first = self.last = self.best_value = self.best_gap = np.inf
        self.since_best = 0

    def verdict(self, point: Point, gap: float, step: Step | None, endless: Array | None) -> Outcome | None:
        """Return how the fit ends here, or None for one more step.

        ``endless`` is a change of the margins that nothing holds back, by which separable classes are found out.
        """
        before, self.last = self.last, point.value
        self.first = point.value if np.isinf(self.first) else self.first
        better = gap < self.best_gap or point.value < self.best_value
        self.since_best = 0 if better else self.since_best + 1
        self.best_gap, self.best_value = min(gap, self.best_gap), min(point.value, self.best_value)
        if step is not None and endless is not None:
            settled = before - point.value <= self.tol * point.value
            self.separable |= separates(self.objective, endless, LATE_SLACK if settled else SEPARATING_SLACK)
        if self.separable:
            done = point.value <= SEPARATED * self.first or before - point.value <= self.tol * self.first
            if step is None or done:
                return Outcome.SEPARABLE
            self.n_iter += step.steps
            return None
        if gap <= self.tol * point.value:
            return Outcome.CONVERGED
        if step is not None and self.since_best < STALL_STEPS:
            self.n_iter += step.steps
            return None
        if not gap < point.value and has_separation(self.objective):
            return Outcome.SEPARABLE
        return Outcome.MAX_ITER if step is None else Outcome.STALLED
