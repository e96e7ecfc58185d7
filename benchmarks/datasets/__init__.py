"""Data sets: built once, kept as plain .npy files in the user's cache folder, found there by every worker.

A data set is a folder of arrays: ``X`` (dense) or ``data``, ``indices``, ``indptr``, ``shape`` (CSR), and ``y``
(integers 0..K-1); or of text files (``train.csv``, ``test.csv``). Nothing is ever written beside the sources.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import sparse

from benchmarks.datasets import bundled, files, generated, texts

VERSION = 1  # raise it when a builder changes
QUICK_ROWS = 4000  # a quick run sees the first rows of a shuffled set

BUILDERS: dict[str, Callable[[], dict]] = {**bundled.SETS, **files.SETS, **generated.SETS, **texts.SETS}


class AbsentError(Exception):
    """The sources of a data set are not on this machine; the row is listed as such."""


def cache_folder() -> Path:
    """``$CROSSENT_BENCH_CACHE``, or ``crossent-bench`` in the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("CROSSENT_BENCH_CACHE") or Path(home) / "crossent-bench")


def folder(name: str, quick: bool = False) -> Path:
    """The folder that holds data set ``name``, built now if it was not there yet."""
    target = cache_folder() / f"{name}-v{VERSION}{'-quick' if quick else ''}"
    if target.exists():
        return target
    try:
        arrays = BUILDERS[name]()
    except FileNotFoundError as error:
        raise AbsentError(f"{Path(str(error.filename)).name} was not found") from None
    except ModuleNotFoundError as error:
        raise AbsentError(str(error)) from None
    target.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(dir=target.parent))
    try:
        write(building, subsample(arrays) if quick else arrays)
        building.rename(target)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return target


def subsample(arrays: dict) -> dict:
    """``QUICK_ROWS`` rows drawn by a fixed seed, and no column that they leave empty."""
    if "train" in arrays:
        return {key: table.sample(min(len(table), QUICK_ROWS // 2), random_state=0) for key, table in arrays.items()}
    X, y = arrays["X"], arrays["y"]
    if len(y) <= QUICK_ROWS or "names" in arrays:
        return arrays
    rows = np.sort(np.random.default_rng(0).choice(len(y), QUICK_ROWS, replace=False))
    X = X[rows]
    if sparse.issparse(X):
        X = X[:, np.flatnonzero(X.getnnz(axis=0))]
    return {"X": X, "y": y[rows]}


def write(path: Path, arrays: dict) -> None:
    """One file an array; sparse matrices as their three arrays; tables of text as CSV."""
    for key, value in arrays.items():
        if sparse.issparse(value):
            csr = value.tocsr()
            csr.sort_indices()
            np.save(path / "data.npy", csr.data.astype(np.float64))
            np.save(path / "indices.npy", csr.indices.astype(np.int32))
            np.save(path / "indptr.npy", csr.indptr.astype(np.int32))
            np.save(path / "shape.npy", np.asarray(csr.shape))
        elif hasattr(value, "to_csv"):
            value.to_csv(path / f"{key}.csv", index=False)
        else:
            kind = {"y": np.int64, "names": np.str_}.get(key, np.float64)
            np.save(path / f"{key}.npy", np.ascontiguousarray(value, dtype=kind))


def read(path: Path) -> tuple[np.ndarray | sparse.csr_matrix, np.ndarray]:
    """X and y of a data set's folder."""
    y = np.load(path / "y.npy")
    if (path / "X.npy").exists():
        return np.load(path / "X.npy"), y
    parts = (np.load(path / f"{part}.npy") for part in ("data", "indices", "indptr"))
    return sparse.csr_matrix(tuple(parts), shape=tuple(np.load(path / "shape.npy"))), y


def describe(path: Path) -> str:
    """``25,000 x 45,321, 3,400,000 non-zeros`` or the size of the text."""
    if (path / "train.csv").exists():
        return ", ".join(f"{part} {(path / f'{part}.csv').stat().st_size / 1e6:.1f} MB" for part in ("train", "test"))
    if (path / "X.npy").exists():
        rows, columns = np.load(path / "X.npy", mmap_mode="r").shape
        return f"{rows:,} x {columns:,} dense"
    rows, columns = np.load(path / "shape.npy")
    return f"{rows:,} x {columns:,}, {len(np.load(path / 'data.npy', mmap_mode='r')):,} non-zeros"
