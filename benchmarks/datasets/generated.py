"""Generated sets of stated shape, by a fixed seed: they are there on every machine."""

import numpy as np
from scipy import sparse


def _labels(rng: np.random.Generator, z: np.ndarray) -> np.ndarray:
    return (rng.random(len(z)) < 1 / (1 + np.exp(-z))).astype(int)


def _dense_million() -> dict:
    """1,000,000 x 30, correlated columns, a well-posed unpenalised fit."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1_000_000, 30))
    X += 0.5 * rng.standard_normal((1_000_000, 1))
    return {"X": X, "y": _labels(rng, X @ (rng.standard_normal(30) / 6) - 0.5)}


def _pixels() -> dict:
    """60,000 x 784, values in [0, 1]: forty smooth patterns of falling strength plus noise, blank margins."""
    rng = np.random.default_rng(1)
    row, column = np.mgrid[0:28, 0:28] / 27
    patterns = np.stack(
        [
            np.cos(np.pi * rng.integers(0, 8) * row + rng.uniform(0, 6)) * np.cos(np.pi * rng.integers(0, 8) * column)
            for _ in range(40)
        ]
    ).reshape(40, 784)
    envelope = np.exp(-(((row - 0.5) ** 2 + (column - 0.5) ** 2) / 0.06)).reshape(784)
    strengths = rng.standard_normal((60_000, 40)) / np.arange(1, 41)
    X = np.clip(envelope * (0.4 + strengths @ patterns + 0.03 * rng.standard_normal((60_000, 784))), 0, 1)
    X[X < 0.02] = 0.0
    return {"X": X, "y": _labels(rng, 3 * strengths[:, 0] + 2 * strengths[:, 1] - 12 * strengths[:, 20])}


def _genes() -> dict:
    """38 x 3,051, standardised, blocks of correlated columns: the shape of a gene-expression study."""
    rng = np.random.default_rng(2)
    factors = rng.standard_normal((38, 30))
    loading = rng.standard_normal((30, 3051)) * (rng.random((30, 3051)) < 0.1)
    X = factors @ loading + rng.standard_normal((38, 3051))
    y = np.zeros(38, int)
    y[np.argsort(factors[:, 0] + 0.5 * rng.standard_normal(38))[-11:]] = 1
    return {"X": (X - X.mean(0)) / X.std(0), "y": y}


def _small() -> dict:
    """500 x 20."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((500, 20))
    return {"X": X, "y": _labels(rng, X @ rng.standard_normal(20))}


def _zipf() -> dict:
    """20,000 x 40,000, rows of unit norm, columns drawn by Zipf's law, as words are."""
    rng = np.random.default_rng(4)
    lengths = rng.poisson(80, 20_000) + 5
    columns = np.minimum(rng.zipf(1.25, lengths.sum()) - 1, 39_999)
    rows = np.repeat(np.arange(20_000), lengths)
    X = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(20_000, 40_000))
    X.sum_duplicates()
    X = sparse.diags_array(1 / np.sqrt(X.multiply(X).sum(axis=1).A1)) @ X
    z = X @ (8 * rng.standard_normal(40_000))
    return {"X": sparse.csr_matrix(X), "y": _labels(rng, z)}


SETS = {
    "dense-million": _dense_million,
    "pixels": _pixels,
    "genes": _genes,
    "small": _small,
    "zipf": _zipf,
}
