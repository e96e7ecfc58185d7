"""Jobs done through scikit-learn's API, by whichever library supplies the classes: its own, or ours in their place.

``library`` is a module-like object with LogisticRegression, LogisticRegressionCV, HashingVectorizer, CountVectorizer
and TfidfVectorizer.
"""

import numpy as np

from benchmarks.task import Data, Fixed, Task

SMALL = 200  # rows that a prediction's model is fitted on before its weights are replaced
FEATURES = 2**20


def vectorizer(library, options: dict):
    """The vectorizer that a task's options name: kind, ngrams, and min_df where there is a vocabulary."""
    ngrams = (1, options.get("ngrams", 1))
    if options["kind"] == "hashing":
        return library.HashingVectorizer(ngram_range=ngrams, n_features=FEATURES)
    kind = {"count": library.CountVectorizer, "tfidf": library.TfidfVectorizer}[options["kind"]]
    return kind(ngram_range=ngrams, min_df=options.get("min_df", 1))


class Vectorize(Fixed):
    """All documents to a matrix, vocabulary included."""

    job = "vectorize"

    def __init__(self, name: str, library) -> None:
        self.name, self.library = name, library

    def prepare(self, task: Task, data: Data, threads: int):
        return data.documents, task.options

    def run(self, ready, setting):
        documents, options = ready
        return vectorizer(self.library, options).fit_transform(documents)

    def answer(self, ready, result):
        size = sum(len(text.encode()) for text in ready[0])
        csr = result.tocsr()
        csr.sort_indices()
        return {"data": csr.data, "indices": csr.indices, "indptr": csr.indptr, "bytes": np.array(size)}


class WholeFit(Fixed):
    """One call of ``fit`` at the library's defaults, as a user of small data makes it."""

    job = "whole fit"

    def __init__(self, name: str, library) -> None:
        self.name, self.library = name, library

    def run(self, ready, setting):
        return self.library.LogisticRegression().fit(*ready)

    def answer(self, ready, result):
        return {"coef": result.coef_, "intercept": result.intercept_}


class CrossValidate(Fixed):
    """LogisticRegressionCV on all cores: ten Cs, five folds, log loss.

    With ``asked`` the row's ``tol`` is used, for scikit-learn the loosest decade at which all ten scores are within
    1e-4 of those of the optimum: its default leaves its fits for large C where they started (on the reviews, 0.263
    instead of 0.527 at C = 1e4).
    """

    job = "cross-validate"

    def __init__(self, name: str, library, asked: bool = False) -> None:
        self.name, self.library, self.asked = name, library, asked

    def prepare(self, task: Task, data: Data, threads: int):
        settings = {"tol": task.options["tol"]} if self.asked else {}
        return data.X, data.y, threads, settings

    def run(self, ready, setting):
        X, y, threads, settings = ready
        model = self.library.LogisticRegressionCV(
            Cs=10, cv=5, l1_ratios=(0.0,), scoring="neg_log_loss", use_legacy_attributes=False,
            max_iter=100_000, n_jobs=threads, **settings,
        )  # fmt: skip
        return model.fit(X, y)

    def answer(self, ready, result):
        scores = np.asarray(result.scores_, float)
        return {"C": np.array(result.C_, float), "scores": scores.reshape(5, -1).mean(axis=0)}


class SingleFit(Fixed):
    """One fit at the defaults (with iterations enough to finish), to set a tuning's time against."""

    job = "tune"

    def __init__(self, name: str, library) -> None:
        self.name, self.library = name, library

    def run(self, ready, setting):
        return self.library.LogisticRegression(max_iter=1000).fit(*ready)

    def answer(self, ready, result):
        return {"C": np.array(result.C)}


class Tune(CrossValidate):
    """The same cross-validation, under the name of the row that sets it against a single fit."""

    job = "tune"


class Predict(Fixed):
    """``predict_proba`` of one row or of all, with weights drawn by a fixed seed so that all answers must agree."""

    job = "predict"

    def __init__(self, name: str, library) -> None:
        self.name, self.library = name, library

    def prepare(self, task: Task, data: Data, threads: int):
        X, y = data.X, data.y
        model = self.library.LogisticRegression().fit(X[:SMALL], y[:SMALL])
        _seed(model)
        return model, X[:1] if task.options["one"] else X

    def run(self, ready, setting):
        model, X = ready
        return model.predict_proba(X)

    def answer(self, ready, result):
        return {"probability": result[:, 1]}


class PredictText(Fixed):
    """A pipeline's ``predict_proba`` of one text or of all."""

    job = "predict text"

    def __init__(self, name: str, library) -> None:
        self.name, self.library = name, library

    def prepare(self, task: Task, data: Data, threads: int):
        from sklearn.pipeline import make_pipeline

        words = vectorizer(self.library, {"kind": "tfidf", "min_df": 2})
        X = words.fit_transform(data.documents)
        model = self.library.LogisticRegression().fit(X[:SMALL], np.arange(SMALL) % 2)
        _seed(model)
        return make_pipeline(words, model), data.documents[:1] if task.options["one"] else data.documents

    def run(self, ready, setting):
        pipeline, texts = ready
        return pipeline.predict_proba(texts)

    def answer(self, ready, result):
        return {"probability": result[:, 1]}


def _seed(model) -> None:
    rng = np.random.default_rng(0)
    model.coef_ = rng.standard_normal(model.coef_.shape)
    model.intercept_ = rng.standard_normal(model.intercept_.shape)


def every_job(name: str, library) -> list[Fixed]:
    """One entrant for each job that is only a matter of classes."""
    return [kind(name, library) for kind in (Vectorize, WholeFit, Predict, PredictText)]
