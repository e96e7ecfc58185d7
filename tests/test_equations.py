"""Promise: every formula is finite for every finite z, and within 2 units in the last place for |z| <= 700."""

from __future__ import annotations

import mpmath as mp
import numba
import numpy as np
import pytest

import crossent
from crossent import equations
from crossent.jit import ORDERED
from crossent.margins import loss_and_residual

RNG = np.random.default_rng(0)
Z = np.concatenate(
    [RNG.uniform(-700, 700, 400), 4 * RNG.normal(size=400), RNG.uniform(-1e-3, 1e-3, 100), [0.0, -0.0, 700.0, -700.0]]
)
UNIT = np.concatenate([10.0 ** RNG.uniform(-300, 0, 300), RNG.uniform(0, 1, 300), [0.0, 0.5, 1.0]])


@pytest.fixture(autouse=True)
def _fifty_digits_after_cancelling():
    with mp.workdps(400):
        yield


def ulps(got, exact):
    """Return the largest error in units in the last place of the exact values."""
    worst = 0.0
    for value, reference in zip(np.ravel(got).tolist(), exact, strict=True):
        unit = np.spacing(max(abs(float(reference)), np.finfo(float).tiny))
        worst = max(worst, float(abs(mp.mpf(value) - reference) / mp.mpf(float(unit))))
    return worst


def sigma(z):
    return 1 / (1 + mp.exp(-mp.mpf(float(z))))


def loss(z, y):
    p = sigma(z)
    return -(y * mp.log(p) + (1 - y) * mp.log(1 - p))


def test_sigmoid():
    assert ulps(crossent.sigmoid(Z), [sigma(z) for z in Z]) <= 2


def callable_from_python(formula: str):
    """A formula as kernels inline it, compiled so that Python can call it, too."""
    crossent.sigmoid(0.0)  # loads numba
    return numba.njit(getattr(equations, formula).py_func, error_model="numpy", fastmath=ORDERED)


def test_rough_sigmoid():
    sigmoid_roughly = callable_from_python("sigmoid_roughly")
    for z in Z.tolist():
        assert abs(sigmoid_roughly(z) / sigma(z) - 1) <= 1e-8
    for z in (np.inf, 1e300, -1e300, -np.inf):
        assert abs(sigmoid_roughly(z) - (z > 0)) <= 1e-300


@pytest.mark.parametrize("y", [0.0, 1.0, 0.3, 1 - 2.0**-53, 1e-17])
def test_cross_entropy(y):
    assert ulps(crossent.cross_entropy(Z, y), [loss(z, mp.mpf(y)) for z in Z]) <= 2


@pytest.mark.parametrize("y", [0.0, 1.0])
def test_residual(y):
    assert ulps(crossent.residual(Z, y), [sigma(z) - y for z in Z]) <= 2


def test_curvature():
    assert ulps(crossent.curvature(Z), [sigma(z) * (1 - sigma(z)) for z in Z]) <= 2


@pytest.mark.parametrize("y", [0.0, 1.0])
def test_conjugate(y):
    def entropy(m):
        return m * mp.log(m) + (1 - m) * mp.log(1 - m) if 0 < m < 1 else mp.mpf(0)

    r = UNIT if y == 0.0 else -UNIT
    assert ulps(crossent.conjugate(r, y), [entropy(mp.mpf(float(m))) for m in UNIT]) <= 2


def test_divergence_term():
    """Exact to the places of its parts: also where probabilities hardly move, vanish, or have no quotient."""
    divergence_term = callable_from_python("divergence_term")
    p = 10.0 ** RNG.uniform(-280, 0, 400)
    moved = np.minimum(1.0, p * np.abs(1.0 + RNG.choice([-1.0, 1.0, 1e3], 400) * 10.0 ** RNG.uniform(-12, 0, 400)))
    for a, b in zip(p.tolist(), [*moved[:300].tolist(), *UNIT[300:400].tolist()], strict=True):
        exact = mp.mpf(b) * mp.log(mp.mpf(b) / mp.mpf(a)) - (mp.mpf(b) - mp.mpf(a))
        largest = max(abs(b - a), abs(float(mp.mpf(b) * mp.log(mp.mpf(b) / mp.mpf(a)))))
        assert abs(mp.mpf(divergence_term(a, float(mp.log(a)), b)) - exact) <= 4 * np.spacing(largest)
    assert divergence_term(0.25, np.log(0.25), 0.0) == 0.25
    assert divergence_term(0.0, -800.0, 0.0) == 0.0
    assert divergence_term(0.0, -800.0, 0.5) == pytest.approx(0.5 * (np.log(0.5) + 800.0) - 0.5, rel=1e-15)


def test_conjugate_is_the_conjugate():
    z, y = Z[np.abs(Z) < 20], 0.3
    r = crossent.residual(z, y)
    np.testing.assert_allclose(crossent.cross_entropy(z, y) + crossent.conjugate(r, y), z * r, rtol=1e-12, atol=1e-12)
    assert crossent.conjugate(0.8, 0.3) == np.inf
    assert crossent.conjugate(-0.4, 0.3) == np.inf


@pytest.mark.parametrize("z", [1e308, -1e308, 1e5, -1e5, 745.0, -745.0, 5e-324])
def test_finite_everywhere(z):
    for value in (
        crossent.sigmoid(z),
        crossent.curvature(z),
        crossent.residual(z, 1.0),
        crossent.cross_entropy(z, 0.0),
    ):
        assert np.isfinite(value)
    assert np.isfinite(crossent.softmax([z, 0.0])).all()
    assert np.isfinite(crossent.softmax_cross_entropy([z, 0.0], 1))


def test_not_a_number_stays_so():
    assert np.isnan(crossent.sigmoid(np.nan))
    assert np.isnan(crossent.cross_entropy(np.nan, 1.0))


def test_scalars_and_shapes():
    assert isinstance(crossent.sigmoid(0.3), float)
    assert crossent.sigmoid(np.zeros((3, 2))).shape == (3, 2)
    assert crossent.cross_entropy(np.zeros((3, 1)), [0.0, 1.0]).shape == (3, 2)
    assert crossent.sigmoid(np.zeros(1)).tolist() == [0.5]


def test_softmax_against_high_precision():
    rows = np.vstack([RNG.normal(size=(30, 5)) * 20, [[700.0, -700.0, 0.0, 1.0, 2.0]]])
    exact = []
    for row in rows:
        e = [mp.exp(mp.mpf(float(z))) for z in row]
        exact += [x / mp.fsum(e) for x in e]
    assert ulps(crossent.softmax(rows), exact) <= 4


def test_softmax_cross_entropy_keeps_small_losses():
    rows = RNG.normal(size=(30, 5)) * 20
    y = rows.argmax(axis=1)
    exact = [mp.log(mp.fsum(mp.exp(mp.mpf(float(z - row[k]))) for z in row)) for row, k in zip(rows, y, strict=True)]
    assert ulps(crossent.softmax_cross_entropy(rows, y), exact) <= 8
    exact = [
        mp.log(mp.fsum(mp.exp(mp.mpf(z) - mp.mpf(row[k])) for z in row.tolist()))
        for row, k in zip(rows, y, strict=True)
    ]
    fitted = [loss_and_residual(row[None].copy(), np.array([k]), np.ones(1)) for row, k in zip(rows, y, strict=True)]
    assert ulps(np.array(fitted), exact) <= 4


def test_two_classes_are_the_softmax_of_z_and_zero():
    z = Z[np.abs(Z) < 30]
    pair = np.c_[np.zeros_like(z), z]
    np.testing.assert_allclose(crossent.softmax(pair)[:, 1], crossent.sigmoid(z), rtol=1e-14)
    np.testing.assert_allclose(
        crossent.softmax_cross_entropy(pair, np.ones(len(z))), crossent.cross_entropy(z, 1.0), rtol=1e-12
    )
