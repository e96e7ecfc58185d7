"""Dual points where some columns carry no penalty: probabilities whose residual is orthogonal to those columns.

From p = sigma(z), one Newton step in the coefficients of those columns alone leads there, exactly: the equation that it
solves is that p' = p + p'(z) X v has the labels' products with them. A column without a penalty whose coefficient has a
bound on one side asks for less, a product of one sign; it joins the equation where it would have the other.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from crossent.errors import CrossentError
from crossent.factor import Pivoted, is_solved
from crossent.margins import bend
from crossent.objective import Objective, Point
from crossent.part import design_of
from crossent.penalty import Penalty

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

LARGEST = 4000  # order of the equation
REFINEMENTS = 2
ROUNDS = 10  # of columns that join


class Corrected(NamedTuple):
    """The dual point p' = p + p'(z) shift: X.T @ (s (p' - y)), and what rounding left, as a bound on its product.

    ``endless`` tells whether no bound keeps coefficients from going on along the shift for ever; ``solved``, whether
    the equation was solved at all.
    """

    shift: Array
    loss_gradient: Array
    leftover: float
    endless: bool
    solved: bool


class FreeColumns:
    """The columns of an objective that carry no penalty, some others doing so."""

    def __init__(self, objective: Objective):
        self.objective = objective
        penalty, shape = objective.penalty, objective.shape
        self.free = np.broadcast_to(penalty.free, shape)
        self.half_free = np.broadcast_to(penalty.half_free, shape)
        order = int((self.free | self.half_free).sum())
        if order > LARGEST:
            raise CrossentError(
                f"{order} coefficients carry no penalty beside others that do; at most {LARGEST} can be certified: "
                "give them a small penalty factor"
            )
        self._columns: Flags = np.zeros(0, dtype=bool)  # that _part has
        self._part = objective

    def correct(self, point: Point) -> Corrected | None:
        """Return a dual point near that of the point, or None where none is found: about a pass over X.

        And a Gram matrix of the columns without a penalty.
        """
        chosen = self.free | self._wrong(point.loss_gradient) | self.half_free & self._inside(point.w)
        for _ in range(ROUNDS):
            found = self._orthogonal(point, chosen)
            wrong = self._wrong(found.loss_gradient) & ~chosen
            if not wrong.any():
                return found
            chosen = chosen | wrong
        return None

    def _inside(self, w: Array) -> Flags:
        penalty = self.objective.penalty
        return (penalty.low < w) & (w < penalty.high)

    def _wrong(self, loss_gradient: Array) -> Flags:
        """Return which half free coefficients a step away from their bound would make better."""
        outward = np.where(self.objective.penalty.high == np.inf, -loss_gradient, loss_gradient)
        return self.half_free & (outward > 0.0)

    def _orthogonal(self, point: Point, chosen: Flags) -> Corrected:
        """Return the dual point orthogonal to the columns chosen."""
        objective, design = self.objective, self.objective.design
        part, own = self._part_of(chosen)
        h = part.curvature_at(point.z)
        rows = np.append(self._columns, np.ones(design.width - design.columns, dtype=bool))
        now = point.loss_gradient[rows].reshape(-1)[own]
        factor = Pivoted(part.hessian(h)[np.ix_(own, own)])
        v, left = np.zeros(part.shape), now
        for _ in range(1 + REFINEMENTS):
            v.reshape(-1)[own] -= factor.solve(left)
            left = now + part.hessian_product(h, v).reshape(-1)[own]
        shift = part.margins(v)
        change = shift.copy()
        design.over_rows(lambda rows: bend(h[rows], objective.s[rows], change[rows]))
        objective.passes += 0.5
        loss_gradient = point.loss_gradient + design.tdot(change)
        leftover = 2.0 * float(np.abs(left) @ np.abs(v.reshape(-1)[own]))
        away = np.where(objective.penalty.high[rows] == np.inf, v, -v)  # from the one bound of what is half free
        endless = bool((away[self.half_free[rows]] >= 0.0).all())
        return Corrected(shift, loss_gradient, leftover, endless, is_solved(left, now))

    def _part_of(self, chosen: Flags) -> tuple[Objective, NDArray[np.intp]]:
        """Return the objective without a penalty on the columns chosen, and which of its coefficients are."""
        whole = self.objective
        flags = chosen if chosen.ndim == 2 else chosen[:, None]
        columns = np.logical_or.reduce(flags[: whole.design.columns], axis=1)
        if not np.array_equal(columns, self._columns):
            copied = whole.design.scaled_columns(np.flatnonzero(columns), np.ones(whole.design.n))
            design = design_of(copied, whole.design)
            none = np.zeros((design.width, *whole.penalty.l1.shape[1:]))
            self._part = Objective(design, whole.y, whole.s, Penalty(none, none), whole.n_classes)
            self._columns = columns
        rows = np.append(columns, np.ones(whole.design.width - whole.design.columns, dtype=bool))
        return self._part, np.flatnonzero(flags[rows].reshape(-1))
