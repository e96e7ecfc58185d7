"""The names of hashed columns: of the terms that share one, the most frequent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossent.text.hashing import hash_strings
from crossent.text.raw import PADDING

Array = NDArray[Any]


@dataclass(frozen=True)
class HashedNames:
    """``data[offsets[k] : offsets[k + 1]]`` is the name, in UTF-8, of column ``columns[k]``; the columns are sorted."""

    columns: Array
    data: Array
    offsets: Array

    @classmethod
    def of(cls, terms: Iterable[str], totals: Array, n_features: int) -> HashedNames:
        """Return the names of the terms' columns, given how often each term occurs; among equals the first wins."""
        encoded = [term.encode() for term in terms]
        columns = _hashed(encoded, n_features)
        order = np.lexsort((-totals, columns))
        winners = order[np.append(True, np.diff(columns[order]) != 0)[: len(order)]]
        return cls(columns[winners], *_joined([encoded[k] for k in winners]))

    def of_columns(self, columns: Any) -> list[str]:
        """Return the names of some columns; a column that no term was seen in is ``"#"`` and its number."""
        names = []
        for column in np.asarray(columns).tolist():
            k = int(np.searchsorted(self.columns, column))
            if k < len(self.columns) and self.columns[k] == column:
                names.append(self.data[self.offsets[k] : self.offsets[k + 1]].tobytes().decode())
            else:
                names.append(f"#{column}")
        return names

    def to_arrays(self) -> dict[str, Array]:
        """Return the arrays that :meth:`from_arrays` takes back."""
        return {"columns": self.columns, "data": self.data, "offsets": self.offsets}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> HashedNames:
        """Return the names of :meth:`to_arrays`."""
        return cls(arrays["columns"], arrays["data"], arrays["offsets"])


def columns_of(terms: Iterable[str], n_features: int) -> Array:
    """Return the column of each term."""
    return _hashed([term.encode() for term in terms], n_features)


def _hashed(encoded: list[bytes], n_features: int) -> Array:
    data, offsets = _joined(encoded)
    return hash_strings(np.append(data, np.zeros(PADDING, np.uint8)), offsets, n_features)


def _joined(encoded: list[bytes]) -> tuple[Array, Array]:
    data = np.frombuffer(bytearray().join(encoded), np.uint8)
    return data, np.append(0, np.cumsum([len(name) for name in encoded], dtype=np.int64))
