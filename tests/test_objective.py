"""Promise: gradients and Hessian products are the derivatives of the value, at any point and in any storage."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import crossent
from crossent.design import as_design
from crossent.objective import Objective
from crossent.penalty import Penalty


def five_point(function, t, h):
    """Differentiate a function of one number; error of order h^4."""
    return (function(t - 2 * h) - 8 * function(t - h) + 8 * function(t + h) - function(t + 2 * h)) / (12 * h)


def objective(K, storage, rng):
    X = rng.normal(size=(70, 5)) * (rng.random((70, 5)) < 0.6)
    y = rng.random(70) if K == 2 else rng.integers(0, K, 70)
    l2 = np.array([1.0, 0.5, 0.0, 2.0, 1.0, 0.0])
    l2 = l2 if K == 2 else l2[:, None]
    return Objective(as_design(storage(X)), y, rng.random(70), Penalty(0.0 * l2, l2), K)


@pytest.mark.parametrize("K", [2, 4])
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_derivatives(K, storage):
    rng = np.random.default_rng(0)
    F = objective(K, storage, rng)
    for _ in range(5):
        w, v = rng.normal(size=F.shape), rng.normal(size=F.shape)
        point = F.at(w)
        slope = five_point(lambda t, w=w, v=v: F.at(w + t * v).value, 0.0, 1e-3)
        assert (point.gradient * v).sum() == pytest.approx(slope, rel=1e-8)
        h = F.curvature_at(point.z)
        bend = five_point(lambda t, w=w, v=v: F.at(w + t * v).gradient, 0.0, 1e-3)
        np.testing.assert_allclose(F.hessian_product(h, v), bend, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose((F.hessian(h) @ v.ravel()).reshape(v.shape), bend, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(F.hessian_diagonal(h).ravel(), np.diag(F.hessian(h)), rtol=1e-10)
        dz = F.margins(v)
        value, first, second = F.along(point, dz, 0.5)
        there = F.at(w + 0.5 * v)
        assert value + F.penalty.value(w + 0.5 * v) == pytest.approx(there.value)
        assert first == pytest.approx((there.loss_gradient * v).sum())
        loss_bend = F.hessian_product(F.curvature_at(there.z), v) - F.penalty.l2 * v
        assert second == pytest.approx((v * loss_bend).sum())


def test_gradient_is_the_last_line_of_the_derivation():
    rng = np.random.default_rng(1)
    X, y, w, b = rng.normal(size=(9, 4)), rng.integers(0, 2, 9), rng.normal(size=4), 0.3
    residual = crossent.sigmoid(X @ w + b) - y
    dw, db = crossent.gradient(w, b, X, y)
    np.testing.assert_allclose(dw, X.T @ residual / 9)
    assert db == pytest.approx(residual.mean())
    dw, db = crossent.gradient(w, b, X[2], y[2])
    np.testing.assert_allclose(dw, residual[2] * X[2])
    assert db == pytest.approx(residual[2])
    weights = rng.integers(0, 3, 9)
    dw, db = crossent.gradient(w, b, sp.csr_array(X), y, weights)
    np.testing.assert_allclose(dw, X.T @ (weights * residual) / weights.sum())


@pytest.mark.parametrize("kind", [np.int64, np.int8, bool, np.float32])
def test_gradient_takes_labels_and_weights_of_any_type_in_many_pieces(kind):
    rng = np.random.default_rng(2)
    X, y, w = rng.normal(size=(40_001, 5)), rng.integers(0, 2, 40_001), rng.normal(size=5)
    s = rng.integers(0, 2, len(y))
    for weights in (None, s):
        expected = crossent.gradient(w, 0.3, X, y.astype(float), None if weights is None else s.astype(float))
        got = crossent.gradient(w, 0.3, X, y.astype(kind), None if weights is None else s.astype(kind))
        np.testing.assert_array_equal(got[0], expected[0])
        assert got[1] == expected[1]
        mean = np.average(crossent.sigmoid(X @ w + 0.3) - y, weights=weights)
        assert got[1] == pytest.approx(mean, rel=1e-12)


def test_gradient_says_what_is_wrong_with_labels_and_weights():
    with pytest.raises(ValueError, match="one label a row"):
        crossent.gradient([1.0], 0.0, [[1.0], [2.0]], [1.0])
    with pytest.raises(ValueError, match="one weight a row"):
        crossent.gradient([1.0], 0.0, [[1.0], [2.0]], [1.0, 0.0], [1.0])
