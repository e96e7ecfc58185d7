"""Promise: a path starts where the first feature may enter, every fit on it is certified on all columns, and is the
fit that stands alone for the same C.
"""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from benchmarks.objective.referee import Problem, judge

from crossent import logistic_path, plot_path
from crossent.errors import CrossentError
from crossent.fit import fit

TOL = 1e-7


def data(K=2, n=150, d=60, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) * rng.uniform(0.3, 3.0, size=d) + rng.choice([0.0, 1.0], size=d)
    y = (X[:, :K] + rng.gumbel(size=(n, K))).argmax(axis=1)
    return X, np.array(["a", "b", "c", "d"])[y], y, rng.choice([0.0, 1.0, 3.0], size=n)


CASES = {
    "L1": ({}, {}),
    "elastic net": ({"l1_ratio": 0.5}, {}),
    "no intercept": ({"fit_intercept": False}, {}),
    "weights": ({"weights": True}, {}),
    "three classes": ({}, {"K": 3}),
    "three classes, elastic net": ({"l1_ratio": 0.7}, {"K": 3}),
    "wide": ({}, {"n": 40, "d": 300}),
}


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array, sp.csc_array])
@pytest.mark.parametrize("case", CASES)
def test_every_fit_is_certified_on_all_columns_by_the_referee(case, storage):
    keywords, shape = CASES[case]
    keywords = {"l1_ratio": 1.0, "fit_intercept": True, **keywords}
    X, labels, y, s = data(**shape)
    s = s if keywords.pop("weights", False) else np.ones(len(y))
    path = logistic_path(storage(X), labels, n_Cs=15, C_min_ratio=0.05, sample_weight=s, tol=TOL, **keywords)
    assert path.converged.all()
    assert path.nonzeros[0] == 0
    assert path.nonzeros[-1] > 0
    K = len(path.classes)
    for i, C in enumerate(path.Cs):
        judged = Problem(X, y, C, keywords["l1_ratio"], keywords["fit_intercept"], K, s)
        found = judge(judged, path.coef(i), path.intercepts[i])
        assert found.relative_gap <= 1.1 * TOL + 1e-9
        assert found.objective == pytest.approx(path.objectives[i], rel=1e-9)
        assert np.count_nonzero(path.coef(i).any(axis=0)) == path.nonzeros[i]
    assert np.all(np.diff(path.deviance_ratios) >= -1e-6)
    assert path.deviance_ratios[0] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_the_grid_starts_exactly_where_a_feature_enters(case):
    keywords, shape = CASES[case]
    keywords = {"l1_ratio": 1.0, "fit_intercept": True, **keywords}
    X, _, y, s = data(**shape)
    s = s if keywords.pop("weights", False) else None
    K = len(np.unique(y))
    first = logistic_path(X, y, n_Cs=1, sample_weight=s, **keywords).Cs[0]
    below, above = (
        fit(X, y, n_classes=K, C=first * factor, sample_weight=s, tol=1e-12, max_iter=1000, **keywords).coef
        for factor in (1.0 - 1e-6, 1.0 + 1e-3)
    )
    assert not below.any()
    assert above.any()


def test_a_grid_of_ones_own_ends_at_the_fit_that_stands_alone():
    X, labels, y, _ = data()
    seen = []
    path = logistic_path(X, labels, Cs=[3.0, 0.1], tol=1e-10, on_fit=lambda *told: seen.append(told))
    alone = fit(X, y, C=3.0, l1_ratio=1.0, tol=1e-10)
    assert path.Cs.tolist() == [0.1, 3.0]
    assert seen == [(i, C, n) for i, (C, n) in enumerate(zip(path.Cs, path.nonzeros, strict=True))]
    np.testing.assert_allclose(path.coef(1), alone.coef, atol=1e-5)


def test_a_loose_path_goes_in_no_stairs():
    X, labels, _, _ = data()
    path = logistic_path(X, labels, n_Cs=50, C_min_ratio=0.1, tol=0.1)
    coefs = path.coefs.toarray()
    assert np.all(np.abs(np.diff(coefs[1:], axis=0)).max(axis=1) > 0.0)


def test_no_column_says_anything():
    path = logistic_path(np.zeros((6, 3)), [0, 1, 0, 1, 1, 0], n_Cs=3)
    assert path.converged.all()
    assert not path.coefs.toarray().any()


def test_plot_has_a_curve_for_every_feature_that_enters():
    pytest.importorskip("matplotlib").use("Agg")
    X, labels, _, _ = data()
    path = logistic_path(X, labels, n_Cs=10, C_min_ratio=0.1)
    figure = plot_path(path, names=[f"gene {j}" for j in range(X.shape[1])])
    axes = figure.axes[0]
    curves = [line for line in axes.lines if len(line.get_xdata()) == len(path.Cs)]
    assert len(curves) == path.coefs.toarray().any(axis=0).sum()
    assert any(text.get_text().startswith("gene") for text in axes.texts)
    import matplotlib.pyplot as plt

    plt.close(figure)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"l1_ratio": 0.0}, "l1_ratio is 0.0"),
        ({"C_min_ratio": 2.0}, "C_min_ratio 2.0"),
        ({"Cs": [1.0, -1.0]}, "Cs"),
        ({"y": np.zeros(150)}, "one class"),
        ({"y": np.zeros(3)}, "3 labels and X 150 rows"),
        ({"sample_weight": np.ones(3)}, "sample_weight"),
        ({"sample_weight": -np.ones(150)}, "sample_weight"),
    ],
)
def test_bad_input_is_refused_in_a_line(keywords, message):
    X, labels, _, _ = data()
    with pytest.raises(CrossentError, match=message) as error:
        logistic_path(X, **{"y": labels, **keywords})
    assert "\n" not in str(error.value)
