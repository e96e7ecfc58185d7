"""What scikit-learn's parameters may be, and what they mean here."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from inspect import signature
from numbers import Integral, Real
from typing import Any

import numpy as np

from crossent.errors import CrossentError
from crossent.solvers import SOLVERS

HINTS = {  # scikit-learn's solver names, and what they mean here
    "lbfgs": "auto",
    "liblinear": "auto",
    "sag": "auto",
    "saga": "auto",
    "newton-cg": "newton-cg",
    "newton-cholesky": "cholesky",
}
_PENALTIES = ("l1", "l2", "elasticnet", "deprecated")
_SOLVERS = ("auto", *sorted({*SOLVERS, *HINTS}))


def _is_real(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_integer(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool | np.bool_)


def _is_one_of(value: Any, words: tuple[str, ...]) -> bool:
    return isinstance(value, str) and value in words


_ALLOWED: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "penalty": ("'l1', 'l2', 'elasticnet' or None", lambda v: v is None or _is_one_of(v, _PENALTIES)),
    "C": ("a positive number, np.inf for no penalty", lambda v: _is_real(v) and v > 0),
    "l1_ratio": ("a number from 0 to 1", lambda v: v is None or (_is_real(v) and 0 <= v <= 1)),
    "dual": ("True or False", _is_flag),
    "tol": ("a number >= 0", lambda v: _is_real(v) and v >= 0),
    "fit_intercept": ("True or False", _is_flag),
    "intercept_scaling": ("a positive number", lambda v: _is_real(v) and v > 0),
    "class_weight": (
        "a dict, 'balanced' or None",
        lambda v: v is None or isinstance(v, dict) or _is_one_of(v, ("balanced",)),
    ),
    "solver": (f"one of {', '.join(_SOLVERS)}", lambda v: _is_one_of(v, _SOLVERS)),
    "max_iter": ("an integer >= 0", lambda v: _is_integer(v) and v >= 0),
    "verbose": ("an integer >= 0", lambda v: _is_flag(v) or (_is_integer(v) and v >= 0)),
    "warm_start": ("True or False", _is_flag),
    "n_jobs": ("an integer or None", lambda v: v is None or _is_integer(v)),
    "refit": ("True or False", _is_flag),
    "keep_names": ("True or False", _is_flag),
    "use_legacy_attributes": ("True or False", _is_flag),
    "selection": ("'best' or '1se'", lambda v: _is_one_of(v, ("best", "1se"))),
}


@cache
def _names(kind: Callable[..., Any]) -> list[str]:
    """Return the parameters of a class: those of its constructor. Reading a signature takes as long as a small fit."""
    return list(signature(kind).parameters)


def check_parameters(estimator: Any) -> None:
    """Refuse, in one line, a parameter of an estimator that has no meaning."""
    for name in _names(estimator.__class__):
        value = getattr(estimator, name)
        allowed, holds = _ALLOWED.get(name, ("anything", lambda _: True))
        if not holds(value):
            raise CrossentError(f"{name} is {value!r}; it must be {allowed}")


def strengths(estimator: Any) -> tuple[float, float]:
    """Return C and l1_ratio, once the deprecated ``penalty`` has had its say."""
    penalty, C, l1_ratio = estimator.penalty, estimator.C, estimator.l1_ratio
    if penalty == "deprecated":
        if l1_ratio is None:
            warnings.warn("'l1_ratio=None' was deprecated in scikit-learn 1.8; use l1_ratio=0", FutureWarning, 3)
        return C, l1_ratio or 0.0
    warnings.warn(
        "'penalty' was deprecated in scikit-learn 1.8; use l1_ratio (0 for 'l2', 1 for 'l1') or C=np.inf (for None)",
        FutureWarning,
        3,
    )
    if penalty == "elasticnet":
        if l1_ratio is None:
            raise CrossentError("penalty is 'elasticnet' and l1_ratio None; give l1_ratio, from 0 to 1")
        return C, l1_ratio
    if l1_ratio is not None and 0 < l1_ratio < 1:
        warnings.warn(
            f"l1_ratio parameter is only used when penalty is 'elasticnet'. Got (penalty={penalty})", UserWarning, 3
        )
    elif penalty is not None and l1_ratio != (penalty == "l1"):
        warnings.warn(
            f"Inconsistent values: penalty={penalty} with l1_ratio={l1_ratio}; penalty is used", UserWarning, 3
        )
    if penalty is None and C != 1.0:
        warnings.warn("Setting penalty=None will ignore the C and l1_ratio parameters", UserWarning, 3)
    return (np.inf if penalty is None else C), float(penalty == "l1")


def method(solver: str, C: float, l1_ratio: float, bounded: bool) -> str:
    """Return the name of our method for the one that was asked for."""
    if solver in HINTS and (bounded or (l1_ratio > 0.0 and not np.isinf(C))):
        return "auto"
    return HINTS.get(solver, solver)
