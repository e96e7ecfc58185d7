"""What one row does in dual coordinate ascent, with two classes and with K: its probabilities meet its margins.

Yu, Huang and Lin, Dual coordinate descent methods for logistic regression and maximum entropy models (2011), have the
problem of one row; here it is solved by Newton's method in u, the margins of its probabilities.
"""

from __future__ import annotations

import numpy as np

from crossent.equations import exp_minus_roughly, sigmoid_roughly
from crossent.jit import formula, kernel, row_formula
from crossent.sparse import vector_add, vector_dot, vectors_add, vectors_dot

RUN = 8  # rows in stored order between two random jumps: as fast as in order, and converges as at random
SETTLED = 0.5  # a Newton step in u after which its error is an eighth at most: the next visit sees to that
MOST_STEPS = 20


@formula
def _meeting(u, p, z, stiffness):
    """Solve u = z + stiffness (p - sigma(u)) from u, inside the bracket that 0 < sigma < 1 gives; return sigma(u) too.

    By Newton's method; p is sigma(u) at the start, so that one evaluation does where u moves little.
    """
    target = z + stiffness * p
    low, high = target - stiffness, target
    for _ in range(50):
        excess = u + stiffness * p - target
        if excess > 0.0:
            high = u
        else:
            low = u
        step = excess / (1.0 + stiffness * p * (1.0 - p))
        u -= step
        settled = abs(step) <= SETTLED
        if not settled and not low <= u <= high:
            u = 0.5 * (low + high)
        p = sigmoid_roughly(u)
        if settled:
            break
    return u, p


@formula
def _share(u, p, z, moved):
    """Return KL(p || sigma(z)), a row's share of the duality gap, roughly and without a logarithm.

    To second order where z is near u, with the larger curvature of before and after; |z - u| times p or 1 - p far out.
    """
    far, off = abs(z - u), 1.0 - p if z > u else p
    half = 0.5 * max(p * (1.0 - p), moved * (1.0 - moved)) * far
    return half * far * off / (off + half) if half > 0.0 else 0.0


@kernel
def visit(indptr, indices, data, s, squares, starts, u, p, w, beta, halves):
    """Visit the rows of some runs; return their share of the duality gap as met on the way."""
    gap = 0.0
    weights, intercept = w[:-1], w[-1]
    for start in starts:
        for i in range(start, min(start + RUN, s.size)):
            z = intercept + vector_dot(indptr, indices, data, i, weights)
            met, moved = _meeting(u[i], p[i], z, s[i] * (squares[i] + beta))
            gap += s[i] * _share(u[i], p[i], z, moved)
            delta = halves * s[i] * (p[i] - moved)
            u[i], p[i] = met, moved
            vector_add(indptr, indices, data, i, delta, weights)
            if beta > 0.0:
                intercept += beta * delta
    w[-1] = intercept
    return gap


@row_formula
def _classes_share(u, p, z):
    """Return KL(p || softmax(z)), roughly: half the variance of z - u, or how far its largest is above its mean."""
    mean, top = 0.0, -np.inf
    for k in range(p.size):
        mean += p[k] * (z[k] - u[k])
        top = max(top, z[k] - u[k])
    half = 0.0
    for k in range(p.size):
        half += 0.5 * p[k] * (z[k] - u[k] - mean) ** 2
    far = top - mean
    return half * far / (far + half) if half > 0.0 else 0.0


@row_formula
def _classes_meet(u, p, target, stiffness, missing, share):
    """Solve u + stiffness softmax(u) = target, but for what all classes share, from u, in place; p is softmax(u).

    By Newton's method: u moves by (e - lambda) / (1 + stiffness p), e what is missing, and lambda such that p keeps
    its sum, to first order; the softmax itself sees to the rest. Far upwards the step is the same in p, which does
    not go beyond, as that in u would: log p + stiffness p is concave in p. The last two arguments are room.
    """
    for _ in range(MOST_STEPS):
        weight, mean = 0.0, 0.0
        for k in range(p.size):
            share[k] = 1.0 / (1.0 + stiffness * p[k])
            missing[k] = target[k] - u[k] - stiffness * p[k]
            weight += p[k] * share[k]
            mean += p[k] * share[k] * missing[k]
        mean /= weight
        largest, top = 0.0, -np.inf
        for k in range(p.size):
            step = (missing[k] - mean) * share[k]
            largest = max(largest, abs(step))
            u[k] += np.log(1.0 + step) if step > SETTLED else step
            top = max(top, u[k])
        total = 0.0
        for k in range(p.size):
            p[k] = exp_minus_roughly(top - u[k])
            total += p[k]
        for k in range(p.size):
            p[k] *= 1.0 / total
        if largest <= SETTLED:
            break


@kernel
def visit_classes(indptr, indices, data, s, squares, starts, u, p, w, beta, halves):
    """Visit the rows of some runs, of K classes; return their share of the duality gap as met on the way."""
    gap, last, K = 0.0, w.shape[0] - 1, w.shape[1]
    z, delta, missing, share = np.empty(K), np.empty(K), np.empty(K), np.empty(K)
    for start in starts:
        for i in range(start, min(start + RUN, s.size)):
            for k in range(K):
                z[k] = w[last, k]
            vectors_dot(indptr, indices, data, i, w, z)
            gap += s[i] * _classes_share(u[i], p[i], z)
            stiffness = s[i] * (squares[i] + beta)
            for k in range(K):
                delta[k] = p[i, k]
                z[k] += stiffness * p[i, k]
            _classes_meet(u[i], p[i], z, stiffness, missing, share)
            for k in range(K):
                delta[k] = halves * s[i] * (delta[k] - p[i, k])
                w[last, k] += beta * delta[k]
            vectors_add(indptr, indices, data, i, delta, w)
    return gap


@kernel
def average(one, other):
    """Replace both vectors by their mean."""
    for j in range(one.size):
        one[j] = other[j] = 0.5 * (one[j] + other[j])
