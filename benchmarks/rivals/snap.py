"""snapml: parallel dual coordinate ascent, and its primal twin for L1."""

from benchmarks.task import Data, Entrant, Task

PACKAGES = ("snapml",)


class Snap(Entrant):
    def __init__(self, penalty: str, dual: bool) -> None:
        self.name = f"snapml {'dual' if dual else 'primal'}"
        self.penalty, self.dual = penalty, dual
        if penalty == "l1":
            self.name += " L1"

    def refuses(self, task: Task, data: Data) -> str | None:
        if task.n_classes != 2:
            return "one against the rest only"
        if task.intercept:
            return "penalises the intercept"
        return None if task.penalty == self.penalty else f"its penalty is {self.penalty}"

    def prepare(self, task: Task, data: Data, threads: int):
        settings = {"regularizer": 1 / task.C, "penalty": self.penalty, "dual": self.dual, "n_jobs": threads}
        return data.X, data.sign, settings

    def run(self, ready, setting):
        from snapml import LogisticRegression

        X, y, settings = ready
        return LogisticRegression(tol=setting, max_iter=100_000, random_state=0, **settings).fit(X, y)

    def answer(self, ready, result):
        return {"coef": result.coef_}


def entrants() -> list[Entrant]:
    import snapml  # noqa: F401

    return [Snap("l2", dual=True), Snap("l2", dual=False), Snap("l1", dual=False)]
