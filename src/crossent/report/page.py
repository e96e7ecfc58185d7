"""The derivation as a page: drag a weight, and watch z, sigma, the loss and the gradient move."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from crossent.derivation.steps import CONSEQUENCES, LINES, STEPS, Step, languages, texts
from crossent.derivation.walking import Example
from crossent.errors import CrossentError

MAX_ROWS = 200  # on the page, for gradient descent: enough to see it work, small enough to send,
MAX_ENTRIES = 20_000  # as long as the rows are short; about half a megabyte


@dataclass(frozen=True)
class Rows:
    """Rows of the user's data, on which the page does gradient descent.

    Attributes
    ----------
    X : array or sparse matrix of shape (n, d)
    y : ndarray of shape (n,)
        Labels in [0, 1].
    w : ndarray of shape (d,)
        The trained weights of all columns.
    columns : ndarray of int
        Which columns of X the features of the example are.
    """

    X: Any
    y: NDArray[np.float64]
    w: NDArray[np.float64]
    columns: NDArray[np.intp]


def derivation_page(example: Example, rows: Rows | None = None, *, weight: str | None = None, lang: str = "en") -> str:
    """Return the page as one HTML document.

    Parameters
    ----------
    example : Example
        The row that is shown; its weights can be dragged.
    rows : Rows, optional
        For gradient descent on the mean loss, full-batch, mini-batch and stochastic; at most 200, evenly spread,
        are put on the page, fewer of long texts. Without rows, the steps are taken on the example alone.
    weight : str, optional
        The feature that is selected at first; the most influential one by default.
    lang : str
        The language shown at first; the page holds all of them.

    Returns
    -------
    str
        HTML without a reference to anything outside itself. Every string of the user is escaped, and the page's own
        content policy admits no script but its own.

    Raises
    ------
    CrossentError
        When Jinja is not installed (extra ``report``), or the example has no such feature.
    """
    try:
        import jinja2
        from markupsafe import Markup
    except ImportError:
        raise CrossentError('the page needs Jinja, which is not installed: pip install "crossent[report]"') from None

    selected = example.position(weight)
    order = np.argsort(-np.abs(example.w * example.x), kind="stable")
    data = {
        "example": {
            "names": [str(example.names[i]) for i in order],
            "x": example.x[order].tolist(),
            "b": float(example.b),
            "y": float(example.y),
            "selected": int(np.flatnonzero(order == selected)[0]) if selected >= 0 else len(order),
        },
        "alone": rows is None,
        "lang": lang,
        "texts": {code: {"steps": texts(code)["steps"], **texts(code)["page"]} for code in languages()},
        **_rows(example, rows, order),
    }
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    style, script = _asset("derivation.css"), _asset("derivation.js")
    return environment.from_string(_asset("derivation.html.j2")).render(
        t=texts(lang)["page"],
        lang=lang,
        languages=[(code, texts(code)["language"]) for code in languages()],
        example=example,
        steps=[_shown(step, lang) for step in STEPS if step not in CONSEQUENCES],
        consequences=[_shown(step, lang) for step in CONSEQUENCES],
        data=data,
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
        safe=Markup,
    )


def _shown(step: Step, lang: str) -> dict[str, str]:
    return {
        "key": step.key,
        "title": step.title(lang),
        "mathml": step.mathml(whole=step not in LINES[1:]),
        "rule": step.rule(lang),
        "condition": step.condition(lang),
        "lemma": step.lemma,
    }


def _rows(example: Example, rows: Rows | None, order: NDArray[np.intp]) -> dict[str, Any]:
    """Rows as lists of (column, value), and the trained weights; the example's features are the first columns."""
    d = len(order)
    if rows is None:
        rows = Rows(example.x[None, order], np.array([example.y]), example.w[order], np.arange(d))
        own = rows.columns
    else:
        own = rows.columns[order]
    X = sp.csr_array(rows.X)
    n = X.shape[0]
    size = min(n, MAX_ROWS, max(2, int(MAX_ENTRIES / max(X.nnz / n, 1.0))))
    chosen = np.unique(np.linspace(0, n - 1, size).astype(np.intp))
    X = X[chosen]
    used = np.concatenate([own, np.setdiff1d(X.indices, own)]).astype(np.intp)
    place = np.zeros(X.shape[1], dtype=np.intp)
    place[used] = np.arange(len(used))
    ends = X.indptr[1:-1]
    return {
        "w": np.asarray(rows.w, dtype=float)[used].tolist(),
        "rows": {
            "columns": [part.tolist() for part in np.split(place[X.indices], ends)],
            "values": [part.tolist() for part in np.split(X.data.astype(float), ends)],
            "y": np.asarray(rows.y, dtype=float)[chosen].tolist(),
        },
    }


@cache
def _asset(name: str) -> str:
    return (files("crossent.report") / "templates" / name).read_text("utf-8")


def _hash(text: str) -> str:
    """The content policy's name of an inline block: no other block is allowed to run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
