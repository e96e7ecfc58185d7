"""The methods, one a file, and which of them suits a problem's shape.

A method offers ``direction(objective, point, target, limit) -> Step``; the loop in ``fit.py`` owns line search,
certificate and verdict. ``target`` is the gap that would be enough: a method need not work harder than that. A method
may take up to ``limit`` of its steps together, and says in ``Step.steps`` how many it took.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from crossent.design import PRODUCT_SPEED, SparseDesign
from crossent.errors import CrossentError
from crossent.objective import Objective, Point, Step
from crossent.solvers.cholesky import NewtonCholesky
from crossent.solvers.coordinate import Coordinate
from crossent.solvers.dual import DualAscent
from crossent.solvers.newton_cg import NewtonCG

Array = NDArray[np.float64]


class Solver(Protocol):
    """A method that proposes steps."""

    name: str

    def direction(self, objective: Objective, point: Point, target: float, limit: int = 1) -> Step:
        """Return a descent direction, shaped as the coefficients, and X times it."""
        ...


SOLVERS: dict[str, type[Solver]] = {
    "cholesky": NewtonCholesky,
    "newton-cg": NewtonCG,
    "dual": DualAscent,
    "coordinate": Coordinate,
}

CG_PASSES = 20  # passes of a Newton step by conjugate gradients, about
CALL = 10_000  # multiply-adds of a pass in the time of a call, some ten microseconds: tiny data are all calls
LARGEST_HESSIAN = 4000


def choose(objective: Objective, asked: str = "auto") -> str:
    """Return the method asked for, if it can; else the one whose Newton step costs least, by the data's shape alone."""
    if asked not in {"auto", *SOLVERS}:
        raise CrossentError(f"solver {asked!r} is unknown; choose from 'auto', {', '.join(map(repr, SOLVERS))}")
    if not objective.penalty.smooth:
        if asked not in {"auto", "coordinate"}:
            what = "bounds" if objective.penalty.bounded else "an L1 penalty"
            raise CrossentError(f"solver {asked!r} cannot handle {what}; use 'coordinate' or 'auto'")
        return "coordinate"
    suits_dual = DualAscent.handles(objective)
    if asked == "dual" and not suits_dual:
        raise CrossentError(
            "solver 'dual' needs an L2 penalty, the same for all columns, and no offset; use 'newton-cg' or 'auto'"
        )
    if asked != "auto":
        return asked
    design = objective.design
    order = int(np.prod(objective.shape))
    if order <= LARGEST_HESSIAN:
        cholesky = objective.hessian_work + CALL * objective.n_classes + order**3 / 3 / PRODUCT_SPEED
        if cholesky <= CG_PASSES * (objective.pass_work + 2 * CALL):
            return "cholesky"
    wide_or_sparse = design.n <= design.columns or isinstance(design, SparseDesign)
    return "dual" if suits_dual and wide_or_sparse else "newton-cg"
