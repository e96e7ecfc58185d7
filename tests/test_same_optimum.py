"""Promise: on real data, solved tightly, the coefficients are scikit-learn's to 1e-5, whatever the storage."""

from __future__ import annotations

import bz2
import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_svmlight_file
from sklearn.linear_model import LogisticRegression

from crossent.fit import fit

DATA = Path(__file__).parents[2] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.exists(), reason="the real data sets are not beside this checkout")


def svmlight(name):
    with (bz2.open if name.endswith(".bz2") else open)(DATA / "sparse" / name, "rb") as stream:
        return load_svmlight_file(stream)


def hockey():
    goals = np.genfromtxt(DATA / "sparse/hockey/goal.csv", delimiter=",", names=True, dtype=None, encoding="utf8")
    return sp.csr_array(sp.load_npz(DATA / "sparse/hockey/player.npz")).astype(float), goals["homegoal"]


def adult():
    import pandas as pd

    table = pd.read_csv(DATA / "table/adult-train.csv", na_values="?")
    target = table.columns[-1]
    y = table.pop(target)
    numbers = table.select_dtypes("number")
    numbers = (numbers - numbers.mean()) / numbers.std()
    levels = pd.get_dummies(table.select_dtypes(exclude="number"), dtype=float)
    return np.c_[numbers.to_numpy(), levels.to_numpy()], (y == y.iloc[0]).to_numpy()


def reference(X, y, C):
    """Solve with scikit-learn as tightly as it goes; its precision is limited by its own line search."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        solver = "newton-cholesky" if X.shape[1] < 3000 and len(np.unique(y)) == 2 else "newton-cg"
        return LogisticRegression(C=C, solver=solver, tol=1e-10, max_iter=1000).fit(X, y)


BINARY = {
    "a9a": lambda: svmlight("a9a.svm"),
    "a9a test": lambda: svmlight("a9a.test.svm"),
    "ijcnn1": lambda: svmlight("ijcnn1.svm.bz2"),
    "hockey": hockey,
    "adult": adult,
}


@pytest.mark.parametrize("name", BINARY)
def test_two_classes(name):
    X, y = BINARY[name]()
    y = (y == y.max()).astype(float)
    theirs = reference(X, y, 1.0)
    for solver in ("cholesky", "newton-cg"):
        ours = fit(X, y, solver=solver, tol=1e-14, max_iter=200)
        assert ours.certificate.gap <= 1e-9 * ours.certificate.objective
        np.testing.assert_allclose(ours.coef, theirs.coef_, atol=1e-5)
        np.testing.assert_allclose(ours.intercept, theirs.intercept_, atol=1e-5)


def test_twenty_classes():
    X, y = svmlight("news20.20classes.svm.bz2")
    rows = np.random.default_rng(0).permutation(X.shape[0])[:1500]  # all of it takes scikit-learn minutes
    X, y = X[rows], np.unique(y[rows], return_inverse=True)[1]
    theirs = reference(X, y, 0.01)
    ours = fit(X, y, n_classes=20, C=0.01, tol=1e-12, max_iter=200)
    np.testing.assert_allclose(ours.coef, theirs.coef_, atol=1e-5)
    np.testing.assert_allclose(ours.intercept, theirs.intercept_ - theirs.intercept_.mean(), atol=1e-5)
