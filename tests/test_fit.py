"""Promise: every solver on every storage reaches the one optimum of every problem, to the gap that was asked."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.preprocessing import normalize

import crossent
from crossent.design import as_design
from crossent.errors import CrossentError
from crossent.fit import fit, penalised_objective, take_step
from crossent.objective import Step
from crossent.solvers import SOLVERS
from crossent.solvers.visits import visit_classes
from problems import STORAGES, labels, problem_set, random_problem

PROBLEMS = problem_set()
NEWTON = ["cholesky", "newton-cg"]
SMOOTH = [*NEWTON, "dual"]


def skip_what_dual_cannot(problem, solver):
    if solver == "dual" and problem.keywords.get("C") == np.inf:
        pytest.skip("dual ascent is for a penalty")


def objective_at(problem, result):
    """Return F from its definition, with the public formulas only."""
    K, C = problem.keywords.get("n_classes", 2), problem.keywords.get("C", 1.0)
    X = problem.X if not hasattr(problem.X, "toarray") else problem.X.toarray()
    z = X @ result.coef.T + result.intercept
    loss = crossent.cross_entropy(z[:, 0], problem.y) if K == 2 else crossent.softmax_cross_entropy(z, problem.y)
    s = problem.keywords.get("sample_weight", np.ones(len(X)))
    return (s @ loss) if np.isinf(C) else C * (s @ loss) + 0.5 * (result.coef**2).sum()


@pytest.mark.parametrize("solver", SMOOTH)
@pytest.mark.parametrize("problem", PROBLEMS, ids=repr)
def test_reaches_the_gap_it_certifies(problem, solver):
    skip_what_dual_cannot(problem, solver)
    result = fit(problem.X, problem.y, solver=solver, tol=1e-8, max_iter=300, **problem.keywords)
    best = fit(problem.X, problem.y, solver="cholesky", tol=1e-13, max_iter=300, **problem.keywords)
    certificate = result.certificate
    assert certificate.converged
    assert certificate.relative_gap <= 1e-8
    assert certificate.objective == pytest.approx(objective_at(problem, result), rel=1e-11)
    assert certificate.objective - best.certificate.objective <= certificate.gap + 1e-12 * certificate.objective


@pytest.mark.parametrize("solver", SMOOTH)
@pytest.mark.parametrize("problem", PROBLEMS, ids=repr)
def test_no_step_raises_the_objective(problem, solver):
    skip_what_dual_cannot(problem, solver)
    trace = []
    fit(problem.X, problem.y, solver=solver, on_step=trace.append, **{**problem.keywords, "C": 1e4})
    for before, after in itertools.pairwise(step.objective for step in trace):
        assert after <= before * (1 + 1e-11)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("solver", SMOOTH)
@pytest.mark.parametrize("problem", [p for p in PROBLEMS if isinstance(p.X, np.ndarray)], ids=repr)
def test_the_storage_does_not_matter(problem, solver, storage):
    skip_what_dual_cannot(problem, solver)
    keywords = {**problem.keywords, "solver": solver, "tol": 1e-12, "max_iter": 500}
    reference = fit(np.asarray(problem.X, dtype=float), problem.y, **keywords)
    stored = fit(STORAGES[storage](problem.X), problem.y, **keywords)
    assert stored.certificate.objective == pytest.approx(reference.certificate.objective, rel=1e-9)
    X = np.asarray(problem.X, dtype=float)
    np.testing.assert_allclose(
        X @ stored.coef.T + stored.intercept, X @ reference.coef.T + reference.intercept, atol=1e-3, rtol=1e-3
    )


def test_certificates_hold_on_two_thousand_random_problems():
    broken, unfinished = [], []
    for seed in range(2000):
        problem = random_problem(seed)
        trace = []
        fit(problem.X, problem.y, solver=SMOOTH[seed % 3], tol=1e-4, on_step=trace.append, **problem.keywords)
        best = fit(problem.X, problem.y, solver="cholesky", tol=1e-13, max_iter=200, **problem.keywords).certificate
        for step in trace:
            rounding = 1e-11 * step.objective
            if step.objective - best.objective > step.relative_gap * step.objective + rounding:
                broken.append((seed, step, best))
        if trace[-1].relative_gap > 1e-4:
            unfinished.append(seed)
    assert not broken
    assert not unfinished


@pytest.mark.parametrize("K", [2, 3])
@pytest.mark.parametrize("size", [1.0, 1e6, 1e13])
def test_margins_stay_those_of_the_coefficients_whatever_the_step(K, size):
    """A certificate computed from margins that drifted away from X w would prove nothing about w."""
    rng = np.random.default_rng(8)
    X, y = rng.normal(size=(50, 4)), rng.integers(0, K, 50)
    labels = y.astype(float) if K == 2 else y
    objective = penalised_objective(as_design(X), labels, np.ones(50), K, 1.0, 0.0)
    point = objective.at(rng.normal(size=objective.shape))
    v = -point.gradient / 50
    v = v + size * np.ones(K) * np.eye(5)[-1][:, None] if K > 2 else size * v
    moved = take_step(objective, point, Step(v, objective.margins(v)))
    np.testing.assert_allclose(moved.z, objective.design.dot(moved.w), rtol=0, atol=1e-13 * np.abs(moved.z).max())
    assert K == 2 or np.abs(moved.w).max() < 100.0


@pytest.mark.parametrize(
    ("solver", "K"), [("cholesky", 2), ("newton-cg", 2), ("dual", 2), ("cholesky", 3), ("dual", 3)]
)
def test_weights_are_repetitions(solver, K):
    rng = np.random.default_rng(4)
    X, y, times = rng.normal(size=(60, 4)), rng.integers(0, K, 60), rng.integers(0, 4, 60)
    keywords = {"n_classes": K, "solver": solver, "tol": 1e-13, "max_iter": 300}
    weighted = fit(X, y, sample_weight=times, **keywords)
    repeated = fit(np.repeat(X, times, axis=0), np.repeat(y, times), **keywords)
    np.testing.assert_allclose(weighted.coef, repeated.coef, atol=1e-6)
    np.testing.assert_allclose(weighted.intercept, repeated.intercept, atol=1e-6)


@pytest.mark.parametrize("solver", SMOOTH)
def test_order_of_rows_and_columns_does_not_matter(solver):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(200, 5))
    y = (rng.random(200) < 0.4).astype(float)
    rows, columns = rng.permutation(200), rng.permutation(5)
    one = fit(X, y, solver=solver, tol=1e-13)
    other = fit(X[rows][:, columns], y[rows], solver=solver, tol=1e-13)
    np.testing.assert_allclose(one.coef[:, columns], other.coef, atol=1e-6)


@pytest.mark.parametrize("solver", SMOOTH)
def test_same_bits_for_any_number_of_threads(solver):
    rng = np.random.default_rng(6)
    X = rng.normal(size=(60_000, 20))  # enough for dual ascent to have two copies of w
    y = (rng.random(60_000) < 0.4).astype(float)
    one, many = (fit(X, y, solver=solver, n_jobs=n) for n in (1, 3))
    assert np.array_equal(one.coef, many.coef)
    assert np.array_equal(one.intercept, many.intercept)


@pytest.mark.parametrize("K", [2, 3])
@pytest.mark.parametrize("C", [1.0, np.inf])
def test_many_rows_that_a_sample_stands_for_at_first(K, C):
    rng = np.random.default_rng(11)
    X = rng.normal(size=(24_000, 48))
    X[:, 5] = 0.0
    X[8] = X[7]
    X[7:9, 5] = 1.0  # two rows that no sample is likely to hold
    y = labels(rng, X[:, :K] if K > 2 else X[:, 0])
    y[7:9] = 0, 1
    one, two = (fit(X, y, n_classes=K, C=C, tol=1e-10, n_jobs=n) for n in (1, 2))
    assert one.certificate.converged
    assert np.array_equal(one.coef, two.coef)
    z = X @ one.coef.T + one.intercept
    residual = crossent.sigmoid(z) - y[:, None] if K == 2 else crossent.softmax(z) - np.eye(K)[y.astype(int)]
    gradient = X.T @ residual + (0.0 if np.isinf(C) else one.coef.T)
    np.testing.assert_allclose(gradient, 0.0, atol=0.1 if np.isinf(C) else 1e-3)


def test_without_a_penalty_the_score_equations_hold():
    rng = np.random.default_rng(7)
    X = rng.normal(size=(300, 4)) * [1e-6, 1.0, 1e3, 1e6]
    y = (rng.random(300) < crossent.sigmoid(X[:, 1])).astype(float)
    for solver in NEWTON:
        result = fit(X, y, C=np.inf, solver=solver, tol=1e-12, max_iter=200)
        assert result.certificate.converged
        dw, db = crossent.gradient(result.coef[0], result.intercept[0], X, y)
        assert np.abs(dw / np.abs(X).mean(axis=0)).max() < 1e-6
        assert abs(db) < 1e-6


@pytest.mark.parametrize("solver", NEWTON)
@pytest.mark.parametrize("K", [2, 3])
@pytest.mark.parametrize("how", ["completely", "quasi"])
def test_separable_data_without_a_penalty_are_called_separable(solver, K, how):
    rng = np.random.default_rng(8)
    X = rng.normal(size=(90, 3))
    edges = [0.0] if K == 2 else [-0.5, 0.5]
    y = np.digitize(X[:, 0], edges)
    if how == "quasi":  # only the first class is set apart; chance decides the rest
        X[:, 1] = np.where(y == 0, 1.0, 0.0)
        X[:, 0] = rng.normal(size=90)
        y = np.where(y == 0, 0, rng.integers(0, K, size=90))
    result = fit(X, y.astype(float) if K == 2 else y, n_classes=K, C=np.inf, solver=solver, max_iter=200)
    assert "separable" in result.certificate.outcome
    assert not result.certificate.converged
    assert np.isfinite(result.coef).all()


def test_rank_deficient_columns_without_a_penalty_still_converge():
    rng = np.random.default_rng(9)
    levels = np.eye(3)[rng.integers(0, 3, 200)]  # with the intercept, one column too many
    y = (rng.random(200) < levels @ [0.2, 0.5, 0.8]).astype(float)
    for solver in NEWTON:
        result = fit(levels, y, C=np.inf, solver=solver, tol=1e-10)
        assert result.certificate.converged
        fitted = crossent.sigmoid(levels @ result.coef[0] + result.intercept[0])
        np.testing.assert_allclose(levels.T @ fitted, levels.T @ y, rtol=1e-5)


@pytest.mark.parametrize("solver", SMOOTH)
def test_interrupted_fits_return_the_best_so_far(solver):
    rng = np.random.default_rng(10)
    X = rng.normal(size=(100, 5))
    y = (rng.random(100) < crossent.sigmoid(5 * X[:, 0])).astype(float)

    def interrupt(progress):
        if progress.n_iter == 1:
            raise KeyboardInterrupt

    result = fit(X, y, solver=solver, tol=1e-14, on_step=interrupt)
    assert "interrupted" in result.certificate.outcome
    assert not result.certificate.converged
    assert result.certificate.objective < 100 * np.log(2)


@pytest.mark.parametrize("seed", range(12))
def test_a_start_far_off_is_no_worse_than_none(seed):
    rng = np.random.default_rng(seed)
    n_classes = 2 + seed % 3
    X, y = rng.normal(size=(50, 30)), rng.integers(0, n_classes, 50)
    y[:n_classes] = np.arange(n_classes)
    settings = {"n_classes": n_classes, "C": 10.0 ** rng.uniform(-3, 4), "l1_ratio": float(seed % 2), "tol": 1e-8}
    rows = 1 if n_classes == 2 else n_classes
    far = 10.0 ** rng.uniform(1, 6) * rng.normal(size=(rows, 30)), np.zeros(rows)
    cold, warm = fit(X, y, **settings), fit(X, y, start=far, **settings)
    assert warm.certificate.converged == cold.certificate.converged
    assert warm.certificate.objective <= cold.certificate.objective * (1 + 1e-7)


def test_a_warm_start_at_the_optimum_is_done_at_once():
    problem = PROBLEMS[0]
    cold = fit(problem.X, problem.y, tol=1e-12)
    warm = fit(problem.X, problem.y, tol=1e-6, start=(cold.coef, cold.intercept))
    assert warm.certificate.n_iter == 0
    assert warm.certificate.converged


@pytest.mark.parametrize("K", [2, 5])
@pytest.mark.parametrize("intercept", [False, True])
def test_dual_ascent_takes_as_many_passes_over_an_array_as_over_sparse_rows(K, intercept):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 300))
    y = labels(rng, X[:, 0] if K == 2 else X[:, :K])
    keywords = {"n_classes": K, "fit_intercept": intercept, "solver": "dual"}
    dense, sparse = (fit(A, y, **keywords).certificate for A in (X, sp.csr_matrix(X)))
    assert dense.passes == sparse.passes


@pytest.mark.parametrize("K", [2, 5])
@pytest.mark.parametrize("intercept", [False, True])
def test_dual_ascent_begins_where_it_is_told(K, intercept):
    rng = np.random.default_rng(0)
    X = sp.random_array((200, 300), density=0.1, rng=rng).tocsr()
    sums = X[:, : 20 * K].toarray().reshape(200, K, 20).sum(axis=2)
    noisy = sums + rng.normal(size=sums.shape)
    y = (noisy[:, 0] > 1.0).astype(float) if K == 2 else noisy.argmax(axis=1)
    keywords = {"n_classes": K, "fit_intercept": intercept, "solver": "dual", "tol": 1e-9}
    cold = fit(X, y, **keywords)
    near = fit(X, y, start=(cold.coef + 1e-4, cold.intercept), **keywords)
    assert near.certificate.converged
    assert near.certificate.passes < 0.8 * cold.certificate.passes


def test_an_intercept_that_the_weights_can_stand_in_for_costs_no_more_than_twice_the_passes():
    rng = np.random.default_rng(0)
    n, d, held = 4000, 3000, 40  # some columns are in nearly all rows, most in few
    often = 1.0 / np.arange(1, d + 1)
    X = sp.csr_array(
        (np.ones(held * n), rng.choice(d, held * n, p=often / often.sum()), held * np.arange(n + 1)), (n, d)
    )
    X.sum_duplicates()
    z = 0.5 * (X @ rng.normal(size=d)) - 2.5
    y = (rng.random(n) < crossent.sigmoid(z)).astype(float)
    X = sp.diags_array(1.0 / np.sqrt((X * X).sum(axis=1))) @ X
    for C in (0.1, 0.3):
        with_one, without = (fit(X, y, C=C, fit_intercept=intercept).certificate for intercept in (True, False))
        assert with_one.converged
        assert without.converged
        assert with_one.passes <= 2.0 * without.passes


@pytest.mark.parametrize("K", [2, 7])
@pytest.mark.parametrize("intercept", [False, True])
def test_sparse_rows_of_length_one_take_fewer_passes_and_any_number_of_threads(K, intercept):
    rng = np.random.default_rng(0)
    X = normalize(sp.random_array((3000, 2000), density=0.03, rng=rng).tocsr())
    z = 10.0 * X[:, : 100 * K].toarray().reshape(3000, K, 100).sum(axis=2)
    y = labels(rng, z[:, 0] - z[:, 1] if K == 2 else z)
    keywords = {"n_classes": K, "fit_intercept": intercept}
    newton = fit(X, y, solver="newton-cg", **keywords).certificate
    one, two = (fit(X, y, n_jobs=n_jobs, **keywords) for n_jobs in (1, 2))
    assert one.certificate.converged
    assert one.certificate.passes < newton.passes
    np.testing.assert_array_equal(one.coef, two.coef)
    np.testing.assert_array_equal(one.intercept, two.intercept)


@pytest.mark.parametrize("stiffness", [1.0, 10.0, 100.0, 1e4])
def test_a_row_of_many_classes_meets_its_margins_however_stiff(stiffness):
    """Of one row's own problem, little is left after two visits, wherever it begins."""
    rng = np.random.default_rng(0)
    row = np.array([0, 1]), np.zeros(1, np.int32), np.ones(1)
    one, first = np.ones(1), np.zeros(1, np.intp)
    for _ in range(50):
        others = stiffness * rng.normal(size=20)
        p = rng.dirichlet(np.full(20, 0.05))[None] + 1e-30
        p /= p.sum()
        u, w = np.log(p), np.stack([others - stiffness * p[0], np.zeros(20)]) / np.sqrt(stiffness)
        data = np.full(1, np.sqrt(stiffness))
        gaps = [visit_classes(row[0], row[1], data, one, data**2, first, u, p, w, 0.0, 1) for _ in range(4)]
        assert gaps[-1] <= 1e-6 * stiffness


def test_max_iter_is_said():
    problem = PROBLEMS[0]
    result = fit(problem.X, problem.y, tol=1e-14, max_iter=2)
    assert result.certificate.n_iter == 2
    assert "max_iter" in result.certificate.outcome


def test_a_class_without_weight_is_refused():
    X, y = np.zeros((4, 1)), np.array([0, 1, 2, 2])
    with pytest.raises(CrossentError, match="class 1 has no row with a positive weight"):
        fit(X, y, n_classes=3, sample_weight=[1, 0, 1, 1])
    with pytest.raises(CrossentError, match="one of the two classes"):
        fit(X, np.ones(4))


@pytest.mark.parametrize("storage", ["C order", "Fortran order", "int8", "CSR", "CSC"])
def test_a_fit_allocates_at_most_about_one_more_copy_of_the_data(storage):
    rng = np.random.default_rng(11)
    X = rng.normal(size=(40_000, 60)) if storage == "int8" else rng.normal(size=(20_000, 60))
    y = (rng.random(len(X)) < 0.5).astype(float)
    # one byte a value in int8: a float64 copy would take eight
    X = (3 * X).astype(np.int8) if storage == "int8" else STORAGES[storage](X)
    size = X.data.nbytes + X.indices.nbytes if storage.startswith("CS") else X.nbytes
    vectors = 16 * len(y) * 8  # margins, residuals, weights and their like, for however wide X is
    for solver in SMOOTH if storage != "int8" else NEWTON:
        fit(X[:100], y[:100], solver=solver)
        tracemalloc.start()
        fit(X, y, solver=solver, max_iter=3, n_jobs=2)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak <= 1.2 * size + vectors


def test_a_fit_interrupted_on_its_sample_of_rows_returns_what_it_was_at(monkeypatch):
    X = np.random.default_rng(0).normal(size=(1 << 16, 20))
    y = (X[:, 0] + np.random.default_rng(1).normal(size=len(X)) > 0.0).astype(float)
    whole = penalised_objective(as_design(X), y, np.ones(len(y)), 2, 1.0, 0.0)
    assert whole.sample is not None
    step = SOLVERS["cholesky"].direction
    calls = []

    def direction(self, *given):
        calls.append(given)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return step(self, *given)

    monkeypatch.setattr(SOLVERS["cholesky"], "direction", direction)
    result = fit(X, y)
    assert len(calls) == 3
    assert result.certificate.outcome.startswith("interrupted")
    assert result.coef[0, 0] > 0.5
