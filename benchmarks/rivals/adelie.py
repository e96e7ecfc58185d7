"""adelie: group elastic net paths; lives in an environment of its own (it wants numpy below 2)."""

import numpy as np
from scipy import sparse

from benchmarks.task import Data, Entrant, Task

PACKAGES = ("adelie",)


def _fit(ready, tol: float):
    import adelie

    X, glm, lambdas, l1_ratio, intercept, threads = ready
    return adelie.grpnet(
        X, glm, alpha=l1_ratio, lmda_path=lambdas, intercept=intercept, penalty=np.ones(X.cols()), n_threads=threads,
        tol=tol, irls_tol=tol, adev_tol=1.0, early_exit=False, progress_bar=False,
    )  # fmt: skip


def _matrix(X, threads: int):
    import adelie

    if sparse.issparse(X):
        return adelie.matrix.sparse(X.tocsc(), n_threads=threads)
    return adelie.matrix.dense(np.asfortranarray(X), n_threads=threads)


class Adelie(Entrant):
    name = "adelie"

    def refuses(self, task: Task, data: Data) -> str | None:
        if task.n_classes != 2 and task.l1_ratio > 0:
            return "its penalty ties the classes together"
        return "a penalty is needed" if task.penalty == "none" else None

    def prepare(self, task: Task, data: Data, threads: int):
        import adelie

        if task.n_classes == 2:
            glm = adelie.glm.binomial(data.y.astype(float))
        else:
            glm = adelie.glm.multinomial(np.eye(task.n_classes)[data.y])
        lambdas = np.array([1 / (task.C * len(data.y))])
        # The multinomial loss is divided by K there.
        if task.n_classes > 2:
            lambdas = lambdas / task.n_classes
        return _matrix(data.X, threads), glm, lambdas, task.l1_ratio, task.intercept, threads

    def run(self, ready, setting):
        return _fit(ready, setting)

    def answer(self, ready, result):
        columns = ready[0].cols()
        coef = np.asarray(result.betas[-1:].todense()).reshape(columns, -1).T
        return {"coef": coef, "intercept": np.atleast_1d(result.intercepts[-1])}


class AdeliePath(Entrant):
    name, job = "adelie path", "path"

    def prepare(self, task: Task, data: Data, threads: int):
        import adelie

        lambdas = 1 / (data.path(**task.options) * len(data.y))
        return _matrix(data.X, threads), adelie.glm.binomial(data.y.astype(float)), lambdas, 1.0, False, threads

    def run(self, ready, setting):
        return _fit(ready, setting)

    def answer(self, ready, result):
        return {"coef": np.asarray(result.betas.todense())}


def entrants() -> list[Entrant]:
    import adelie  # noqa: F401

    return [Adelie(), AdeliePath()]
