"""A fit that has no finite optimum says so, in part separable or whole; one that has an optimum finds it."""

import numpy as np
import pytest
import scipy.sparse as sp

from crossent.fit import fit

SEPARABLE = "separable"


def told(X, y, K, free, sparse, **options):
    """Fit with a penalty on all columns but the first; return the certificate."""
    factor = np.ones(X.shape[1])
    factor[0] = 0.0 if free else 1.0
    result = fit(
        sp.csr_array(X) if sparse else X,
        y.astype(float) if K == 2 else y,
        n_classes=K,
        penalty_factor=factor,
        **options,
    )
    nothing = options.get("C", 1.0) * len(y) * np.log(K)
    assert result.certificate.objective <= nothing * (1 + 1e-12) or not np.isfinite(nothing)
    return result.certificate


def drawn(seed, K, kind):
    """Draw few rows, the last classes of them set apart by the first column, or nearly so."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(4 * K, 60)), int(rng.integers(2, 30))
    y = np.arange(n) % K
    X = rng.normal(size=(n, d)) * 10 ** rng.uniform(-1, 1)
    X[:, 0] = rng.random(n) + np.where(y >= K - K // 2, 2.0, 0.0)
    if kind == "touching":  # one row on the line between
        X[0, 0], X[K - 1, 0] = 1.5, 1.5
    if kind == "crossing":
        X[0, 0], X[K - 1, 0] = 1.7, 1.3
    if kind == "unweighted":  # they cross, but the row that does has no weight
        X[0, 0] = 5.0
    return X, y


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("K", [2, 4, 5])
@pytest.mark.parametrize("kind", ["apart", "touching", "crossing", "unweighted"])
def test_classes_set_apart_by_a_free_column_are_called_separable(kind, K, l1_ratio, sparse):
    for seed in range(4):
        X, y = drawn(seed, K, kind)
        C = 10.0 ** np.random.default_rng(seed).uniform(-2, 2)
        s = np.ones(len(y))
        s[0] = 0.0 if kind == "unweighted" else 1.0
        given = {"l1_ratio": l1_ratio, "C": C, "sample_weight": s}
        free, held = told(X, y, K, True, sparse, **given), told(X, y, K, False, sparse, **given)
        assert (SEPARABLE in free.outcome) == (kind != "crossing"), (seed, free)
        assert free.converged == (kind == "crossing")
        assert free.converged or free.dual == 0.0  # the infimum is not known
        assert held.converged, (seed, held)


@pytest.mark.parametrize("K", [2, 4])
@pytest.mark.parametrize("good", [False, True])
def test_a_bound_on_one_side_holds_back_only_that_side(good, K):
    for seed in range(6):
        X, y = drawn(seed, K, "apart")
        above = np.full(X.shape[1], np.inf)
        below = -above
        if K == 2:  # the upper class's coefficient wants to grow
            below[0], above[0] = (0.0, np.inf) if good else (-np.inf, 0.0)
        else:  # some class's wants to, whichever side is left
            below[0], above[0] = (-1.0, np.inf) if good else (-1.0, 1.0)
        proof = told(X, y, K, True, False, bounds=(below, above))
        assert (SEPARABLE in proof.outcome) == good, (seed, proof)
        assert proof.converged != good
