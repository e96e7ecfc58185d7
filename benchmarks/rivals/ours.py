"""Crossent, with the same settings everywhere: ``solver="auto"``, the tolerance loosened by the rule for all."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from benchmarks.rivals import plain
from benchmarks.rivals.faces import CrossValidate, Tune, every_job
from benchmarks.rivals.scikit import write_rows
from benchmarks.task import Data, Entrant, Fixed, Task

PACKAGES = ("crossent", "numba")
OURS = "crossent"


class LateLibrary(SimpleNamespace):
    """Classes looked up when they are used: one that is missing fails its own rows and no other."""

    def __getattr__(self, name: str):
        import crossent
        import crossent.text

        return getattr(crossent.text if name.endswith("Vectorizer") else crossent, name)


class Fit(Entrant):
    name = OURS

    def prepare(self, task: Task, data: Data, threads: int):
        y = data.y.astype(float) if task.n_classes == 2 else data.y
        settings = {
            "n_classes": task.n_classes, "C": task.C, "l1_ratio": task.l1_ratio, "fit_intercept": task.intercept,
            "n_jobs": threads,
        }  # fmt: skip
        return data.X, y, settings

    def run(self, ready, setting):
        from crossent.fit import fit

        X, y, settings = ready
        return fit(X, y, tol=setting, max_iter=100_000, **settings)

    def answer(self, ready, result):
        return {"coef": result.coef, "intercept": result.intercept, "claimed_gap": result.certificate.relative_gap}


class Gradient(plain.Gradient):
    """``crossent.gradient``: one read of X."""

    name = OURS

    def run(self, ready, setting):
        from crossent import gradient

        return gradient(*ready)


class Path100(Entrant):
    name, job = OURS, "path"

    def prepare(self, task: Task, data: Data, threads: int):
        return data.X, data.y, task.options

    def run(self, ready, setting):
        from crossent import logistic_path

        X, y, options = ready
        return logistic_path(
            X, y, l1_ratio=1.0, n_Cs=options["alphas"], C_min_ratio=options["ratio"], fit_intercept=False, tol=setting
        )

    def answer(self, ready, result):
        coef = result.coefs
        return {"coef": coef.toarray() if hasattr(coef, "toarray") else np.asarray(coef), "C": np.asarray(result.Cs)}


class PathChoice(Fixed):
    """A path with columns free of penalty, and the point with the least BIC on it."""

    name, job = OURS, "path choice"

    def prepare(self, task: Task, data: Data, threads: int):
        return data, np.load(data.folder / "factor.npy"), task.options

    def run(self, ready, setting):
        from crossent import logistic_path

        data, factor, options = ready
        return logistic_path(
            data.X, data.y, l1_ratio=1.0, n_Cs=options["alphas"], C_min_ratio=options["ratio"], penalty_factor=factor
        )

    def answer(self, ready, result):
        data, factor, _ = ready
        bic, aic = result.bic(), result.aic()
        best, by_aic = int(np.argmin(bic)), int(np.argmin(aic))
        weights, weights_by_aic = (result.coef(index)[0] * (factor > 0) for index in (best, by_aic))
        chosen = np.flatnonzero((weights != 0) | (weights_by_aic != 0))
        facts = {"C": np.array(result.Cs[best]), "bic": bic[best], "chosen": np.count_nonzero(weights)}
        facts |= {"chosen_by_aic": np.count_nonzero(weights_by_aic), "largest_gap": result.gaps.max()}
        names = np.load(data.folder / "names.npy")[chosen]
        return {**facts, "names": names, "weights": weights[chosen], "weights_by_aic": weights_by_aic[chosen]}


class TrainFile(Fixed):
    """CSV to saved model, by the function behind ``crossent train``: words and pairs, sublinear TF-IDF."""

    name, job = OURS, "train file"

    def prepare(self, task: Task, data: Data, threads: int):
        return data, task, Path(tempfile.mkdtemp())

    def run(self, ready, setting):
        from crossent import train

        data, task, folder = ready
        model = train(data.folder / "train.csv", "label", text=["text"], C=task.C, test=0.0)
        model.save(folder / "model.safetensors")
        return model

    def answer(self, ready, result):
        test = ready[0].folder / "test.csv"
        labels = [label for _, label in ready[0].table("test")]
        return {"probability": np.asarray(result.predict_proba(test))[:, 1], "y": np.array(labels)}


class ColdStart(Fixed):
    """``crossent predict`` in a process of its own, ten rows."""

    name, job = OURS, "cold start"
    elsewhere = True

    def prepare(self, task: Task, data: Data, threads: int):
        from crossent import train

        folder = Path(tempfile.mkdtemp())
        model = train(data.folder / "train.csv", "label", text=["text"], test=0.0)
        model.save(folder / "model.safetensors")
        command = Path(sys.executable).with_name("crossent")
        return [command, "predict", folder / "model.safetensors", write_rows(folder, data)]

    def run(self, ready, setting):
        return subprocess.run(ready, check=True, capture_output=True, text=True)

    def answer(self, ready, result):
        return {"lines": np.array(len(result.stdout.splitlines()))}


FIRST_USE = """
import sys, time
import numpy as np, scipy.sparse as sp
import crossent
from crossent.fit import fit
start = time.perf_counter()
rng = np.random.default_rng(0)
X = rng.standard_normal((200, 5)); y = (X[:, 0] + rng.standard_normal(200) > 0).astype(float)
for matrix in (X, sp.csr_matrix(X)):
    for l1_ratio in (0.0, 1.0):
        fit(matrix, y, l1_ratio=l1_ratio)
    fit(matrix, (X[:, 0] > 0).astype(int) + (X[:, 1] > 0), n_classes=3)
    crossent.LogisticRegression().fit(matrix, y).predict_proba(matrix)
from crossent.text import TfidfVectorizer
TfidfVectorizer(ngram_range=(1, 2)).fit_transform(["a good film", "a bad film"] * 20)
print(time.perf_counter() - start)
"""


class FirstUse(Fixed):
    """Everything compiled from nothing: dense and sparse, L2 and L1, three classes, text; an empty kernel cache."""

    name, job = OURS, "first use"
    elsewhere = True

    def run(self, ready, setting):
        with tempfile.TemporaryDirectory() as cache:
            cold, warm = (_first_use(cache) for _ in range(2))
        return cold, warm

    def prepare(self, task: Task, data: Data, threads: int):
        return None

    def answer(self, ready, result):
        return {"compile_s": np.array(result[0] - result[1]), "cold_s": np.array(result[0])}


def _first_use(cache: str) -> float:
    environment = {**os.environ, "XDG_CACHE_HOME": cache}
    environment.pop("NUMBA_CACHE_DIR", None)
    done = subprocess.run(
        [sys.executable, "-c", FIRST_USE], check=True, capture_output=True, text=True, env=environment
    )
    return float(done.stdout.split()[-1])


def entrants() -> list[Entrant]:
    import crossent  # noqa: F401

    late = LateLibrary()
    own: list[Entrant] = [
        Fit(),
        Gradient(),
        Path100(),
        PathChoice(),
        TrainFile(),
        ColdStart(),
        FirstUse(),
        Tune(OURS, late),
    ]
    return [*own, *every_job(OURS, late), CrossValidate(OURS, late)]
