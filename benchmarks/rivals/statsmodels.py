"""statsmodels: Logit by Newton's method, without a penalty, dense."""

import numpy as np
from scipy import sparse

from benchmarks.task import Data, Entrant, Task

PACKAGES = ("statsmodels",)


class Logit(Entrant):
    name = "statsmodels Logit"

    def refuses(self, task: Task, data: Data) -> str | None:
        if task.penalty != "none" or task.n_classes != 2:
            return "no penalty, two classes"
        return "dense only" if sparse.issparse(data.X) else None

    def prepare(self, task: Task, data: Data, threads: int):
        X = np.column_stack([data.X, np.ones(len(data.y))]) if task.intercept else data.X
        return X, data.y.astype(float), task.intercept

    def run(self, ready, setting):
        from statsmodels.api import Logit as Model

        return Model(ready[1], ready[0]).fit(method="newton", tol=setting, maxiter=1000, disp=0)

    def answer(self, ready, result):
        weights = result.params
        return {"coef": weights[:-1], "intercept": weights[-1:]} if ready[2] else {"coef": weights}


def entrants() -> list[Entrant]:
    import statsmodels.api  # noqa: F401

    return [Logit()]
