"""glum: IRLS on tabmat matrices, lbfgs where a Hessian of all columns would not fit."""

import numpy as np
from scipy import sparse

from benchmarks.task import Data, Entrant, Task

PACKAGES = ("glum", "tabmat")
WIDEST_HESSIAN = 4000


class Glum(Entrant):
    def __init__(self, solver: str) -> None:
        self.name, self.solver = f"glum {solver}", solver

    def refuses(self, task: Task, data: Data) -> str | None:
        if task.n_classes != 2:
            return "two classes only"
        if self.solver == "lbfgs" and task.penalty not in ("l2", "none"):
            return "smooth penalties only"
        if self.solver == "irls" and data.X.shape[1] > WIDEST_HESSIAN:
            return f"its Hessian has {data.X.shape[1]:,} columns"
        return None

    def prepare(self, task: Task, data: Data, threads: int):
        import tabmat

        settings = {
            "alpha": 0.0 if task.penalty == "none" else 1 / (task.C * len(data.y)),
            "l1_ratio": task.l1_ratio,
            "fit_intercept": task.intercept,
            "solver": "lbfgs" if self.solver == "lbfgs" else "auto",
        }
        if sparse.issparse(data.X):
            X = tabmat.SparseMatrix(data.X.tocsc())
        else:
            X = tabmat.DenseMatrix(np.asfortranarray(data.X))
        return X, data.y.astype(float), settings

    def run(self, ready, setting):
        from glum import GeneralizedLinearRegressor

        X, y, settings = ready
        model = GeneralizedLinearRegressor(family="binomial", gradient_tol=setting, max_iter=10_000, **settings)
        return model.fit(X, y)

    def answer(self, ready, result):
        return {"coef": result.coef_, "intercept": [float(result.intercept_)]}


def entrants() -> list[Entrant]:
    import glum  # noqa: F401

    return [Glum("irls"), Glum("lbfgs")]
