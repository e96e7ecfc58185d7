"""The right C for a training run: cross-validation over a grid that goes on until the best C is not at its edge."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossent.blocks import cores
from crossent.design import Design, as_design
from crossent.errors import CrossentError
from crossent.folds import choose, walk
from crossent.metrics import losses
from crossent.warm import WarmFit

Array = NDArray[Any]

START = tuple(10.0 ** (k / 2) for k in range(-4, 3))  # from 0.01 to 10 most data have their best C
LEAST, MOST = 1e-6, 1e6  # how far the grid goes on for the others
FOLDS = 5
FOLD_TOL = 1e-5  # gap of the folds' fits: their scores move by far less than the folds differ
TIE = 1e-5  # of the log-loss: what fits with that gap cannot tell apart


@dataclass(frozen=True)
class Candidate:
    """A value of C and its mean log-loss over the folds, with the standard error of that mean."""

    C: float
    log_loss: float
    standard_error: float
    folds: tuple[float, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the candidate as plain values."""
        return asdict(self) | {"folds": list(self.folds)}


@dataclass
class Tuning:
    """A search for C over the encoded training rows.

    The encoder has seen all of them, validation rows included (without their labels): that is what lets the folds
    share one X.

    Parameters
    ----------
    X : array or sparse matrix of shape (n, d)
    y : class codes of shape (n,)
    weights : array of shape (n,), or None
    classes : list
    Cs : values of C to try, or None for a grid that extends itself
    selection, l1_ratio, tol, max_iter, seed, n_jobs : as in :func:`crossent.train`
    tell : callable
        Called with every ``Candidate`` when its folds are done.

    Attributes
    ----------
    candidates : list of Candidate
        In the order in which they were tried.
    starts : dict
        For each C tried, weights and intercept to start the fit of all rows from.
    """

    X: Any
    y: Array
    weights: Array | None
    classes: Sequence[Any]
    Cs: Sequence[float] | None
    selection: str
    l1_ratio: float
    tol: float
    max_iter: int
    seed: int
    n_jobs: int | None
    tell: Callable[[Candidate], Any]
    starts: dict[float, tuple[Array, Array]] = field(default_factory=dict)
    candidates: list[Candidate] = field(default_factory=list)

    @cached_property
    def design(self) -> Design:
        """X as the fits read it."""
        return as_design(self.X, n_jobs=self.n_jobs)

    def run(self) -> None:
        """Try the grid, in increasing order; then go on where the C to take is at an edge."""
        folds = self._folds()
        self._try(folds, self._upward())
        while self.Cs is None and (lower := self._ordered()[0].C) == self.chosen().C and lower > LEAST:
            self._try(folds, iter([_beside(lower, -1)]))

    def chosen(self) -> Candidate:
        """Return the candidate with the least log-loss, or the smallest C within one standard error of it.

        The smallest C too of those that tie with the least: a larger one would only be harder to fit.
        """
        if self.selection == "best":
            return self._best()
        ordered = self._ordered()
        scores = -np.array([candidate.folds for candidate in ordered]).T[:, None, :]
        return ordered[choose(scores, self.selection)[1]]

    def _best(self) -> Candidate:
        ordered = self._ordered()
        limit = (1.0 + TIE) * min(candidate.log_loss for candidate in ordered)
        return next(candidate for candidate in ordered if candidate.log_loss <= limit)

    def curve(self) -> list[dict[str, Any]]:
        """Return all candidates as plain values, by increasing C."""
        return [candidate.as_dict() for candidate in self._ordered()]

    def _ordered(self) -> list[Candidate]:
        return sorted(self.candidates, key=lambda candidate: candidate.C)

    def _upward(self) -> Iterator[float]:
        yield from START if self.Cs is None else sorted(self.Cs)
        while self.Cs is None and (highest := self.candidates[-1].C) == self._best().C and highest < MOST:
            yield _beside(highest, 1)

    def _folds(self) -> list[tuple[Array, Array]]:
        counts = np.bincount(self.y, minlength=len(self.classes))
        if counts.min() < 2:
            raise CrossentError(
                f"class {self.classes[int(counts.argmin())]!r} has {counts.min()} row to train on, too few to choose C "
                "by cross-validation; fix it (C=1.0, or --C 1), or leave the class out"
            )
        from sklearn.model_selection import StratifiedKFold

        folds = StratifiedKFold(min(FOLDS, int(counts.min())), shuffle=True, random_state=self.seed)
        return list(folds.split(self.y, self.y))

    def _try(self, folds: list[tuple[Array, Array]], Cs: Iterator[float]) -> None:
        two = len(self.classes) == 2

        def score(number: int, z: Array, _: Any) -> float:
            test = folds[number][1]
            weights = None if self.weights is None else self.weights[test]
            return -float(np.average(losses(z[test], self.y[test]), weights=weights))

        for tried in walk(
            self.design,
            self.y.astype(np.float64 if two else np.int64),
            np.ones(len(self.y)) if self.weights is None else self.weights,
            len(self.classes),
            folds,
            Cs,
            self.l1_ratio,
            score,
            tol=max(self.tol, FOLD_TOL),
            max_iter=self.max_iter,
            threads=cores(self.n_jobs),
        ):
            of_folds = -np.array(tried.scores)
            error = float(of_folds.std(ddof=1) / np.sqrt(len(of_folds)))
            self.starts[tried.C] = _mean_weights([tried.lead] if tried.lead else tried.fits)
            self.candidates.append(Candidate(tried.C, float(of_folds.mean()), error, tuple(of_folds.tolist())))
            self.tell(self.candidates[-1])


def _beside(C: float, steps: int) -> float:
    """Return the value of the grid so many steps above C."""
    return float(10.0 ** ((round(2.0 * np.log10(C)) + steps) / 2.0))


def _mean_weights(fits: Sequence[WarmFit]) -> tuple[Array, Array]:
    return np.mean([fit.coef for fit in fits], axis=0), np.mean([fit.intercept for fit in fits], axis=0)
