"""Promise: fits abreast are the fits alone: the same products, whoever asks at the same time; and none hangs when one
fails.
"""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from crossent.design import as_design
from crossent.fit import fit
from crossent.folds import walk
from crossent.lanes import Abreast


def matrix(n, d, storage):
    X = sp.random_array((n, d), density=0.2, rng=np.random.default_rng(0), format="csr")
    return X if storage == "sparse" else X.toarray()


@pytest.mark.parametrize("storage", ["sparse", "dense"])
@pytest.mark.parametrize("shape", [(50, 40), (30, 300), (300, 30)])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_products_are_those_of_x(storage, shape, n_classes):
    X, rng = matrix(*shape, storage), np.random.default_rng(1)
    design = as_design(X, intercept=True)
    abreast = Abreast(design, 5, n_classes)
    K = () if n_classes == 2 else (n_classes,)
    V, R = rng.normal(size=(5, design.width, *K)), rng.normal(size=(5, design.n, *K))

    def ask(lane):
        own = abreast.designs[lane]
        found = own.dot(V[lane]), own.tdot(R[lane])
        if lane == 3:  # this one asks for something else than the others, and for longer
            return (*found, own.squares(R[lane]), *own.sandwich(V[lane], lambda rows, t: None))
        return found

    for lane, found in enumerate(abreast.run([lambda lane=lane: ask(lane) for lane in range(5)])):
        np.testing.assert_allclose(found[0], design.dot(V[lane]), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(found[1], design.tdot(R[lane]), rtol=1e-12, atol=1e-12)
        if lane == 3:
            np.testing.assert_allclose(found[2], design.squares(R[lane]), rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(found[3], design.tdot(design.dot(V[lane])), rtol=1e-10, atol=1e-12)
    together = abreast.run([lambda lane=lane: ask(lane) for lane in range(5)])[2]
    alone = abreast.run([lambda: ask(2)])[0]
    assert all((a == b).all() for a, b in zip(together, alone, strict=True))


def test_one_that_fails_stops_the_others():
    X = matrix(50, 40, "sparse")
    abreast = Abreast(as_design(X), 3, 2)

    def ask(lane):
        abreast.designs[lane].dot(np.ones(41))
        if lane == 1:
            raise ValueError("this one")
        return abreast.designs[lane].tdot(np.ones(50)).sum()

    with pytest.raises(ValueError, match="this one"):
        abreast.run([lambda lane=lane: ask(lane) for lane in range(3)])


@pytest.mark.parametrize("storage", ["sparse", "dense"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_folds_abreast_are_the_fits_of_their_rows(storage, n_classes):
    """On a matrix large and wide enough that the folds read it together; the same bits on any number of threads."""
    X, rng = matrix(400, 5000, storage), np.random.default_rng(2)
    y = np.digitize(X @ rng.normal(size=5000), [0.0] if n_classes == 2 else [-4.0, 4.0])
    folds = [(np.flatnonzero(np.arange(400) % 4 != k), np.flatnonzero(np.arange(400) % 4 == k)) for k in range(4)]
    labels = y.astype(np.float64 if n_classes == 2 else np.int64)
    Cs = [0.01, 0.1, 10.0]
    found = []
    for threads in (1, 2):
        score = lambda number, z, done: float(z[folds[number][1]].sum())  # noqa: E731
        tries = walk(as_design(X), labels, np.ones(400), n_classes, folds, Cs, 0.0, score, tol=1e-10, threads=threads)
        found.append(list(tries))
    for one, two in zip(*found, strict=True):
        assert one.scores == two.scores
        for (train, _), done, same in zip(folds, one.fits, two.fits, strict=True):
            assert (done.coef == same.coef).all()
            assert done.gap <= 1e-10
            alone = fit(X[train], y[train], n_classes=n_classes, C=one.C, tol=1e-10)
            np.testing.assert_allclose(done.coef, alone.coef, atol=1e-3)
