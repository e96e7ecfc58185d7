"""The penalty: l1 |w| + l2/2 w^2, each coefficient with strengths of its own, none on the intercept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Penalty:
    """The sum over coefficients of ``l1 |w| + l2/2 w^2``.

    ``l1`` and ``l2`` have shape (width,), or (width, 1) for K classes; both are zero where nothing is penalised.
    """

    l1: Array
    l2: Array

    @cached_property
    def smooth(self) -> bool:
        """Whether there is no L1 part."""
        return not self.l1.any()

    @cached_property
    def free(self) -> NDArray[np.bool_]:
        """Which coefficients carry no penalty at all."""
        return (self.l1 == 0.0) & (self.l2 == 0.0)

    def value(self, w: Array) -> float:
        """Return the penalty at w."""
        return float((self.l1 * np.abs(w)).sum() + 0.5 * (self.l2 * w * w).sum())

    def conjugate(self, u: Array) -> float:
        """Return the largest of u w - penalty(w) over all w, for a dual feasible u: sum of (|u| - l1)_+^2 / (2 l2)."""
        over = np.maximum(np.abs(u) - self.l1, 0.0)
        return float((over**2 / (2.0 * np.where(self.l2 > 0.0, self.l2, np.inf))).sum())

    def dual_scale(self, u: Array) -> float:
        """Return the largest theta <= 1 at which theta u is dual feasible: |theta u| <= l1 where l2 is zero."""
        if self.smooth:
            return 1.0
        hard = np.broadcast_to((self.l1 > 0.0) & (self.l2 == 0.0), u.shape)
        if not hard.any():
            return 1.0
        excess = float((np.abs(u) / np.where(self.l1 > 0.0, self.l1, 1.0))[hard].max())
        return 1.0 / excess if excess > 1.0 else 1.0

    def gap(self, w: Array, u: Array) -> float:
        """Return sum of penalty(w) + penalty*(u) - u w >= 0 over penalised coefficients, u being dual feasible.

        Written so that nothing cancels. It is zero where u is a subgradient of the penalty at w; for L2 it is
        |l2 w - u|^2 / (2 l2).
        """
        if self.smooth:
            return float(((self.l2 * w - u) ** 2 / (2.0 * np.where(self.l2 > 0.0, self.l2, np.inf))).sum())
        size, along = np.abs(w), u * w >= 0.0
        over = np.maximum(np.abs(u) - self.l1, 0.0)
        under = np.maximum(self.l1 - np.abs(u), 0.0)
        l2 = np.where(self.l2 > 0.0, self.l2, np.inf)
        same_sign = under * size + np.where(self.l2 > 0.0, (self.l2 * size - over) ** 2 / (2.0 * l2), 0.0)
        against = (self.l1 + np.abs(u)) * size + 0.5 * self.l2 * w * w + over**2 / (2.0 * l2)
        return float(np.where(self.free, 0.0, np.where(along, same_sign, against)).sum())
