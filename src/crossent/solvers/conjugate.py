"""Conjugate gradients for Newton's equation, with whatever preconditioner its caller has."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def conjugate_gradients(
    product: Callable[[Array], Array],
    g: Array,
    precondition: Callable[[Array], Array],
    done: Callable[[Array], bool],
    limit: int,
) -> tuple[Array, Array, bool]:
    """Solve H v = -g for a positive semidefinite H that is known by its products only.

    Parameters
    ----------
    product : returns H @ p
    g : array of any shape
    precondition : returns an approximation of the inverse of H times a residual
    done : tells whether a residual, -g - H v, is small enough
    limit : products at most

    Returns
    -------
    v, residual : arrays of g's shape
    solved : bool
        Whether ``done`` was reached.
    """
    v, residual = np.zeros_like(g), -g
    scaled = precondition(residual)
    p, rho = scaled.copy(), float((residual * scaled).sum())
    for _ in range(limit):
        if rho <= 0.0:
            break
        image = product(p)
        bend = float((p * image).sum())
        if bend <= 0.0:
            break
        v += (rho / bend) * p
        residual -= (rho / bend) * image
        if done(residual):
            return v, residual, True
        scaled = precondition(residual)
        rho, before = float((residual * scaled).sum()), rho
        p = scaled + (rho / before) * p
    return v, residual, False
