"""Promise: every storage gives the same products, and the same bits for any number of threads."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from crossent.design import as_design
from crossent.equations import cross_entropy, sigmoid
from crossent.margins import Middle
from problems import STORAGES

SHAPES = [(1, 1), (50, 7), (3000, 90), (40, 3000), (30000, 5)]


def matrix(shape, rng):
    return rng.normal(size=shape) * (rng.random(shape) < 0.3)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("classes", [(), (3,)])
def test_products(storage, intercept, classes):
    rng = np.random.default_rng(1)
    for shape in SHAPES:
        X = matrix(shape, rng)
        full = np.c_[X, np.ones(len(X))] if intercept else X
        design = as_design(STORAGES[storage](X), intercept=intercept)
        v, r = rng.normal(size=(full.shape[1], *classes)), rng.normal(size=(len(X), *classes))
        np.testing.assert_allclose(design.dot(v), full @ v, atol=1e-9)
        np.testing.assert_allclose(design.tdot(r), full.T @ r, atol=1e-9)
        np.testing.assert_allclose(design.squares(r), (full * full).T @ r, atol=1e-9)
        if not classes:
            kept, s = np.empty(len(X)), np.ones(len(X))
            product, _ = design.sandwich(v, Middle(True, r, s, kept))
            np.testing.assert_allclose(product, full.T @ (r * (full @ v)), atol=1e-8)
            np.testing.assert_allclose(kept, full @ v, atol=1e-9)
            y = (r > 0.0).astype(float)
            product, loss = design.sandwich(v, Middle(False, y, s))
            np.testing.assert_allclose(product, full.T @ (sigmoid(full @ v) - y), atol=1e-8)
            assert loss == pytest.approx(cross_entropy(full @ v, y).sum())
        if not classes and shape[1] < 1000:
            h = np.abs(r)
            np.testing.assert_allclose(design.gram(h), full.T @ (h[:, None] * full), atol=1e-8)


@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.uint8, bool])
def test_other_types_are_read_as_they_are(dtype):
    rng = np.random.default_rng(2)
    X = (matrix((500, 40), rng) * 3).astype(dtype)
    v = rng.normal(size=41)
    full = np.c_[X.astype(float), np.ones(500)]
    np.testing.assert_allclose(as_design(X).dot(v), full @ v, atol=1e-9)
    np.testing.assert_allclose(as_design(X).tdot(full @ v), full.T @ (full @ v), rtol=1e-10)


@pytest.mark.parametrize("storage", STORAGES)
def test_same_bits_for_any_number_of_threads(storage):
    rng = np.random.default_rng(3)
    for shape in [(40000, 30), (2000, 20000)]:
        X = STORAGES[storage](matrix(shape, rng) if shape[1] < 1000 else matrix((2000, 2000), rng))
        v, r = rng.normal(size=X.shape[1] + 1), rng.random(X.shape[0])
        one, many = (as_design(X, n_jobs=n) for n in (1, 3))
        assert many.threads == 3
        assert np.array_equal(one.dot(v), many.dot(v))
        assert np.array_equal(one.tdot(r), many.tdot(r))
        assert np.array_equal(one.sandwich(v, Middle(True, r, r))[0], many.sandwich(v, Middle(True, r, r))[0])
        if X.shape[1] < 1000:
            assert np.array_equal(one.gram(r), many.gram(r))


def test_unsorted_and_repeated_entries_are_summed_and_the_users_matrix_is_left_alone():
    import scipy.sparse as sp

    X = sp.csr_array((np.array([1.0, 2.0, 3.0]), np.array([1, 0, 1]), np.array([0, 3])), shape=(1, 2))
    before = X.indices.copy()
    design = as_design(X, intercept=False)
    np.testing.assert_allclose(design.squares(np.ones(1)), [4.0, 16.0])
    assert np.array_equal(X.indices, before)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("format", ["csr", "csc"])
def test_a_matrix_compressed_the_other_way_is_scipys_for_any_number_of_threads(format, dtype):
    rng = np.random.default_rng(0)
    X = sp.random_array((700, 900), density=0.3, rng=rng, dtype=dtype, format=format)
    X.data[rng.random(X.nnz) < 0.1] = 0.0
    X = sp.vstack([X, sp.csr_array((5, 900), dtype=dtype)], format=format)  # the last rows are empty
    for n_jobs in (1, 2):
        design = as_design(X, n_jobs=n_jobs)
        for ours, theirs in [(design.rows, X.tocsr()), (design.by_column, X.tocsc())]:
            theirs.sort_indices()
            for part in ("indptr", "indices", "data"):
                np.testing.assert_array_equal(getattr(ours, part), getattr(theirs, part))
                assert getattr(ours, part).dtype == getattr(theirs, part).dtype
