"""Cross-validation of the penalty: every fold fitted for a grid of penalties, and scored on the rows held out.

The folds share one X: a fold is a vector of row weights, zero on the rows that are held out, so nothing is copied and
the held-out margins come with the fit. All folds go from C to C together, each fit starting from the one before: where
the Hessian is small each borrows that of the fit of all rows, elsewhere they read X together, one lane a fold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from crossent.blocks import quiet_blas, run
from crossent.design import SMALL, Design
from crossent.errors import CrossentError
from crossent.lanes import Abreast
from crossent.terms import NONE, Terms
from crossent.warm import WarmFit, lends, warm_fits

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


class Tried(NamedTuple):
    """One penalty tried: the score of each fold, its fit, and the fit of all rows where one was made."""

    C: float
    scores: list[float]
    fits: list[WarmFit]
    lead: WarmFit | None


def cross_validate(
    design: Design,
    y: NDArray[Any],
    s: Array,
    n_classes: int,
    folds: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]],
    Cs: Array,
    l1_ratios: Array,
    score: Score,
    **settings: Any,
) -> Grid:
    """Fit every fold for every penalty, and score it on the rows held out; see :func:`walk`."""
    shape = (len(l1_ratios), len(Cs), len(folds))
    found = [
        (
            value,
            np.hstack([done.coef, done.intercept[:, None]]) if design.intercept else done.coef,
            done.n_iter,
            done.gap,
            done.converged,
        )
        for l1_ratio in l1_ratios.tolist()
        for tried in walk(design, y, s, n_classes, folds, Cs.tolist(), l1_ratio, score, **settings)
        for value, done in zip(tried.scores, tried.fits, strict=True)
    ]

    def folds_first(values: Sequence[Any]) -> NDArray[Any]:
        return np.moveaxis(np.reshape(values, (*shape, *np.shape(values[0]))), 2, 0)

    scores, coefs, n_iter, gaps, converged = (folds_first(part) for part in zip(*found, strict=True))
    return Grid(scores, coefs, n_iter.astype(np.int32), gaps, converged)


def walk(
    design: Design,
    y: NDArray[Any],
    s: Array,
    n_classes: int,
    folds: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]],
    Cs: Iterable[float],
    l1_ratio: float,
    score: Score,
    *,
    tol: float = 1e-6,
    max_iter: int = 100,
    solver: str = "auto",
    threads: int = 1,
    terms: Terms = NONE,
) -> Iterator[Tried]:
    """Fit every fold for each C in turn, and score it on the rows held out.

    Parameters
    ----------
    design : Design
        Of all rows. Its threads are this function's to set.
    y : array of shape (n,)
        Labels in [0, 1] for two classes; class codes as int64 for more.
    s : array of shape (n,)
        Weights of the rows.
    folds : pairs of row indices, (train, test)
    Cs : iterable of increasing numbers
        Asked for the next one only when the one before has been yielded.
    l1_ratio : float
    score : callable
        Given the fold's number, the margins of all rows and the ``WarmFit``, return the score; greater is better.
    tol, max_iter, solver
        As in ``crossent.fit``, for each fit.
    threads : int
    terms : Terms
        Factors of the penalty, bounds and the offsets of all rows.

    Yields
    ------
    Tried
    """
    weights = [s * np.bincount(train, minlength=design.n) for train, _ in folds]
    for number, of_fold in enumerate(weights):
        _check_fold(number, y, of_fold, n_classes)
    tried: list[float] = []  # the walks below follow this list as it grows
    lead: list[WarmFit] = []

    def fits(design: Design, weights: Array, lead: Sequence[WarmFit] = ()) -> Iterator[WarmFit]:
        return warm_fits(design, y, weights, n_classes, tried, l1_ratio, tol, max_iter, solver, lead, terms)

    leader = fits(design, s) if lends(design, y, s, n_classes, l1_ratio, solver, terms) else None
    abreast = None
    if leader is None and l1_ratio == 0.0 and design.values >= SMALL:
        abreast = Abreast(design, len(folds), n_classes)
    designs = abreast.designs if abreast else [design] * len(folds)
    walks = [fits(own, of_fold, lead) for own, of_fold in zip(designs, weights, strict=True)]

    def next_fit(number: int) -> tuple[float, WarmFit]:
        done = next(walks[number])
        return score(number, done.point.z, done), done

    tasks = [lambda number=number: next_fit(number) for number in range(len(folds))]
    if l1_ratio > 0.0:
        design.scaled_columns(np.empty(0, dtype=np.intp), s)  # transposes X once, before the threads start
    for C in Cs:
        tried.append(C)
        with quiet_blas():
            design.threads = threads
            if leader:
                lead.append(next(leader))
            if abreast:
                done = abreast.run(tasks)
            else:
                design.threads = 1  # the folds are what runs side by side
                done = run(tasks, threads)
        yield Tried(C, [value for value, _ in done], [fit for _, fit in done], lead[-1] if lead else None)


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
