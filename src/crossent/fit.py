"""The functional core: choose a method, run it, certify the result."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crossent.blocks import quiet_blas
from crossent.certificate import Certificate, DualBound, Outcome
from crossent.design import as_design
from crossent.errors import CrossentError
from crossent.line import ROUNDING, take_step
from crossent.objective import Objective, Point
from crossent.solvers import SOLVERS, Solver, choose
from crossent.terms import as_terms, penalised_objective
from crossent.watch import Watch

Array = NDArray[np.float64]

SAMPLE_TOL = 1e-3  # nearer, the sample's optimum is no nearer to that of all rows
SAMPLE_STEPS = 10


@dataclass(frozen=True)
class Progress:
    """What a step reports: its number, the objective, the relative gap (infinite while unknown), seconds so far.

    ``coefficients()`` returns coef and intercept at this point, shaped as in ``Fit``.
    """

    n_iter: int
    objective: float
    relative_gap: float
    seconds: float
    coefficients: Callable[[], tuple[Array, Array]]


Listener = Callable[[Progress], Any]


@dataclass(frozen=True)
class Fit:
    """The result of a fit.

    Attributes
    ----------
    coef : array of shape (1, d), or (K, d) for K > 2 classes
    intercept : array of shape (1,) or (K,)
    certificate : Certificate
    """

    coef: Array
    intercept: Array
    certificate: Certificate


def fit(
    X: Any,
    y: ArrayLike,
    *,
    n_classes: int = 2,
    C: float = 1.0,
    l1_ratio: float = 0.0,
    fit_intercept: bool = True,
    sample_weight: ArrayLike | None = None,
    penalty_factor: ArrayLike | None = None,
    bounds: tuple[ArrayLike, ArrayLike] | None = None,
    offset: ArrayLike | None = None,
    tol: float = 1e-6,
    max_iter: int = 100,
    solver: str = "auto",
    start: tuple[ArrayLike, ArrayLike] | None = None,
    n_jobs: int | None = None,
    on_step: Listener | None = None,
    dtype: Any = np.float64,
) -> Fit:
    """Minimise C sum_i s_i loss_i + l1_ratio |w|_1 + (1 - l1_ratio)/2 |w|^2 until the certified relative gap is tol.

    Parameters
    ----------
    X : array or sparse matrix of shape (n, d)
        Any numeric dtype, C or Fortran order; CSR or CSC. Never copied whole, but for one transpose of a sparse one.
    y : array of shape (n,)
        Labels in [0, 1] for two classes; class codes 0..K-1 for K > 2.
    n_classes : int
    C : float
        Inverse strength of the penalty; infinite for none.
    l1_ratio : float in [0, 1]
    fit_intercept : bool
        The intercept is never penalised.
    sample_weight : array of shape (n,), optional
    penalty_factor : array of shape (d,), optional
        Multiplies the penalty of each column of X, L1 and L2 alike; 0 leaves a column without one. Ones by default.
    bounds : (lower, upper), optional
        Of the coefficients, of every class: numbers, or arrays of shape (d,), and not a pair for each column;
        infinite where there is none. Obeyed exactly. The intercept has none.
    offset : array of shape (n,), or (n, K) for K > 2 classes, optional
        A fixed part of z: z = X w + b + offset.
    tol : float
        Relative duality gap to certify, F(w) - F* <= tol F(w).
    max_iter : int
        Newton steps at most.
    solver : 'auto' or a name in ``crossent.solvers.SOLVERS``
    start : (coef, intercept), optional
        A warm start, shaped as in ``Fit``.
    n_jobs : int, optional
        Threads; all cores by default. Results are the same bits for any number.
    on_step : callable, optional
        Called with a ``Progress`` at every step, which are then taken one by one, so that last digits may differ; ends
        the fit there when it returns something true. A KeyboardInterrupt, also in it, ends the fit with the best
        weights.
    dtype : float64 or float32
        Type of the coefficients. The certificate is of the rounded ones.

    Returns
    -------
    Fit
    """
    began = time.perf_counter()
    design = as_design(X, intercept=fit_intercept, n_jobs=n_jobs)
    labels: NDArray[Any] = np.ascontiguousarray(y, dtype=np.float64 if n_classes == 2 else np.int64)
    s = np.ones(design.n) if sample_weight is None else np.array(sample_weight, dtype=np.float64)
    terms = as_terms((design.n, design.columns), n_classes, penalty_factor, bounds, offset)
    objective = penalised_objective(design, labels, s, n_classes, C, l1_ratio, terms)
    with quiet_blas():
        bound = DualBound(objective)
        _check_classes(bound)
        name = choose(objective, solver)
        with np.errstate(over="ignore", invalid="ignore"):  # told by the outcome
            start_at = _first(start, objective)
            if start is None and name == "cholesky" and max_iter > 0:
                start_at, interrupted = _optimum_of_sample(objective, start_at)
                max_iter, on_step = (0, _interrupt) if interrupted else (max_iter, on_step)
            point, certificate = minimise(bound, SOLVERS[name](), start_at, tol, max_iter, on_step)
        certificate = replace(certificate, seconds=time.perf_counter() - began)
        result = Fit(*_as_fitted(point.w, objective), certificate)
        return result if dtype == np.float64 else _rounded(result, objective, dtype)


def _optimum_of_sample(objective: Objective, w: Array) -> tuple[Array, bool]:
    """Return where a sample of many rows has its optimum, as exactly as its rows can tell; w where it has none.

    And whether the user interrupted it there.
    """
    if objective.sample is None:
        return w, False
    _, part = objective.sample
    point, proof = minimise(DualBound(part), SOLVERS["cholesky"](), w, SAMPLE_TOL, SAMPLE_STEPS)
    objective.passes += part.passes * part.design.values / objective.design.values
    interrupted = proof.outcome == Outcome.INTERRUPTED.value
    return point.w if proof.converged or interrupted else w, interrupted


def _start_at(objective: Objective, w: Array) -> Point:
    """Return the point at w; of zero weights, whose margins take no pass, with the intercept at its best."""
    cheap = objective.tries_whole_steps or w[: objective.design.columns].any()
    return objective.at(w, None if cheap else objective.margins_at(w))


def _interrupt(_: Progress) -> bool:
    raise KeyboardInterrupt


def _rounded(fitted: Fit, objective: Objective, dtype: Any) -> Fit:
    """Return the fit with coefficients of fewer bits, and what is proved of those: one pass."""
    intercept, proof = fitted.intercept.astype(dtype), fitted.certificate
    coef = _rounded_within(fitted.coef, objective, dtype)
    point = objective.at(_coefficients((coef, intercept), objective))
    if not np.isfinite(proof.objective):
        return Fit(coef, intercept, proof)
    gap = max(proof.gap, point.value - proof.dual + ROUNDING * point.value)
    proof = replace(
        proof,
        objective=point.value,
        dual=point.value - gap,
        gap=gap,
        relative_gap=gap / point.value if point.value > 0.0 else gap,
        gradient_norm=float(np.linalg.norm(point.gradient)),
        passes=objective.passes,
    )
    if proof.converged and gap > proof.tol * point.value:
        proof = replace(proof, outcome=Outcome.STALLED.value, converged=False)
    return Fit(coef, intercept, proof)


def _rounded_within(coef: Array, objective: Objective, dtype: Any) -> NDArray[Any]:
    """Return the coefficients rounded to a type of fewer bits, none of them beyond a bound."""
    penalty, columns = objective.penalty, objective.design.columns
    low, high = (end[:columns].reshape(-1) for end in (penalty.low, penalty.high))
    out = coef.astype(dtype)
    out = np.where(out < low, np.nextafter(out, dtype(np.inf)), out)
    return np.where(out > high, np.nextafter(out, dtype(-np.inf)), out)


def _check_classes(bound: DualBound) -> None:
    """Refuse a class without weight: its unpenalised intercept would have no finite optimum."""
    sums, total = bound.label_sums, bound.objective.total
    if bound.objective.design.intercept and (sums.min() <= 0.0 or sums.max() >= total):
        missing = "one of the two classes" if len(sums) == 1 else f"class {int(sums.argmin())}"
        raise CrossentError(f"{missing} has no row with a positive weight; leave the class out, or the intercept")


def minimise(
    bound: DualBound,
    solver: Solver,
    start: Array | Point,
    tol: float,
    max_iter: int,
    on_step: Listener | None = None,
) -> tuple[Point, Certificate]:
    """Step until the gap is certified, or say why not. The one loop of all methods.

    ``start`` are coefficients, or a point of the objective: that saves a pass. Where nobody listens, and the gap is
    seen at a glance to be too large, it is not computed.
    """
    began = time.perf_counter()
    objective = bound.objective
    watch = Watch(objective, tol, max_iter)
    known = start if isinstance(start, Point) else Point(start, np.empty(0), np.nan, start, start)
    point, gap, outcome = known, np.inf, None
    try:
        if not isinstance(start, Point):
            point = _start_at(objective, start)
        while outcome is None:
            limit, target, step = max_iter - watch.n_iter, tol * point.value, None
            unwatched = on_step is None and limit > 0 and watch.since_best == 0
            gap = np.inf if unwatched and bound.is_above(point, target) else bound.gap(point)
            if gap > target and limit > 0:
                step = solver.direction(objective, point, target, limit if on_step is None else 1)
                if step.dual is not None:
                    bound.observe(step.dual)
                if bound.needs_newton or step.dual is not None:
                    gap = bound.gap(point, step)
            seconds = time.perf_counter() - began
            stop = on_step is not None and on_step(_progress(watch.n_iter, objective, point, gap, seconds))
            stopped = stop and gap > target
            outcome = Outcome.STOPPED if stopped else watch.verdict(point, gap, step, bound.endless)
            if step is not None and outcome in {None, Outcome.CONVERGED}:
                moved = take_step(objective, point, step)
                if not np.isfinite(moved.value):
                    outcome = outcome or Outcome.OVERFLOW
                    continue
                point = moved
                if outcome is Outcome.CONVERGED:  # the step was paid for by the certificate; it squares the error
                    watch.n_iter += step.steps
                    gap = min(gap, bound.gap(point))
    except KeyboardInterrupt:
        outcome = Outcome.INTERRUPTED
    if not gap < np.inf:
        gap = np.inf if point is known else bound.gap(point)
    if outcome is Outcome.SEPARABLE:  # no dual value is proved, but zero
        gap = point.value
    certificate = Certificate(
        objective=point.value,
        dual=point.value - gap,
        gap=gap,
        relative_gap=gap / point.value if point.value > 0.0 else gap,
        tol=tol,
        gradient_norm=float(np.linalg.norm(point.gradient)),
        passes=objective.passes,
        seconds=time.perf_counter() - began,
        n_iter=watch.n_iter,
        solver=solver.name,
        outcome=outcome.value,
        converged=outcome is Outcome.CONVERGED,
    )
    return point, certificate


def _progress(n_iter: int, objective: Objective, point: Point, gap: float, seconds: float) -> Progress:
    relative = gap / point.value if point.value > 0.0 else gap
    return Progress(n_iter, point.value, relative, seconds, lambda: _as_fitted(point.w, objective))


def _first(start: tuple[ArrayLike, ArrayLike] | None, objective: Objective) -> Array:
    """Return the coefficients to start from; zero where a given start is worse: from far off, no step may be good."""
    zero = objective.penalty.within(objective.origin())
    if start is None:
        return zero
    w = _coefficients(start, objective)
    return w if objective.value_at(w) <= objective.value_at(zero) else zero


def _coefficients(given: tuple[ArrayLike, ArrayLike], objective: Objective) -> Array:
    """Return (coef, intercept) in the objective's shape, within its bounds."""
    w = np.zeros(objective.shape)
    coef, intercept = (np.asarray(part, dtype=np.float64) for part in given)
    w[: objective.design.columns] = coef[0] if w.ndim == 1 else coef.T
    if objective.design.intercept:
        w[-1] = intercept[0] if w.ndim == 1 else intercept
    return objective.penalty.within(w)


def _as_fitted(w: Array, objective: Objective) -> tuple[Array, Array]:
    """Return coef of shape (1 or K, d) and intercept of shape (1 or K,); of unpenalised classes, the sum is zero."""
    if w.ndim == 2:
        w = np.where(objective.penalty.free, w - w.mean(axis=1, keepdims=True), w)
    rows = w.T if w.ndim == 2 else w[None, :]
    columns = objective.design.columns
    intercept = rows[:, columns].copy() if objective.design.intercept else np.zeros(len(rows))
    return np.ascontiguousarray(rows[:, :columns]), intercept
