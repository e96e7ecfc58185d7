"""celer: working sets and dual extrapolation for L1, and its path."""

import numpy as np
from scipy import sparse

from benchmarks.task import Data, Entrant, Task

PACKAGES = ("celer",)


def _columns(X):
    return X.tocsc() if sparse.issparse(X) else np.asfortranarray(X)


class Celer(Entrant):
    name = "celer"

    def refuses(self, task: Task, data: Data) -> str | None:
        if task.penalty != "l1" or task.n_classes != 2:
            return "L1 with two classes only"
        return "has no intercept" if task.intercept else None

    def prepare(self, task: Task, data: Data, threads: int):
        return _columns(data.X), data.sign, task.C

    def run(self, ready, setting):
        from celer import LogisticRegression

        X, y, C = ready
        return LogisticRegression(C=C, tol=setting, max_iter=1000, max_epochs=1_000_000).fit(X, y)

    def answer(self, ready, result):
        return {"coef": result.coef_}


class CelerPath(Entrant):
    name, job = "celer path", "path"

    def prepare(self, task: Task, data: Data, threads: int):
        return _columns(data.X), data.sign, data.path(**task.options)

    def run(self, ready, setting):
        from celer import celer_path

        X, y, Cs = ready
        return celer_path(X, y, pb="logreg", alphas=1 / Cs, tol=setting, max_iter=1000, max_epochs=1_000_000)

    def answer(self, ready, result):
        return {"coef": result[1].T}


def entrants() -> list[Entrant]:
    import celer  # noqa: F401

    return [Celer(), CelerPath()]
