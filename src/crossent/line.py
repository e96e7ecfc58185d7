"""How far to go along a direction that a method proposes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crossent.objective import Objective, Point, Step

Array = NDArray[np.float64]

SUFFICIENT = 1e-3  # share of the fall promised by the slope that a step has to bring (Armijo)
ROUNDING = 1e-13  # of the objective: a fall that small cannot be seen
LEAST_LENGTH = 2.0**-40
SETTLED = 0.1  # share of the slope at which the minimum along a line is near enough
NO_RISE = 1e-12  # of the objective: a step may raise it by its rounding, not by more
LARGE_MOVE = 100.0  # of a margin: adding more to it may lose more than 1e-14 of it


def take_step(objective: Objective, point: Point, step: Step) -> Point:
    """Return the point at w + t v for a t that nearly minimises the objective along v. Half a pass, however many t.

    A step so large that its rounding would stay in the margins takes another half: what is proved at a point holds for
    z = X w. A step whose X @ v is not known is taken whole, for a pass, if the objective does not rise.
    """
    dz = step.dz
    if dz is None:
        there = objective.at(point.w + step.v)
        if no_rise(there.value, point):
            return there
        dz = objective.margins(step.v)
    t = (_newton_length if objective.penalty.smooth else halved_length)(objective, point, step.v, dz)
    large = t * max(float(dz.max(initial=0.0)), -float(dz.min(initial=0.0))) > LARGE_MOVE
    v, dz = _without_common_shift(objective, step.v, dz)
    w = objective.penalty.after(point.w, t * v)
    return objective.at(w, objective.margins_at(w) if large else point.z + t * dz)


def no_rise(value: float, point: Point) -> bool:
    """Tell whether a value of the objective is not above a point's, but for rounding."""
    return value <= point.value + NO_RISE * abs(point.value)


def _without_common_shift(objective: Objective, v: Array, dz: Array) -> tuple[Array, Array]:
    """Return v and dz less what moves the intercepts of all classes alike: no probability changes, digits are lost."""
    if v.ndim == 1 or not objective.design.intercept:
        return v, dz
    v, shift = v.copy(), v[-1].mean()
    v[-1] -= shift
    return v, dz - shift


def _newton_length(objective: Objective, point: Point, v: Array, dz: Array) -> float:
    """Return a step length by Newton's method in one dimension, from 1, kept inside a bracket of the minimum."""
    l2 = objective.penalty.l2
    pull, bend = float(np.vdot(l2 * point.w, v)), float(np.vdot(l2 * v, v))
    slope_at_0, penalty = float(np.vdot(point.gradient, v)), objective.penalty.value(point.w)
    t, low, high = 1.0, 0.0, np.inf
    for _ in range(30):
        loss, slope, second = objective.along(point, dz, t)
        value, slope, second = loss + penalty + t * (pull + t * bend / 2.0), slope + pull + t * bend, second + bend
        if abs(slope) <= SETTLED * abs(slope_at_0) and no_rise(value, point):
            break
        low, high = (t, high) if slope < 0.0 else (low, t)
        newton = t - slope / second if second > 0.0 else np.inf
        fallback = 4.0 * t if high == np.inf else (low + high) / 2.0
        t = newton if low < newton < min(high, 4.0 * t) else fallback
    return t


def halved_length(objective: Objective, point: Point, v: Array, dz: Array) -> float:
    """Return the first of 1, 1/2, 1/4... at which the objective falls enough; at 1 coefficients reach zero exactly.

    Zero if it falls at none.
    """
    penalty = objective.penalty
    before = penalty.value(point.w)
    slope = float((point.loss_gradient * v).sum()) + penalty.value(point.w + v) - before
    t = 1.0
    while t > LEAST_LENGTH:
        loss, _, _ = objective.along(point, dz, t)
        if falls_enough(loss + penalty.value(point.w + t * v) - point.value, point.value, t * slope):
            return t
        t /= 2.0
    return 0.0


def falls_enough(rise: float, value: float, promised: float) -> bool:
    """Tell whether a rise of the objective, whose value was that, is a fall, and by a share of the promised rise."""
    return rise <= ROUNDING * value + SUFFICIENT * min(promised, 0.0)
