"""The benchmarks' referee: its bounds bound, its numbers keep their digits."""

import math

import mpmath
import numpy as np
import pytest
from benchmarks.objective import Problem, judge, largest_useful_penalty, objective
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax
from sklearn.linear_model import LogisticRegression


def problems():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 6)) * np.geomspace(0.5, 2, 6)
    for K in (2, 3):
        y = (X[:, :K] + rng.standard_normal((60, K))).argmax(axis=1)
        for C in (0.1, 10.0):
            for l1_ratio in (0.0, 0.4, 1.0):
                for intercept in (False, True):
                    yield Problem(sparse.csr_matrix(X) if intercept else X, y, C, l1_ratio, intercept, K)


def optimum(problem):
    """L-BFGS-B on the positive and negative parts of the weights: slow, simple, nobody's code but scipy's."""
    rows, columns = (1 if problem.n_classes == 2 else problem.n_classes), problem.X.shape[1]
    X, label, a = np.asarray(problem.X @ np.eye(columns)), problem.one_hot, problem.l1_ratio

    def value_and_gradient(v):
        up, down, b = v[: rows * columns], v[rows * columns : 2 * rows * columns], v[2 * rows * columns :]
        w = up - down
        Z = np.zeros_like(label)
        Z[:, problem.free] = X @ w.reshape(rows, columns).T + b
        loss = problem.C * np.sum(logsumexp(Z, axis=1) - np.sum(label * Z, axis=1))
        r = problem.C * (softmax(Z, axis=1) - label)[:, problem.free]
        g = (r.T @ X).ravel() + (1 - a) * w
        value = loss + a * np.sum(up + down) + 0.5 * (1 - a) * w @ w
        return value, np.concatenate([g + a, -g + a, r.sum(axis=0) * problem.intercept])

    bounds = [(0, None)] * (2 * rows * columns) + [(None, None)] * rows
    if a == 0:  # without L1 the parts are not held apart
        bounds = [(None, None)] * (rows * columns) + [(0, 0)] * (rows * columns) + [(None, None)] * rows
    options = {"maxiter": 5000, "maxfun": 10_000, "ftol": 1e-15, "gtol": 1e-9}
    v = minimize(
        value_and_gradient, np.zeros(len(bounds)), jac=True, method="L-BFGS-B", bounds=bounds, options=options
    ).x
    up, down, b = np.split(v, [rows * columns, 2 * rows * columns])
    return (up - down).reshape(rows, columns), b


def points(problem):
    """Weights of every quality: zero, random of several sizes, and near the optimum."""
    rng = np.random.default_rng(1)
    rows, columns = (1 if problem.n_classes == 2 else problem.n_classes), problem.X.shape[1]
    yield np.zeros((rows, columns)), np.zeros(rows)
    for size in (1e-3, 0.1, 1.0, 30.0):
        yield size * rng.standard_normal((rows, columns)), size * rng.standard_normal(rows) * problem.intercept
    yield optimum(problem)


@pytest.mark.parametrize("problem", list(problems()), ids=str)
def test_bound_of_any_weights_is_below_objective_of_any_other(problem):
    verdicts = [judge(problem, *point) for point in points(problem)]
    least = min(verdict.objective for verdict in verdicts)
    for verdict in verdicts:
        assert verdict.gap >= 0
        assert verdict.bound <= least * (1 + 1e-12)
    assert verdicts[-1].relative_gap < 1e-5


def test_weights_that_diverged_prove_nothing_wrong():
    rng = np.random.default_rng(6)
    for problem in problems():
        rows, columns = (1 if problem.n_classes == 2 else problem.n_classes), problem.X.shape[1]
        most = judge(problem, np.zeros((rows, columns))).objective
        for size in 10.0 ** np.repeat(np.arange(4, 15, 2), 5):
            verdict = judge(problem, size * rng.standard_normal((rows, columns)))
            assert verdict.bound <= most, (str(problem), size)


def test_l2_gap_is_half_the_squared_gradient():
    rng = np.random.default_rng(2)
    X, y, w = rng.standard_normal((50, 4)), rng.integers(0, 2, 50), rng.standard_normal(4)
    gradient = 3.0 * X.T @ (1 / (1 + np.exp(-X @ w)) - y) + w
    assert judge(Problem(X, y, C=3.0), w).gap == pytest.approx(0.5 * gradient @ gradient, rel=1e-12)


@pytest.mark.parametrize("z", [0.0, 1.0, 40.0, 800.0, 1e4, 1e150])
def test_loss_keeps_its_digits_at_any_margin(z):
    problem = Problem(np.array([[1.0], [-1.0]]), np.array([1, 0]), C=1.0)
    with mpmath.workdps(50):
        expected = float(2 * mpmath.log1p(mpmath.exp(-mpmath.mpf(z))))
        wrong = float(2 * mpmath.log1p(mpmath.exp(mpmath.mpf(min(z, 1e4)))))
    penalty = 0.5 * z * z
    if z < 1e100:
        assert judge(problem, [z]).objective - penalty == pytest.approx(expected, abs=1e-15 * (1 + penalty))
        assert judge(problem, [-z]).objective - penalty == pytest.approx(wrong, abs=1e-15 * (1 + penalty), rel=1e-12)
    free = Problem(problem.X, problem.y, C=math.inf)
    assert judge(free, [z]).objective == pytest.approx(expected, rel=1e-12)
    for intercept in (False, True):
        assert not np.isnan(judge(Problem(problem.X, problem.y, 1.0, 1.0, intercept), [z], 1e4 * intercept).gap)


def test_unpenalised_bound():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((400, 5))
    y = (X[:, 0] + rng.logistic(size=400) > 0.3).astype(int)
    problem = Problem(X, y, C=math.inf, intercept=True)
    model = LogisticRegression(C=np.inf, tol=1e-10, solver="newton-cholesky").fit(X, y)
    best = judge(problem, model.coef_, model.intercept_)
    assert best.relative_gap < 1e-12
    for shift in (1e-3, 1e-2, 0.1):
        near = judge(problem, model.coef_ + shift, model.intercept_)
        assert best.objective - 1e-9 <= near.objective <= near.bound + near.gap + 1e-9
        assert near.bound <= best.objective * (1 + 1e-12)
        assert near.gap < 2 * (near.objective - best.objective)
    assert judge(problem, model.coef_ * 1e3, model.intercept_).gap == np.inf


@pytest.mark.parametrize("intercept", [False, True])
def test_a_column_twice_changes_no_unpenalised_verdict(intercept):
    rng = np.random.default_rng(5)
    X = rng.standard_normal((200, 3)) * [1.0, 1e3, 1e-3]
    y = (X[:, 0] + rng.logistic(size=200) > 0.3).astype(int)
    model = LogisticRegression(C=np.inf, tol=1e-10, solver="newton-cholesky", fit_intercept=intercept).fit(X, y)
    once = judge(Problem(X, y, math.inf, intercept=intercept), 1.001 * model.coef_, model.intercept_)
    twice = np.column_stack([X, X[:, 0]])
    again = judge(Problem(twice, y, math.inf, intercept=intercept), np.append(1.001 * model.coef_, 0), model.intercept_)
    assert again.objective == pytest.approx(once.objective)
    assert 0 < again.gap == pytest.approx(once.gap, rel=1e-6)


def test_weights_of_another_problem_are_refused():
    X = np.eye(6, 3)
    for problem, shape, intercept in (
        (Problem(X, np.arange(6) % 4, n_classes=4), (1, 3), 0.0),
        (Problem(X, np.arange(6) % 4, n_classes=4, intercept=True), (4, 3), np.zeros(3)),
        (Problem(X, np.arange(6) % 2), (2, 3), 0.0),
        (Problem(X, np.arange(6) % 2), (1, 4), 0.0),
        (Problem(X, np.arange(6) % 2), (1, 3), 0.5),
    ):
        for verdict in (judge, objective):
            with pytest.raises(ValueError, match=r"asks for \d rows of 3|problem without one"):
                verdict(problem, np.zeros(shape), intercept)


def test_first_point_of_a_path_is_where_l1_leaves_zero():
    rng = np.random.default_rng(4)
    X, y = rng.standard_normal((50, 6)), rng.integers(0, 2, 50)
    for intercept in (False, True):
        C = largest_useful_penalty(Problem(X, y, l1_ratio=1.0, intercept=intercept))
        log_odds = np.log(y.mean() / (1 - y.mean())) if intercept else 0.0
        assert judge(Problem(X, y, C, 1.0, intercept), np.zeros(6), log_odds).relative_gap < 1e-12
        assert judge(Problem(X, y, 1.01 * C, 1.0, intercept), np.zeros(6), log_odds).relative_gap > 1e-6


def test_the_objective_alone_is_the_verdicts():
    for problem in problems():
        for point in points(problem):
            assert objective(problem, *point) == judge(problem, *point).objective
