"""The fitted model: it scores, evaluates, explains, and is saved and loaded."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import sparse

from crossent import modelfile
from crossent.certificate import Certificate
from crossent.errors import CrossentError
from crossent.metrics import Evaluation, decide, evaluate
from crossent.scoring import margins, probabilities
from crossent.table import Encoder, Highlight, Schema, codes_of, read, read_table, rows_with_target, with_target

Array = NDArray[Any]

UNKNOWN = {"dual": -math.inf}  # what JSON's null stands for in a certificate; infinity else


class Term(NamedTuple):
    """One term w_j x_j of a margin. ``given`` is x_j on its own scale, ``value`` as the model sees it."""

    name: str
    weight: float
    value: float
    product: float
    given: float


class Weight(NamedTuple):
    """What a feature adds to z: per unit on its own scale, and per unit as the model sees it (standardised)."""

    name: str
    weight: float
    encoded: float


@dataclass(frozen=True)
class Explanation:
    """z = b + sum_j w_j x_j of one row, term by term, the largest products first.

    Attributes
    ----------
    label : object
        The class whose margin this is: the second of two classes, or the one asked for (by default the predicted one).
    z, bias : float
    terms : list of Term
        Those with x_j != 0; bias and products add up to z.
    prediction : object
    probabilities : dict
        Of each class.
    missing : list of str
        Columns the model uses that were not given.
    texts : list of Highlight
        Of each text column that was given: its name, the text, and its words as spans (start, end, token,
        contribution). The products of a text's terms are shared by the words they cover, and add up to the same.
    """

    label: Any
    z: float
    bias: float
    terms: list[Term]
    prediction: Any
    probabilities: dict[Any, float]
    missing: list[str]
    texts: list[Highlight]

    def as_dict(self) -> dict[str, Any]:
        """Return the explanation as plain values."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        texts = [text._asdict() | {"spans": [span._asdict() for span in text.spans]} for text in self.texts]
        return values | {"terms": [term._asdict() for term in self.terms], "texts": texts}

    def __str__(self) -> str:
        shown = [f"{term.product:+10.4f}  {term.name}" for term in self.terms[:10]]
        rest = math.fsum(term.product for term in self.terms[10:])
        more = [f"{rest:+10.4f}  {len(self.terms) - 10:,} smaller terms"] if len(self.terms) > 10 else []
        ends = [f"{self.bias:+10.4f}  b", f"{self.z:+10.4f}  z, of class {self.label!r}"]
        return "\n".join([*shown, *more, *ends])


class Model:
    """A fitted logistic regression with the columns it was trained on. Made by :func:`crossent.train` or `load`.

    Attributes
    ----------
    classes : list
        The target's values, sorted, as the user has them.
    coef : array of shape (1, d), or (K, d) for K > 2 classes
        Weights of the encoded columns: numbers are standardised. ``encoder.unscale`` gives them on their own scale.
    intercept : array of shape (1,) or (K,)
    schema : crossent.table.Schema
    encoder : crossent.table.Encoder
    certificate : crossent.certificate.Certificate
    metadata : dict
        Training data, settings, seconds per stage, and the evaluation on the test part.
    """

    def __init__(
        self,
        classes: list[Any],
        coef: Array,
        intercept: Array,
        schema: Schema,
        encoder: Encoder,
        certificate: Certificate,
        metadata: dict[str, Any],
    ):
        self.classes, self.coef, self.intercept = classes, coef, intercept
        self.schema, self.encoder, self.certificate, self.metadata = schema, encoder, certificate, metadata

    def __repr__(self) -> str:
        return f"<crossent.Model of {self.target!r}: {len(self.classes)} classes, {self.coef.shape[1]:,} features>"

    @property
    def target(self) -> str:
        """The name of the target column."""
        return self.schema.target or "target"

    @property
    def test(self) -> Evaluation | None:
        """What the model achieved on the part held out when it was trained."""
        saved = self.metadata.get("test")
        return Evaluation.from_dict(saved) if saved else None

    # ------------------------------------------------------------------------------------------ scoring

    def margins(self, table: pa.Table | pa.RecordBatch, rows: Any = None) -> Array:
        """Return z of rows of Arrow data: (n,) for two classes, (n, K) for K. One pass. ``rows`` are their numbers."""
        return self.margins_of(self.encoder.transform(table, rows))

    def margins_of(self, X: Any) -> Array:
        """Return z of rows of the design matrix."""
        return margins(X, self.coef, self.intercept)

    def batches(self, source: Any) -> Iterator[tuple[pa.RecordBatch, Array]]:
        """Yield the rows of any source in batches, each with its margins; never holds more than one batch."""
        seen, empty = 0, None
        for batch in read(source, expected=self.encoder.inputs):
            if len(batch):
                yield batch, self.margins(batch, range(seen, seen + len(batch)))
                seen += len(batch)
            else:
                empty = batch
        if not seen and empty is not None:
            yield empty, self.margins(empty)

    def predict(self, source: Any) -> Array:
        """Return the most probable class of each row.

        Parameters
        ----------
        source : path, table or stream
            Whatever :func:`crossent.table.read` takes: a file, several, a pandas, polars or Arrow table, a mapping of
            columns.

        Returns
        -------
        array of shape (n,)
        """
        return self.labels(np.concatenate([z for _, z in self.batches(source)]))

    def predict_proba(self, source: Any) -> Array:
        """Return the probability of each class for each row, shape (n, K), in the order of ``classes``."""
        return probabilities(np.concatenate([z for _, z in self.batches(source)]))

    def labels(self, z: Array) -> Array:
        """Return the most probable classes at margins z."""
        return np.array(self.classes)[decide(z)]

    def evaluate(self, source: Any) -> Evaluation:
        """Return accuracy, log-loss, AUC, calibration error and confusion matrix on rows that hold the target."""
        table = read_table(source, expected=[self.target])
        rows, table = rows_with_target(table, self.target), with_target(table, self.target)
        if not len(table):
            raise CrossentError(f"no row holds the target {self.target!r}, so there is nothing to evaluate")
        y = codes_of(table, self.target, self.classes, rows)
        return evaluate(self.margins(table, rows), y, self.classes)

    # ------------------------------------------------------------------------------------------ explaining

    def explain(self, row: Any, *, label: Any = None) -> Explanation:
        """Return z = b + sum_j w_j x_j of one row, term by term.

        Parameters
        ----------
        row : str, mapping, or table of one row
            A text, for a model with one text column; or values by column name. Columns not given count as missing.
        label : object, optional
            The class to explain, if there are more than two; the predicted one by default.
        """
        table, missing = self.one_row(row)
        X, z = self.encoder.transform(table), self.margins(table)
        k = self._position(label, int(decide(z)[0]))
        stored = sparse.csr_array(X, copy=True)
        stored.eliminate_zeros()
        columns, x = stored.indices, stored.data
        products = self.coef[k, columns] * x
        texts = [text for text in self.encoder.highlights(table, columns, products) if text.column not in missing]
        order = np.lexsort((columns, -np.abs(products)))
        columns, x, products = columns[order], x[order], products[order]
        given = self.encoder.center[columns] + self.encoder.scale[columns] * x
        names = self.encoder.names_of(columns)
        parts = (names, self.coef[k, columns].tolist(), x.tolist(), products.tolist(), given.tolist())
        explanation = Explanation(
            label=self.classes[1] if len(self.coef) == 1 else self.classes[k],
            z=float(z[0] if z.ndim == 1 else z[0, k]),
            bias=float(self.intercept[k]),
            terms=[Term(*term) for term in zip(*parts, strict=True)],
            prediction=self.classes[int(decide(z)[0])],
            probabilities=dict(zip(self.classes, probabilities(z)[0].tolist(), strict=True)),
            missing=missing,
            texts=texts,
        )
        _check_sum(explanation)
        return explanation

    def one_row(self, row: Any) -> tuple[pa.Table, list[str]]:
        if isinstance(row, str):
            texts = [column.name for column in self.schema.used if column.kind == "text"]
            if len(texts) != 1:
                held = f"{len(texts)} text columns" if texts else "no text column"
                raise CrossentError(f"the model has {held}, so a text alone is no row; give a row of a file (--row)")
            row = {texts[0]: row}
        if isinstance(row, Mapping) or getattr(row, "ndim", 0) == 1:  # or a row of a data frame
            row = {str(name): [value] for name, value in row.items()}
        table = read_table(row)
        missing = [name for name in self.encoder.inputs if name not in table.column_names]
        if len(missing) == len(self.encoder.inputs):
            raise CrossentError(f"none of the model's columns is there; it uses {', '.join(map(repr, missing[:10]))}")
        if len(table) != 1:
            raise CrossentError(f"one row is explained at a time; got {len(table):,}")
        for name in missing:
            table = table.append_column(name, pa.nulls(1, pa.string()))
        return table, missing

    def _position(self, label: Any, predicted: int) -> int:
        """Return the row of ``coef`` that belongs to a class."""
        if label is None:
            return 0 if len(self.coef) == 1 else predicted
        spelled = [str(known) for known in self.classes]
        if str(label) not in spelled:
            raise CrossentError(f"class {label!r} is none of the model's: {', '.join(spelled[:10])}")
        return 0 if len(self.coef) == 1 else spelled.index(str(label))

    def weights(self, top: int | None = 10) -> dict[Any, list[Weight]]:
        """Return, for each class, the features that speak most for it, by their weight in the encoded columns.

        Of two classes the first has the negative weights, with their signs turned.
        """
        rows = np.concatenate([-self.coef, self.coef]) if len(self.coef) == 1 else self.coef
        result = {}
        for label, w in zip(self.classes, rows, strict=True):
            order = np.lexsort((np.arange(len(w)), -w))
            best = order[w[order] > 0.0][:top]
            parts = (self.encoder.names_of(best), (w[best] / self.encoder.scale[best]).tolist(), w[best].tolist())
            result[label] = [Weight(*part) for part in zip(*parts, strict=True)]
        return result

    # ------------------------------------------------------------------------------------------ the file

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to one safetensors file; see `crossent.modelfile`. Whole or not at all."""
        content = {
            "classes": self.classes,
            "schema": self.schema.to_json(),
            "encoder": self.encoder.to_json(),
            "certificate": self.certificate.as_dict(),
            "metadata": self.metadata,
        }
        tensors = {f"encoder.{name}": array for name, array in self.encoder.to_arrays().items()}
        modelfile.save(path, content, {"coef": self.coef, "intercept": self.intercept, **tensors})


def load(path: str | os.PathLike[str]) -> Model:
    """Return the model in a file that :meth:`Model.save` wrote; its predictions are the same bits as before.

    In a process that has compiled nothing yet a few rows are scored sooner by the Python that the kernels are written
    in: then the last places may differ, as sums have another order.

    Raises
    ------
    CrossentError
        The file is not there, cut short, changed, of another program or of a newer Crossent.
    """
    content, tensors = modelfile.load(path)
    try:
        encoder = Encoder.from_saved(
            content["encoder"],
            {name.removeprefix("encoder."): a for name, a in tensors.items() if name.startswith("encoder.")},
        )
        model = Model(
            content["classes"],
            tensors["coef"],
            tensors["intercept"],
            Schema.from_json(content["schema"]),
            encoder,
            _certificate(content["certificate"]),
            content["metadata"],
        )
        _check_shapes(model)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        detail = str(error) if isinstance(error, CrossentError) else f"{type(error).__name__}: {error}"
        raise CrossentError(f"{os.fspath(path)}: its parts do not fit together ({detail}); train it again") from None
    return model


def _certificate(saved: Mapping[str, Any]) -> Certificate:
    values: Any = {key: UNKNOWN.get(key, math.inf) if value is None else value for key, value in saved.items()}
    return Certificate(**values)


def _check_shapes(model: Model) -> None:
    K = len(model.classes)
    rows = 1 if K == 2 else K
    shape = (rows, model.encoder.n_features)
    if K < 2 or model.coef.shape != shape or model.intercept.shape != (rows,):
        raise ValueError(f"{K} classes and {shape[1]} features, but weights of shape {model.coef.shape}")
    for weights in (model.coef, model.intercept):
        if weights.dtype != np.float64 or not np.isfinite(weights).all():
            raise ValueError("weights that are no finite numbers")


def _check_sum(explanation: Explanation) -> None:
    """Hold the promise that the terms shown add up to the margin that predicts."""
    products = [term.product for term in explanation.terms]
    total = math.fsum([explanation.bias, *products])
    size = abs(explanation.bias) + math.fsum(map(abs, products))
    if abs(total - explanation.z) > (len(products) + 2) * np.finfo(np.float64).eps * size:
        raise ArithmeticError(f"the terms add up to {total!r}, but z is {explanation.z!r}")
