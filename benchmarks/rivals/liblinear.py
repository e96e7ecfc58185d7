"""liblinear's own Python package: -s 0 (trust-region Newton), -s 7 (dual coordinate ascent), -s 6 (L1)."""

import numpy as np
from scipy import sparse

from benchmarks.task import Data, Entrant, Task

PACKAGES = ("liblinear-official",)


class Liblinear(Entrant):
    def __init__(self, solver: int, penalty: str) -> None:
        self.name, self.solver, self.penalty = f"liblinear -s {solver}", solver, penalty

    def refuses(self, task: Task, data: Data) -> str | None:
        if task.penalty != self.penalty or task.n_classes != 2:
            return "one against the rest only" if task.n_classes != 2 else f"its penalty is {self.penalty}"
        if task.intercept and self.solver == 7:
            return "penalises the intercept"
        return None

    def prepare(self, task: Task, data: Data, threads: int):
        from liblinear.liblinearutil import problem

        # -R leaves the bias without a penalty.
        flags = f"-s {self.solver} -c {task.C!r} -q" + (" -B 1 -R" if task.intercept else "")
        return problem(data.sign, sparse.csr_matrix(data.X)), flags

    def run(self, ready, setting):
        from liblinear.liblinearutil import parameter, train

        problem, flags = ready
        return train(problem, parameter(f"{flags} -e {setting!r}"))

    def answer(self, ready, result):
        weights, bias = result.get_decfun()
        sign = result.get_labels()[0]
        return {"coef": sign * np.array(weights), "intercept": np.array([sign * bias if "-B" in ready[1] else 0.0])}


def entrants() -> list[Entrant]:
    import liblinear.liblinearutil  # noqa: F401

    return [Liblinear(7, "l2"), Liblinear(0, "l2"), Liblinear(6, "l1")]
