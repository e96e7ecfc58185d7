"""python-glmnet: the Fortran of glmnet; paths by coordinate descent."""

import numpy as np
from scipy import sparse

from benchmarks.task import Data, Entrant, Task

PACKAGES = ("python-glmnet",)


def _columns(X):
    return X.tocsc() if sparse.issparse(X) else np.asfortranarray(X)


def _model(tol: float, lambdas: np.ndarray, l1_ratio: float, intercept: bool):
    from glmnet import LogitNet

    return LogitNet(
        alpha=l1_ratio, lambda_path=lambdas, standardize=False, fit_intercept=intercept, n_splits=0, tol=tol,
        max_iter=10_000_000,
    )  # fmt: skip


class Glmnet(Entrant):
    name = "glmnet"

    def refuses(self, task: Task, data: Data) -> str | None:
        return "a penalty is needed" if task.penalty == "none" else None

    def prepare(self, task: Task, data: Data, threads: int):
        lambdas = np.array([1 / (task.C * len(data.y))])
        return _columns(data.X), data.y, (lambdas, task.l1_ratio, task.intercept)

    def run(self, ready, setting):
        return _model(setting, *ready[2]).fit(ready[0], ready[1])

    def answer(self, ready, result):
        return {"coef": result.coef_path_[..., -1], "intercept": np.atleast_1d(result.intercept_path_[..., -1])}


class GlmnetPath(Entrant):
    name, job = "glmnet path", "path"

    def prepare(self, task: Task, data: Data, threads: int):
        lambdas = 1 / (data.path(**task.options) * len(data.y))
        return _columns(data.X), data.y, (lambdas, 1.0, False)

    def run(self, ready, setting):
        return _model(setting, *ready[2]).fit(ready[0], ready[1])

    def answer(self, ready, result):
        return {"coef": result.coef_path_[0].T}


def entrants() -> list[Entrant]:
    import glmnet  # noqa: F401

    return [Glmnet(), GlmnetPath()]
