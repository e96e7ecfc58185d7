"""Promise: L1 and elastic net reach the gap they certify, on every trap of the problem set and in any storage, by an
independent referee's count; zeros are exact; scikit-learn, solved tightly, finds the same weights.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from benchmarks.objective.referee import Problem as Judged
from benchmarks.objective.referee import judge
from sklearn.linear_model import LogisticRegression
from tests.problems import problem_set, random_problem

from crossent.errors import CrossentError
from crossent.fit import fit

TOL = 1e-7
PROBLEMS = [p for p in problem_set() if p.name != "fractional labels" and p.keywords.get("C") != np.inf]
RATIOS = [1.0, 0.5, 0.01]
STORAGES = {"dense": np.asarray, "sparse": lambda X: sp.csr_array(np.asarray(X, dtype=float))}


def verdict(problem, l1_ratio, result):
    keywords = problem.keywords
    X = problem.X.toarray() if sp.issparse(problem.X) else problem.X
    judged = Judged(
        np.asarray(X, dtype=float), np.asarray(problem.y), keywords.get("C", 1.0), l1_ratio,
        keywords.get("fit_intercept", True), keywords.get("n_classes", 2), keywords.get("sample_weight"),
    )  # fmt: skip
    return judge(judged, result.coef, result.intercept)


def check(problem, l1_ratio, X):
    result = fit(X, problem.y, l1_ratio=l1_ratio, tol=TOL, max_iter=1000, **problem.keywords)
    certificate = result.certificate
    assert certificate.converged, certificate
    found = verdict(problem, l1_ratio, result)
    assert found.objective == pytest.approx(certificate.objective, rel=1e-9)
    assert found.relative_gap <= 1.1 * TOL + 1e-9
    assert certificate.dual <= found.objective * (1.0 + 1e-12)
    return result


@pytest.mark.parametrize("l1_ratio", RATIOS)
@pytest.mark.parametrize("problem", PROBLEMS, ids=repr)
def test_certified_gap_is_the_referees_and_storages_agree(problem, l1_ratio):
    dense, sparse = (check(problem, l1_ratio, as_stored(problem.X)) for as_stored in STORAGES.values())
    assert sparse.certificate.objective == pytest.approx(dense.certificate.objective, rel=2 * TOL)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("problem", [p for p in PROBLEMS if "n_classes" not in p.keywords], ids=repr)
def test_the_method_for_large_data_keeps_the_promise_on_small(problem, l1_ratio, monkeypatch):
    monkeypatch.setattr("crossent.solvers.coordinate.SMALL", 0)
    large = [check(problem, l1_ratio, as_stored(problem.X)) for as_stored in STORAGES.values()]
    monkeypatch.undo()
    small = check(problem, l1_ratio, problem.X)
    for each in large:
        assert each.certificate.objective == pytest.approx(small.certificate.objective, rel=2 * TOL)


@pytest.mark.parametrize("seed", range(30))
def test_random_problems(seed):
    problem = random_problem(seed)
    check(problem, [1.0, 0.7][seed % 2], problem.X)


def test_fractional_labels():
    problem = next(p for p in problem_set() if p.name == "fractional labels")
    fits = [fit(as_stored(problem.X), problem.y, l1_ratio=1.0, tol=1e-9) for as_stored in STORAGES.values()]
    assert all(f.certificate.converged for f in fits)
    np.testing.assert_allclose(fits[0].coef, fits[1].coef, atol=1e-4)


@pytest.mark.parametrize("K", [2, 3])
@pytest.mark.parametrize(("n", "d"), [(200, 8), (60, 200)])
def test_scikit_learn_finds_the_same_weights_and_the_same_zeros(K, n, d):
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n, d)) + 0.3
    y = (X[:, :K] * 2.0 + rng.gumbel(size=(n, K))).argmax(axis=1)
    ours = fit(X, y, n_classes=K, l1_ratio=1.0, C=0.3, tol=1e-10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = LogisticRegression(C=0.3, l1_ratio=1.0, solver="saga", tol=1e-12, max_iter=20_000).fit(X, y)
    np.testing.assert_allclose(ours.coef, theirs.coef_, atol=1e-4)
    np.testing.assert_array_equal(ours.coef == 0.0, theirs.coef_ == 0.0)
    assert 0 < np.count_nonzero(ours.coef) < ours.coef.size


def test_a_weight_is_a_repetition():
    problem = next(p for p in PROBLEMS if p.name == "zero weights")
    s = problem.keywords["sample_weight"].astype(int)
    weighted = fit(problem.X, problem.y, l1_ratio=1.0, sample_weight=s, tol=1e-10)
    repeated = fit(np.repeat(problem.X, s, axis=0), np.repeat(problem.y, s), l1_ratio=1.0, tol=1e-10)
    np.testing.assert_allclose(weighted.coef, repeated.coef, atol=1e-6)


def test_the_same_bits_on_any_number_of_threads_and_from_a_warm_start_the_same_optimum():
    rng = np.random.default_rng(1)
    X = sp.random_array((4000, 900), density=0.05, rng=rng, format="csr")
    y = (X[:, :5].sum(axis=1) + 0.3 * rng.logistic(size=4000) > 0.3).astype(float)
    one, two = (fit(X, y, l1_ratio=1.0, C=2.0, n_jobs=threads) for threads in (1, 2))
    np.testing.assert_array_equal(one.coef, two.coef)
    again = fit(X, y, l1_ratio=1.0, C=2.0, start=(one.coef, one.intercept))
    assert again.certificate.converged
    assert again.certificate.n_iter <= 1


def test_rows_sorted_by_class_or_with_a_period_lead_to_the_same_optimum():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(40_000, 6))
    y = (X[:, 0] - X[:, 1] + rng.logistic(size=40_000) > 1.0).astype(float)
    shuffled, by_class = (fit(X[order], y[order], l1_ratio=1.0) for order in (np.arange(40_000), np.argsort(y)))
    assert shuffled.certificate.converged
    assert by_class.certificate.converged
    np.testing.assert_allclose(shuffled.coef, by_class.coef, atol=1e-4)


def test_a_class_so_rare_that_a_sample_of_rows_misses_it():
    X = np.random.default_rng(6).normal(size=(30_000, 3))
    y = np.zeros(30_000)
    y[:2] = 1.0
    result = fit(X, y, l1_ratio=1.0, C=100.0)
    assert result.certificate.converged


def test_an_empty_column_that_starts_with_a_weight():
    X = sp.csr_array((6, 2))
    X = sp.hstack([X, sp.csr_array(np.eye(6)[:, :1])], format="csr")
    result = fit(X, np.array([0, 1, 0, 1, 1, 0.0]), l1_ratio=1.0, start=([[3.0, -2.0, 0.0]], [0.0]))
    assert result.certificate.converged
    assert not result.coef[0, :2].any()


def test_no_penalty_is_no_l1_and_smooth_solvers_refuse_l1():
    problem = PROBLEMS[0]
    l1, l2 = (fit(problem.X, problem.y, C=np.inf, l1_ratio=ratio, tol=1e-10) for ratio in (1.0, 0.0))
    np.testing.assert_array_equal(l1.coef, l2.coef)
    with pytest.raises(CrossentError, match=r"'cholesky' cannot handle an L1 penalty; use 'coordinate'"):
        fit(problem.X, problem.y, l1_ratio=1.0, solver="cholesky")
