"""Cross-validation of the penalty: every fold fitted for a grid of penalties, and scored on the rows held out.

The folds share one X: a fold is a vector of row weights, zero on the rows that are held out, so nothing is copied and
the held-out margins come with the fit. Folds run side by side on the cores; each walks the grid from small to large C,
every fit starting from the one before and following the fit of all rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossent.blocks import quiet_blas, run
from crossent.design import Design
from crossent.errors import CrossentError
from crossent.warm import WarmFit, warm_fits

Array = NDArray[np.float64]
Score = Callable[[int, Array, WarmFit], float]


@dataclass(frozen=True)
class Grid:
    """What cross-validation found.

    Attributes
    ----------
    scores : array of shape (n_folds, n_l1_ratios, n_Cs)
    coefs : array of shape (n_folds, n_l1_ratios, n_Cs, 1 or K, d + 1)
        The intercept last; without it when none is fitted.
    n_iter : int array of shape (n_folds, n_l1_ratios, n_Cs)
    gaps : array of shape (n_folds, n_l1_ratios, n_Cs)
        Certified relative gaps.
    converged : bool array of shape (n_folds, n_l1_ratios, n_Cs)
    """

    scores: Array
    coefs: Array
    n_iter: NDArray[np.int32]
    gaps: Array
    converged: NDArray[np.bool_]


def cross_validate(
    design: Design,
    y: NDArray[Any],
    s: Array,
    n_classes: int,
    folds: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]],
    Cs: Array,
    l1_ratios: Array,
    score: Score,
    *,
    tol: float = 1e-6,
    max_iter: int = 100,
    solver: str = "auto",
    threads: int = 1,
) -> Grid:
    """Fit every fold for every penalty, and score it on the rows held out.

    Parameters
    ----------
    design : Design
        Of all rows. Its threads are this function's to set: all for the fit of all rows, then one for each fold.
    y : array of shape (n,)
        Labels in [0, 1] for two classes; class codes as int64 for more.
    s : array of shape (n,)
        Weights of the rows.
    folds : pairs of row indices, (train, test)
    Cs : increasing array
    l1_ratios : array
    score : callable
        Given the fold's number, the margins of all rows and the ``WarmFit``, return the score; greater is better.
    tol, max_iter, solver
        As in ``crossent.fit``, for each fit.
    threads : int

    Returns
    -------
    Grid
    """
    for number, (train, _) in enumerate(folds):
        _check_fold(number, y, s * np.bincount(train, minlength=design.n), n_classes)

    def fits(weights: Array, l1_ratio: float, lead: Sequence[WarmFit] = ()) -> Iterator[WarmFit]:
        return warm_fits(design, y, weights, n_classes, Cs, l1_ratio, tol, max_iter, solver, lead)

    def walk(number: int, l1_ratio: float) -> list[tuple[float, Array, int, float, bool]]:
        weights = s * np.bincount(folds[number][0], minlength=design.n)
        found = []
        for done in fits(weights, l1_ratio, tuple(lead) if l1_ratio == 0.0 else ()):
            coef = np.hstack([done.coef, done.intercept[:, None]]) if design.intercept else done.coef
            found.append((score(number, done.point.z, done), coef, done.n_iter, done.gap, done.converged))
        return found

    tasks = [(number, l1_ratio) for number in range(len(folds)) for l1_ratio in l1_ratios.tolist()]
    with quiet_blas():
        if l1_ratios.any():
            design.scaled_columns(np.empty(0, dtype=np.intp), s)  # transposes X once, before the threads start
        design.threads = threads
        lead = list(fits(s, 0.0)) if 0.0 in l1_ratios else []
        design.threads = 1  # from here on the folds are what runs side by side
        walks = run([lambda task=task: walk(*task) for task in tasks], threads)  # type: ignore[misc]
    shape = (len(folds), len(l1_ratios), len(Cs))
    scores, coefs, n_iter, gaps, converged = zip(*[fold for found in walks for fold in found], strict=True)
    return Grid(
        scores=np.reshape(scores, shape),
        coefs=np.reshape(coefs, (*shape, *coefs[0].shape)),
        n_iter=np.reshape(n_iter, shape).astype(np.int32),
        gaps=np.reshape(gaps, shape),
        converged=np.reshape(converged, shape),
    )


def _check_fold(number: int, y: NDArray[Any], weights: Array, n_classes: int) -> None:
    """Refuse a fold whose training rows lack a class."""
    present = np.bincount(y.astype(np.int64), weights, n_classes) > 0.0
    if not present.all():
        raise CrossentError(
            f"fold {number} has no training row of class {int(np.argmin(present))}; use fewer folds, or stratified ones"
        )


def choose(scores: Array, selection: str) -> tuple[int, int]:
    """Return which l1_ratio and C to take, from scores of shape (n_folds, n_l1_ratios, n_Cs).

    ``'best'`` is the best mean score; ``'1se'`` the smallest C, at that l1_ratio, whose mean is within one standard
    error of the best: the simplest model that the data cannot tell from it (Breiman et al. 1984).
    """
    mean = scores.mean(axis=0)
    # scikit-learn's order of ties: the smallest C first, then the first l1_ratio
    C, ratio = np.unravel_index(np.argmax(mean.T), mean.T.shape)
    if selection == "1se" and len(scores) > 1:
        error = scores[:, ratio, C].std(ddof=1) / np.sqrt(len(scores))
        C = np.flatnonzero(mean[ratio] >= mean[ratio, C] - error)[0]
    return int(ratio), int(C)
