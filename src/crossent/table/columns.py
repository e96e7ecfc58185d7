"""One encoder a kind of column: values in, a block of the design matrix out.

Every encoder has the same face. ``fit(name, column)`` learns and also gives the block for the rows it learned from;
``block(column)`` gives it for any rows; ``names`` are its features; ``center`` and ``scale`` take a feature back to its
own scale (``value = center + scale * x``); ``state()`` splits into JSON and arrays, and ``restore`` takes them back.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from crossent.arrow import plain
from crossent.errors import CrossentError, DataWarning
from crossent.table import values
from crossent.table.packed import pack, unpack

Arrays = Mapping[str, np.ndarray]
Rows: TypeAlias = "Sequence[int] | np.ndarray | None"  # where each row stands in its source, if not at its own place
Block: TypeAlias = "np.ndarray | sparse.csr_matrix"
RARE = 2  # a level seen in fewer rows than this shares one place with every other such level, and with new ones


class ColumnEncoder:
    """What is common: a name, features on their own scale, no arrays."""

    kind: ClassVar[str]
    name: str
    per_row: int | None = None  # stored entries a row, at most; None if any number

    @property
    def names(self) -> list[str]:
        raise NotImplementedError

    @property
    def width(self) -> int:
        return len(self.names)

    def names_of(self, features: np.ndarray) -> list[str]:
        """Names of a few features, by position in the block."""
        names = self.names
        return [names[j] for j in features]

    @property
    def center(self) -> np.ndarray:
        return np.zeros(self.width)

    @property
    def scale(self) -> np.ndarray:
        return np.ones(self.width)

    def block(self, column: pa.ChunkedArray, rows: Rows = None) -> Block:
        raise NotImplementedError

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        raise NotImplementedError


class Number(ColumnEncoder):
    """A number, standardised: ``(x - mean) / standard deviation``; missing ones get the mean, and an indicator column.

    The indicator ``<name> is missing`` exists if some value was missing when learning.
    """

    kind: ClassVar[str] = "number"

    def __init__(self, name: str, mean: float, deviation: float, missing: bool):
        self.name, self.mean, self.deviation, self.missing = name, mean, deviation, missing
        self.per_row: int = 1 + missing

    @classmethod
    def fit(
        cls, name: str, column: pa.ChunkedArray, *, indicator: bool = True, rows: Rows = None
    ) -> tuple["Number", np.ndarray]:
        x = read_numbers(name, column, rows)
        present = x[~np.isnan(x)]
        mean, deviation = 0.0, 1.0
        if len(present) and (top := float(np.abs(present).max())):
            unit = present / top  # so that neither 1e300 nor 1e-300 leaves the range when squared
            mean = float(unit.mean()) * top
            if unit.min() != unit.max():
                deviation = float(unit.std()) * top
            else:
                mean = float(present[0])
        self = cls(name, mean, deviation or 1.0, indicator and len(present) < len(x))
        return self, self._block(x)

    def block(self, column: pa.ChunkedArray, rows: Rows = None) -> np.ndarray:
        return self._block(read_numbers(self.name, column, rows))

    def _block(self, x: np.ndarray) -> np.ndarray:
        gone = np.isnan(x)
        out = np.empty((len(x), self.per_row))
        out[:, 0] = np.where(gone, 0.0, (x - self.mean) / self.deviation)
        if self.missing:
            out[:, 1] = gone
        return out

    @property
    def names(self) -> list[str]:
        return [self.name, f"{self.name} is missing"][: self.per_row]

    @property
    def center(self) -> np.ndarray:
        return np.array([self.mean, 0.0][: self.per_row])

    @property
    def scale(self) -> np.ndarray:
        return np.array([self.deviation, 1.0][: self.per_row])

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {"mean": self.mean, "deviation": self.deviation, "missing": self.missing}, {}

    @classmethod
    def restore(cls, name: str, meta: Mapping[str, Any], arrays: Arrays) -> "Number":
        return cls(name, float(meta["mean"]), float(meta["deviation"]), bool(meta["missing"]))


def read_numbers(name: str, column: pa.ChunkedArray, rows: Rows = None) -> np.ndarray:
    """Numbers, NaN for missing. Cells that hold no number count as missing, with a warning; all of them, an error."""
    x, bad = values.numbers(column)
    _tell_unreadable(name, column, bad, len(x) - int(np.isnan(x).sum()), "number", rows)
    infinite = np.flatnonzero(np.isinf(x))
    if len(infinite):
        raise CrossentError(
            f"column {name!r} has infinite values ({len(infinite):,}, the first in {_place(infinite[0], rows)}); "
            "empty those cells, or drop the column"
        )
    return x


def _place(row: int, rows: Rows) -> str:
    return f"data row {int(row if rows is None else rows[row]) + 1:,}"


def _tell_unreadable(name: str, column: pa.ChunkedArray, bad: np.ndarray, good: int, kind: str, rows: Rows) -> None:
    if not len(bad):
        return
    first = f"{str(plain(column)[int(bad[0])].as_py())[:40]!r} in {_place(bad[0], rows)}"
    if not good:
        raise CrossentError(f"column {name!r} should hold {kind}s and holds none (first: {first}); check its kind")
    cells = "cell holds" if len(bad) == 1 else "cells hold"
    message = f"column {name!r}: {len(bad):,} {cells} no {kind} (first: {first}); taken as missing"
    warnings.warn(message, DataWarning, stacklevel=2)


class Category(ColumnEncoder):
    """One-hot levels, with a place for missing and one that rare and new levels share.

    Those two places exist if there was something to learn them from. Without a place a row has no entry in the block,
    so its score is that of the other columns.
    """

    kind: ClassVar[str] = "category"
    per_row = 1

    def __init__(self, name: str, levels: pa.Array, rare: bool, missing: bool):
        self.name, self.levels, self.rare, self.missing = name, levels, rare, missing

    @classmethod
    def fit(cls, name: str, column: pa.ChunkedArray, *, indicator: bool = True) -> tuple["Category", Block]:
        text = values.levels(column)
        counts = pc.value_counts(text.drop_null())
        often = pc.greater_equal(counts.field("counts"), RARE)
        kept = sorted(counts.field("values").filter(often).to_pylist(), key=_natural)
        rare = len(kept) < len(counts)
        self = cls(name, pa.array(kept, pa.string()), rare, indicator and text.null_count > 0)
        return self, self._block(text)

    def block(self, column: pa.ChunkedArray, rows: Rows = None) -> Block:
        return self._block(values.levels(column))

    def _block(self, text: pa.ChunkedArray) -> Block:
        size = len(self.levels)
        codes = pc.index_in(text, value_set=self.levels)
        found = np.array(pc.fill_null(codes, -1).to_numpy(), dtype=np.int32)
        found[found < 0] = size if self.rare else -1
        found[pc.is_null(text).to_numpy()] = size + self.rare if self.missing else -1
        has = found >= 0
        indptr = np.concatenate([[0], np.cumsum(has, dtype=np.int32)]).astype(np.int32)
        entries = found[has]
        return sparse.csr_matrix((np.ones(len(entries)), entries, indptr), shape=(len(found), self.width))

    @property
    def names(self) -> list[str]:
        levels = [f"{self.name}={level}" for level in self.levels.to_pylist()]
        return levels + [f"{self.name} is rare"] * self.rare + [f"{self.name} is missing"] * self.missing

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {"rare": self.rare, "missing": self.missing}, pack("levels", self.levels)

    @classmethod
    def restore(cls, name: str, meta: Mapping[str, Any], arrays: Arrays) -> "Category":
        return cls(name, unpack("levels", arrays), bool(meta["rare"]), bool(meta["missing"]))


def _natural(level: str) -> tuple[float, str]:
    try:
        return float(level), level
    except ValueError:
        return np.inf, level


class Date(ColumnEncoder):
    """Year as a number; month, weekday and (with a time of day) hour as categories; one indicator for missing."""

    kind: ClassVar[str] = "date"
    WEEKDAYS: ClassVar[list[str]] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]

    def __init__(self, name: str, format: str, year: Number, parts: list[Category]):
        self.name, self.format, self.year, self.parts = name, format, year, parts
        self.per_row = year.per_row + len(parts)

    @classmethod
    def fit(cls, name: str, column: pa.ChunkedArray, *, format: str = "iso", rows: Rows = None) -> tuple["Date", Block]:
        when = cls._read(name, column, format, rows)
        year, first = Number.fit(f"{name}.year", pc.year(when))
        wanted = ["month", "weekday", "hour"] if values.has_clock(when) else ["month", "weekday"]
        fitted = [Category.fit(f"{name}.{part}", cls._part(when, part), indicator=False) for part in wanted]
        self = cls(name, format, year, [part for part, _ in fitted])
        return self, self._joined(first, [block for _, block in fitted])

    def block(self, column: pa.ChunkedArray, rows: Rows = None) -> Block:
        when = self._read(self.name, column, self.format, rows)
        parts = [part.block(self._part(when, part.name.rpartition(".")[2])) for part in self.parts]
        return self._joined(self.year.block(pc.year(when)), parts)

    @staticmethod
    def _joined(year: np.ndarray, parts: list[Block]) -> Block:
        return sparse.hstack([sparse.csr_matrix(year), *parts], format="csr")

    @staticmethod
    def _read(name: str, column: pa.ChunkedArray, format: str, rows: Rows) -> pa.ChunkedArray:
        when, bad = values.dates(column, format)
        _tell_unreadable(name, column, bad, len(when) - when.null_count, "date", rows)
        return when

    @classmethod
    def _part(cls, when: pa.ChunkedArray, part: str) -> pa.ChunkedArray:
        if part == "weekday":
            return pa.chunked_array([pa.array(cls.WEEKDAYS).take(pc.day_of_week(when).combine_chunks())])
        return pc.month(when) if part == "month" else pc.hour(when)

    @property
    def names(self) -> list[str]:
        year = [self.year.name, f"{self.name} is missing"][: self.year.per_row]
        return year + [name for part in self.parts for name in part.names]

    @property
    def center(self) -> np.ndarray:
        return np.concatenate([self.year.center, *(part.center for part in self.parts)])

    @property
    def scale(self) -> np.ndarray:
        return np.concatenate([self.year.scale, *(part.scale for part in self.parts)])

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        parts: dict[str, Any] = {}
        arrays: dict[str, np.ndarray] = {}
        for part in self.parts:
            short = part.name.rpartition(".")[2]
            parts[short], own = part.state()
            arrays |= {f"{short}.{key}": array for key, array in own.items()}
        return {"format": self.format, "year": self.year.state()[0], "parts": parts}, arrays

    @classmethod
    def restore(cls, name: str, meta: Mapping[str, Any], arrays: Arrays) -> "Date":
        year = Number.restore(f"{name}.year", meta["year"], {})
        parts = []
        for short, part in meta["parts"].items():
            own = {key.removeprefix(f"{short}."): a for key, a in arrays.items() if key.startswith(f"{short}.")}
            parts.append(Category.restore(f"{name}.{short}", part, own))
        return cls(name, str(meta["format"]), year, parts)


class Sparse(ColumnEncoder):
    """A row's numbers by index (an Arrow map of integers to numbers), as they are; indices not learned are ignored."""

    kind: ClassVar[str] = "sparse"
    per_row = None

    def __init__(self, name: str, indices: np.ndarray):
        self.name, self.indices = name, indices

    @classmethod
    def fit(cls, name: str, column: pa.ChunkedArray) -> tuple["Sparse", Block]:
        found = [chunk.keys.to_numpy(zero_copy_only=False) for chunk in column.chunks]
        self = cls(name, np.unique(np.concatenate(found)).astype(np.int64) if found else np.empty(0, np.int64))
        return self, self.block(column)

    def block(self, column: pa.ChunkedArray, rows: Rows = None) -> Block:
        if not len(column) or pa.types.is_null(column.type):
            return sparse.csr_matrix((len(column), self.width))
        maps = pa.concat_arrays(column.chunks)
        lengths = np.array(pc.fill_null(pc.list_value_length(pc.cast(maps, _as_list(maps.type))), 0))
        entries = pc.list_flatten(pc.cast(maps, _as_list(maps.type)))
        keys = np.asarray(entries.field(0), dtype=np.int64)
        numbers = np.array(pc.fill_null(entries.field(1).cast(pa.float64()), 0.0))
        at = np.searchsorted(self.indices, keys)
        known = np.zeros(len(keys), dtype=bool)
        inside = at < len(self.indices)
        known[inside] = self.indices[at[inside]] == keys[inside]
        row = np.repeat(np.arange(len(maps)), lengths)[known]
        shape = (len(maps), len(self.indices))
        return sparse.csr_matrix(sparse.coo_matrix((numbers[known], (row, at[known])), shape=shape))

    @property
    def width(self) -> int:
        return len(self.indices)

    @property
    def names(self) -> list[str]:
        return [f"{self.name}[{index}]" for index in self.indices.tolist()]

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {}, {"indices": self.indices}

    @classmethod
    def restore(cls, name: str, meta: Mapping[str, Any], arrays: Arrays) -> "Sparse":
        return cls(name, np.asarray(arrays["indices"], dtype=np.int64))


def _as_list(kind: pa.MapType) -> pa.DataType:
    return pa.list_(pa.struct([("key", kind.key_type), ("value", kind.item_type)]))
