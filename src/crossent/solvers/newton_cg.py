"""Newton's method with conjugate gradients: only Hessian products, so columns may be many."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from crossent.design import SMALL
from crossent.objective import Objective, Point, Step
from crossent.solvers.conjugate import conjugate_gradients

Array = NDArray[np.float64]

EXACT = 1e-3  # the same share where nothing is penalised
RENEW = 6  # products after which columns are centred and scaled by the curvature anew, which costs one
MAX_PRODUCTS = 500
FORCING = 0.3  # largest share of the gradient that may remain, in the norm of the gap: far out, more is wasted


class NewtonCG:
    """Inexact Newton steps by conjugate gradients, on columns centred and scaled by a recent Hessian.

    Centring is a change of variables, b = b' - mean.w, so X itself stays as it is (and sparse); with two classes it
    takes the intercept out of the system altogether. Half a pass for the diagonal, half for means if there is an
    intercept, one for each product, half for X @ v. Each system is solved until the gap that its residual would leave
    is a fraction of today's, or enough for ``target``.
    """

    name = "newton-cg"

    def __init__(self) -> None:
        self._forcing = Forcing()
        self._centred: _Centred | None = None
        self._products = 0  # since the centring was made

    def direction(self, objective: Objective, point: Point, target: float, limit: int = 1) -> Step:
        """Return an inexact Newton step at the point."""
        h = objective.curvature_at(point.z)
        cheap = objective.design.values < SMALL  # a pass: nothing to save
        if self._centred is None or self._products >= RENEW or cheap or objective.penalty.free.all():
            self._centred, self._products = _Centred(objective, h), 0
        centred = self._centred
        g = centred.pull_back(point.gradient)

        def product(p: Array) -> Array:
            self._products += 1
            return centred.pull_back(objective.hessian_product(h, centred.push(p)))

        v, residual, _ = conjugate_gradients(
            product,
            g,
            lambda r: r / centred.diagonal,
            self._forcing.test(objective, g, centred.diagonal, target),
            MAX_PRODUCTS,
        )
        v = centred.push(v)
        if v.ndim == 2:  # what all classes share changes no probability, and costs a penalty
            v -= v.mean(axis=1, keepdims=True)
        leftover = float(np.sqrt((residual * residual / centred.diagonal).sum()))
        return Step(v, objective.margins(v), leftover)


class Forcing:
    """How exactly to solve Newton's equation: the more so, the nearer the optimum (Dembo, Eisenstat and Steihaug)."""

    def __init__(self) -> None:
        self._largest = 0.0

    def test(self, objective: Objective, g: Array, diagonal: Array, target: float) -> Callable[[Array], bool]:
        """Return the test of a residual: does the gap it would leave suffice, for today's gradient g or for good?

        That gap is |residual|^2 / 2 over l2, or over the curvature, ``diagonal``, where nothing penalises.
        """
        metric = np.where(objective.penalty.l2 > 0.0, objective.penalty.l2, diagonal)

        def gap(residual: Array) -> float:
            return 0.5 * float((residual * residual / metric).sum())

        now = gap(g)
        self._largest = max(self._largest, now, np.finfo(float).tiny)
        enough = max(0.25 * target, now * min(FORCING, (now / self._largest) ** 0.25) ** 2)
        if objective.penalty.free.all():  # here the certificate rests on the step itself
            enough = EXACT**2 * now
        return lambda residual: gap(residual) <= enough


class _Centred:
    """Coefficients of columns centred at their curvature-weighted means: push gives w, pull_back a gradient's image."""

    def __init__(self, objective: Objective, h: Array):
        diagonal = objective.hessian_diagonal(h)
        self.mean = objective.weighted_means(h)[:-1] if objective.design.intercept else None
        if self.mean is not None:
            centred = diagonal[:-1] - self.mean**2 * diagonal[-1]
            # a column that is nearly constant: rounding may leave nothing, or less
            diagonal[:-1] = np.maximum(centred, 1e-10 * diagonal[:-1])
        self.diagonal = np.where(diagonal > 0.0, diagonal, 1.0)

    def push(self, p: Array) -> Array:
        """Return p in the original coefficients: the intercept loses the means' share."""
        if self.mean is None:
            return p
        out = p.copy()
        out[-1] -= (self.mean * p[:-1]).sum(axis=0)
        return out

    def pull_back(self, g: Array) -> Array:
        """Return the gradient g in the centred coefficients: the transpose of ``push``."""
        if self.mean is None:
            return g
        out = g.copy()
        out[:-1] -= self.mean * g[-1]
        return out
