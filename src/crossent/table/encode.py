"""A table with a schema -> the design matrix X, and back to a feature's name and its own scale."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
from scipy import sparse

from crossent.arrow import plain
from crossent.errors import CrossentError
from crossent.table.columns import Block, Category, ColumnEncoder, Date, Number, Rows, Sparse
from crossent.table.schema import Schema, listed
from crossent.table.texts import Text
from crossent.table.values import documents, is_by_index, is_readable
from crossent.text.shares import Span

if TYPE_CHECKING:
    from crossent.text.corpus import Corpus

ENCODERS: dict[str, Any] = {encoder.kind: encoder for encoder in (Number, Category, Date, Text, Sparse)}
_DENSE = 0.25  # from this share of stored entries on, a dense matrix is the smaller and the faster one


class Highlight(NamedTuple):
    """A text, and its words with their shares of z."""

    column: str
    text: str
    spans: list[Span]


class Encoder:
    """What was learned from the columns of a table: means, scales, levels, vocabularies.

    Made by `fit`, `fit_transform` or `from_saved`. `transform` gives the design matrix of any table with those columns;
    others are ignored. Numbers are standardised in it, so that the penalty treats them alike; `unscale` takes weights
    back to the numbers' own scale.

    Attributes
    ----------
    feature_names : list of str
        One a column of X: ``age``, ``age is missing``, ``job=student``, ``job is rare``, ``when.month=3``,
        ``text:terrible movie``, ``x[17]``.
    center, scale : ndarray (d,)
        ``value = center + scale * x`` takes a column of X back to its own scale (0 and 1 for all but numbers).
    is_sparse : bool
        Whether `transform` gives CSR (text, sparse columns or many levels) or a dense array.
    """

    def __init__(self, columns: list[ColumnEncoder]):
        self.columns = columns
        if not self.n_features:
            raise CrossentError("no column is left to learn from; every one is the target, constant or an identifier")

    @classmethod
    def fit(cls, table: pa.Table, schema: Schema) -> "Encoder":
        """Learn from the rows of `table`. One pass over each column."""
        return cls.fit_transform(table, schema)[0]

    @classmethod
    def fit_transform(
        cls, table: pa.Table, schema: Schema, rows: Rows = None
    ) -> "tuple[Encoder, np.ndarray | sparse.csr_matrix]":
        """`fit`, and the design matrix of the same rows, as `transform` would give it, for half the work."""
        self, X, _ = cls.fit_apart(table, schema, np.zeros(table.num_rows, np.bool_), rows)
        return self, X

    @classmethod
    def fit_apart(
        cls,
        table: pa.Table,
        schema: Schema,
        held_out: np.ndarray,
        rows: Rows = None,
        words: "Mapping[str, Corpus] | None" = None,
    ) -> "tuple[Encoder, np.ndarray | sparse.csr_matrix, np.ndarray | sparse.csr_matrix]":
        """Learn from the rows that are not held out; the design matrices of those and of the rows that are.

        Parameters
        ----------
        held_out : bool array, one a row of the table
        rows : int array, optional
            Where each row of the table stands in its source, for messages; and in ``words``.
        words : mapping, optional
            Texts by column, as `read_ahead` gives them; they are used up.
        """
        table = _as_table(table)
        schema.require(table.column_names)
        places = np.arange(len(table)) if rows is None else np.asarray(rows)
        parts = [~held_out, held_out]
        columns: list[ColumnEncoder] = []
        blocks: list[list[Block]] = []
        for column in schema.used:
            cells = _cells(table, column.name, column.kind)
            if column.kind == "text":
                corpus = (words or {}).get(column.name)
                mine = parts if corpus is None else [_mask(corpus.n_documents, places[part]) for part in parts]
                encoder, own = Text.fit_corpus(column.name, corpus or Text.corpus(cells), *mine)
            else:
                learned, held = (
                    (cells.filter(pa.array(part)) for part in parts) if held_out.any() else (cells, cells[:0])
                )
                options: dict[str, Any] = {"format": column.format} if column.kind == "date" else {}
                if column.kind in ("date", "number"):
                    options["rows"] = places[~held_out]
                encoder, block = ENCODERS[column.kind].fit(column.name, learned, **options)
                own = [block, encoder.block(held, places[held_out])]
            columns.append(encoder)
            blocks.append(own)
        self = cls(columns)
        X, X_held = (self._assemble([own[part] for own in blocks]) for part in range(2))
        return self, X, X_held

    def transform(self, table: pa.Table | pa.RecordBatch, rows: Rows = None) -> np.ndarray | sparse.csr_matrix:
        """The design matrix (n, d), float64: CSR if `is_sparse`, else C-contiguous.

        Messages name a row by its place in ``rows``, counted from 0 there, where the table is a part of its source.

        Raises
        ------
        CrossentError
            Columns that are not there, by name; a number column without a single number; an infinite number.
        """
        table = _as_table(table)
        lacking = [column.name for column in self.columns if column.name not in table.column_names]
        if lacking:
            raise CrossentError(f"the table lacks {listed(lacking)}; it has {listed(table.column_names)}")
        return self._assemble([column.block(_cells(table, column.name, column.kind), rows) for column in self.columns])

    def _assemble(self, blocks: list[Block]) -> np.ndarray | sparse.csr_matrix:
        if self.is_sparse:
            parts = [_csr(block) if isinstance(block, np.ndarray) else block for block in blocks]
            X = parts[0] if len(parts) == 1 else sparse.hstack(parts, format="csr")
            X = X if isinstance(X, sparse.csr_matrix) else sparse.csr_matrix(X)
            X.sort_indices()
            return X
        dense = [block if isinstance(block, np.ndarray) else block.toarray() for block in blocks]
        return np.ascontiguousarray(np.hstack(dense))

    @property
    def inputs(self) -> list[str]:
        """The names of the columns that `transform` needs."""
        return [column.name for column in self.columns]

    @property
    def is_sparse(self) -> bool:
        entries = [column.per_row for column in self.columns if column.per_row is not None]
        return len(entries) < len(self.columns) or sum(entries) < _DENSE * self.n_features

    @cached_property
    def feature_names(self) -> list[str]:
        return [name for column in self.columns for name in column.names]

    @property
    def n_features(self) -> int:
        """The number of columns of X."""
        return sum(column.width for column in self.columns)

    def names_of(self, features: Any) -> list[str]:
        """The names of a few columns of X, by position; makes no list of all."""
        wanted = np.asarray(features, dtype=np.int64)
        edges = np.cumsum([0, *(column.width for column in self.columns)])
        names = [""] * len(wanted)
        for start, end, column in zip(edges[:-1], edges[1:], self.columns, strict=True):
            at = np.flatnonzero((wanted >= start) & (wanted < end))
            for place, name in zip(at, column.names_of(wanted[at] - start), strict=True):
                names[place] = name
        return names

    def highlights(self, table: pa.Table, features: np.ndarray, products: np.ndarray) -> list[Highlight]:
        """The texts of a table of one row, with the words' shares of the products w_j x_j of its features."""
        found = []
        edges = np.cumsum([0, *(column.width for column in self.columns)])
        for start, end, column in zip(edges[:-1], edges[1:], self.columns, strict=True):
            if isinstance(column, Text):
                mine = (features >= start) & (features < end)
                document = documents(_cells(table, column.name, column.kind))[0].as_py()
                spans = column.spans(document, features[mine] - start, products[mine])
                found.append(Highlight(column.name, document, spans))
        return found

    @cached_property
    def center(self) -> np.ndarray:
        return np.concatenate([column.center for column in self.columns])

    @cached_property
    def scale(self) -> np.ndarray:
        return np.concatenate([column.scale for column in self.columns])

    def unscale(self, coef: np.ndarray, intercept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights for the values on their own scale: the same z from ``values @ coef.T + intercept``.

        Parameters
        ----------
        coef : ndarray (K, d) or (d,)
        intercept : ndarray (K,) or scalar
        """
        own = coef / self.scale
        return own, intercept - own @ self.center

    def to_json(self) -> dict[str, Any]:
        """All but the arrays, as JSON: one entry a column, in the order of X."""
        return {"columns": [{"name": c.name, "kind": c.kind, **c.state()[0]} for c in self.columns]}

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The arrays, named ``<position of the column>.<what>``."""
        return {f"{i}.{key}": a for i, column in enumerate(self.columns) for key, a in column.state()[1].items()}

    @classmethod
    def from_saved(cls, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> "Encoder":
        """The encoder from `to_json` and `to_arrays`; `transform` gives the same bits as before.

        Raises
        ------
        CrossentError
            Parts that are missing or do not fit.
        """
        try:
            columns = []
            for i, column in enumerate(meta["columns"]):
                own = {key.removeprefix(f"{i}."): array for key, array in arrays.items() if key.startswith(f"{i}.")}
                columns.append(ENCODERS[column["kind"]].restore(column["name"], column, own))
            return cls(columns)
        except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
            raise CrossentError(f"the saved columns are damaged: {error}") from None


def _mask(size: int, places: np.ndarray) -> np.ndarray:
    mask = np.zeros(size, np.bool_)
    mask[places] = True
    return mask


def _cells(table: pa.Table, name: str, kind: str) -> pa.ChunkedArray:
    """The column, plain, or an error if its type cannot hold what the kind asks for."""
    column = plain(table[name])
    fits = is_by_index(column.type) if kind == "sparse" else is_readable(column.type)
    if not fits and not pa.types.is_null(column.type):
        raise CrossentError(f"column {name!r} has values of type {column.type}, which cannot be used as {kind}")
    return column


def _csr(block: np.ndarray) -> sparse.csr_matrix:
    """A dense block as CSR without its zeros: many times faster than by way of coordinates, as SciPy does it."""
    rows, width = block.shape
    kept = block != 0
    if kept.all():
        indices, ends = np.tile(np.arange(width, dtype=np.int32), rows), np.arange(0, rows * width + 1, width)
        return sparse.csr_matrix((block.ravel(), indices, ends), shape=block.shape)
    ends = np.cumsum(kept.sum(axis=1), dtype=np.int64)
    indices = np.broadcast_to(np.arange(width, dtype=np.int32), block.shape)[kept]
    return sparse.csr_matrix((block[kept], indices, np.concatenate([[0], ends])), shape=(rows, width))


def _as_table(table: pa.Table | pa.RecordBatch) -> pa.Table:
    return pa.Table.from_batches([table]) if isinstance(table, pa.RecordBatch) else table
