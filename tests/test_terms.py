"""Promise: factors of the penalty, bounds and offsets are part of the objective: obeyed exactly, certified truly, by an
independent optimiser's count, for every penalty, number of classes and storage; bad ones are told in one line.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax
from tests.problems import problem_set, random_problem

from crossent import LogisticRegression, LogisticRegressionCV, logistic_path
from crossent.errors import CrossentError
from crossent.fit import fit

TOL = 1e-7
PROBLEMS = [p for p in problem_set() if p.name not in {"separable", "fractional labels", "huge margins"}]
RATIOS = [0.0, 0.4, 1.0]


class Reference:
    """F by its definition, and L-BFGS-B on it with every weight split in two, w = a - c, both >= 0."""

    def __init__(self, problem, l1_ratio, factor, bounds, offset):
        given = problem.keywords
        X = problem.X.toarray() if sp.issparse(problem.X) else problem.X
        self.X, self.K = np.asarray(X, dtype=float), given.get("n_classes", 2)
        self.n, self.d = self.X.shape
        self.y, self.offset = problem.y, offset if self.K > 2 else np.c_[np.zeros(self.n), offset]
        self.intercept = given.get("fit_intercept", True)
        self.rows = 1 if self.K == 2 else self.K
        C, s = given.get("C", 1.0), given.get("sample_weight")
        self.s = np.ones(self.n) if s is None else np.asarray(s, dtype=float)
        self.s, strength = (self.s, 0.0) if np.isinf(C) else (C * self.s, factor)
        self.l1, self.l2 = (np.broadcast_to(r * strength, (self.rows, self.d)) for r in (l1_ratio, 1.0 - l1_ratio))
        self.bounds = np.broadcast_to(np.stack(bounds), (2, self.d))
        self.label = np.eye(self.K)[np.asarray(self.y, dtype=int)]

    def loss(self, coef, intercept):
        """The weighted loss, and its gradient in the coefficients and the intercepts."""
        z = self.X @ coef.T + intercept
        z = self.offset + (np.c_[np.zeros(self.n), z] if self.K == 2 else z)
        loss = self.s @ (logsumexp(z, axis=1) - (z * self.label).sum(axis=1))
        r = self.s[:, None] * (softmax(z, axis=1) - self.label)
        r = r[:, 1:] if self.K == 2 else r
        return loss, r.T @ self.X, r.sum(axis=0) * self.intercept

    def value(self, coef, intercept):
        penalty = (self.l1 * np.abs(coef)).sum() + 0.5 * (self.l2 * coef**2).sum()
        return self.loss(coef, intercept)[0] + penalty

    def improved(self, coef, intercept):
        """The least value that L-BFGS-B finds from there; its coefficients are scaled to a curvature of one."""
        scale = 1.0 / np.sqrt(1.0 + 0.25 * self.s @ self.X**2)
        low, high = self.bounds / scale
        low, high = np.tile(low, self.rows), np.tile(high, self.rows)

        def function(v):
            plus, minus = (part.reshape(self.rows, self.d) for part in np.split(v[: 2 * low.size], 2))
            w = (plus - minus) * scale
            loss, slope, by_intercept = self.loss(w, v[2 * low.size :])
            slope = (slope + self.l2 * w) * scale
            l1 = self.l1 * scale
            value = loss + (l1 * (plus + minus)).sum() + 0.5 * (self.l2 * w * w).sum()
            return value, np.r_[(slope + l1).ravel(), (l1 - slope).ravel(), by_intercept]

        start = (coef / scale).ravel()
        plus = zip(np.maximum(low, 0.0), np.maximum(high, 0.0), strict=True)
        minus = zip(np.maximum(-high, 0.0), np.maximum(-low, 0.0), strict=True)
        found = minimize(
            function,
            np.r_[np.maximum(start, 0.0), np.maximum(-start, 0.0), intercept],
            jac=True,
            method="L-BFGS-B",
            bounds=[*plus, *minus, *[(None, None)] * self.rows],
            options={"maxiter": 5000, "maxfun": 20_000, "ftol": 1e-15, "gtol": 1e-10, "maxcor": 30},
        )
        return found.fun


def random_terms(problem, seed, bounded):
    """Factors with zeros among them, a few bounds of each kind, and offsets."""
    rng = np.random.default_rng(seed)
    n, d = problem.X.shape
    K = problem.keywords.get("n_classes", 2)
    few = d if d < n / 4 else n // 10  # columns without a penalty must not separate the classes
    factor = np.where(np.arange(d) < few, rng.choice([0.0, 0.2, 1.0, 3.0], size=d), rng.choice([0.5, 2.0], size=d))
    size = 0.3 / (1e-3 + np.asarray(abs(problem.X).max(axis=0).todense() if sp.issparse(problem.X) else
                                    np.abs(problem.X).max(axis=0)).ravel())  # fmt: skip
    low = rng.choice([-np.inf, -1.0, 0.0, 0.5], size=d) * size if bounded else np.full(d, -np.inf)
    high = rng.choice([np.inf, 1.0, 0.6], size=d) * size if bounded else np.full(d, np.inf)
    return factor, (low, high), rng.normal(size=n if K == 2 else (n, K))


def check(problem, l1_ratio, seed, bounded):
    factor, bounds, offset = random_terms(problem, seed, bounded)
    given = {"penalty_factor": factor, "bounds": bounds if bounded else None, "offset": offset}
    result = fit(problem.X, problem.y, l1_ratio=l1_ratio, tol=TOL, max_iter=1000, **given, **problem.keywords)
    proof = result.certificate
    assert proof.converged, proof
    assert np.all((result.coef >= bounds[0]) & (result.coef <= bounds[1]))
    reference = Reference(problem, l1_ratio, factor, bounds, offset)
    value = reference.value(result.coef, result.intercept)
    assert value == pytest.approx(proof.objective, rel=1e-9)
    best = min(
        reference.improved(result.coef, result.intercept),
        reference.improved(np.clip(np.zeros_like(result.coef), *bounds), 0.0 * result.intercept),
    )
    assert proof.dual <= best + 1e-11 * value
    assert value <= best + proof.gap + 1e-11 * value
    assert proof.gap <= TOL * value
    return result


@pytest.mark.parametrize("bounded", [False, True], ids=["free", "bounded"])
@pytest.mark.parametrize("l1_ratio", RATIOS)
@pytest.mark.parametrize("problem", PROBLEMS, ids=repr)
def test_the_certificate_is_true(problem, l1_ratio, bounded):
    check(problem, l1_ratio, len(problem.name), bounded)


@pytest.mark.parametrize("bounded", [False, True], ids=["free", "bounded"])
@pytest.mark.parametrize("seed", range(25))
def test_the_certificate_is_true_of_random_problems(seed, bounded):
    problem = random_problem(seed)
    if problem.X.shape[0] < 20:
        pytest.skip("columns without a penalty separate so few rows")
    check(problem, RATIOS[seed % 3], seed, bounded)


def binary_data(n=300, d=6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    offset = rng.normal(size=n)
    return X, (X @ rng.normal(size=d) + offset + rng.normal(size=n) > 0).astype(float), offset


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_a_factor_is_a_column_scaled(l1_ratio):
    X, y, _ = binary_data()
    factor = np.array([0.3, 1.0, 2.0, 5.0, 0.5, 1.5])
    scale = factor if l1_ratio == 1.0 else np.sqrt(factor)
    weighed = fit(X, y, C=0.1, l1_ratio=l1_ratio, penalty_factor=factor, tol=1e-12)
    scaled = fit(X / scale, y, C=0.1, l1_ratio=l1_ratio, tol=1e-12)
    np.testing.assert_allclose(weighed.coef * scale, scaled.coef, atol=1e-5)


def test_an_offset_is_a_column_whose_weight_is_one():
    X, y, offset = binary_data()
    column = np.r_[np.full(6, -np.inf), 1.0], np.r_[np.full(6, np.inf), 1.0]
    shifted = fit(X, y, C=0.5, offset=offset, tol=1e-12)
    held = fit(np.c_[X, offset], y, C=0.5, bounds=column, penalty_factor=np.r_[np.ones(6), 0.0], tol=1e-12)
    apart = np.sqrt(8.0 * shifted.certificate.gap)  # each is within sqrt(2 gap) of the optimum
    np.testing.assert_allclose(shifted.coef[0], held.coef[0, :6], rtol=0.0, atol=max(apart, 1e-5))
    assert held.coef[0, 6] == 1.0


def test_a_model_predicts_with_the_offset_of_new_rows():
    X, y, offset = binary_data()
    model = LogisticRegression().fit(X, y, offset=offset)
    np.testing.assert_allclose(
        model.decision_function(X, offset=offset), X @ model.coef_[0] + model.intercept_ + offset, rtol=1e-12
    )
    assert model.score(X, y, offset=offset) > model.score(X, y)
    np.testing.assert_array_equal(
        model.predict_proba(X, offset=offset)[:, 1] > 0.5, model.predict(X, offset=offset) == 1.0
    )


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_every_fit_of_a_path_and_of_a_grid_obeys(l1_ratio):
    X, y, offset = binary_data()
    factor, bounds = np.array([0.0, 1.0, 2.0, 1.0, 1.0, 1.0]), (0.0, 0.4)
    tuned = LogisticRegressionCV(Cs=4, l1_ratios=(l1_ratio,), cv=3, penalty_factor=factor, bounds=bounds, tol=1e-8).fit(
        X, y, offset=offset
    )
    alone = fit(X, y, C=tuned.C_, l1_ratio=l1_ratio, penalty_factor=factor, bounds=bounds, offset=offset, tol=1e-10)
    np.testing.assert_allclose(tuned.coef_, alone.coef, atol=1e-4)
    assert (tuned.coef_ >= 0.0).all()
    assert (tuned.coef_ <= 0.4).all()
    if l1_ratio:
        path = logistic_path(X, y, n_Cs=8, penalty_factor=factor, bounds=bounds, offset=offset)
        coefs = path.coefs.toarray()
        assert path.converged.all()
        assert coefs.min() >= 0.0
        assert coefs.max() <= 0.4
        assert not coefs[0, 1:].any()  # but for the column without a penalty
        assert coefs[0, 0] > 0.0
        assert path.bic()[-1] == pytest.approx(2 * path.losses[-1] + np.log(len(y)) * path.degrees()[-1])


def test_columns_without_a_penalty_that_separate_the_classes_are_told():
    X = np.c_[np.arange(40.0) - 19.5, np.random.default_rng(0).normal(size=40)]
    with pytest.warns(Warning, match="separable"):
        LogisticRegression(penalty_factor=[0.0, 1.0]).fit(X, X[:, 0] > 0)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"penalty_factor": [1, -1, 1, 1, 1, 1]}, "factor of column 1 is -1"),
        ({"penalty_factor": [1, np.inf, 1, 1, 1, 1]}, "factor of column 1 is inf"),
        ({"penalty_factor": [1, 1]}, r"penalty_factor has shape \(2,\); give one factor for each of 6 columns"),
        ({"penalty_factor": "many"}, "penalty_factor does not hold numbers"),
        ({"bounds": (1.0, 0.0)}, "bounds of column 0, 1 and 0, leave no number between them"),
        ({"bounds": (0.0, [1.0, 2.0])}, r"upper bound has shape \(2,\)"),
        ({"bounds": 3.0}, "bounds is not a pair"),
        ({"bounds": (0.0, np.nan)}, "upper bound is nan or None; where there is none, give -inf or inf"),
        ({"bounds": ([0.0, None, 0.0, 0.0, 0.0, 0.0], 1.0)}, "lower bound of column 1 is nan or None"),
        ({"solver": "newton-cg", "bounds": (0.0, 1.0)}, None),
        ({"solver": "cholesky", "bounds": (0.0, 1.0)}, "cannot handle bounds"),
    ],
)
def test_bad_terms_are_told_in_one_line(given, told):
    X, y, _ = binary_data()
    if told is None:  # scikit-learn's names are hints
        LogisticRegression(**given).fit(X, y)
        return
    with pytest.raises(CrossentError, match=told) as error:
        LogisticRegression(**given).fit(X, y)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("offset", "told"),
    [
        (np.zeros(5), r"offset has shape \(5,\); it must be \(300,\)"),
        (np.full(300, np.nan), "offset of row 0 is nan"),
        (["a"] * 300, "offset does not hold numbers"),
    ],
)
def test_bad_offsets_are_told_in_one_line(offset, told):
    X, y, good = binary_data()
    with pytest.raises(CrossentError, match=told):
        LogisticRegression().fit(X, y, offset=offset)
    model = LogisticRegression().fit(X, y, offset=good)
    with pytest.raises(CrossentError, match=told):
        model.predict(X, offset=offset)


@pytest.mark.parametrize(
    "given", [{}, {"C": np.inf}, {"l1_ratio": 1.0}, {"bounds": (0.0, np.inf)}, {"solver": "newton-cg"}]
)
def test_the_intercept_takes_back_a_constant_offset(given):
    X, y, _ = binary_data()
    X = X / 3.0
    none = LogisticRegression(tol=1e-9, **given).fit(X, y)
    for constant in (-50.0, 5.0, 50.0):
        shifted = LogisticRegression(tol=1e-9, **given).fit(X, y, offset=np.full(len(y), constant))
        assert shifted.certificate_.objective == pytest.approx(none.certificate_.objective, rel=1e-8)
        assert shifted.intercept_[0] == pytest.approx(none.intercept_[0] - constant, abs=1e-2)


@pytest.mark.parametrize("scale", [30.0, 1000.0, 1e4])
@pytest.mark.parametrize("given", [{"C": np.inf}, {}, {"penalty_factor": [0.0, 1.0]}])
def test_no_bound_is_above_an_attained_objective_however_large_the_offsets(given, scale):
    for seed in range(6):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(100, 2))
        y, offset = (X[:, 0] + rng.normal(size=100) > 0).astype(int), scale * rng.normal(size=100)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            proof = LogisticRegression(**given).fit(X, y, offset=offset).certificate_
        attained = np.logaddexp(0.0, np.where(y == 1, -offset, offset)).sum()  # at zero weights
        assert proof.dual <= attained * (1.0 + 1e-9)


def test_bounds_that_hold_every_weight_far_out_raise_nothing():
    X, y, _ = binary_data()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LogisticRegression(l1_ratio=1.0, bounds=(1e5, 2e5)).fit(X, y)
    assert ((model.coef_ >= 1e5) & (model.coef_ <= 2e5)).all()
