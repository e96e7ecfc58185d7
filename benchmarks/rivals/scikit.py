"""scikit-learn: every solver of LogisticRegression, its vectorizers, its cross-validation, a pipeline from CSV."""

import pickle
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from benchmarks.rivals.faces import CrossValidate, SingleFit, every_job
from benchmarks.task import Data, Entrant, Fixed, Task

PACKAGES = ("scikit-learn",)
LARGEST_HESSIAN = 4000

PENALTIES = {
    "lbfgs": ("l2", "none"),
    "newton-cg": ("l2", "none"),
    "newton-cholesky": ("l2", "none"),
    "liblinear": ("l2", "l1"),
    "sag": ("l2", "none"),
    "saga": ("l2", "l1", "elastic net", "none"),
}


def library() -> SimpleNamespace:
    from sklearn.feature_extraction import text
    from sklearn.linear_model import LogisticRegression, LogisticRegressionCV

    return SimpleNamespace(
        LogisticRegression=LogisticRegression,
        LogisticRegressionCV=LogisticRegressionCV,
        HashingVectorizer=text.HashingVectorizer,
        CountVectorizer=text.CountVectorizer,
        TfidfVectorizer=text.TfidfVectorizer,
    )


class Fit(Entrant):
    def __init__(self, solver: str) -> None:
        self.name, self.solver = f"scikit-learn {solver}", solver

    def refuses(self, task: Task, data: Data) -> str | None:
        if task.penalty not in PENALTIES[self.solver]:
            return f"no {task.penalty} penalty"
        if self.solver == "liblinear" and task.intercept:
            return "penalises the intercept"
        if self.solver == "liblinear" and task.n_classes > 2:
            return "one against the rest only"
        size = data.X.shape[1] * (task.n_classes if task.n_classes > 2 else 1)
        if self.solver == "newton-cholesky" and size > LARGEST_HESSIAN:
            return f"its Hessian has {size:,} columns"
        return None

    def prepare(self, task: Task, data: Data, threads: int):
        settings = {"C": task.C, "l1_ratio": task.l1_ratio, "fit_intercept": task.intercept, "solver": self.solver}
        return data.X, data.y, settings

    def run(self, ready, setting):
        from sklearn.linear_model import LogisticRegression

        X, y, settings = ready
        return LogisticRegression(tol=setting, max_iter=1_000_000, random_state=0, **settings).fit(X, y)

    def answer(self, ready, result):
        return {"coef": result.coef_, "intercept": result.intercept_}


class TrainFile(Fixed):
    """CSV to saved pipeline: pandas, TfidfVectorizer, LogisticRegression, pickle."""

    name, job = "scikit-learn", "train file"

    def prepare(self, task: Task, data: Data, threads: int):
        return data, task, Path(tempfile.mkdtemp())

    def run(self, ready, setting):
        import pandas as pd
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        data, task, folder = ready
        table = pd.read_csv(data.folder / "train.csv")
        words = TfidfVectorizer(ngram_range=(1, task.options["ngrams"]), min_df=2, sublinear_tf=True)  # as ours
        pipeline = make_pipeline(words, LogisticRegression(C=task.C, max_iter=1000))
        pipeline.fit(table["text"], table["label"])
        (folder / "model.pickle").write_bytes(pickle.dumps(pipeline))
        return pipeline

    def answer(self, ready, result):
        texts, labels = zip(*ready[0].table("test"), strict=True)
        return {"probability": result.predict_proba(texts)[:, 1], "y": np.array(labels)}


MINIMAL = """
import csv, pickle, sys
with open(sys.argv[1], "rb") as file:
    model = pickle.load(file)
with open(sys.argv[2], newline="") as file:
    texts = [row["text"] for row in csv.DictReader(file)]
for row in model.predict_proba(texts):
    print(row[1])
"""


class ColdStart(Fixed):
    """A process that unpickles a pipeline and predicts ten rows."""

    name, job = "scikit-learn", "cold start"
    elsewhere = True

    def prepare(self, task: Task, data: Data, threads: int):
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        folder = Path(tempfile.mkdtemp())
        texts, labels = zip(*data.table("train"), strict=True)
        words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)  # as ours
        pipeline = make_pipeline(words, LogisticRegression(max_iter=1000)).fit(texts, labels)
        (folder / "model.pickle").write_bytes(pickle.dumps(pipeline))
        (folder / "minimal.py").write_text(MINIMAL)
        return [sys.executable, folder / "minimal.py", folder / "model.pickle", write_rows(folder, data)]

    def run(self, ready, setting):
        return subprocess.run(ready, check=True, capture_output=True, text=True)

    def answer(self, ready, result):
        return {"lines": np.array(len(result.stdout.splitlines()))}


def write_rows(folder: Path, data: Data) -> Path:
    """The first ten texts of the test set in a file of their own."""
    import csv

    with open(folder / "rows.csv", "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["text"])
        out.writerows([text] for text, _ in data.table("test")[:10])
    return folder / "rows.csv"


def entrants() -> list[Entrant]:
    own = library()
    fits: list[Entrant] = [Fit(solver) for solver in PENALTIES]
    return [
        *fits,
        *every_job("scikit-learn", own),
        CrossValidate("scikit-learn", own, asked=True),
        CrossValidate("scikit-learn, default tol", own),
        SingleFit("scikit-learn, one fit", own),
        TrainFile(),
        ColdStart(),
    ]
