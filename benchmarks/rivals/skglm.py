"""skglm: working sets with coordinate descent; its path is a loop of warm starts."""

import numpy as np
from scipy import sparse

from benchmarks.task import Data, Entrant, Task

PACKAGES = ("skglm", "numba")


def _columns(X):
    return X.tocsc() if sparse.issparse(X) else np.asfortranarray(X)


class Skglm(Entrant):
    name = "skglm"

    def refuses(self, task: Task, data: Data) -> str | None:
        if task.n_classes != 2:
            return "two classes only"
        return None if task.penalty in ("l1", "elastic net") else "made for L1 and elastic net"

    def prepare(self, task: Task, data: Data, threads: int):
        settings = {"alpha": 1 / (task.C * len(data.y)), "l1_ratio": task.l1_ratio, "fit_intercept": task.intercept}
        return _columns(data.X), data.sign, settings

    def run(self, ready, setting):
        from skglm import SparseLogisticRegression

        X, y, settings = ready
        return SparseLogisticRegression(tol=setting, max_iter=1000, max_epochs=100_000, **settings).fit(X, y)

    def answer(self, ready, result):
        return {"coef": result.coef_, "intercept": np.atleast_1d(result.intercept_)}


class SkglmPath(Entrant):
    name, job = "skglm path", "path"

    def prepare(self, task: Task, data: Data, threads: int):
        return _columns(data.X), data.sign, data.path(**task.options)

    def run(self, ready, setting):
        from skglm import SparseLogisticRegression

        X, y, Cs = ready
        model = SparseLogisticRegression(
            tol=setting, max_iter=1000, max_epochs=100_000, fit_intercept=False, warm_start=True
        )
        weights = []
        for C in Cs:
            model.alpha = 1 / (C * len(y))
            weights.append(model.fit(X, y).coef_.ravel().copy())
        return np.array(weights)

    def answer(self, ready, result):
        return {"coef": result}


def entrants() -> list[Entrant]:
    import skglm  # noqa: F401

    return [Skglm(), SkglmPath()]
