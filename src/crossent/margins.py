"""The loss over a block of rows: loops over the margins z that inline the formulas of the derivation.

``z`` has shape (m,) for two classes and (m, K) for K; ``y`` holds labels in [0, 1], or class codes 0..K-1; ``s`` the
weights of the rows. Each kernel reads its block once. None of them sees the data: the mathematics is cut at z.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from crossent.classes import (
    BEYOND,
    classes_along,
    classes_conjugate,
    classes_divergence,
    classes_loss,
    classes_shifted,
)
from crossent.equations import (
    conjugate_at,
    curvature_at,
    divergence_term,
    loss_at,
    residual_at,
    sigmoid_at,
    softmax_into,
)
from crossent.jit import kernel


@kernel
def loss_and_residual(t, y, s):
    """Replace margins t by weighted residuals s (sigma(t) - y), or s (p_k - y_k); return the weighted loss.

    In place: with a second array, which may be the same one, the loop would not vectorise.
    """
    total = 0.0
    if t.ndim == 1:
        for i in range(t.size):
            ti, yi, si = t[i], y[i], s[i]
            total += si * loss_at(ti, yi)
            t[i] = si * residual_at(ti, yi)
    else:
        total = classes_loss(t, y, s)
    return total


@kernel
def shifted_residual(z, shift, y, s, r, excess, bend):
    """Write the weighted residuals at z + shift into r; return the weighted loss, which is a function of the shift.

    Its gradient, the residuals' sums, is added to ``excess`` of shape (K,), its Hessian to ``bend`` of shape (K, K);
    K is one for two classes.
    """
    total = 0.0
    if z.ndim == 1:
        slope, second = 0.0, 0.0
        for i in range(z.size):
            zi, yi, si = z[i] + shift[0], y[i], s[i]
            total += si * loss_at(zi, yi)
            ri = si * residual_at(zi, yi)
            slope += ri
            second += si * curvature_at(zi)
            r[i] = ri
        excess[0] += slope
        bend[0, 0] += second
    else:
        total = classes_shifted(z, shift, y, s, r, excess, bend)
    return total


@kernel
def curvature_into(z, s, h):
    """Write what the second derivative needs into h: s sigma (1 - sigma), or the probabilities of K classes."""
    if z.ndim == 1:
        for i in range(z.size):
            h[i] = s[i] * curvature_at(z[i])
    else:
        softmax_into(z, h)


@kernel
def bend(h, s, t):
    """Apply the second derivative of the loss in z to t, in place: h t, or s (p t - p (p.t)) for K classes."""
    if t.ndim == 1:
        for i in range(t.size):
            t[i] *= h[i]
    else:
        for i in range(t.shape[0]):
            mean = 0.0
            for k in range(t.shape[1]):
                mean += h[i, k] * t[i, k]
            for k in range(t.shape[1]):
                t[i, k] = s[i] * h[i, k] * (t[i, k] - mean)


class Floats:
    """Numbers of any type, a slice at a time as float64: the whole is neither copied nor, if broadcast, written out."""

    def __init__(self, values: NDArray[Any]):
        self.values = values

    def __getitem__(self, rows: slice) -> NDArray[np.float64]:
        return np.ascontiguousarray(self.values[rows], dtype=np.float64)


class Middle(NamedTuple):
    """What happens to a block of margins between the two products of a pass: all that a design is told of the loss.

    Attributes
    ----------
    bends : bool
        Apply the second derivative to them (for a Hessian's product), rather than make them residuals (for a gradient).
    a : array or Floats
        The labels; where it bends, what ``curvature_into`` has written.
    s : array of shape (n,), or Floats
        Weights of the rows.
    kept : array
        Gets the margins themselves, unless it is empty.
    """

    bends: bool
    a: NDArray[Any] | Floats
    s: NDArray[np.float64] | Floats
    kept: NDArray[np.float64] = np.empty(0)

    def __call__(self, rows: slice, t: NDArray[np.float64]) -> float:
        """Do it to t, the margins of ``rows``, in place; return their loss, or zero."""
        if self.kept.size:
            self.kept[rows] = t
        if self.bends:
            bend(self.a[rows], self.s[rows], t)
            return 0.0
        return loss_and_residual(t, self.a[rows], self.s[rows])


@kernel
def along_line(z, dz, y, s, step):
    """Return the loss at z + step dz, and its first and second derivative in step: a line search that never reads X."""
    value, slope, second = 0.0, 0.0, 0.0
    if z.ndim == 1:
        for i in range(z.size):
            zi = z[i] + step * dz[i]
            value += s[i] * loss_at(zi, y[i])
            slope += s[i] * residual_at(zi, y[i]) * dz[i]
            second += s[i] * curvature_at(zi) * dz[i] * dz[i]
    else:
        value, slope, second = classes_along(z, dz, y, s, step)
    return value, slope, second


@kernel
def divergence_to_dual(z, y, s, tau, q, theta, shift):
    """Sum s KL(p_new || p), the loss's share of the duality gap at a dual point near p = sigma(z) (or softmax).

    ``p_new = y + theta (p + tau (q - p) + p'(z) shift - y)``: mixed towards the distribution ``q`` (for the intercept),
    moved by a Newton step ``shift`` (for unpenalised columns; an empty array for none), shrunk towards the label by
    ``theta`` (for L1). Infinite when it leaves [0, 1].
    """
    total = 0.0
    moved = shift.size > 0
    if z.ndim == 1:
        outside = 0
        for i in range(z.size):  # without a branch, so that it vectorises
            p, minus = sigmoid_at(z[i]), sigmoid_at(-z[i])
            change = tau * (q[0] * minus - (1.0 - q[0]) * p)  # tau (q - p), exact also where p rounds to 1
            if moved:
                change += p * minus * shift[i]
            change += (1.0 - theta) * (y[i] * minus - (1.0 - y[i]) * p - change)
            outside += (change < -(1.0 + BEYOND) * p) | (change > (1.0 + BEYOND) * minus)
            change = min(max(change, -p), minus)
            # the labels' own probabilities: log p = -loss(z, 1), log(1 - p) = -loss(z, 0)
            part = divergence_term(p, -loss_at(z[i], 1.0), p + change)
            part += divergence_term(minus, -loss_at(z[i], 0.0), minus - change)
            total += s[i] * max(part, 0.0)
        if outside:
            return np.inf
    else:
        total = classes_divergence(z, y, s, tau, q, theta, shift)
    return total


@kernel
def conjugate_sum(p, y, s, tau, q):
    """Return sum s L*(p_new - y), where p_new = p + tau (q - p)."""
    total = 0.0
    if p.ndim == 1:
        for i in range(p.size):
            total += s[i] * conjugate_at(p[i] - y[i] + tau * (q[0] - p[i]), y[i])
    else:
        total = classes_conjugate(p, s, tau, q)
    return total


@kernel
def probabilities_into(z, p):
    """Write the softmax of each row of z into p, which may be z; of z of shape (n,), sigma(-z) and sigma(z)."""
    if z.ndim == 1:
        other, own = np.empty(z.size), np.empty(z.size)  # loops that write every second number do not vectorise
        for i in range(z.size):
            other[i] = sigmoid_at(-z[i])
            own[i] = sigmoid_at(z[i])
        for i in range(z.size):
            p[i, 0] = other[i]
            p[i, 1] = own[i]
    else:
        softmax_into(z, p)
