"""Promise: ``LogisticRegressionCV`` is scikit-learn's: parameters, attributes, shapes and, where that one is solved
tightly, its scores and its choice; folds without copies say what separate fits say.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegressionCV as Theirs
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold
from sklearn.preprocessing import scale
from sklearn.utils.estimator_checks import parametrize_with_checks

from crossent import LogisticRegressionCV
from crossent.errors import CrossentError
from crossent.fit import fit

IRIS = load_iris(return_X_y=True)
CANCER = scale(load_breast_cancer().data), load_breast_cancer(return_X_y=True)[1]
SMALL = {"Cs": [0.01, 0.1, 1.0], "cv": 3}


@parametrize_with_checks([LogisticRegressionCV(Cs=3, cv=3)])
def test_estimator_checks(estimator, check):
    check(estimator)


def theirs(X, y, sample_weight=None, **keywords):
    """Scikit-learn's, solved as tightly as it goes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        settings = {"solver": "newton-cholesky", "tol": 1e-10, "max_iter": 1000, "scoring": "neg_log_loss"}
        settings |= {"l1_ratios": (0.0,), "use_legacy_attributes": False}
        return Theirs(**{**settings, **keywords}).fit(X, y, sample_weight=sample_weight)


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("data", [IRIS, CANCER], ids=["iris", "cancer"])
@pytest.mark.parametrize(
    "keywords", [{}, {"class_weight": "balanced", "fit_intercept": False}, {"scoring": "accuracy"}]
)
def test_scores_choice_and_weights_are_scikit_learns(data, weighted, storage, keywords):
    X, y = data
    s = np.random.default_rng(0).choice([0.5, 1.0, 3.0], size=len(y)) if weighted else None
    keywords = {"Cs": np.geomspace(1e-3, 10, 5), "cv": 4, **keywords}
    ours = LogisticRegressionCV(**keywords, tol=1e-11).fit(storage(X), y, sample_weight=s)
    reference = theirs(X, y, s, **keywords)
    np.testing.assert_allclose(ours.scores_, reference.scores_, atol=1e-5)
    np.testing.assert_allclose(ours.coefs_paths_, reference.coefs_paths_, atol=1e-3)
    assert ours.C_ == reference.C_
    np.testing.assert_allclose(ours.coef_, reference.coef_, atol=1e-3)
    np.testing.assert_allclose(ours.score(X, y, sample_weight=s), reference.score(X, y, sample_weight=s), atol=1e-5)
    assert ours.n_iter_.shape == reference.n_iter_.shape


@pytest.mark.parametrize("K", [2, 3])
@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("refit", [False, True])
@pytest.mark.parametrize("ratios", [None, np.array([0.0, 0.5, 1.0])], ids=str)
def test_attributes_have_scikit_learns_types_and_shapes(K, legacy, refit, ratios):
    X, y = IRIS
    X, y = X[y < K], np.array(["a", "b", "c"])[y[y < K]]
    keywords = {"l1_ratios": ratios, "use_legacy_attributes": legacy, "refit": refit, "Cs": 4, "cv": 3}
    ours = LogisticRegressionCV(**keywords).fit(X, y)
    reference = theirs(X, y, solver="lbfgs" if ratios is None else "saga", tol=1e-2, **keywords)
    for name in ("C_", "l1_ratio_", "scores_", "coefs_paths_", "n_iter_", "Cs_", "coef_", "intercept_", "classes_"):
        a, b = getattr(ours, name), getattr(reference, name)
        assert type(a) is type(b), name
        if isinstance(a, dict):
            assert list(a) == list(b)
            a, b = next(iter(a.values())), next(iter(b.values()))
        assert np.shape(a) == np.shape(b), name
    assert (ours.certificate_ is not None) == refit


def test_a_fold_is_the_fit_of_its_rows_alone():
    X, y = CANCER
    folds = list(KFold(3, shuffle=True, random_state=0).split(X))
    model = LogisticRegressionCV(Cs=[0.05, 2.0], l1_ratios=[0.0, 0.5, 1.0], cv=folds, tol=1e-10).fit(X, y)
    for f, (train, _) in enumerate(folds):
        for r, ratio in enumerate(model.l1_ratios_):
            for c, C in enumerate(model.Cs_):
                alone = fit(X[train], y[train], C=C, l1_ratio=ratio, tol=1e-10)
                np.testing.assert_allclose(model.coefs_paths_[f, r, c, 0, :-1], alone.coef[0], atol=1e-4)
    assert model.gaps_.max() <= 1e-10


def test_without_refit_the_best_of_each_fold_are_averaged():
    X, y = CANCER
    keywords = {"Cs": np.geomspace(1e-3, 10, 5), "cv": 4, "refit": False}
    ours, reference = LogisticRegressionCV(**keywords, tol=1e-10).fit(X, y), theirs(X, y, **keywords)
    assert pytest.approx(reference.C_) == ours.C_
    np.testing.assert_allclose(ours.coef_, reference.coef_, atol=1e-4)


def test_one_standard_error_takes_the_strongest_penalty_within_it():
    X, y = CANCER
    best, simple = (
        LogisticRegressionCV(Cs=np.geomspace(0.01, 10, 12), selection=rule, cv=10).fit(X, y) for rule in ("best", "1se")
    )
    scores = simple.scores_[:, 0]
    mean, at = scores.mean(axis=0), scores.mean(axis=0).argmax()
    least = mean[at] - scores[:, at].std(ddof=1) / np.sqrt(10)
    assert best.Cs_[at] == best.C_
    assert simple.C_ == min(simple.Cs_[mean >= least]) < best.C_


def test_a_weight_is_a_repetition_in_fit_and_score():
    X, y = CANCER
    X, y = X[::4], y[::4]
    s = np.random.default_rng(1).integers(1, 4, size=len(y))
    folds = list(StratifiedKFold(3).split(X, y))
    where = np.repeat(np.arange(len(y)), s)
    repeated = [tuple(np.flatnonzero(np.isin(where, rows)) for rows in fold) for fold in folds]
    weighted = LogisticRegressionCV(Cs=3, cv=folds, tol=1e-9).fit(X, y, sample_weight=s)
    longer = LogisticRegressionCV(Cs=3, cv=repeated, tol=1e-9).fit(X[where], y[where])
    np.testing.assert_allclose(weighted.scores_, longer.scores_, rtol=1e-4)


def test_any_scorer_gets_the_rows_held_out_with_their_weights():
    X, y = CANCER
    s = np.random.default_rng(2).random(len(y))
    seen = []

    def scorer(model, X, y, sample_weight=None):
        seen.append(len(y))
        return -np.average(-model.predict_log_proba(X)[np.arange(len(y)), y], weights=sample_weight)

    ours = LogisticRegressionCV(scoring=scorer, **SMALL).fit(X, y, sample_weight=s)
    direct = LogisticRegressionCV(**SMALL).fit(X, y, sample_weight=s)
    np.testing.assert_allclose(ours.scores_, direct.scores_, rtol=1e-12)
    assert sum(seen) == 3 * len(y)
    assert LogisticRegressionCV(scoring="roc_auc", **SMALL).fit(X, y).scores_.max() > 0.9


def test_metadata_reaches_splitter_and_scorer():
    X, y = CANCER
    groups = np.arange(len(y)) % 7
    with sklearn.config_context(enable_metadata_routing=True):
        routed = LogisticRegressionCV(Cs=[1.0], cv=GroupKFold(3).set_split_request(groups=True)).fit(
            X, y, groups=groups
        )
    direct = LogisticRegressionCV(Cs=[1.0], cv=list(GroupKFold(3).split(X, y, groups))).fit(X, y)
    np.testing.assert_array_equal(routed.scores_, direct.scores_)
    with pytest.raises(CrossentError, match="groups cannot be passed on"):
        LogisticRegressionCV().fit(X, y, groups=groups)


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_the_same_bits_on_any_number_of_threads(l1_ratio):
    X, y = CANCER
    one, two = (LogisticRegressionCV(n_jobs=n, l1_ratios=[l1_ratio], **SMALL).fit(X, y) for n in (1, 2))
    np.testing.assert_array_equal(one.coefs_paths_, two.coefs_paths_)
    np.testing.assert_array_equal(one.coef_, two.coef_)


def test_a_gap_not_reached_is_said_once():
    X, y = CANCER
    with pytest.warns(ConvergenceWarning, match=r"\d of 9 fits of the folds") as told:
        LogisticRegressionCV(max_iter=1, **SMALL).fit(X, y)
    assert len(told) == 1


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"Cs": [1.0, 0.0]}, "Cs is"),
        ({"Cs": 0}, "Cs is"),
        ({"l1_ratios": [2.0]}, "l1_ratios is"),
        ({"selection": "2se"}, "selection is '2se'"),
        ({"selection": "1se", "refit": False}, "needs refit=True"),
        ({"solver": "nonsense"}, "solver is 'nonsense'"),
        ({"cv": [(np.arange(50), np.arange(50, 60))]}, "fold 0 has no training row of class 1"),
    ],
)
def test_bad_input_is_refused_in_a_line(keywords, message):
    X, y = IRIS
    with pytest.raises(CrossentError, match=message) as error:
        LogisticRegressionCV(**keywords).fit(X, y)
    assert "\n" not in str(error.value)


def test_scores_are_right_where_c_is_small():
    """There nearly all of F is loss that no weights change, so a relative gap says little of the scores."""
    X, y = CANCER
    found = [
        LogisticRegressionCV(Cs=[1e-5, 1e-4, 1e-3], tol=tol).fit(X, y).scores_.mean(axis=0) for tol in (1e-2, 1e-12)
    ]
    np.testing.assert_allclose(*found, atol=1e-4)
