"""What a row asks of everybody, and what an entrant is. Runs in every worker: numpy and scipy only."""

from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Task:
    """A job with its settings; travels to the workers as JSON.

    ``C`` is infinite for no penalty; the objective is the referee's. ``options`` are those of one job only
    (n-grams of a vectorizer, number of Cs of a cross-validation).
    """

    job: str
    data: str
    C: float = 1.0
    l1_ratio: float = 0.0
    intercept: bool = False
    n_classes: int = 2
    gap: float = 1e-6
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def penalty(self) -> str:
        if np.isinf(self.C):
            return "none"
        return {0.0: "l2", 1.0: "l1"}.get(self.l1_ratio, "elastic net")

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Data:
    """A data set's folder; X and y are read once."""

    folder: Path

    @cached_property
    def arrays(self) -> tuple[Any, np.ndarray]:
        from benchmarks.datasets import read

        return read(self.folder)

    @property
    def X(self) -> Any:  # noqa: N802
        return self.arrays[0]

    @property
    def y(self) -> np.ndarray:
        """Integers 0..K-1."""
        return self.arrays[1]

    @property
    def sign(self) -> np.ndarray:
        """-1.0 and 1.0."""
        return 2.0 * self.y - 1.0

    @property
    def is_matrix(self) -> bool:
        return (self.folder / "y.npy").exists()

    @cached_property
    def documents(self) -> list[str]:
        """The texts of train.csv and test.csv, in order."""
        return [text for part in ("train", "test") for text, _ in self.table(part)]

    def table(self, part: str) -> list[tuple[str, int]]:
        """(text, label) of each row of ``train.csv`` or ``test.csv``."""
        import csv

        with open(self.folder / f"{part}.csv", encoding="utf-8", newline="") as file:
            return [(row["text"], int(row["label"])) for row in csv.DictReader(file)]

    def path(self, alphas: int, ratio: float) -> np.ndarray:
        """The Cs of an L1 path without intercept: from the last C with no non-zero to 1/ratio times it."""
        from benchmarks.objective import Problem, largest_useful_penalty

        first = largest_useful_penalty(Problem(self.X, self.y, l1_ratio=1.0))
        return first * np.geomspace(1.0, 1.0 / ratio, alphas)


class Entrant:
    """One way of one library to do one job. Subclasses are the adapters."""

    name: str
    job = "fit"
    #: The job is done by processes of its own: the memory of the worker says nothing.
    elsewhere = False
    #: Settings from loose to tight, or (None,) when there is nothing to loosen.
    ladder: tuple[float | None, ...] = tuple(10.0**-k for k in range(15))

    @property
    def key(self) -> str:
        """Name and job: a library may do many jobs under one name."""
        return f"{self.job}/{self.name}"

    def refuses(self, task: Task, data: Data) -> str | None:
        """Why this entrant cannot take the task (a line for the table), or None."""
        return None

    def prepare(self, task: Task, data: Data, threads: int) -> Any:
        """Convert to the library's own format. Timed apart."""
        return data.X, data.y

    def run(self, ready: Any, setting: float | None) -> Any:
        """The job itself: what is timed."""
        raise NotImplementedError

    def answer(self, ready: Any, result: Any) -> dict[str, np.ndarray]:
        """Arrays for the referee (``coef`` and ``intercept`` for a fit). Not timed."""
        raise NotImplementedError


class Fixed(Entrant):
    """An entrant without a tolerance to loosen."""

    ladder = (None,)
