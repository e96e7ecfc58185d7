"""The names of hashed columns: of the terms that share one, the most frequent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossent.text.hashing import hash_strings
from crossent.text.raw import PADDING

Array = NDArray[Any]

_AT_ONCE = 1 << 16  # terms that are spelled out at a time


@dataclass(frozen=True)
class HashedNames:
    """``data[offsets[k] : offsets[k + 1]]`` is the name, in UTF-8, of column ``columns[k]``; the columns are sorted."""

    columns: Array
    data: Array
    offsets: Array
    n_features: int

    @classmethod
    def of(cls, spelled: Callable[[Array], tuple[Array, Array]], totals: Array, n_features: int) -> HashedNames:
        """Return the names of the columns of some terms.

        Parameters
        ----------
        spelled : callable
            Given numbers of terms, their bytes one after another, and where each starts and ends.
        totals : array
            How often each term occurs; of those that share a column the most frequent names it, the first among equals.
        n_features : int
            How many columns there are.
        """
        columns = np.empty(len(totals), np.int64)
        for start in range(0, len(totals), _AT_ONCE):
            some = np.arange(start, min(start + _AT_ONCE, len(totals)))
            columns[some] = _hashed(*spelled(some), n_features)
        order = np.lexsort((-totals, columns))
        winners = order[np.append(True, np.diff(columns[order]) != 0)[: len(order)]]
        return cls(columns[winners], *spelled(winners), n_features)

    def of_columns(self, columns: Any) -> list[str]:
        """Return the names of some columns; a column that no term was seen in is ``"#"`` and its number."""
        names = []
        for column in np.atleast_1d(columns).tolist():
            k = int(np.searchsorted(self.columns, column))
            if k < len(self.columns) and self.columns[k] == column:
                names.append(self.data[self.offsets[k] : self.offsets[k + 1]].tobytes().decode("utf-8", "replace"))
            else:
                names.append(f"#{column}")
        return names

    def to_arrays(self) -> dict[str, Array]:
        """Return the arrays that :meth:`from_arrays` takes back."""
        return {name: np.asarray(getattr(self, name)) for name in self.__dataclass_fields__}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> HashedNames:
        """Return the names of :meth:`to_arrays`; ValueError if the arrays are not those of any."""
        names = cls(**{name: arrays.get(name, np.zeros(0)) for name in cls.__dataclass_fields__})  # type: ignore[arg-type]
        if not names._is_sound():
            raise ValueError("the arrays of the columns' names do not fit together")
        return cls(names.columns, names.data, names.offsets, int(names.n_features))

    def _is_sound(self) -> bool:
        columns, data, offsets, size = self.columns, self.data, self.offsets, np.asarray(self.n_features)
        shapes = columns.shape == (len(offsets) - 1,) and data.ndim == offsets.ndim == 1 and size.size == 1
        if not shapes or (columns.dtype, data.dtype, offsets.dtype) != (np.int64, np.uint8, np.int64):
            return False
        ends = offsets[0] == 0 and offsets[-1] == len(data) and bool((np.diff(offsets) >= 0).all())
        return ends and bool((np.diff(columns) > 0).all() and ((columns >= 0) & (columns < size)).all())


def columns_of(terms: Iterable[str], n_features: int) -> Array:
    """Return the column of each term."""
    return _hashed(*joined([term.encode() for term in terms]), n_features)


def _hashed(data: Array, offsets: Array, n_features: int) -> Array:
    return hash_strings(np.append(data, np.zeros(PADDING, np.uint8)), offsets, n_features)


def joined(encoded: list[bytes]) -> tuple[Array, Array]:
    """Return the bytes of terms one after another, and where each starts and ends."""
    data = np.frombuffer(bytearray().join(encoded), np.uint8)
    return data, np.append(0, np.cumsum([len(name) for name in encoded], dtype=np.int64))
