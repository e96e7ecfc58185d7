"""Every row of the table, and the goals. A row is a task, the group whose goal it counts for, and tags to choose by."""

import math
from dataclasses import dataclass, replace

from benchmarks.task import Task


@dataclass(frozen=True)
class Goal:
    """What a group of rows is to reach: a ratio of times against one rival (or the fastest), or a share or seconds."""

    group: str
    target: float
    against: str = ""  # the fastest rival when empty
    of: str = "time"  # "time" and "memory": rival / ours, at least; others: a fact of ours
    at_most: bool = False


@dataclass(frozen=True)
class Row:
    name: str
    group: str
    task: Task
    tags: tuple[str, ...]
    quick: bool = True  # part of a quick run


GOALS = [
    Goal("L2", 3.0),
    Goal("L2, intercept", 5.0),
    Goal("multinomial L2", 5.0),
    Goal("unpenalised, dense", 3.0),
    Goal("L2, ill-conditioned", 3.0),
    Goal("gradient pass", 0.8, of="bandwidth_share"),
    Goal("whole fit, small", 3.0, against="scikit-learn"),
    Goal("predict one row", 20.0, against="scikit-learn"),
    Goal("predict one text", 20.0, against="scikit-learn"),
    Goal("predict rows", 3.0, against="scikit-learn"),
    Goal("predict texts", 20.0, against="scikit-learn"),
    Goal("cold start", 2.0, against="scikit-learn"),
    Goal("first use", 10.0, of="compile_s", at_most=True),
    Goal("L1", 3.0),
    Goal("L1, intercept", 3.0),
    Goal("elastic net", 3.0),
    Goal("L1 path", 3.0),
    Goal("cross-validation", 10.0, against="scikit-learn"),
    Goal("tuning against one fit", 1.0, against="scikit-learn, one fit"),
    Goal("vectorize", 25.0, against="scikit-learn"),
    Goal("hashed words", 150.0, of="mb_per_s_and_core"),
    Goal("file to model", 20.0, against="scikit-learn"),
    Goal("file to model", 1.0, against="vowpal wabbit"),
    Goal("file to model", 1.0, against="fastText"),
    Goal("vectorize", 2.5, against="scikit-learn", of="memory"),
    Goal("file to model", 2.5, against="scikit-learn", of="memory"),
]

TEXT = ("reviews", "reviews-pairs", "clickbait", "polarity")
LIBSVM = ("news20-halves", "a9a", "ijcnn1", "adult", "hockey", "zipf")
QUICK_L2 = ("reviews", "a9a", "zipf")
SMALL = {"iris": 3, "breast_cancer": 2, "small": 2}
MULTINOMIAL = {"20newsgroups": 20, "news20": 20, "trec": 6, "airline": 3}
# The loosest decade of tol at which scikit-learn's scores are within 1e-4 of those of the optimum.
CV_TOL = {"reviews": 1e-8, "reviews-pairs": 1e-8, "adult": 1e-7}
SPARSE_L1 = ("reviews", "news20-halves", "a9a", "ijcnn1", "hockey", "genes")


def _l2() -> list[Row]:
    rows = []
    for data in (*TEXT, *LIBSVM):
        kind = "text" if data in TEXT else "libsvm"
        for C in (1.0, 100.0):
            task, quick = Task("fit", data, C=C), C == 1 and data in QUICK_L2
            rows.append(Row(f"L2 {data} C={C:g}", "L2", task, ("l2", kind), quick))
            task = replace(task, intercept=True)
            rows.append(Row(f"L2+b {data} C={C:g}", "L2, intercept", task, ("l2", "intercept", kind), quick))
    return rows


def _other_fits() -> list[Row]:
    rows = [
        Row(
            f"multinomial {data}",
            "multinomial L2",
            Task("fit", data, n_classes=K, intercept=True),
            ("multinomial",),
            quick=data in ("trec", "airline"),
        )
        for data, K in MULTINOMIAL.items()
    ]
    million = Task("fit", "dense-million", C=math.inf, intercept=True)
    pixels = Task("fit", "pixels")
    rows.append(Row("unpenalised dense-million", "unpenalised, dense", million, ("dense", "unpenalised")))
    rows.append(Row("L2 pixels", "L2, ill-conditioned", pixels, ("dense", "l2", "pixels")))
    for data, K in SMALL.items():
        task = Task("whole fit", data, n_classes=K, intercept=True)
        rows.append(Row(f"whole fit {data}", "whole fit, small", task, ("small", "dense")))
    return rows


def _l1() -> list[Row]:
    rows = []
    for data in SPARSE_L1:
        for C in (0.1, 1.0, 10.0):
            task = Task("fit", data, C=C, l1_ratio=1.0, gap=1e-5)
            rows.append(Row(f"L1 {data} C={C:g}", "L1", task, ("l1",), C == 1 and data in ("reviews", "a9a", "genes")))
    for data in ("reviews", "a9a"):
        task = Task("fit", data, l1_ratio=1.0, gap=1e-5, intercept=True)
        rows.append(Row(f"L1+b {data}", "L1, intercept", task, ("l1", "intercept"), data == "a9a"))
        rows.append(Row(f"elastic net {data}", "elastic net", replace(task, l1_ratio=0.5), ("elastic",), data == "a9a"))
    task = Task("path choice", "hockey-all", l1_ratio=1.0, intercept=True, options={"alphas": 100, "ratio": 1e-2})
    rows.append(Row("hockey by BIC", "hockey", task, ("path", "hockey"), quick=False))
    for data in ("reviews", "a9a", "hockey", "genes"):
        task = Task("path", data, l1_ratio=1.0, gap=1e-4, options={"alphas": 100, "ratio": 1e-2})
        rows.append(Row(f"path {data}", "L1 path", task, ("l1", "path"), data == "genes"))
    return rows


def _cv(data: str, tol: float) -> Task:
    return Task("cross-validate", data, intercept=True, options={"tol": tol})


def _tuning() -> list[Row]:
    rows = [
        Row(f"CV {data}", "cross-validation", _cv(data, tol), ("cv",), data == "adult") for data, tol in CV_TOL.items()
    ]
    task = Task("tune", "reviews-pairs", intercept=True)
    rows.append(Row("tune reviews-pairs", "tuning against one fit", task, ("cv", "tune"), False))
    return rows


def _text() -> list[Row]:
    def vectorize(kind: str, ngrams: int = 1) -> Task:
        return Task("vectorize", "reviews-files", options={"kind": kind, "ngrams": ngrams})

    files = Task("train file", "reviews-files", C=10.0, options={"ngrams": 2})
    return [
        Row("vectorize words", "vectorize", vectorize("tfidf"), ("vectorize", "text")),
        Row("vectorize words and pairs", "vectorize", vectorize("tfidf", 2), ("vectorize", "text")),
        Row("vectorize hashed words", "hashed words", vectorize("hashing"), ("vectorize", "text")),
        Row("file to model reviews", "file to model", files, ("file", "text")),
    ]


def _serving() -> list[Row]:
    one, all_ = {"one": True}, {"one": False}
    return [
        Row("predict one row", "predict one row", Task("predict", "breast_cancer", options=one), ("predict",)),
        Row("predict one text", "predict one text", Task("predict text", "reviews-files", options=one), ("predict",)),
        Row("predict dense-million", "predict rows", Task("predict", "dense-million", options=all_), ("predict",)),
        Row("predict reviews", "predict texts", Task("predict text", "reviews-files", options=all_), ("predict",)),
        Row("cold start", "cold start", Task("cold start", "reviews-files"), ("cold",)),
        Row("first use", "first use", Task("first use", "small"), ("first",)),
        Row("gradient dense-million", "gradient pass", Task("gradient", "dense-million"), ("roofline", "gradient")),
        Row("gradient reviews", "gradient pass, sparse", Task("gradient", "reviews"), ("roofline", "gradient")),
    ]


ROWS: list[Row] = [*_serving(), *_l2(), *_other_fits(), *_l1(), *_tuning(), *_text()]


def choose(only: list[str], quick: bool) -> list[Row]:
    """Rows with every word of one of ``only`` (words joined by ``+``); all when it is empty.

    A word is a tag, a row's name, its data or job, or its group without commas.
    """

    def wanted(row: Row) -> bool:
        words = {*row.tags, row.name, row.task.data, row.task.job, row.group.replace(",", "")}
        return any(all(word in words for word in choice.split("+")) for choice in only)

    chosen = [row for row in ROWS if wanted(row)] if only else ROWS
    return [row for row in chosen if row.quick] if quick else chosen
