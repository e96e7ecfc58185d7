"""Promise: LogisticRegression replaces scikit-learn's in code as it stands, and says how each fit ended.

Any storage, type or table; weights, classes, warm starts; callbacks and interrupts; errors and warnings that tell what
to do. What scikit-learn tests of its own is in ``test_sklearn_suite.py``.
"""

from __future__ import annotations

import inspect
import pickle
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
import sklearn
import sklearn.linear_model
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from crossent import LogisticRegression, cross_entropy, sigmoid, softmax
from crossent.errors import CrossentError
from crossent.scoring import probabilities

METHODS = ("cholesky", "newton-cg", "coordinate")


@pytest.fixture
def several_steps(monkeypatch):
    """Coordinate descent as it is for large data: it ends small data in one step."""
    monkeypatch.setattr("crossent.solvers.coordinate.SMALL", 0)


HINTS = ("lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga")


def small_integers(n=120, d=5, n_classes=2, seed=0):
    """Rows that every numeric type holds exactly, half of them zeros, and labels that overlap."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 4, (n, d)) * rng.integers(0, 2, (n, d))
    z = X @ rng.normal(size=(d, n_classes)) + rng.gumbel(size=(n, n_classes))
    return X, z.argmax(axis=1)


# ---------------------------------------------------------------- data


def with_wide_indices(X):
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


NAMES = [f"x{j}" for j in range(5)]
STORAGES = {
    "fortran": np.asfortranarray,
    "float32": lambda X: X.astype(np.float32),
    "int8": lambda X: X.astype(np.int8),
    "list": lambda X: X.tolist(),
    "strided": lambda X: np.repeat(X, 2, axis=0)[::2].astype(float),
    "csr": lambda X: sp.csr_array(X.astype(float)),
    "csc": lambda X: sp.csc_array(X.astype(float)),
    "coo": lambda X: sp.coo_array(X.astype(float)),
    "csr of int": sp.csr_matrix,
    "csr, 64-bit": lambda X: with_wide_indices(sp.csr_array(X.astype(float))),
    "csc, 64-bit": lambda X: with_wide_indices(sp.csc_array(X.astype(float))),
    "pandas": lambda X: pd.DataFrame(X, columns=NAMES),
    "polars": lambda X: pl.DataFrame(X, schema=NAMES),
    "arrow": lambda X: pa.table(dict(zip(NAMES, X.T, strict=True))),
}


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("storage", STORAGES)
def test_every_storage_gives_the_same_model_and_predictions(storage, n_classes):
    X, y = small_integers(n_classes=n_classes)
    reference = LogisticRegression(tol=1e-12).fit(X.astype(float), y)
    stored = STORAGES[storage](X)
    model = LogisticRegression(tol=1e-12).fit(stored, y)
    rtol = 1e-5 if storage == "float32" else 1e-9
    np.testing.assert_allclose(model.coef_, reference.coef_, rtol=rtol, atol=rtol)
    for method in ("predict_proba", "predict_log_proba", "decision_function", "predict"):
        expected = getattr(reference, method)(X.astype(float))
        np.testing.assert_allclose(getattr(model, method)(stored), expected, rtol=rtol, atol=rtol)
    if storage in {"pandas", "polars", "arrow"}:
        assert list(model.feature_names_in_) == NAMES
        with pytest.warns(UserWarning, match="does not have valid feature names"):
            model.predict(X.astype(float))


def test_booleans():
    X, y = small_integers()
    expected = LogisticRegression().fit((X > 1).astype(float), y)
    model = LogisticRegression().fit(X > 1, y)
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    np.testing.assert_allclose(model.predict_proba(X > 1), expected.predict_proba((X > 1).astype(float)), rtol=1e-14)


def test_an_array_of_small_integers_is_never_expanded():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3, (40_000, 250), dtype=np.int8)
    y = (X[:, 0] + rng.integers(0, 3, len(X)) > 2).astype(int)
    LogisticRegression(C=1e-4).fit(X[:100], y[:100]).predict_proba(X[:100])  # compile first
    tracemalloc.start()
    LogisticRegression(C=1e-4).fit(X, y).predict_proba(X)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * X.nbytes  # as float64 it would be 8 times as large


# ---------------------------------------------------------------- probabilities


def test_probabilities_are_those_of_the_equations_for_any_number_of_rows_and_threads():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30_000, 6))
    binary = LogisticRegression().fit(X[:300], X[:300, 0] + rng.normal(size=300) > 0)
    three = LogisticRegression().fit(X[:300], rng.integers(0, 3, 300))
    z = X @ binary.coef_[0] + binary.intercept_
    p = binary.predict_proba(X)
    np.testing.assert_allclose(p, np.column_stack([sigmoid(-z), sigmoid(z)]), rtol=1e-12)
    np.testing.assert_allclose(three.predict_proba(X), softmax(X @ three.coef_.T + three.intercept_), rtol=1e-12)
    for model in (binary, three):
        p = model.predict_proba(X)
        model.n_jobs = 1
        np.testing.assert_array_equal(model.predict_proba(X), p)
        np.testing.assert_allclose(
            np.vstack([model.predict_proba(X[i : i + 1]) for i in range(20)]), p[:20], rtol=1e-12
        )
        np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), p, rtol=1e-11)
        np.testing.assert_array_equal(model.predict(X), model.classes_[p.argmax(axis=1)])


@pytest.mark.parametrize("n_classes", [2, 3])
def test_log_probabilities_are_exact_where_probabilities_round_to_0_or_1(n_classes):
    X, y = small_integers(n_classes=n_classes)
    model = LogisticRegression().fit(X, y)
    model.coef_ = np.zeros_like(model.coef_)
    model.coef_[-1, 0] = 1.0
    model.intercept_ = np.zeros_like(model.intercept_)
    z = np.array([-1e5, -800.0, -40.0, 40.0, 800.0, 1e5])
    rows = np.zeros((len(z), 5))
    rows[:, 0] = z
    log_p = model.predict_log_proba(rows)
    if n_classes == 2:
        np.testing.assert_allclose(log_p, -np.column_stack([cross_entropy(z, 0), cross_entropy(z, 1)]), rtol=1e-15)
    else:  # two classes at 0, one at z
        np.testing.assert_allclose(log_p[:, -1], np.where(z < 0, z - np.log(2), -2 * np.exp(-np.abs(z))), rtol=1e-12)
        np.testing.assert_allclose(log_p[:, 0], np.where(z < 0, -np.log(2), -z), rtol=1e-12)
    assert np.isfinite(log_p).all()
    np.testing.assert_allclose(model.predict_proba(rows).sum(axis=1), 1.0, rtol=1e-15)


@pytest.mark.parametrize("rows", [1, 30_000])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_what_is_not_finite_is_refused_also_where_its_weight_is_zero(rows, bad, n_classes):
    X, y = small_integers(n_classes=n_classes)
    model = LogisticRegression(l1_ratio=1.0, C=1e-3).fit(X, y)
    assert not model.coef_.any()
    new = np.ones((rows, 5))
    new[rows // 2, 3] = bad
    for layout in (new, np.asfortranarray(new), sp.csr_array(new), sp.csr_matrix(new), sp.csc_array(new)):
        with pytest.raises(ValueError, match="Input X contains"):
            model.predict_proba(layout)
        with pytest.raises(ValueError, match="Input X contains"):
            model.fit(layout, np.arange(rows) % n_classes)


@pytest.mark.parametrize("rows", [1, 30_001])
@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_probabilities_are_the_bits_of_those_of_the_margins(rows, n_classes):
    rng = np.random.default_rng(0)
    model = LogisticRegression().fit(rng.normal(size=(100, 7)), np.arange(100) % n_classes)
    model.coef_ = rng.normal(size=model.coef_.shape)
    new = 100.0 * rng.normal(size=(rows, 7))
    for layout in (new, np.asfortranarray(new), sp.csr_array(new)):
        z = model.decision_function(layout)
        np.testing.assert_allclose(
            z, np.squeeze(new @ model.coef_.T + model.intercept_, axis=1 if n_classes == 2 else ())
        )
        p = model.predict_proba(layout)
        np.testing.assert_array_equal(p, probabilities(z))
        np.testing.assert_allclose(p, np.column_stack([sigmoid(-z), sigmoid(z)]) if n_classes == 2 else softmax(z))


def test_margins_beyond_numbers_are_sure():
    X, y = load_breast_cancer(return_X_y=True)
    model = LogisticRegression().fit(X, y)
    far = np.zeros((2, X.shape[1]))
    model.coef_[0, 4] = -10.0
    far[:, 4] = 1e308, -1e308
    np.testing.assert_array_equal(model.decision_function(far), [-np.inf, np.inf])
    np.testing.assert_array_equal(model.predict_proba(far), [[1.0, 0.0], [0.0, 1.0]])


def test_rows_of_csr_are_scored_as_columns_are_and_none_are_refused():
    X, y = small_integers()
    X[1:3] = 0  # rows without a value
    rows = sp.csr_array(X.astype(float))
    model = LogisticRegression().fit(X, y)
    for part in (rows, rows[:1], rows[1:2]):
        np.testing.assert_allclose(model.decision_function(part), model.decision_function(part.tocsc()), rtol=1e-12)
    with pytest.raises(ValueError, match="0 sample"):
        model.predict(rows[:0])
    with pytest.raises(ValueError, match="4 features"):
        model.predict(rows[:, :4])


def test_values_whose_squares_overflow_are_predicted():
    X, y = small_integers()
    model = LogisticRegression().fit(X, y)
    with np.errstate(all="raise"):
        p = model.predict_proba(np.full((3, 5), 1e200))
    assert set(np.unique(p)) <= {0.0, 1.0}


def test_wrong_widths_and_unfitted_models_are_refused():
    X, y = small_integers()
    model = LogisticRegression()
    for call in (model.predict, model.predict_proba, lambda _: model.sparsify(), lambda _: model.densify()):
        with pytest.raises(NotFittedError):
            call(X)
    model.fit(X, y)
    with pytest.raises(ValueError, match="X has 4 features, but LogisticRegression is expecting 5"):
        model.predict_proba(X[:, :4].astype(float))


@pytest.mark.parametrize("interface", ["spmatrix", "sparray"])
def test_sparse_coefficients_predict_alike(interface):
    X, y = small_integers(n_classes=3)
    model = LogisticRegression(l1_ratio=1.0, C=0.1).fit(X, y)
    expected = model.predict_proba(X)
    with sklearn.config_context(sparse_interface=interface):
        model.sparsify()
        assert sp.issparse(model.coef_)
        assert sp.isspmatrix(model.coef_) == (interface == "spmatrix")
    np.testing.assert_array_equal(model.predict_proba(X), expected)
    assert isinstance(model.set_params(warm_start=True).fit(X, y).densify().coef_, np.ndarray)


# ---------------------------------------------------------------- labels and weights


@pytest.mark.parametrize(
    "names",
    [["no", "yes"], [False, True], [-1, 1], [0.0, 2.0], np.array(["b", "a"], dtype=object), ["a", "b", "c"]],
    ids=repr,
)
def test_labels_come_back_as_they_were_given(names):
    X, y = small_integers(n_classes=len(names))
    labels = np.asarray(names)[y]
    model = LogisticRegression().fit(X, labels)
    assert list(model.classes_) == sorted(names)
    assert model.predict(X).dtype == labels.dtype
    assert model.score(X, labels) > 0.5


@pytest.mark.parametrize("solver", ["auto", "newton-cg"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_weights_are_repetitions_and_class_weights_multiply_them(solver, n_classes):
    X, y = small_integers(n_classes=n_classes)
    w = np.random.default_rng(1).integers(0, 4, len(y))
    model = LogisticRegression(solver=solver, tol=1e-14)
    repeated = clone(model).fit(np.repeat(X, w, axis=0), np.repeat(y, w)).coef_
    np.testing.assert_allclose(clone(model).fit(X, y, w).coef_, repeated, rtol=1e-6, atol=1e-8)
    of_class = dict(enumerate([1.0, 2.0, 0.5][:n_classes]))
    both = clone(model).set_params(class_weight=of_class).fit(X, y, sample_weight=w).coef_
    product = clone(model).fit(X, y, w * np.vectorize(of_class.get)(y)).coef_
    np.testing.assert_allclose(both, product, rtol=1e-12)
    balanced = clone(model).set_params(class_weight="balanced").fit(X, y, w).coef_
    share = w.sum() / (n_classes * np.bincount(y, w))
    np.testing.assert_allclose(balanced, clone(model).fit(X, y, w * share[y]).coef_, rtol=1e-12)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("n_classes", [3, 4])
def test_a_class_without_weight_is_what_a_class_of_vanishing_weight_tends_to(n_classes, l1_ratio):
    X, y = small_integers(n=300, n_classes=n_classes)
    model = LogisticRegression(l1_ratio=l1_ratio, tol=1e-9, max_iter=1000)
    vanishing = clone(model).fit(X, y, np.where(y == 1, 1e-9, 1.0))
    without = clone(model).fit(X, y, np.where(y == 1, 0.0, 1.0))
    assert without.certificate_.converged
    np.testing.assert_allclose(without.predict_proba(X), vanishing.predict_proba(X), atol=3e-4)
    assert without.predict_proba(100.0 * np.random.default_rng(0).normal(size=(50, 5)))[:, 1].max() < 1e-15
    callback = Calls()
    clone(model).set_callbacks(callback).fit(X, y, np.where(y == 1, 0.0, 1.0))
    np.testing.assert_array_equal(callback.last, without.coef_)


def test_impossible_weights_and_labels_are_refused_in_one_line():
    X, y = small_integers(n_classes=3)
    names = np.array(["red", "green", "blue"])[y]
    cases = [
        ({"sample_weight": np.where(np.arange(len(y)) == 7, -2.0, 1.0)}, "weight of row 7 is -2"),
        ({"sample_weight": np.ones(3)}, r"shape \(3,\).* 120 rows"),
        ({"sample_weight": np.zeros(len(y))}, "at least one non-zero"),
        ({"sample_weight": (y == 1).astype(float)}, "only class 'green' has rows with a positive weight; two"),
        ({"sample_weight": np.full(len(y), np.nan)}, "NaN"),
    ]
    for arguments, message in cases:
        with pytest.raises(ValueError, match=message) as error:
            LogisticRegression().fit(X, names, **arguments)
        assert "\n" not in str(error.value).split("\n\n")[0].strip()
    with pytest.raises(CrossentError, match=r"one class, 'red'"):
        LogisticRegression().fit(X, np.full(len(y), "red"))


# ---------------------------------------------------------------- parameters


def test_scikit_learns_signature():
    theirs = inspect.signature(sklearn.linear_model.LogisticRegression).parameters
    ours = dict(inspect.signature(LogisticRegression).parameters)
    for name in ("penalty_factor", "bounds"):  # theirs has no such thing
        assert ours.pop(name).default is None
    assert {name: p.kind for name, p in ours.items()} == {name: p.kind for name, p in theirs.items()}
    same = set(theirs) - {"tol", "solver"}
    assert {name: ours[name].default for name in same} == {name: theirs[name].default for name in same}


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        ({"C": 0}, "positive number"),
        ({"C": float("nan")}, "positive number"),
        ({"C": "1"}, "positive number"),
        ({"l1_ratio": 1.5}, "from 0 to 1"),
        ({"tol": -1e-3}, ">= 0"),
        ({"max_iter": 2.5}, "integer"),
        ({"solver": "fastest"}, "newton-cg"),
        ({"solver": ["lbfgs"]}, "newton-cg"),
        ({"class_weight": "even"}, "balanced"),
        ({"fit_intercept": "yes"}, "True or False"),
        ({"penalty": "l3"}, "elasticnet"),
        ({"n_jobs": 1.5}, "integer or None"),
    ],
    ids=str,
)
def test_a_bad_parameter_is_named_with_what_is_allowed(given, allowed):
    (name, value), *_ = given.items()
    with pytest.raises(CrossentError, match=allowed) as error:
        LogisticRegression(**given).fit(*small_integers())
    assert name in str(error.value)
    assert repr(value) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("C", [0.5, np.inf])
def test_scikit_learns_solver_names_all_reach_the_one_optimum(C, l1_ratio):
    X, y = small_integers(n_classes=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fits = [LogisticRegression(C=C, l1_ratio=l1_ratio, solver=name, tol=1e-10).fit(X, y) for name in HINTS]
    for model in fits:
        assert model.certificate_.converged
        np.testing.assert_allclose(model.coef_, fits[0].coef_, atol=2e-4)


@pytest.mark.parametrize(
    ("penalty", "same_as"),
    [
        ("l2", {"l1_ratio": 0.0}),
        ("l1", {"l1_ratio": 1.0}),
        ("elasticnet", {"l1_ratio": 0.3}),
        (None, {"C": np.inf}),
    ],
)
def test_the_deprecated_penalty_still_works(penalty, same_as):
    X, y = small_integers()
    l1_ratio = same_as.get("l1_ratio", 0.0)
    with pytest.warns(FutureWarning, match="'penalty' was deprecated"):
        old = LogisticRegression(penalty, l1_ratio=l1_ratio).fit(X, y)
    np.testing.assert_array_equal(old.coef_, LogisticRegression(**same_as).fit(X, y).coef_)


def test_what_has_no_meaning_here_has_no_effect():
    X, y = small_integers()
    expected = LogisticRegression().fit(X, y).coef_
    odd = LogisticRegression(dual=True, intercept_scaling=7.0, random_state=3, n_jobs=1).fit(X, y)
    np.testing.assert_array_equal(odd.coef_, expected)


# ---------------------------------------------------------------- how a fit ends


@pytest.mark.parametrize("solver", METHODS)
def test_a_fit_that_falls_short_says_what_was_reached_what_was_asked_and_one_remedy(solver, several_steps):
    X, y = load_breast_cancer(return_X_y=True)
    model = LogisticRegression(max_iter=2, tol=1e-9, solver=solver, l1_ratio=0.5 if solver == "coordinate" else 0.0)
    with pytest.warns(ConvergenceWarning, match=r"max_iter.*reached .*, asked 1e-09.*; raise max_iter") as caught:
        model.fit(X, y)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert f"{model.certificate_.relative_gap:.2g}" in str(caught[0].message)
    assert not model.certificate_.converged
    assert model.n_iter_.tolist() == [2]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("solver", ["auto", "newton-cg"])
def test_separable_data_without_a_penalty(solver, n_classes):
    X, y = load_iris(return_X_y=True)
    X, y = X[y < n_classes] + 10.0 * y[y < n_classes, None], y[y < n_classes]
    with pytest.warns(ConvergenceWarning, match="separable.*; give a finite C"):
        model = LogisticRegression(C=np.inf, solver=solver).fit(X, y)
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(model.intercept_).all()
    assert not model.certificate_.converged
    assert model.score(X, y) == 1.0


def test_no_iterations_leave_the_shares_of_the_classes():
    X, y = small_integers(n_classes=3)
    with pytest.warns(ConvergenceWarning, match="raise max_iter"):
        model = LogisticRegression(max_iter=0).fit(X, y)
    assert model.n_iter_ == 0
    assert not model.coef_.any()
    np.testing.assert_allclose(model.predict_proba(X[:1])[0], np.bincount(y) / len(y), rtol=1e-10)


def test_a_gap_below_rounding_is_not_claimed():
    X, y = small_integers()
    with pytest.warns(ConvergenceWarning, match="rounding.*raise tol"):
        model = LogisticRegression(tol=0.0).fit(X, y)
    assert model.certificate_.relative_gap >= np.finfo(float).eps


def test_a_gap_is_never_negative():
    """Few rows far from the origin: the objective's rounding exceeds what is left of the gap."""
    X, y = 1e4 + np.array([[0.4], [-0.2], [0.9], [-1.3]]), np.array([0, 1, 0, 1])
    for solver in ("cholesky", "newton-cg", "coordinate", "dual"):
        for C in (1e3, 1e5, 1e7):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                proof = LogisticRegression(C=C, tol=1e-8, solver=solver).fit(X, y).certificate_
            assert proof.gap > 0.0
            assert proof.dual < proof.objective


def test_nobody_is_told_to_ask_for_a_gap_as_large_as_the_objective():
    X, y = small_integers()
    with pytest.warns(ConvergenceWarning, match="rounding.*divide the largest columns"):
        LogisticRegression().fit(X * 1e100, y)


@pytest.mark.parametrize("scale", [1e155, 1e200, 1e300])
def test_values_whose_squares_overflow_leave_finite_weights_and_are_told(scale):
    X, y = small_integers()
    with pytest.warns(ConvergenceWarning, match="leave the range of floating point.*divide the largest columns"):
        model = LogisticRegression().fit(X * scale, y)
    assert np.isfinite(model.coef_).all()
    assert not model.certificate_.converged


class Calls:
    """A callback that writes down what it sees, and does something at the end of one iteration."""

    def __init__(self, at=None, do=None):
        self.at, self.do, self.seen = at, do, []

    def setup(self, estimator, context):
        self.seen.append("setup")

    def teardown(self, estimator, context):
        self.seen.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.seen.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context, *, X, fitted_estimator):
        self.seen.append(("end", context.task_name, context.task_id))
        if context.task_name == "iteration" and fitted_estimator is not None:
            assert fitted_estimator.predict_proba(X).shape == (len(X), len(fitted_estimator.classes_))
            self.last = fitted_estimator.coef_.copy()
            if context.task_id == self.at:
                return self.do()
        return False


def interrupt():
    raise KeyboardInterrupt


def fit_by(solver, callback, **params):
    X, y = load_breast_cancer(return_X_y=True)
    l1_ratio = 0.5 if solver == "coordinate" else 0.0
    model = LogisticRegression(solver=solver, l1_ratio=l1_ratio, **params)
    return model.set_callbacks(callback).fit(StandardScaler().fit_transform(X), y)


@pytest.mark.parametrize("solver", METHODS)
def test_callbacks_see_every_iteration_in_pairs(solver):
    callback = Calls()
    model = fit_by(solver, callback)
    assert callback.seen[0] == "setup"
    assert callback.seen[-1] == "teardown"
    begun = [event[1:] for event in callback.seen if event[0] == "begin"]
    ended = [event[1:] for event in callback.seen if event[0] == "end"]
    assert begun[0] == ended[-1] == ("fit", 0)
    assert begun[1:] == ended[:-1] == [("iteration", i) for i in range(model.n_iter_[0] + 1)]
    np.testing.assert_array_equal(callback.last, model.coef_)


@pytest.mark.parametrize("solver", METHODS)
@pytest.mark.parametrize(("do", "outcome"), [(interrupt, "interrupted"), (lambda: True, "stopped by a callback")])
def test_an_interrupted_or_stopped_fit_keeps_its_best_weights_and_can_go_on(solver, do, outcome, several_steps):
    callback = Calls(at=1, do=do)
    with pytest.warns(ConvergenceWarning, match=f"{outcome}: .*best weights.*warm_start=True"):
        model = fit_by(solver, callback, tol=1e-12)
    np.testing.assert_array_equal(model.coef_, callback.last)
    assert model.coef_.any()
    assert not model.certificate_.converged
    assert model.certificate_.outcome.startswith(outcome)
    assert callback.seen[-1] == "teardown"
    whole = fit_by(solver, Calls(), tol=1e-12)
    assert whole.certificate_.objective < model.certificate_.objective


@pytest.mark.parametrize("solver", METHODS)
def test_scikit_learns_progress_bar(solver, capsys):
    fit_by(solver, ProgressBar())
    shown = capsys.readouterr().out
    assert "LogisticRegression" in shown
    assert "100%" in shown


def test_scikit_learns_other_callbacks_and_a_search_with_a_bar(capsys):
    X, y = small_integers()
    monitor = ScoringMonitor(scoring="neg_log_loss")
    model = LogisticRegression(tol=1e-12).set_callbacks(monitor).fit(X, y)
    scores = [row["neg_log_loss"] for row in monitor.get_logs().data if row["task_name"] == "iteration"]
    assert len(scores) == model.n_iter_[0]
    assert scores == sorted(scores)
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2).set_callbacks(ProgressBar())
    assert search.fit(X, y).best_estimator_.certificate_.converged
    assert "LogisticRegression - fit" in capsys.readouterr().out


@pytest.mark.parametrize("solver", METHODS)
def test_verbose_prints_a_line_a_step(solver, capsys):
    X, y = small_integers()
    model = LogisticRegression(verbose=1, solver=solver, l1_ratio=0.5 if solver == "coordinate" else 0.0).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == model.n_iter_[0] + 1
    assert all("objective" in line and "gap" in line for line in lines)
    assert f"{model.certificate_.objective:.10g}" in lines[-1]


# ---------------------------------------------------------------- life of an estimator


@pytest.mark.parametrize("n_classes", [2, 3])
def test_warm_starts_save_steps_and_refuse_other_shapes(n_classes):
    X, y = small_integers(n_classes=n_classes)
    model = LogisticRegression(warm_start=True, tol=1e-10).fit(X, y)
    first, coef = model.n_iter_[0], model.coef_
    model.fit(X, y)
    assert model.n_iter_[0] < first
    np.testing.assert_allclose(model.coef_, coef, rtol=1e-4, atol=1e-6)
    with pytest.raises(CrossentError, match="warm_start=False"):
        model.fit(X[:, :3], y)


def test_pickles_and_clones():
    X, y = small_integers(n_classes=3)
    model = LogisticRegression(C=0.3).fit(X, y)
    copy = pickle.loads(pickle.dumps(model))
    assert copy.certificate_ == model.certificate_
    assert "certified" in str(copy.certificate_)
    np.testing.assert_array_equal(copy.predict_proba(X), model.predict_proba(X))
    assert clone(model).get_params() == model.get_params()
    assert not hasattr(clone(model), "coef_")


def test_pipelines_tables_and_metadata_routing():
    X, y = small_integers()
    frame = pd.DataFrame(X, columns=NAMES)
    pipeline = make_pipeline(StandardScaler().set_output(transform="pandas"), LogisticRegression())
    assert cross_val_score(pipeline, frame, y).mean() > 0.6
    assert list(pipeline.fit(frame, y)[-1].feature_names_in_) == NAMES
    weights = np.random.default_rng(0).uniform(size=len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        routed = make_pipeline(LogisticRegression().set_fit_request(sample_weight=True)).fit(
            X, y, sample_weight=weights
        )
    np.testing.assert_array_equal(routed[-1].coef_, LogisticRegression().fit(X, y, weights).coef_)


def test_a_refit_forgets_the_names_of_columns():
    X, y = small_integers()
    model = LogisticRegression().fit(pd.DataFrame(X, columns=NAMES), y)
    model.fit(X.astype(float), y)
    assert not hasattr(model, "feature_names_in_")


def test_float32_stays_float32_in_the_coefficients():
    X, y = small_integers()
    model = LogisticRegression().fit(X.astype(np.float32), y)
    assert model.coef_.dtype == model.intercept_.dtype == np.float32
    assert LogisticRegression().fit(X, y).coef_.dtype == np.float64


@pytest.mark.parametrize(("offset", "classes"), [(0.0, 2), (1e4, 2), (1e4, 3), (1e5, 2)])
def test_the_certificate_of_float32_coefficients_is_of_those(offset, classes):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 4))
    y = np.digitize(X[:, 0] + rng.logistic(size=500), [0.0, 1.0][: classes - 1])
    X = (X + offset).astype(np.float32)
    model = LogisticRegression(tol=1e-4).fit(X, y)
    z = model.decision_function(X.astype(float))
    p = np.stack([1 - sigmoid(z), sigmoid(z)], axis=1) if classes == 2 else softmax(z)
    value = -np.log(p[np.arange(500), y]).sum() + np.square(model.coef_.astype(float)).sum() / 2
    best = LogisticRegression(tol=1e-10).fit(X.astype(float), y).certificate_.objective
    proof = model.certificate_
    assert proof.objective == pytest.approx(value, rel=1e-10)
    assert value - best <= proof.gap <= proof.tol * value
