"""Fits in which some classes have no weight: a resampled or reweighted data set that lost its rare classes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossent.errors import CrossentError
from crossent.fit import Fit, fit
from crossent.terms import as_offset

Array = NDArray[np.float64]

LOG_NEGLIGIBLE = float(np.log(np.finfo(np.float64).eps))


def fit_present(
    X: Any,
    codes: NDArray[np.int64],
    *,
    n_classes: int,
    C: float,
    l1_ratio: float,
    fit_intercept: bool,
    sample_weight: Array | None,
    bounds: Any,
    offset: Any,
    start: tuple[Array, Array] | None,
    on_step: Any,
    **rest: Any,
) -> Fit:
    """Fit as ``fit`` does; a class without weight, whose intercept has no optimum, gets a probability below rounding.

    The other classes, two at least, are fitted among themselves, which is where the optimum tends to. The certificate
    is of that fit. Two of more classes share one penalty between them, |w|^2/4: half that of a fit of two classes.
    """
    problem = {"C": C, "l1_ratio": l1_ratio, "fit_intercept": fit_intercept, "sample_weight": sample_weight, **rest}
    problem |= {"bounds": bounds, "offset": offset}
    weighted = np.ones(n_classes, bool) if sample_weight is None else np.bincount(codes, sample_weight, n_classes) > 0.0
    if weighted.all() or not fit_intercept:
        return fit(X, codes, n_classes=n_classes, start=start, on_step=on_step, **problem)
    present = np.flatnonzero(weighted)
    if bounds is not None:
        raise CrossentError(
            f"class number {int(np.argmin(weighted))} has no row with a positive weight; leave the class out, or bounds"
        )
    if offset is not None:
        among_offset = as_offset(offset, len(codes), n_classes)[:, present]
        problem["offset"] = among_offset[:, 1] - among_offset[:, 0] if len(present) == 2 else among_offset
    if len(present) == 2:  # divide C loss + l1 |w| + (1 - l1)/4 w^2 by its share of a penalty, (1 + l1)/2
        problem["C"], problem["l1_ratio"] = 2.0 * C / (1.0 + l1_ratio), 2.0 * l1_ratio / (1.0 + l1_ratio)

    def expand(coef: Array, intercept: Array) -> tuple[Array, Array]:
        return _of_all_classes(coef, intercept, present, n_classes)

    def listener(progress: Any) -> Any:
        return on_step(replace(progress, coefficients=lambda: expand(*progress.coefficients())))

    among = np.minimum(np.searchsorted(present, codes), len(present) - 1)
    result = fit(X, among, n_classes=len(present), on_step=on_step and listener, **problem)
    return Fit(*expand(result.coef, result.intercept), result.certificate)


def _of_all_classes(coef: Array, intercept: Array, present: NDArray[np.intp], n_classes: int) -> tuple[Array, Array]:
    """Return coefficients of all classes: those of the absent are the others' mean, less a constant.

    The mean of the present classes' margins is below the logarithm of the sum of their exponentials, so no row whatever
    gives an absent class a probability above rounding.
    """
    if len(coef) == 1:
        coef, intercept = np.vstack([-coef, coef]) / 2.0, np.append(-intercept, intercept) / 2.0
    all_coef = np.tile(coef.mean(axis=0), (n_classes, 1))
    all_intercept = np.full(n_classes, intercept.mean() + LOG_NEGLIGIBLE)
    all_coef[present], all_intercept[present] = coef, intercept
    return all_coef, all_intercept
