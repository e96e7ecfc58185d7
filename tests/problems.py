"""The problem set that every solver and every storage must handle, and random problems like it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp


@dataclass(frozen=True)
class Problem:
    """One fit: data, and the keywords of ``crossent.fit.fit`` that go with it."""

    name: str
    X: Any
    y: Any
    keywords: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return self.name


def labels(rng: np.random.Generator, z: np.ndarray) -> np.ndarray:
    """Draw labels in {0, 1} for margins (n,), or codes for margins (n, K)."""
    if z.ndim == 1:
        return (rng.logistic(size=len(z)) < z).astype(float)
    return (z + rng.gumbel(size=z.shape)).argmax(axis=1)


def problem_set() -> list[Problem]:
    """Return the fixed set: shapes and traps that real data hold."""
    rng = np.random.default_rng(20)
    X = rng.normal(size=(120, 6))
    w = rng.normal(size=6)
    y = labels(rng, X @ w + 0.5)
    wide = rng.normal(size=(30, 80))
    sparse = rng.normal(size=(300, 40)) * (rng.random((300, 40)) < 0.1)
    sparse[::7] = 0.0
    ysparse = labels(rng, sparse.sum(axis=1))
    W = rng.normal(size=(6, 4))
    y4 = labels(rng, X @ W)
    counts = rng.poisson(2.0, size=(200, 5))
    weights = rng.integers(0, 4, size=120).astype(float)
    return [
        Problem("plain", X, y),
        Problem("no intercept", X, y, {"fit_intercept": False}),
        Problem("weak penalty", X, y, {"C": 1e3}),
        Problem("strong penalty", X, y, {"C": 1e-3}),
        Problem("unpenalised", X, y, {"C": np.inf}),
        Problem("separable", X, (X[:, 0] > 0).astype(float)),
        Problem("wide", wide, labels(rng, wide[:, 0])),
        Problem("duplicate and constant columns", np.c_[X, X[:, :2], np.ones(120), np.zeros(120)], y),
        Problem("zero weights", X, y, {"sample_weight": weights}),
        Problem("bad scales", X * 10.0 ** np.arange(-6, 6, 2), y),
        Problem("far from zero", X + 100.0, y),
        Problem("huge margins", np.where(X > 0, 1e4, -1e4) * np.array([1, 0, 0, 0, 0, 0]) + X, y),
        Problem("float32", X.astype(np.float32), y),
        Problem("counts", counts, labels(rng, counts[:, 0] - 2.0)),
        Problem("booleans", X > 0, y),
        Problem("empty rows", sparse, ysparse),
        Problem("fractional labels", X, np.round(rng.random(120), 2)),
        Problem("imbalanced", X, (np.arange(120) < 3).astype(float)),
        Problem("four classes", X, y4, {"n_classes": 4}),
        Problem("four classes, no intercept", X, y4, {"n_classes": 4, "fit_intercept": False}),
        Problem("four classes, weights", X, y4, {"n_classes": 4, "sample_weight": weights, "C": 10.0}),
        Problem("four classes, far from zero", X + 30.0, y4, {"n_classes": 4}),
        Problem("one class hardly there", X, np.where(np.arange(120) == 5, 2, y).astype(int), {"n_classes": 3}),
    ]


def random_problem(seed: int) -> Problem:
    """Return a small random problem: any shape, scale, weights, penalty and number of classes."""
    rng = np.random.default_rng(seed)
    n, d, K = int(rng.integers(5, 60)), int(rng.integers(1, 9)), int(rng.choice([2, 2, 3, 5]))
    X = rng.normal(size=(n, d)) * 10.0 ** rng.uniform(-2, 2, size=d) + rng.choice([0.0, 5.0]) * rng.normal(size=d)
    if rng.random() < 0.3:
        X *= rng.random((n, d)) < 0.5
    z = rng.normal(size=(n, K)) * rng.choice([0.1, 1.0, 5.0]) + X[:, :1]
    y = labels(rng, z[:, 0] if K == 2 else z)
    y[:K] = np.arange(K)  # every class is there
    keywords: dict[str, Any] = {
        "n_classes": K,
        "C": 10.0 ** rng.uniform(-3, 3),
        "fit_intercept": bool(rng.random() < 0.7),
    }
    if rng.random() < 0.4:
        keywords["sample_weight"] = rng.choice([0.0, 0.5, 1.0, 7.0], size=n) + (np.arange(n) < K)
    return Problem(f"random {seed}", sp.csr_array(X) if rng.random() < 0.3 else X, y, keywords)


STORAGES = {
    "C order": np.ascontiguousarray,
    "Fortran order": np.asfortranarray,
    "CSR": lambda X: sp.csr_array(np.asarray(X, dtype=X.dtype if X.dtype.kind == "f" else float)),
    "CSC": lambda X: sp.csc_array(np.asarray(X, dtype=X.dtype if X.dtype.kind == "f" else float)),
    "CSR, 64-bit indices": lambda X: _wide_indices(sp.csr_array(np.asarray(X, dtype=float))),
}


def _wide_indices(X: Any) -> Any:
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X
