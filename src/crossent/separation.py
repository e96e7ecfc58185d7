"""Whether classes can be told apart without error by what neither penalty nor bound holds back: then no optimum exists.

A direction of such coefficients that brings no row nearer to another class, and some row further from one, makes the
objective fall for ever (Albert and Anderson, 1984). Whether there is one is a linear program (Konis, 2007).
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from crossent.objective import Objective

Array = NDArray[np.float64]

SEPARATING_MOVE = 0.5  # a Newton step near a finite optimum moves no margin that far
LARGEST_PROGRAM = 200_000  # numbers of a program that is worth its time
LEAST_MOVE, SLACK = 1e-3, 1e-6  # moves of its solution, of columns at most 1: the least that counts, the wrong way


def separates(objective: Objective, dz: Array, slack: float) -> bool:
    """Tell whether a step's change of the margins proves that no finite optimum exists: O(n) work.

    It does where it moves no margin the wrong way, but for a share ``slack`` of the largest move, and some far.
    """
    if max(float(dz.max(initial=0.0)), -float(dz.min(initial=0.0))) <= SEPARATING_MOVE / 2.0:
        return False  # no margin, nor a difference of two, moves far
    nearest, furthest = _moves(objective, dz)
    return furthest > SEPARATING_MOVE and nearest >= -slack * furthest


def has_separation(objective: Objective) -> bool:
    """Tell whether such a direction exists, by a linear program; False where that would be a large one."""
    from scipy.optimize import linprog  # slow to import, and seldom needed

    penalty, shape = objective.penalty, objective.shape
    up, down = (np.broadcast_to(flags, shape) for flags in (penalty.no_limit_above, penalty.no_limit_below))
    chosen = np.flatnonzero((up | down).reshape(shape[0], -1).any(axis=1))
    classes = 1 if len(shape) == 1 else shape[1]
    if not len(chosen) or 2 * classes * objective.design.n * len(chosen) > LARGEST_PROGRAM:
        return False
    X = _columns_of(objective, chosen)
    better, level = _differences(objective, X)
    ends = np.stack([np.where(down[chosen], -1.0, 0.0), np.where(up[chosen], 1.0, 0.0)], axis=-1)
    if len(shape) == 2:
        ends = ends.transpose(1, 0, 2)  # class by class, as the differences are
    found = linprog(
        -np.asarray(better.sum(axis=0)).ravel(), A_ub=-better, b_ub=np.zeros(better.shape[0]),
        A_eq=level, b_eq=np.zeros(level.shape[0]), bounds=ends.reshape(-1, 2),
    )  # fmt: skip
    if found.x is None:
        return False
    v = found.x if len(shape) == 1 else found.x.reshape(classes, len(chosen)).T
    nearest, furthest = _moves(objective, X @ v)
    return furthest > LEAST_MOVE and nearest >= -SLACK * furthest


def _columns_of(objective: Objective, chosen: NDArray[np.intp]) -> sp.csc_array:
    """Return some columns of X and the intercept's, divided by their largest value."""
    design = objective.design
    inside = chosen[chosen < design.columns]
    columns = design.scaled_columns(inside, np.ones(design.n))
    every = np.tile(np.arange(design.n), len(inside))
    indices = every if columns.indices is None else columns.indices
    X = sp.csc_array((columns.data, indices, columns.indptr), shape=(design.n, len(inside)), dtype=np.float64)
    if len(inside) < len(chosen):
        X = sp.hstack([X, np.ones((design.n, 1))], format="csc")
    largest = np.maximum(abs(X).max(axis=0).toarray().ravel(), np.finfo(float).tiny)
    return X @ sp.diags_array(1.0 / largest)


def _differences(objective: Objective, X: sp.csc_array) -> tuple[sp.csr_array, sp.csr_array]:
    """Return what maps coefficients to margins that must not fall, and to those that must not change."""
    weighted, y = objective.s > 0.0, objective.y
    if objective.n_classes == 2:
        sure = weighted & ((y == 0.0) | (y == 1.0))
        return sp.diags_array(2.0 * y[sure] - 1.0) @ X.tocsr()[sure], X.tocsr()[weighted & ~sure]
    classes = np.arange(objective.n_classes)
    row, other = np.nonzero(weighted[:, None] & (y[:, None] != classes))
    rows = X.tocsr()[row]
    own = [sp.diags_array((y[row] == k) * 1.0 - (other == k)) @ rows for k in classes]
    better = sp.hstack(own, format="csr")
    better.eliminate_zeros()  # of the classes that a difference is not of
    return better, sp.csr_array((0, better.shape[1]))


def _moves(objective: Objective, dz: Array) -> tuple[float, float]:
    """Return how far a change of the margins moves rows away from other classes: at least, or zero, and at most."""
    weighted, y = objective.s > 0.0, objective.y
    if objective.n_classes == 2:
        least = most = np.where(y == 1.0, dz, np.where(y == 0.0, -dz, -np.abs(dz)))
    else:
        own = np.take_along_axis(dz, y[:, None], axis=1)[:, 0]
        others = dz.copy()
        np.put_along_axis(others, y[:, None], -np.inf, axis=1)
        least, most = own - others.max(axis=1), own - dz.min(axis=1)
    return float(least[weighted].min(initial=0.0)), float(most[weighted].max(initial=0.0))
