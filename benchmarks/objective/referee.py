r"""Objective and duality gap of anybody's weights, stable to any margin.

The problem, for everybody:

    F(w, b) = C sum_i s_i loss(z_i, y_i) + l1_ratio |w|_1 + (1 - l1_ratio)/2 |w|_2^2,   z = X w + b

(no penalty at all when C is infinite: F = sum_i s_i loss_i). Fenchel: every table of probabilities p' with which
the columns of X are matched as the penalty allows gives a lower bound D(p') of F. The difference is a sum of terms
none of which is negative, so nothing cancels:

    F(w, b) - D(p') = C sum_i s_i KL(p'_i | p_i)  +  [ g(w) + g*(-v) + w.v ],   v = C X^T s (p' - y)

with p = softmax(z), g the penalty and g* its conjugate. What p' is:

- L2, no intercept: p' = p, so that the gap is exactly half the squared norm of the gradient;
- an intercept without a penalty asks for sum_i s_i p'_i = sum_i s_i y_i: the intercept is first moved to its optimum
  given w (a Newton iteration in K numbers), then p' = (1 - t) p + t q with the constant row q that closes the sum;
- L1 asks for |v|_inf <= 1: p' is mixed with y, p' <- tau p' + (1 - tau) y, which scales v and keeps the sums;
- elastic net and L2 ask for nothing;
- no penalty asks for v = 0: p' is p after one linearised Newton step, p - h (X delta), which meets it exactly and is a
  table of probabilities once the step is small. Until then there is no bound and the gap is infinite.

Two classes are written as softmax over (0, z), so there is one code path.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import linalg, sparse
from scipy.special import xlogy

ROUNDING = 1e-12  # of the objective: what sums over all rows may be wrong by


@dataclass(frozen=True)
class Problem:
    """Data and settings of one fit: X (n, d), integer labels y (n,), and the objective's constants."""

    X: np.ndarray | sparse.csr_matrix
    y: np.ndarray
    C: float = 1.0
    l1_ratio: float = 0.0
    intercept: bool = False
    n_classes: int = 2
    sample_weight: np.ndarray | None = None

    def __str__(self) -> str:
        storage = "sparse" if sparse.issparse(self.X) else "dense"
        intercept = "-intercept" if self.intercept else ""
        return f"{storage}-K{self.n_classes}-C{self.C:g}-l1_{self.l1_ratio:g}{intercept}"

    @cached_property
    def weight(self) -> np.ndarray:
        """C times the sample weights: what multiplies each row's loss."""
        C = 1.0 if np.isinf(self.C) else self.C
        rows = len(self.y)
        return np.full(rows, C) if self.sample_weight is None else C * np.asarray(self.sample_weight, float)

    @cached_property
    def one_hot(self) -> np.ndarray:
        """The labels as rows of probabilities, (n, K)."""
        table = np.zeros((len(self.y), self.n_classes))
        table[np.arange(len(self.y)), self.labels] = 1.0
        return table

    @cached_property
    def labels(self) -> np.ndarray:
        return np.asarray(self.y).astype(np.intp)

    @property
    def free(self) -> slice:
        """The columns of Z that have weights: the second alone for two classes, all otherwise."""
        return slice(1, 2) if self.n_classes == 2 else slice(None)

    def at(self, C: float) -> "Problem":
        return Problem(self.X, self.y, C, self.l1_ratio, self.intercept, self.n_classes, self.sample_weight)


@dataclass(frozen=True)
class Verdict:
    """What the referee says of one set of weights."""

    objective: float
    gap: float  # objective - lower bound, absolute
    gradient_norm: float
    nonzeros: int

    @property
    def relative_gap(self) -> float:
        return self.gap / self.objective if self.objective > 0 else float(self.gap > 0)

    @property
    def bound(self) -> float:
        """A lower bound of everybody's objective; weights that diverged prove nothing, for all digits cancel."""
        return self.objective - self.gap - ROUNDING * self.objective if np.isfinite(self.gap) else -np.inf


def judge(problem: Problem, coef: np.ndarray, intercept: np.ndarray | float = 0.0) -> Verdict:
    """Objective, duality gap and gradient norm at ``coef`` (1 or K rows of d) and ``intercept`` (1 or K numbers).

    Cost: one product with X and one with its transpose (an unpenalised problem adds one d by d Gram matrix).
    """
    W, b = _weights(problem, coef, intercept)
    if not (np.all(np.isfinite(W)) and np.all(np.isfinite(b))):
        return Verdict(np.inf, np.inf, np.inf, W.size)
    Z = _margins(problem, W, b)
    value, unpenalised = _objective(problem, W, Z), np.isinf(problem.C)
    gradient = _pull(problem, _residual(problem, Z))
    if unpenalised:
        gap = _unpenalised_gap(problem, Z)
        slope = gradient
    else:
        gap = _penalised_gap(problem, W, Z)
        slope = _least_subgradient(gradient, W, problem.l1_ratio)
    return Verdict(value, gap, float(np.sqrt(np.sum(slope * slope))), int(np.count_nonzero(W)))


def objective(problem: Problem, coef: np.ndarray, intercept: np.ndarray | float = 0.0) -> float:
    """The objective alone, for whoever is set beside a bound that is known. Cost: one product with X."""
    W, b = _weights(problem, coef, intercept)
    if not (np.all(np.isfinite(W)) and np.all(np.isfinite(b))):
        return np.inf
    return _objective(problem, W, _margins(problem, W, b))


def largest_useful_penalty(problem: Problem) -> float:
    """C below which L1 leaves every weight at zero, at the intercept's optimum when there is one (exact)."""
    start = np.zeros((len(problem.y), problem.n_classes))
    Z = _centre(problem, start) if problem.intercept else start
    return float(problem.l1_ratio / np.max(np.abs(_pull(problem.at(1.0), _residual(problem, Z)))))


def _weights(problem: Problem, coef: np.ndarray, intercept: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Weights in the shape that the problem has; ValueError for those of another problem, which would broadcast."""
    W, b = np.atleast_2d(np.asarray(coef, float)), np.atleast_1d(np.asarray(intercept, float))
    rows, columns = (1 if problem.n_classes == 2 else problem.n_classes), problem.X.shape[1]
    if W.shape != (rows, columns) or b.shape not in ((1,), (rows,)):
        raise ValueError(f"coef {W.shape} and intercept {b.shape}: the problem asks for {rows} rows of {columns}")
    if not problem.intercept and np.any(b != 0):
        raise ValueError(f"an intercept of {b[b != 0][0]:.3g} for a problem without one")
    return W, b


def _margins(problem: Problem, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Z, (n, K); the first column is zero for two classes."""
    Z = np.zeros((len(problem.y), problem.n_classes))
    Z[:, problem.free] = np.asarray(problem.X @ W.T) + b
    return Z


def _log_softmax(Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log p and p. The largest term is taken out and log1p gets the rest, so that no margin rounds to zero loss."""
    rows = np.arange(len(Z))
    top = np.argmax(Z, axis=1)
    shifted = Z - Z[rows, top][:, None]
    others = np.exp(shifted)
    others[rows, top] = 0.0
    log_p = shifted - np.log1p(others.sum(axis=1))[:, None]
    return log_p, np.exp(log_p)


def _residual(problem: Problem, Z: np.ndarray) -> np.ndarray:
    """p - y, (n, K); at the label it is minus the sum of the others, which keeps its digits when p rounds to one."""
    _, R = _log_softmax(Z)
    rows = np.arange(len(Z))
    R[rows, problem.labels] = 0.0
    R[rows, problem.labels] = -R.sum(axis=1)
    return R


def _pull(problem: Problem, R: np.ndarray) -> np.ndarray:
    """v = C X^T s R for the free columns: (1 or K, d)."""
    return np.asarray(problem.X.T @ (problem.weight[:, None] * R[:, problem.free])).T


def _objective(problem: Problem, W: np.ndarray, Z: np.ndarray) -> float:
    log_p, _ = _log_softmax(Z)
    loss = float(problem.weight @ -log_p[np.arange(len(Z)), problem.labels])
    return loss if np.isinf(problem.C) else loss + _penalty(W, problem.l1_ratio)


def _penalty(W: np.ndarray, l1_ratio: float) -> float:
    square = np.sum(W * W) if l1_ratio < 1 else 0.0
    return float(l1_ratio * np.abs(W).sum() + 0.5 * (1 - l1_ratio) * square)


def _least_subgradient(gradient: np.ndarray, W: np.ndarray, l1_ratio: float) -> np.ndarray:
    """The smallest element of the objective's subdifferential in W."""
    smooth = gradient + (1 - l1_ratio) * W
    if l1_ratio == 0:
        return smooth
    at_zero = np.sign(smooth) * np.maximum(np.abs(smooth) - l1_ratio, 0.0)
    return np.where(W != 0, smooth + l1_ratio * np.sign(W), at_zero)


def _divergence(problem: Problem, P: np.ndarray, log_p: np.ndarray) -> float:
    """C sum_i s_i KL(P_i | p_i). Logarithms of p come from the margins: an underflowing p costs nothing."""
    return float(problem.weight @ np.sum(xlogy(P, P) - P * log_p, axis=1))


def _centre(problem: Problem, Z: np.ndarray) -> np.ndarray:
    """Z with the intercept moved to its optimum given w: sum_i s_i p_i = sum_i s_i y_i, as far as rounding lets it."""
    s = problem.weight
    log_p, P = _log_softmax(Z)
    value = -s @ log_p[np.arange(len(Z)), problem.labels]
    for _ in range(100):
        slope = s @ _residual(problem, Z)
        curvature = np.diag(s @ P) - (P * s[:, None]).T @ P
        step = np.linalg.lstsq(curvature, -slope, rcond=None)[0]  # singular: moving all classes alike changes nothing
        with np.errstate(invalid="ignore", over="ignore"):  # margins that diverged: it ends below
            decrement, scale = -slope @ step, 1.0
        if not np.isfinite(decrement) or decrement <= 1e-22 * value:
            break
        while scale > 1e-10:
            new_log_p, new_P = _log_softmax(Z + scale * step)
            new_value = -s @ new_log_p[np.arange(len(Z)), problem.labels]
            if new_value <= value:
                break
            scale /= 2
        else:
            break
        Z, P, value = Z + scale * step, new_P, new_value
    return Z


def _penalised_gap(problem: Problem, W: np.ndarray, Z: np.ndarray) -> float:
    a, label = problem.l1_ratio, problem.one_hot
    log_p, P = _log_softmax(Z)
    R, divergence = _residual(problem, Z), 0.0
    if problem.intercept:
        _, P = _log_softmax(_centre(problem, Z))
        have, want = problem.weight @ P, problem.weight @ label
        with np.errstate(divide="ignore", invalid="ignore"):
            t = max(0.0, 1.0 - float(np.min(np.where(have > 0, want / have, np.inf))))
        q = np.maximum(want - (1 - t) * have, 0.0)
        if t > 0 and q.sum() > 0:
            P = (1 - t) * P + t * q / q.sum()
        R = P - label
    v = _pull(problem, R)
    if a == 1 and (steepest := np.max(np.abs(v))) > 1:
        tau = 1.0 / steepest
        P, v = tau * P + (1 - tau) * label, tau * v
        divergence = _divergence(problem, P, log_p)
    elif problem.intercept:
        divergence = _divergence(problem, P, log_p)
    return max(divergence, 0.0) + _penalty_terms(W, v, a)


def _penalty_terms(W: np.ndarray, v: np.ndarray, a: float) -> float:
    """g(w) + g*(-v) + w.v, each term at least zero: half |w + v|^2 for L2, |w| + w v for L1."""
    bounded = np.clip(-v, -a, a)
    ridge = 0.0
    if a < 1:
        miss = W - (-v - bounded) / (1 - a)
        ridge = 0.5 * (1 - a) * float(np.sum(miss * miss))
    return ridge + max(float(np.sum(a * np.abs(W) - W * bounded)), 0.0)


def _unpenalised_gap(problem: Problem, Z: np.ndarray) -> float:
    """sum_i s_i KL(p' | p) with p' = p - h (X delta): X^T s (p' - y) = 0 by the choice of delta (two classes only)."""
    if problem.n_classes != 2:
        raise NotImplementedError("the unpenalised bound is written for two classes")
    log_p, P = _log_softmax(Z)
    s, h, r = problem.weight, P[:, 0] * P[:, 1], _residual(problem, Z)[:, 1]
    X = np.asarray(problem.X @ np.eye(problem.X.shape[1])) if sparse.issparse(problem.X) else problem.X
    if problem.intercept:
        X = np.column_stack([X, np.ones(len(X))])
    gram, slope = X.T @ ((s * h)[:, None] * X), X.T @ (s * r)
    scale = np.sqrt(np.maximum(np.diag(gram), np.finfo(float).tiny))
    # Columns that depend on others ask for nothing more: the shortest of all solutions.
    delta = linalg.lstsq(gram / np.outer(scale, scale), slope / scale, cond=ROUNDING)[0] / scale
    move = h * (X @ delta)
    unmatched = np.abs(slope - X.T @ (s * move))
    if np.any(unmatched > 1e-6 * np.abs(slope) + ROUNDING * (np.abs(X).T @ s)):
        return np.inf
    moved = np.column_stack([P[:, 0] + move, P[:, 1] - move])
    if moved.min() < 0 or not np.all(np.isfinite(moved)):
        return np.inf
    return max(_divergence(problem, moved, log_p), 0.0)
