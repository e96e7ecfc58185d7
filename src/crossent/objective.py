"""Where loss, data and penalty meet: value, gradient X.T @ r, Hessian products, Gram matrix.

    F(w) = sum_i s_i loss(z_i, y_i) + l1 |w|_1 + l2/2 |w|^2,    z = X w + b + offset

The weights s already hold C. A solver sees an ``Objective`` and knows neither storage nor sigma.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import log
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from crossent.blocks import in_order
from crossent.design import SMALL, Design, as_design
from crossent.margins import Floats, Middle, along_line, curvature_into, shifted_residual
from crossent.penalty import Penalty
from crossent.sparse import column_sums

Array = NDArray[np.float64]

SAMPLED = 1 << 18  # values of X below which a sample of the rows saves nothing
SAMPLE = 20  # rows of which a sample holds one
SAMPLE_ROWS = 8  # rows of it for each coefficient, at least: its Hessian is then within a third or so of the whole's
MANY_VALUES = 1 << 20  # with fewer, the sample has to be as good as a step or two from all rows
MANY_ROWS = 100  # of it for each coefficient: its optimum is then that near
LEAST_APART = 4
INTERCEPT_STEPS = 10
INTERCEPT_HALVINGS = 40
INTERCEPT_NO_RISE = 1e-12  # of the loss, which its rounding excuses
INTERCEPT_TOLERANCE = 1e-13  # of the weight of the rarest class


@dataclass(frozen=True)
class Point:
    """Coefficients and what is known there. ``gradient`` is of the smooth part: loss and L2."""

    w: Array
    z: Array
    value: float
    loss_gradient: Array
    gradient: Array


class DualPoint(NamedTuple):
    """Probabilities p' of the rows, of shape (n,) or (n, K), and X.T @ (s (p' - y))."""

    p: Array
    loss_gradient: Array


class Step(NamedTuple):
    """What a method proposes: a direction v, X @ v, and what else it knows.

    ``dz`` is None where a pass costs so little that the whole step is to be tried first. ``leftover`` tells how
    inexactly it solved Newton's equation: the norm of H v + g, measured by the inverse of H's diagonal; zero for a
    direct method. ``dual`` is a dual point it has found, if it is a dual method. ``steps`` is how many steps of the
    method this one stands for.
    """

    v: Array
    dz: Array | None
    leftover: float = 0.0
    dual: DualPoint | None = None
    steps: int = 1


class _Shifted(NamedTuple):
    """Weighted residuals and loss at z + shift, the loss's gradient in the shift and its Hessian."""

    r: Array
    loss: float
    excess: Array
    bend: Array


def _largest(excess: Array) -> float:
    return max(map(abs, excess.tolist()))  # few numbers: a list is faster than an array


def solved(bend: Array, excess: Array) -> Array | None:
    """Return the solution of bend x = excess, None where there is none; with more than one class, the least one."""
    if len(excess) == 1:
        return excess / bend[0, 0] if bend[0, 0] > 0.0 else None
    # the common shift of all classes changes nothing: give it some curvature
    try:
        return np.linalg.solve(bend + np.trace(bend) / len(bend) ** 2, excess)
    except np.linalg.LinAlgError:  # a class whose probabilities are all zero
        return None


class Objective:
    """F for one data set. Coefficients have shape (width,), or (width, K) for K > 2 classes.

    Parameters
    ----------
    design : Design
    y : array of shape (n,): labels in [0, 1], or class codes as int64 when n_classes > 2
    s : array of shape (n,): weights of the rows, C included
    penalty : Penalty
    n_classes : int
    offset : array shaped as z, optional
        A fixed part of z.

    Attributes
    ----------
    passes : float
        Visits to every value of X so far, one for each pair of products X @ v and X.T @ r.
    """

    def __init__(
        self,
        design: Design,
        y: NDArray[Any],
        s: Array,
        penalty: Penalty,
        n_classes: int = 2,
        offset: Array | None = None,
    ):
        self.design, self.penalty, self.n_classes = design, penalty, n_classes
        self.y, self.s, self.offset = y, s, offset
        self.shape: tuple[int, ...] = (design.width,) if n_classes == 2 else (design.width, n_classes)
        self.total = float(s.sum())
        self.passes = 0.0

    def at(self, w: Array, z: Array | None = None) -> Point:
        """Return the point at w: one pass; half a pass when its margins ``z`` are known.

        With ``z`` known, the intercept is first moved to its optimum for the other coefficients, which takes no pass.
        """
        if z is None:
            self.passes += 1.0
            if self.offset is None:
                z = np.empty((self.design.n, *self.shape[1:]))
                loss_gradient, loss = self.design.sandwich(w, Middle(False, self.y, self.s, z))
            else:
                z = self.design.dot(w) + self.offset
                at_z = self._shifted(z, np.zeros(self.shape[1:] or 1))
                loss_gradient, loss = self.design.tdot(at_z.r), at_z.loss
        else:
            self.passes += 0.5
            w, z, r, loss = self._with_best_intercept(w, z)
            loss_gradient = self.design.tdot(r)
        value = loss + self.penalty.value(w)
        return Point(w, z, value, loss_gradient, loss_gradient + self.penalty.l2 * w)

    def _shifted(self, z: Array, shift: Array) -> _Shifted:
        """Return the residuals and the loss at z + shift, and the loss's derivatives in the shift."""
        r, K = np.empty_like(z), len(shift)

        def piece(rows: slice) -> tuple[float, Array, Array]:
            excess, bend = np.zeros(K), np.zeros((K, K))
            return shifted_residual(z[rows], shift, self.y[rows], self.s[rows], r[rows], excess, bend), excess, bend

        losses, excesses, bends = zip(*self.design.over_rows(piece), strict=True)
        return _Shifted(r, sum(losses), in_order(excesses), in_order(bends))

    def _with_best_intercept(self, w: Array, z: Array) -> tuple[Array, Array, Array, float]:
        """Return w, z, residual and loss after Newton's method in the intercept alone, which sees only z."""
        shift = np.zeros(self.shape[1:] or 1)
        here = self._shifted(z, shift)
        for _ in range(INTERCEPT_STEPS if self.design.intercept else 0):
            excess = _largest(here.excess)
            if excess <= INTERCEPT_TOLERANCE * self.rarest:
                break
            step = solved(here.bend, here.excess)
            if step is None:  # every row is as sure as numbers can say
                break
            for _ in range(INTERCEPT_HALVINGS):  # far out, where all rows are sure, a whole step may lead further out
                there = self._shifted(z, shift - step)
                no_rise = there.loss <= here.loss * (1.0 + INTERCEPT_NO_RISE)
                if no_rise:
                    break
                step = 0.5 * step
            if not no_rise or (there.loss >= here.loss and _largest(there.excess) >= excess):
                break
            shift, here = shift - step, there
        if shift.any():
            w, z = w.copy(), z + shift
            w[-1] += shift if w.ndim == 2 else shift[0]
        return w, z, here.r, here.loss

    @cached_property
    def label_sums(self) -> Array:
        """The labels' weighted sums: one for two classes, else the weight of each class."""
        if self.n_classes == 2:
            return np.array([self.s @ self.y])
        return np.bincount(self.y, weights=self.s, minlength=self.n_classes).astype(np.float64)

    @cached_property
    def rarest(self) -> float:
        """The weight of the class that has the least."""
        sums = self.label_sums
        return float(min(sums.min(), self.total - sums.max()))

    def adopt(self, point: Point, other: Objective) -> Point:
        """Return another objective's point as one of this, which differs in C and in the penalty alone: no pass."""
        times = self.total / other.total if other.total > 0.0 else 1.0
        value = times * (point.value - other.penalty.value(point.w)) + self.penalty.value(point.w)
        loss_gradient = times * point.loss_gradient
        return Point(point.w, point.z, value, loss_gradient, loss_gradient + self.penalty.l2 * point.w)

    def margins(self, v: Array) -> Array:
        """Return X @ v, the offset not included: half a pass."""
        self.passes += 0.5
        return self.design.dot(v)

    def margins_at(self, w: Array) -> Array:
        """Return the margins z of the coefficients w: half a pass, none at zero."""
        z = self.margins(w) if w.any() else np.zeros((self.design.n, *self.shape[1:]))
        return z if self.offset is None else z + self.offset

    def value_at(self, w: Array) -> float:
        """Return the objective at w: half a pass, none at zero."""
        z = self.margins_at(w)
        losses = self.design.over_rows(
            lambda rows: along_line(z[rows], z[rows], self.y[rows], self.s[rows], 0.0)[0],
        )
        return sum(losses) + self.penalty.value(w)

    def origin(self) -> Array:
        """Return zero weights and the best intercept for them; with an offset, one that takes back its mean.

        That is the log-odds of the labels. Where offsets are taken back, rows are not sure yet.
        """
        w = np.zeros(self.shape)
        if not self.design.intercept or self.total <= 0.0:
            return w
        if self.offset is not None:
            w[-1] = -np.average(self.offset, axis=0, weights=self.s)
        elif self.n_classes == 2:
            up = float(self.label_sums[0])
            w[-1] = log(up / (self.total - up)) if 0.0 < up < self.total else 0.0
        else:
            sums = self.label_sums
            logs = np.log(sums) if sums.all() else sums * 0.0
            w[-1] = logs - logs.mean()
        return w

    def curvature_at(self, z: Array) -> Array:
        """Return what the Hessian at margins z needs: s sigma (1 - sigma), or softmax rows. No pass."""
        h = np.empty_like(z)
        self.design.over_rows(lambda rows: curvature_into(z[rows], self.s[rows], h[rows]))
        return h

    def hessian_product(self, h: Array, v: Array) -> Array:
        """Return the Hessian of the smooth part times v, X.T @ (h * (X @ v)) + l2 v: one pass.

        Proved: `mean_hessian`, `hessian_psd`.
        """
        self.passes += 1.0
        product, _ = self.design.sandwich(v, Middle(True, h, self.s))
        return product + self.penalty.l2 * v

    def hessian_diagonal(self, h: Array) -> Array:
        """Return the Hessian's diagonal, shaped as w: half a pass."""
        self.passes += 0.5
        return self.design.squares(self._own_curvature(h)) + self.penalty.l2

    def weighted_means(self, h: Array) -> Array:
        """Return the columns' means weighted by curvature, shaped as w: half a pass."""
        self.passes += 0.5
        own = self._own_curvature(h)
        return self.design.tdot(own) / np.maximum(column_sums(own), np.finfo(float).tiny)

    def _own_curvature(self, h: Array) -> Array:
        return h if h.ndim == 1 else self.s[:, None] * h * (1.0 - h)

    @cached_property
    def ridge(self) -> bool:
        """Whether every column of X has an L2 penalty, and neither L1 nor bounds."""
        return self.penalty.smooth and not self.penalty.free[: self.design.columns].any()

    @cached_property
    def tries_whole_steps(self) -> bool:
        """Whether a pass costs less than knowing beforehand what a step brings: little data, and good steps."""
        return self.ridge and self.design.values < SMALL

    @property
    def pass_work(self) -> float:
        """What a pass costs, in multiply-adds: one for each value, each direction and each class."""
        return 2.0 * max(1, self.design.values) * (1 if self.n_classes == 2 else self.n_classes)

    @property
    def hessian_work(self) -> float:
        """What the Hessian costs, in the same units: a Gram matrix for each pair of classes."""
        return self.design.gram_work * self.n_classes * (self.n_classes - 1) / 2.0

    def hessian(self, h: Array) -> Array:
        """Return the Hessian of the smooth part, coefficients in C order: one Gram pass for each pair of classes."""
        width, K = self.design.width, 1 if h.ndim == 1 else self.n_classes
        if K == 1:
            self.passes += 1.0
            out = self.design.gram(h)
        else:  # probabilities sum to one, so what a class has with itself is what it has not with the others
            self.passes += K * (K - 1) / 2
            p, blocks = np.ascontiguousarray(h.T), np.zeros((K, K, width, width))
            for k in range(K):
                for m in range(k):
                    blocks[k, m] = blocks[m, k] = self.design.gram(self.s * p[k] * p[m])
            own = blocks.sum(axis=1)
            np.negative(blocks, out=blocks)
            for k in range(K):
                blocks[k, k] = own[k]
            out = blocks.transpose(2, 0, 3, 1).reshape(width * K, width * K)
        out.reshape(-1)[:: len(out) + 1] += np.broadcast_to(self.penalty.l2, self.shape).reshape(-1)
        return out

    @cached_property
    def sample(self) -> tuple[NDArray[np.intp], Objective] | None:
        """Some rows, and the objective that weighs them for all; None where all are few. Drawn by a fixed seed.

        Its optimum and its Hessian are near this one's, and cost a fraction. One row of each run of equal length.
        """
        order = int(np.prod(self.shape))
        least = SAMPLE_ROWS if self.design.values >= MANY_VALUES else MANY_ROWS
        apart = min(SAMPLE, self.design.n // (least * order))
        if apart < LEAST_APART or self.design.values < SAMPLED:
            return None
        starts = np.arange(0, self.design.n - apart + 1, apart)
        rows = starts + np.random.default_rng(0).integers(0, apart, len(starts))
        s = self.s[rows]
        kept = float(s.sum())
        if kept <= 0.0:
            return None
        y, offset = self.y[rows], None if self.offset is None else self.offset[rows]
        return rows, Objective(
            self.design.some_rows(rows), y, s * (self.total / kept), self.penalty, self.n_classes, offset
        )

    def along(self, point: Point, dz: Array, step: float) -> tuple[float, float, float]:
        """Return the loss at z + step dz and its first two derivatives in step. No pass."""
        parts = self.design.over_rows(
            lambda rows: along_line(point.z[rows], dz[rows], self.y[rows], self.s[rows], step),
        )
        value, slope, second = map(sum, zip(*parts, strict=True))
        return value, slope, second


def gradient(
    w: ArrayLike,
    b: float,
    X: Any,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
) -> tuple[NDArray[np.float64], float]:
    """Return the gradient of the mean loss in the weights and the bias, the last line of (4.61).

    dL/dw_j = (sigma(w.x + b) - y) x_j and dL/db = sigma(w.x + b) - y, averaged over the rows of X.
    Proved: `gradient_w`, `gradient_b`, `mean_gradient`, `gradient_with_bias`.

    Parameters
    ----------
    w : array of shape (d,)
    b : float
    X : array of shape (d,), one example; or array or sparse matrix of shape (n, d)
    y : label or labels in [0, 1]
    sample_weight : array of shape (n,), optional
        The mean is weighted by it.

    Returns
    -------
    dw : array of shape (d,)
    db : float

    Notes
    -----
    One pass over X.
    """
    X = X if sp.issparse(X) else np.atleast_2d(np.asarray(X))
    y = np.atleast_1d(np.asarray(y))
    if y.shape != (X.shape[0],):
        raise ValueError(f"y has shape {y.shape}, X has {X.shape[0]} rows; give one label a row")
    s = np.asarray(1.0 if sample_weight is None else sample_weight)
    if s.shape not in {(), y.shape}:
        raise ValueError(f"sample_weight has shape {s.shape}, X has {len(y)} rows; give one weight a row")
    total = s.sum(dtype=np.float64) if s.ndim else len(y) * float(s)
    middle = Middle(False, Floats(y), Floats(np.broadcast_to(s, y.shape)))
    product, _ = as_design(X).sandwich(np.append(np.asarray(w, dtype=np.float64), float(b)), middle)
    product /= total
    return product[:-1], float(product[-1])
