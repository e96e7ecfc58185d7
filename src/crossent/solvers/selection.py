"""Some columns of a design: those that a method visits at present."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crossent.design import Design
from crossent.objective import Objective
from crossent.part import design_of

Flags = NDArray[np.bool_]

WORTHWHILE = 0.5  # share of X's columns above which a selection is not copied


class Selection:
    """The columns of a design that are visited at present."""

    def __init__(self, whole: Design):
        self.whole = whole
        self.chosen: Flags = np.zeros(whole.columns, dtype=bool)
        self.design: Design | None = None

    def cover(self, needed: Flags, ahead: Flags) -> Flags:
        """Make the design hold the columns needed; if it must be copied, those ``ahead`` too; return what it has."""
        if self.design is None or (needed & ~self.chosen).any():
            self.chosen = needed | ahead
            if np.count_nonzero(self.chosen) > WORTHWHILE * self.whole.columns:
                self.chosen = np.ones(self.whole.columns, dtype=bool)
                self.design = self.whole
            else:
                columns = self.whole.scaled_columns(np.flatnonzero(self.chosen), np.ones(self.whole.n))
                self.design = design_of(columns, self.whole)
        return np.append(self.chosen, np.ones(self.whole.width - self.whole.columns, dtype=bool))

    def part(self, objective: Objective, kept: Flags) -> Objective:
        """Return the objective in the coefficients kept."""
        assert self.design is not None
        penalty = objective.penalty.of(kept)
        return Objective(self.design, objective.y, objective.s, penalty, objective.n_classes, objective.offset)
