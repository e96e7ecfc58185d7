"""The penalty: l1 |w| + l2/2 w^2 within bounds, each coefficient with its own; none on the intercept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Penalty:
    """The sum over coefficients of ``l1 |w| + l2/2 w^2``; infinite where w is not between ``lower`` and ``upper``.

    All have shape (width,), or (width, 1) for K classes. ``l1`` and ``l2`` are zero where nothing is penalised; without
    bounds, ``lower`` and ``upper`` are None.
    """

    l1: Array
    l2: Array
    lower: Array | None = None
    upper: Array | None = None

    @cached_property
    def bounded(self) -> bool:
        """Whether any coefficient has a bound."""
        return self.lower is not None and bool(np.isfinite(self.low).any() or np.isfinite(self.high).any())

    @cached_property
    def low(self) -> Array:
        """The lower bounds; minus infinity for none."""
        return np.full(self.l1.shape, -np.inf) if self.lower is None else self.lower

    @cached_property
    def high(self) -> Array:
        """The upper bounds; infinity for none."""
        return np.full(self.l1.shape, np.inf) if self.upper is None else self.upper

    @cached_property
    def smooth(self) -> bool:
        """Whether there is no L1 part and no bound."""
        return not self.l1.any() and not self.bounded

    @cached_property
    def _inverse(self) -> Array:
        """1 / l2; zero where l2 is."""
        return 1.0 / np.where(self.l2 > 0.0, self.l2, np.inf)

    @cached_property
    def free(self) -> Flags:
        """Which coefficients carry no penalty at all, nor a bound."""
        return self.no_limit_above & self.no_limit_below

    @cached_property
    def half_free(self) -> Flags:
        """Which coefficients carry no penalty, and have a bound on one side."""
        return self.no_limit_above ^ self.no_limit_below

    @cached_property
    def no_limit_above(self) -> Flags:
        """Which coefficients may grow for ever at no price."""
        return (self.l1 == 0.0) & (self.l2 == 0.0) & (self.high == np.inf)

    @cached_property
    def no_limit_below(self) -> Flags:
        """Which coefficients may fall for ever at no price."""
        return (self.l1 == 0.0) & (self.l2 == 0.0) & (self.low == -np.inf)

    @cached_property
    def without_zero(self) -> Flags:
        """Which coefficients their bounds keep from being zero."""
        return (self.low > 0.0) | (self.high < 0.0)

    def of(self, kept: Flags) -> Penalty:
        """Return the penalty of some of the coefficients."""
        lower, upper = (None if end is None else end[kept] for end in (self.lower, self.upper))
        return Penalty(self.l1[kept], self.l2[kept], lower, upper)

    def within(self, w: Array) -> Array:
        """Return w with what is beyond a bound moved to it."""
        return np.clip(w, self.low, self.high) if self.bounded else w

    def after(self, w: Array, step: Array) -> Array:
        """Return w + step, within the bounds; at a bound exactly where only rounding lies between."""
        out = self.within(w + step)
        if self.bounded:
            rounding = 4.0 * np.finfo(float).eps * np.maximum(np.abs(w), np.abs(step))
            out = np.where(out - self.low <= rounding, self.low, np.where(self.high - out <= rounding, self.high, out))
        return out

    def value(self, w: Array) -> float:
        """Return the penalty at w, which is within the bounds."""
        half = 0.5 * float(np.vdot(self.l2 * w, w)) if self.curved else 0.0
        return half if self.smooth else float((self.l1 * np.abs(w)).sum()) + half

    @cached_property
    def curved(self) -> bool:
        """Whether there is an L2 part."""
        return bool(self.l2.any())

    def conjugate(self, u: Array) -> float:
        """Return the largest of u w - penalty(w) over all w, for a dual feasible u."""
        if self.smooth:
            return 0.5 * float(np.vdot(u * self._inverse, u))
        best = self._maximiser(u)
        return float((u * best).sum()) - self.value(best)

    def dual_scale(self, u: Array) -> float:
        """Return the largest theta <= 1 at which theta u is dual feasible: |theta u| <= l1 where l2 is zero.

        No theta helps where l1 is zero too. Where a coefficient has one bound, only u of one sign is limited.
        """
        if not self._limits.any():
            return 1.0
        outward = np.abs(u)
        if self.bounded:
            outward = np.where(np.where(u > 0.0, self.high == np.inf, self.low == -np.inf), outward, 0.0)
        excess = float((outward * self._limits).max(initial=0.0))
        return 1.0 / excess if excess > 1.0 else 1.0

    @cached_property
    def _limits(self) -> Array:
        """One over the largest |u| that is dual feasible; zero where any is."""
        hard = (self.l1 > 0.0) & (self.l2 == 0.0)
        return np.where(hard, 1.0 / np.where(hard, self.l1, 1.0), 0.0)

    def violation(self, w: Array, gradient: Array) -> Array:
        """Return each coefficient's distance from optimality, given the gradient of all but L1 and bounds at w.

        That is the distance of its negative from the subdifferential, which at a bound is open on its side.
        """
        least, most = np.where(w > 0.0, self.l1, -self.l1), np.where(w < 0.0, -self.l1, self.l1)
        if self.bounded:
            least, most = np.where(w <= self.low, -np.inf, least), np.where(w >= self.high, np.inf, most)
        return np.maximum(np.maximum(least + gradient, -gradient - most), 0.0)

    def pull(self, gradient: Array) -> Array:
        """Return how hard a gradient draws each coefficient away from zero, in the directions its bounds allow."""
        allowed = np.where(gradient < 0.0, self.high > 0.0, self.low < 0.0) if self.bounded else True
        return np.where(allowed, np.abs(gradient), 0.0)

    def gap(self, w: Array, u: Array) -> float:
        """Return sum of penalty(w) + penalty*(u) - u w >= 0 over penalised coefficients, u being dual feasible.

        Written so that nothing cancels. It is zero where u is a subgradient of the penalty at w; for L2 it is
        |l2 w - u|^2 / (2 l2).
        """
        if self.smooth:
            away = self.l2 * w - u
            return 0.5 * float(np.vdot(away * self._inverse, away))
        # phi(x) = u x - penalty(x) is largest at m; the gap is phi(m) - phi(w), by way of phi(0) if the signs differ
        m = self._maximiser(u)
        some = np.nonzero(((w != 0.0) | (m != 0.0)) & ~self.free)  # elsewhere it is zero
        l1, l2 = (np.broadcast_to(each, w.shape)[some] for each in (self.l1, self.l2))
        w, u, m = w[some], u[some], m[some]
        sign = np.where(m != 0.0, np.sign(m), np.sign(w))
        onward = u - l1 * sign - l2 * m  # the slope of phi at m: zero, or against a bound or a kink
        straight = np.maximum((m - w) * onward, 0.0) + 0.5 * l2 * (m - w) ** 2
        to_zero = np.abs(w) * np.maximum(l1 - u * np.sign(w), 0.0) + 0.5 * l2 * w * w
        from_zero = np.maximum(m * onward, 0.0) + 0.5 * l2 * m * m
        return float(np.where(m * w < 0.0, to_zero + from_zero, straight).sum())

    def _maximiser(self, u: Array) -> Array:
        """Return the w at which u w - penalty(w) is largest, u being dual feasible but for rounding."""
        if not self.bounded and not self.curved:
            return np.zeros(u.shape)
        over = np.sign(u) * np.maximum(np.abs(u) - self.l1, 0.0)
        curved = self.l2 > 0.0
        m = np.where(curved, over / np.where(curved, self.l2, 1.0), 0.0)
        if not self.bounded:
            return m
        end = np.where(over > 0.0, self.high, np.where(over < 0.0, self.low, 0.0))
        return np.clip(np.where(curved, m, np.where(np.isfinite(end), end, 0.0)), self.low, self.high)
