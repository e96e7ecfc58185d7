"""What an objective may hold besides rows, labels and strengths: factors of the penalty, bounds, a fixed part of z."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossent.design import Design
from crossent.errors import CrossentError
from crossent.objective import Objective
from crossent.penalty import Penalty

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Terms:
    """Per column of X: the factor of its penalty and the bounds of its coefficients; per row: a fixed part of z.

    Attributes
    ----------
    factor : array of shape (d,), optional
        Multiplies C's penalty of each column; 0 for none. Ones by default.
    lower, upper : arrays of shape (d,), optional
        Of the coefficients of every class; none by default, infinite where there is none.
    offset : array of shape (n,), or (n, K) for K > 2 classes, optional
    """

    factor: Array | None = None
    lower: Array | None = None
    upper: Array | None = None
    offset: Array | None = None


NONE = Terms()


def as_terms(shape: tuple[int, int], n_classes: int, penalty_factor: Any, bounds: Any, offset: Any) -> Terms:
    """Return what was given, checked, for X of that shape; refuse in one line what has no meaning."""
    n, d = shape
    lower, upper = _bounds(bounds, d)
    fixed = None if offset is None else as_offset(offset, n, n_classes)
    return Terms(_factor(penalty_factor, d), lower, upper, fixed)


def as_offset(offset: Any, n: int, n_classes: int) -> Array:
    """Return the fixed part of z, checked."""
    out = _numbers("offset", offset)
    wanted = (n,) if n_classes == 2 else (n, n_classes)
    if out.shape != wanted:
        each = "number" if n_classes == 2 else f"number for each of {n_classes} classes"
        raise CrossentError(f"offset has shape {out.shape}; it must be {wanted}, one {each} a row of X")
    if not np.isfinite(out).all():
        row = int(np.argwhere(~np.isfinite(out))[0, 0])
        raise CrossentError(f"the offset of row {row} is {np.ravel(out[row])[0]:g}; offsets are finite")
    return out


def _factor(penalty_factor: Any, d: int) -> Array | None:
    if penalty_factor is None:
        return None
    out = _numbers("penalty_factor", penalty_factor)
    if out.shape != (d,):
        raise CrossentError(f"penalty_factor has shape {out.shape}; give one factor for each of {d} columns of X")
    wrong = ~((out >= 0.0) & np.isfinite(out))
    if wrong.any():
        j = int(np.argmax(wrong))
        raise CrossentError(f"the penalty factor of column {j} is {out[j]:g}; factors are >= 0 and finite")
    return out


def _bounds(bounds: Any, d: int) -> tuple[Array | None, Array | None]:
    if bounds is None:
        return None, None
    try:
        lower, upper = bounds
    except (TypeError, ValueError):
        raise CrossentError("bounds is not a pair (lower, upper), of numbers or of one number a column of X") from None
    ends = []
    for name, end in (("lower", lower), ("upper", upper)):
        out = _numbers(f"the {name} bound", end)
        if out.ndim > 0 and out.shape != (d,):
            raise CrossentError(
                f"the {name} bound has shape {out.shape}; give a number, or one for each of {d} columns of X"
            )
        missing = np.isnan(out)
        if missing.any():
            where = f" of column {int(np.argmax(missing))}" if out.ndim else ""
            raise CrossentError(f"the {name} bound{where} is nan or None; where there is none, give -inf or inf")
        ends.append(np.array(np.broadcast_to(out, (d,))))
    low, high = ends
    crossed = ~((low <= high) & (low < np.inf) & (high > -np.inf))
    if crossed.any():
        j = int(np.argmax(crossed))
        raise CrossentError(f"the bounds of column {j}, {low[j]:g} and {high[j]:g}, leave no number between them")
    return low, high


def _numbers(what: str, given: Any) -> Array:
    try:
        return np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise CrossentError(f"{what} does not hold numbers only") from None


def penalised_objective(
    design: Design, y: NDArray[Any], s: Array, n_classes: int, C: float, l1_ratio: float, terms: Terms = NONE
) -> Objective:
    """Return F for weights ``s`` of the rows, ``C`` not included; no coefficient is penalised when C is infinite."""

    def per_coefficient(of_columns: Array | None, of_intercept: float) -> Array:
        out = np.full(design.width if n_classes == 2 else (design.width, 1), of_intercept)
        if of_columns is not None:
            out[: design.columns] = of_columns if n_classes == 2 else of_columns[:, None]
        return out

    factor = np.ones(design.columns) if terms.factor is None else terms.factor
    strength = per_coefficient(None if np.isinf(C) else factor, 0.0)
    penalty = Penalty(l1_ratio * strength, (1.0 - l1_ratio) * strength)
    if terms.lower is not None:
        lower, upper = per_coefficient(terms.lower, -np.inf), per_coefficient(terms.upper, np.inf)
        penalty = replace(penalty, lower=lower, upper=upper)
    return Objective(design, y, s if np.isinf(C) else C * s, penalty, n_classes, terms.offset)
