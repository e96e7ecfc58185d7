"""The formulas of the derivation, (4.56) to (4.61), each written once; compiled loops elsewhere inline them.

Everything here sees only the margin ``z = w.x + b`` and the label ``y``, never the data: the mathematics is cut at z.
With ``e = exp(-|z|)``, which never overflows, every formula is a quotient or a sum of terms of one sign, so nothing
cancels: each is within 2 units in the last place for |z| <= 700 and finite for every finite z.

The functions whose names end in ``_at`` and ``_row`` are the compiled scalar forms. The public functions at the end
take scalars or arrays and return float64.
"""

from __future__ import annotations

from decimal import Decimal
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crossent.jit import formula, kernel, row_formula

_LN2 = Decimal("0.6931471805599453094172321214581765680755001")
LOG2_E = float(1 / _LN2)
LN2 = float(_LN2)
LN2_HIGH = round(float(_LN2) * 2**32) / 2**32  # 32 bits: its product with an exponent of 11 bits is exact
LN2_LOW = float(_LN2 - Decimal(LN2_HIGH))
EXP_UNDERFLOWS = 750.0  # exp(-750) is zero in float64
EXP_ROUGHLY_UNDERFLOWS = 700.0  # exp(-700) is a normal number: one power of two will do
SQRT2_MINUS_1 = 2.0**0.5 - 1.0
SQRT_HALF_BITS = int(np.float64(0.5**0.5).view(np.int64))
SIDE_BY_SIDE = 64  # examples of K classes that go through a loop together
TINIEST = 1e-290  # a probability that small is far from a quotient's range
E2, E3, E4, E5, E6, E7, E8, E9, E10, E11, E12, E13 = (1.0 / factorial(k) for k in range(2, 14))
A3, A5, A7, A9, A11, A13, A15, A17, A19, A21 = (2.0 / k for k in range(3, 23, 2))


# ---------------------------------------------------------------- two elementary functions that vectorise


@formula
def exp_minus(a):
    """exp(-a) for a >= 0: exp(-a) = 2^k exp(r), |r| <= ln(2)/2, and Taylor's series of degree 13."""
    x = -(EXP_UNDERFLOWS if a > EXP_UNDERFLOWS else a)
    k = np.floor(x * LOG2_E + 0.5)
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    q = E12 + r * E13
    q = E10 + r * (E11 + r * q)
    q = E8 + r * (E9 + r * q)
    q = E6 + r * (E7 + r * q)
    q = E4 + r * (E5 + r * q)
    q = E2 + r * (E3 + r * q)
    one_plus_r = 1.0 + r
    lost = r - (one_plus_r - 1.0)
    exponent = np.int64(k)
    half = exponent >> 1  # 2^k in two factors, so that the smallest results become subnormal, not garbage
    return (one_plus_r + (lost + r * r * q)) * power_of_two(half) * power_of_two(exponent - half)


@formula
def power_of_two(k):
    """2^k for -1022 <= k <= 1023, from its bits."""
    return np.int64((k + 1023) << 52).view(np.float64)


@formula
def artanh_series(t):
    """2 artanh(t) / t - 2 for |t| <= 0.172."""
    t2 = t * t
    q = A19 + t2 * A21
    q = A15 + t2 * (A17 + t2 * q)
    q = A11 + t2 * (A13 + t2 * q)
    q = A7 + t2 * (A9 + t2 * q)
    return t2 * (A3 + t2 * (A5 + t2 * q))


@formula
def log_one_plus(e):
    """log(1 + e) for 0 <= e <= 1: 1 + e = 2^{0 or 1} (1 + f), log(1 + f) = 2 artanh(f / (2 + f)) as a series."""
    upper = e > SQRT2_MINUS_1
    f = 0.5 * (e - 1.0) if upper else e
    t = f / (2.0 + f)
    q = artanh_series(t)
    high, low = (LN2_HIGH, LN2_LOW) if upper else (0.0, 0.0)
    total = high + f
    lost = f - (total - high)
    return total + (lost + (low - t * (f - q)))


@formula
def log_beside_one(x, u):
    """log(u) for u = 1 + x >= 0, as good where x is tiny; at 0 a number: u = 2^k (1 + f), log(1 + f) as above."""
    bits = np.float64(u).view(np.int64)
    k = (bits - SQRT_HALF_BITS) >> 52
    f = x if k == 0 else np.int64(bits - (k << 52)).view(np.float64) - 1.0
    t = f / (2.0 + f)
    return np.float64(k) * LN2_HIGH + (f - t * (f - artanh_series(t)) + np.float64(k) * LN2_LOW)


# ---------------------------------------------------------------- one example, two classes


@formula
def over_one_plus(a, e):
    """a / (1 + e) for 0 <= e <= 1, the rounding of 1 + e made good."""
    d = 1.0 + e
    q = a / d
    return q - q * (e - (d - 1.0))


@formula
def sigmoid_at(z):
    """sigma(z) = 1 / (1 + exp(-z))."""
    e = exp_minus(abs(z))
    return over_one_plus(1.0 if z >= 0.0 else e, e)


@formula
def exp_minus_roughly(a):
    """exp(-a) for a >= 0, within 1e-8 of itself or 1e-304, by Taylor's series of degree 7, in pairs.

    For where each waits for the last.
    """
    x = -(EXP_ROUGHLY_UNDERFLOWS if a > EXP_ROUGHLY_UNDERFLOWS else a)
    k = np.floor(x * LOG2_E + 0.5)
    r = x - k * LN2
    r2 = r * r
    low = (1.0 + r) + r2 * (E2 + r * E3)
    high = (E4 + r * E5) + r2 * (E6 + r * E7)
    return (low + r2 * r2 * high) * power_of_two(np.int64(k))


@formula
def sigmoid_roughly(z):
    """sigma(z) within 1e-8 of itself."""
    e = exp_minus_roughly(abs(z))
    return (1.0 if z >= 0.0 else e) / (1.0 + e)


@formula
def loss_at(z, y):
    """L = -[y log sigma(z) + (1 - y) log(1 - sigma(z))] = |z| (y if z < 0 else 1 - y) + log(1 + exp(-|z|))."""
    a = abs(z)
    return a * (1.0 - y if z >= 0.0 else y) + log_one_plus(exp_minus(a))


@formula
def residual_at(z, y):
    """(4.61) but for x_j: dL/dz = sigma(z) - y = (1 - y) sigma - y (1 - sigma), so that nothing is lost at y = 1."""
    e = exp_minus(abs(z))
    up, down = (1.0, e) if z >= 0.0 else (e, 1.0)
    return over_one_plus(up * (1.0 - y) - down * y, e)


@formula
def curvature_at(z):
    """(4.57): d sigma/dz = sigma (1 - sigma) = e / (1 + e)^2."""
    e = exp_minus(abs(z))
    return e / (1.0 + e * (2.0 + e))


@formula
def conjugate_at(r, y):
    """L*(r) = p log p + (1 - p) log(1 - p) with p = y + r in [0, 1]; infinite outside."""
    p, q = y + r, (1.0 - y) - r
    m = p if p <= q else q
    value = m * log_beside_one(m - 1.0, m) + (1.0 - m) * log_beside_one(-m, 1.0 - m)
    return np.inf if m < 0.0 else value


@formula
def divergence_term(p, log_p, p_new):
    """One class's share of the divergence KL(p_new || p), less its first-order part (which sums to zero)."""
    change = p_new - p
    tiny = p < TINIEST  # no number to divide by
    x = (p_new - 1.0) if tiny else change / (1.0 if tiny else p)
    return p_new * (log_beside_one(x, p_new if tiny else 1.0 + x) - (log_p if tiny else 0.0)) - change


# ---------------------------------------------------------------- K classes


@formula
def exp_below(top, z):
    """exp(z - top) for z <= top, the rounding of the difference made good."""
    a = top - z
    b = a - top
    lost = (top - (a - b)) - (z + b)
    e = exp_minus(a)
    return e - e * lost


@row_formula
def softmax_columns(z, m, room):
    """Replace the first m columns of z, each the margins of an example, by their softmax.

    Examples side by side: their exponentials run along memory and so vectorise, however few the classes. ``room`` is
    for m numbers in each of three rows; it gets log(sum_k exp(z_k)) as the largest z_k and the rest. In one number the
    rest would be lost beside a large margin: it is the loss of an example that is sure and right.
    """
    K, top, above, best = z.shape[0], room[0], room[1], room[2]
    for i in range(m):
        top[i], best[i], above[i] = z[0, i], 0, 0.0
        for k in range(1, K):
            if z[k, i] > top[i]:
                top[i], best[i] = z[k, i], k
    for k in range(K):
        row = z[k]
        for i in range(m):
            row[i] = exp_below(top[i], row[i])
    for k in range(K):
        for i in range(m):
            above[i] += 0.0 if k == best[i] else z[k, i]
    for k in range(K):
        for i in range(m):
            z[k, i] /= 1.0 + above[i]
    for i in range(m):
        above[i] = log_beside_one(above[i], 1.0 + above[i])


@row_formula
def turned(z, low, m, t):
    """Write m rows of z, from ``low`` on, into the columns of t."""
    for i in range(m):
        for k in range(z.shape[1]):
            t[k, i] = z[low + i, k]


@row_formula
def softmax_into(z, p):
    """Write the softmax of each row of z into p, which may be z."""
    n, K = z.shape
    side = min(n, SIDE_BY_SIDE)
    t, room = np.empty((K, side)), np.empty((3, side))
    for low in range(0, n, SIDE_BY_SIDE):
        m = min(n - low, SIDE_BY_SIDE)
        turned(z, low, m, t)
        softmax_columns(t, m, room)
        for i in range(m):
            for k in range(K):
                p[low + i, k] = t[k, i]


# ---------------------------------------------------------------- the public face


@kernel
def _softmax_rows(z):
    """Replace each row of z by its softmax."""
    softmax_into(z, z)


@kernel
def _each(which, a, b, out):
    """Apply one of the formulas of two arguments to every element, for the public functions below."""
    for i in range(a.size):
        if which == 0:
            out[i] = sigmoid_at(a[i])
        elif which == 1:
            out[i] = loss_at(a[i], b[i])
        elif which == 2:
            out[i] = residual_at(a[i], b[i])
        elif which == 3:
            out[i] = curvature_at(a[i])
        else:
            out[i] = conjugate_at(a[i], b[i])


def _apply(which: int, a: ArrayLike, b: ArrayLike = 0.0) -> Any:
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    out = np.empty(np.broadcast_shapes(a.shape, b.shape))
    a, b = (x.ravel() if x.shape == out.shape else np.broadcast_to(x, out.shape).flatten() for x in (a, b))
    _each(which, a, b, out.reshape(-1))
    return out if out.ndim else float(out)


def sigmoid(z: ArrayLike) -> Any:
    """Return sigma(z) = 1 / (1 + exp(-z)), elementwise.

    Its derivative is (4.57). Within 2 units in the last place for |z| <= 700, finite for every z.
    Proved: `sigma_bounds`, `sigma_stable`.

    Parameters
    ----------
    z : scalar or array
        The margin w.x + b.

    Returns
    -------
    float or ndarray of float64
    """
    return _apply(0, z)


def cross_entropy(z: ArrayLike, y: ArrayLike) -> Any:
    """Return the loss L = -[y log sigma(z) + (1 - y) log(1 - sigma(z))], elementwise: what (4.59) differentiates.

    Proved: `loss_stable_max`, the form that is computed.

    Parameters
    ----------
    z : scalar or array
        The margin w.x + b (not a probability).
    y : scalar or array
        Labels in [0, 1], broadcast against z.

    Returns
    -------
    float or ndarray of float64, in nats
    """
    return _apply(1, z, y)


def residual(z: ArrayLike, y: ArrayLike) -> Any:
    """Return dL/dz = sigma(z) - y, the factor of x_j in the last line of (4.61), elementwise.

    Proved: `residual_is_slope`, `eq_4_61_line4`.
    """
    return _apply(2, z, y)


def curvature(z: ArrayLike) -> Any:
    """Return sigma(z) (1 - sigma(z)), (4.57): at most 1/4, attained at z = 0; elementwise.

    Proved: `eq_4_57`, `curvature_bounds`, `curvature_at_0`.
    """
    return _apply(3, z)


def conjugate(r: ArrayLike, y: ArrayLike) -> Any:
    """Return L*(r) = (y + r) log(y + r) + (1 - y - r) log(1 - y - r), the source of the duality gap; elementwise.

    L(z) + L*(r) >= z r, with equality at r = sigma(z) - y. Infinite where y + r is outside [0, 1].
    Proved: `conjugate_bound`, `conjugate_attained`.
    """
    return _apply(4, r, y)


def softmax(z: ArrayLike) -> NDArray[np.float64]:
    """Return p_k = exp(z_k) / sum_j exp(z_j) along the last axis of z, of shape (K,) or (n, K).

    Proved: `softmax_shift`, `softmax_two`.
    """
    z = np.array(z, dtype=np.float64, order="C", ndmin=1)
    rows = z.reshape(-1, z.shape[-1])
    if rows.shape[1]:
        _softmax_rows(rows)
    return z


def softmax_cross_entropy(z: ArrayLike, y: ArrayLike) -> Any:
    """Return the cross-entropy of K classes, log(sum_j exp(z_j)) - sum_k y_k z_k; d/dz_k is p_k - y_k.

    Proved: `softmax_stable`, `softmax_residual`, `softmax_gradient`.

    Parameters
    ----------
    z : array of shape (K,) or (n, K)
    y : int or ints of shape (n,), the class codes; or probability rows of z's shape

    Returns
    -------
    float, or ndarray of shape (n,)
    """
    z = np.asarray(z, dtype=np.float64)
    y = np.asarray(y)
    rows = z.reshape(-1, z.shape[-1])
    if y.shape != z.shape:
        y = np.eye(z.shape[-1])[y.astype(np.intp)]
    labels = y.reshape(rows.shape)
    top = rows.max(axis=1, keepdims=True)
    # sum_k y_k (log-sum-exp - z_k): terms of one sign, so a certain example keeps its small loss
    normaliser = log_sum_exp_above(rows - top)
    out = np.where(labels > 0, labels * (normaliser[:, None] - (rows - top)), 0.0).sum(axis=1)
    return out.reshape(z.shape[:-1]) if z.ndim > 1 else float(out[0])


def log_sum_exp_above(below: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log(sum_k exp(z_k)) for rows whose largest entry is 0, exact also when the others vanish."""
    rest = np.exp(below)
    rest[np.arange(len(rest)), below.argmax(axis=1)] = 0.0
    return np.log1p(rest.sum(axis=1))
