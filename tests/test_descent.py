"""Promise: gradient descent steps along (4.61) and nothing else, and the default rate never raises the loss."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import crossent
from crossent.errors import CrossentError
from crossent.fit import fit
from crossent.solvers import SOLVERS


def problem(seed, n=40, d=3, scale=1.0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) * scale
    y = (rng.random(n) < crossent.sigmoid(X @ rng.normal(size=d))).astype(float)
    return X, y


@given(st.integers(0, 10**6), st.sampled_from([0.01, 1.0, 30.0]))
@settings(max_examples=25, deadline=None)
def test_the_default_rate_never_raises_the_loss_and_falls_by_the_proven_amount(seed, scale):
    X, y = problem(seed, scale=scale)
    descent = crossent.gradient_descent(X, y, epochs=30)
    assert descent.rate == pytest.approx(4 / np.mean(np.sum(X**2, axis=1) + 1))
    fall = descent.loss[:-1] - descent.loss[1:]
    assert np.all(fall >= descent.rate / 2 * descent.gradient_norm[:-1] ** 2 - 1e-14)


def test_a_full_batch_step_is_one_step_along_the_gradient():
    X, y = problem(1)
    w, b = np.array([0.3, -1.0, 2.0]), 0.5
    dw, db = crossent.gradient(w, b, X, y)
    descent = crossent.gradient_descent(X, y, rate=0.7, epochs=1, start=(w, b))
    np.testing.assert_allclose(descent.coef, w - 0.7 * dw, rtol=1e-13)
    assert descent.intercept == pytest.approx(b - 0.7 * db, rel=1e-13)
    assert descent.step[1] == pytest.approx(0.7 * descent.gradient_norm[0], rel=1e-12)
    assert descent.gradient_norm[0] == pytest.approx(np.linalg.norm([*dw, db]), rel=1e-12)


def test_a_stochastic_epoch_visits_every_row_once():
    X, y = problem(2, n=7)
    one = crossent.gradient_descent(X, y, rate=1e-9, batch=1, epochs=1)
    all_at_once = crossent.gradient_descent(X, y, rate=7e-9, epochs=1)
    np.testing.assert_allclose(one.coef, all_at_once.coef, rtol=1e-6)


@pytest.mark.parametrize("batch", [None, 8, 1])
def test_every_batch_size_comes_to_the_minimum(batch):
    X, y = problem(3, n=64)
    descent = crossent.gradient_descent(X, y, batch=batch, epochs=400, rate=None if batch is None else 0.02)
    reference = crossent.gradient_descent(X, y, epochs=20000)
    assert reference.gradient_norm[-1] < 1e-10
    assert descent.loss[-1] - reference.loss[-1] < 2e-3
    assert descent.loss[-1] >= reference.loss[-1] - 1e-14


@pytest.mark.parametrize("solver", ["auto", *SOLVERS])
def test_the_fast_solvers_end_where_gradient_descent_ends(solver):
    X, y = problem(6, n=80)
    reference = crossent.gradient_descent(X, y, epochs=30000)
    C = 1e4 if solver == "dual" else np.inf  # that one needs a penalty: the smallest that makes no difference here
    fitted = fit(X, y, C=C, tol=1e-10, solver=solver)
    np.testing.assert_allclose(fitted.coef[0], reference.coef, atol=1e-4)
    assert fitted.intercept[0] == pytest.approx(reference.intercept, abs=1e-4)
    loss = crossent.cross_entropy(X @ fitted.coef[0] + fitted.intercept[0], y).mean()
    assert loss == pytest.approx(reference.loss[-1], rel=1e-9)


def test_sparse_rows_give_the_same_weights():
    X, y = problem(4)
    X[X < 0] = 0
    dense = crossent.gradient_descent(X, y, batch=8, epochs=5)
    sparse = crossent.gradient_descent(sp.csr_array(X), y, batch=8, epochs=5)
    np.testing.assert_allclose(sparse.coef, dense.coef, rtol=1e-12)


def test_whole_numbers_in_few_bits_do_not_overflow_into_a_rate_beyond_the_bound():
    rows = np.array([[100], [-100], [120]], dtype=np.int8)
    dense = crossent.gradient_descent(rows, [1, 0, 0], epochs=3)
    sparse = crossent.gradient_descent(sp.csr_array(rows), [1, 0, 0], epochs=3)
    assert sparse.rate == pytest.approx(dense.rate) == pytest.approx(4 / (34400 / 3 + 1))
    np.testing.assert_allclose(sparse.loss, dense.loss)


def test_the_seed_fixes_the_order():
    X, y = problem(5)
    first, again, other = (crossent.gradient_descent(X, y, batch=1, epochs=3, seed=s).coef for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"y": [0.0, 1.0]}, "one label a row"),
        ({"y": [0.0, 1.0, 2.0]}, "outside"),
        ({"y": [0.0, 1.0, np.nan]}, "outside"),
        ({"y": ["a", "b", "c"]}, "numbers"),
        ({"X": [["a"], ["b"], ["c"]]}, "numbers"),
        ({"X": [[1, 2], [3], [4]]}, "numbers"),
        ({"X": np.eye(3) * 1j}, "numbers"),
        ({"X": [[1.0], [np.nan], [2.0]]}, "not finite"),
        ({"X": sp.csr_array([[1.0], [np.inf], [2.0]])}, "not finite"),
        ({"X": np.eye(3) * 1e200}, "too large"),
        ({"rate": 0.0}, "rate is 0.0"),
        ({"rate": np.inf}, "rate is inf"),
        ({"rate": "0.1"}, "rate is '0.1'"),
        ({"batch": 0}, "batch is 0"),
        ({"batch": 2.5}, "batch is 2.5"),
        ({"epochs": 0}, "epochs is 0"),
        ({"epochs": 2.5}, "epochs is 2.5"),
        ({"start": np.zeros(3)}, "start"),
        ({"start": (np.zeros(2), 0.0)}, "start"),
        ({"start": (np.zeros(3), np.nan)}, "start"),
    ],
)
def test_bad_input_is_said_in_one_line(change, says):
    arguments = {"X": np.eye(3), "y": [0.0, 1.0, 1.0]} | change
    with pytest.raises(CrossentError, match=says) as caught:
        crossent.gradient_descent(**arguments)
    assert "\n" not in str(caught.value)
