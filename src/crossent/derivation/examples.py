"""Where examples come from: a fitted model and the user's row, or a small one of our own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossent.derivation.walking import Example
from crossent.equations import sigmoid
from crossent.errors import CrossentError


def of_model(model: Any, row: Any, label: Any = None) -> tuple[Example, NDArray[np.intp]]:
    """Return a row as the model sees it, and which columns of the design matrix its features are.

    Parameters
    ----------
    model : crossent.Model
        Of two classes.
    row : str, mapping, or Arrow table of one row
        As for ``model.explain``; a table that holds the target gives the label.
    label : object, optional
        One of the model's classes, or 0 or 1 for the first or the second of them.

    Raises
    ------
    CrossentError
        When the model has more than two classes, or the row's class is not known.
    """
    if len(model.classes) != 2:
        raise CrossentError(f"the derivation is that of two classes; the model has {len(model.classes)}")
    table, _ = model.one_row(row)
    if label is None and model.target in table.column_names:
        label = table[model.target][0].as_py()
    y = _label(model, label)
    X = model.encoder.transform(table)
    dense = X.toarray()[0] if hasattr(X, "toarray") else np.asarray(X)[0]
    columns = np.flatnonzero(dense)
    names = model.encoder.names_of(columns)
    shown = [str(table[name][0].as_py()) for name in table.column_names if isinstance(table[name][0].as_py(), str)]
    text = max(shown, key=len, default="") if isinstance(row, str) or max(map(len, shown), default=0) > 40 else ""
    x, w = dense[columns].astype(np.float64), np.asarray(model.coef[0], dtype=np.float64)[columns]
    other, one = map(str, model.classes)
    return Example(names, x, w, float(model.intercept[0]), y, one, other, text), columns


def _label(model: Any, label: Any) -> float:
    spelled = [str(known) for known in model.classes]
    if label is None or (str(label) == "" and "" not in spelled):
        raise CrossentError(f"the example's class is not given: add --label {spelled[0]} or --label {spelled[1]}")
    if str(label) in spelled:
        return float(spelled.index(str(label)))
    if str(label) in {"0", "1"}:
        return float(str(label))
    raise CrossentError(f"class {str(label)!r} is none of the model's: {', '.join(spelled)}")


def small() -> tuple[Example, NDArray[np.float64], NDArray[np.float64]]:
    """Return an example for a reader without a model: a review in seven word counts, and forty such rows.

    The rows are drawn from the weights themselves with a fixed seed; nothing here is measured on anybody's data.
    """
    names = ["wonderful", "touching", "plot", "actors", "predictable", "boring", "awful"]
    w = np.array([1.8, 1.2, 0.1, 0.2, -0.7, -1.4, -2.1])
    rng = np.random.default_rng(461)
    X = rng.poisson(0.6, size=(40, len(w))).astype(float)
    y = (rng.random(len(X)) < sigmoid(X @ w + 0.1)).astype(float)
    text = "A predictable plot and a touching, wonderful last half hour; the actors are never boring."
    example = Example(names, np.array([1.0, 1, 1, 1, 1, 1, 0]), w, 0.1, 1.0, "positive", "negative", text)
    return example, X, y
