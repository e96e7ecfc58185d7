"""Sets in LIBSVM, npz and CSV files: looked for in ``$CROSSENT_DATA``, else in ``../shared/data``."""

import os
from pathlib import Path

import numpy as np
from scipy import sparse

FOLDER = Path(os.environ.get("CROSSENT_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")


def _svm(name: str) -> dict:
    from sklearn.datasets import load_svmlight_file

    X, y = load_svmlight_file(str(FOLDER / "sparse" / name))
    return {"X": X, "y": np.unique(y, return_inverse=True)[1]}


def _news20_halves() -> dict:
    news = _svm("news20.20classes.svm.bz2")
    return {"X": news["X"], "y": (news["y"] >= 10).astype(int)}


def _hockey() -> dict:
    import pandas as pd

    goals = pd.read_csv(FOLDER / "sparse" / "hockey" / "goal.csv")
    return {"X": sparse.load_npz(FOLDER / "sparse" / "hockey" / "player.npz"), "y": goals["homegoal"].to_numpy(int)}


def _hockey_all() -> dict:
    """Players under a penalty, teams and configurations (who is on the ice) without: ``factor`` is 1 and 0."""
    parts = ("player", "team", "config")
    matrices = [sparse.load_npz(FOLDER / "sparse" / "hockey" / f"{part}.npz") for part in parts]
    texts = [(FOLDER / "sparse" / "hockey" / f"{part}_colnames.txt").read_text() for part in parts]
    names = [name for text in texts for name in text.splitlines()]
    factor = np.repeat([1.0, 0.0, 0.0], [matrix.shape[1] for matrix in matrices])
    return {**_hockey(), "X": sparse.hstack(matrices).tocsr(), "factor": factor, "names": names}


def _adult() -> dict:
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    table = pd.read_csv(FOLDER / "table" / "adult-train.csv", skipinitialspace=True)
    y = (table.pop("income").str.strip().str.startswith(">")).to_numpy(int)
    numbers = table.select_dtypes("number").columns
    encode = make_column_transformer((StandardScaler(), numbers), (OneHotEncoder(), table.columns.difference(numbers)))
    return {"X": sparse.csr_matrix(encode.fit_transform(table)), "y": y}


SETS = {
    "a9a": lambda: _svm("a9a.svm"),
    "ijcnn1": lambda: _svm("ijcnn1.svm.bz2"),
    "news20": lambda: _svm("news20.20classes.svm.bz2"),
    "news20-halves": _news20_halves,
    "hockey": _hockey,
    "hockey-all": _hockey_all,
    "adult": _adult,
}
