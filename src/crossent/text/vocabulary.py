"""A vocabulary as arrays: its symbols, its n-grams as (prefix, last symbol), and the column of each.

It is a tree. A term is a path of symbols; only what is needed to reach a term is kept. For words and pairs this takes
12 bytes a pair and no string, loads as it lies on disk, and is looked up by two integers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossent.jit import kernel, uncompiled
from crossent.text.interning import DEEP, Ngrams, Symbols, ngrams_of, symbols_of

Array = NDArray[Any]

LETTERS = 16  # of a term, about


@dataclass(frozen=True)
class Vocabulary:
    """Terms and their columns.

    Attributes
    ----------
    data, offsets
        The UTF-8 bytes of the symbols; symbol s is ``data[offsets[s] : offsets[s + 1]]``.
    prefix, last
        N-gram m of two or more symbols is the code of all but its last symbol, and that symbol's number. The code of
        a symbol is its number; the code of n-gram k is ``DEEP + k``, and k < m.
    symbol_columns, ngram_columns
        The column of each, or -1 where it is no feature.
    n_columns : int
    joined : bool
        A blank stands between symbols: they are words.
    """

    data: Array
    offsets: Array
    prefix: Array
    last: Array
    symbol_columns: Array
    ngram_columns: Array
    n_columns: int
    joined: bool

    def to_arrays(self) -> dict[str, Array]:
        """Return the arrays that :meth:`from_arrays` takes back."""
        arrays = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return arrays | {"n_columns": np.array([self.n_columns]), "joined": np.array([self.joined])}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Vocabulary:
        """Return the vocabulary of :meth:`to_arrays`; ValueError if the arrays are not those of one."""
        given: dict[str, Any] = {
            name: np.require(arrays[name], requirements=["C", "W"]) for name in cls.__dataclass_fields__
        }
        vocabulary = cls(**given | {"n_columns": int(given["n_columns"][0]), "joined": bool(given["joined"][0])})
        if not vocabulary._is_sound():
            raise ValueError("the vocabulary's arrays do not fit together")
        return vocabulary

    def _is_sound(self) -> bool:
        """Tell whether every number points inside its array: the kernels follow them unasked, and a file may lie."""
        types = (np.uint8, np.int64, np.uint32, np.uint32, np.int32, np.int32)
        names = ("data", "offsets", "prefix", "last", "symbol_columns", "ngram_columns")
        for name, kind in zip(names, types, strict=True):
            if getattr(self, name).ndim != 1 or getattr(self, name).dtype != kind:
                return False
        n_symbols, n_ngrams = len(self.offsets) - 1, len(self.prefix)
        if (n_symbols, n_ngrams, n_ngrams) != (len(self.symbol_columns), len(self.ngram_columns), len(self.last)):
            return False
        if self.offsets[0] != 0 or self.offsets[-1] != len(self.data) or (np.diff(self.offsets) < 0).any():
            return False
        earlier = np.where(self.prefix >= DEEP, self.prefix - DEEP < np.arange(n_ngrams), self.prefix < n_symbols)
        if not earlier.all() or not (self.last < n_symbols).all():
            return False
        columns = np.concatenate([self.symbol_columns, self.ngram_columns])
        columns = np.sort(columns[columns >= 0])
        return 0 <= self.n_columns <= len(columns) + 1 and bool(
            (np.diff(columns) > 0).all() and (columns < self.n_columns).all()
        )

    @cached_property
    def tables(self) -> tuple[Symbols, Ngrams]:
        """The tables by which documents find their terms; made when first used, in a millisecond per 100,000 terms."""
        return symbols_of(self.data, self.offsets), ngrams_of(self.prefix, self.last)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name in self.__dataclass_fields__}

    @cached_property
    def codes(self) -> Array:
        """The code of each column's term; -1 for a term without symbols."""
        codes = np.full(self.n_columns, -1, np.int64)
        for columns, base in ((self.symbol_columns, 0), (self.ngram_columns, DEEP)):
            kept = np.flatnonzero(columns >= 0)
            codes[columns[kept]] = kept + base
        return codes

    def spelled(self, columns: Any = slice(None)) -> tuple[Array, Array]:
        """Return the terms of these columns, or of all, in UTF-8: their bytes, and where each starts and ends."""
        codes = self.codes[columns]
        spell = uncompiled(_spell, LETTERS * len(codes))
        return spell(codes, self.data, self.offsets, self.prefix, self.last, int(self.joined))

    def names(self, columns: Any = slice(None)) -> list[str]:
        """Return the terms of these columns, or of all, in order."""
        data, offsets = self.spelled(columns)
        text = data.tobytes()
        edges = offsets.tolist()
        return [text[a:b].decode("utf-8", "surrogatepass") for a, b in pairwise(edges)]

    def keep(self, mask: Array) -> Vocabulary:
        """Return the vocabulary of the columns that the mask keeps, renumbered in their order."""
        renumbered = np.append(np.where(mask, np.cumsum(mask) - 1, -1), -1).astype(np.int32)
        symbol_columns, ngram_columns = renumbered[self.symbol_columns], renumbered[self.ngram_columns]
        deep = self.prefix >= DEEP
        parent = np.where(deep, self.prefix - np.where(deep, DEEP, 0), 0).astype(np.int64)
        needed = ngram_columns >= 0
        while True:  # once for each length of n-gram
            more = needed.copy()
            more[parent[needed & deep]] = True
            if (more == needed).all():
                break
            needed = more
        symbols = symbol_columns >= 0
        symbols[self.prefix[needed & ~deep]] = True
        symbols[self.last[needed]] = True
        symbol_numbers, ngram_numbers = np.cumsum(symbols) - 1, np.cumsum(needed) - 1
        prefix = np.where(deep, ngram_numbers[parent] + DEEP, symbol_numbers[np.where(deep, 0, self.prefix)])[needed]
        lengths = np.diff(self.offsets)
        return Vocabulary(
            self.data[np.repeat(symbols, lengths)],
            np.append(0, np.cumsum(lengths[symbols])),
            prefix.astype(np.uint32),
            symbol_numbers[self.last[needed]].astype(np.uint32),
            symbol_columns[symbols],
            ngram_columns[needed],
            int(mask.sum()),
            self.joined,
        )

    @classmethod
    def of(cls, terms: Iterable[str], columns: Sequence[int], joined: bool) -> Vocabulary:
        """Return the vocabulary of given terms and columns."""
        symbols: dict[str, int] = {}
        ngrams: dict[tuple[int, int], int] = {}
        symbol_columns: dict[int, int] = {}
        ngram_columns: dict[int, int] = {}
        n_columns = 0
        for term, column in zip(terms, columns, strict=True):
            n_columns += 1
            code = -1
            for symbol in term.split(" ") if joined else term:
                number = symbols.setdefault(symbol, len(symbols))
                code = number if code < 0 else ngrams.setdefault((code, number), len(ngrams)) + DEEP
            if code >= DEEP:
                ngram_columns[code - DEEP] = column
            elif code >= 0:
                symbol_columns[code] = column
        encoded = [symbol.encode("utf-8", "surrogatepass") for symbol in symbols]
        pairs = np.array(list(ngrams), np.uint32).reshape(-1, 2)
        return cls(
            np.frombuffer(bytearray().join(encoded), np.uint8),
            np.append(0, np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)))),
            np.ascontiguousarray(pairs[:, 0]),
            np.ascontiguousarray(pairs[:, 1]),
            _scattered(symbol_columns, len(symbols)),
            _scattered(ngram_columns, len(ngrams)),
            n_columns,
            joined,
        )


def _scattered(columns: dict[int, int], size: int) -> Array:
    result = np.full(size, -1, np.int32)
    result[list(columns.keys())] = list(columns.values())
    return result


@kernel
def _spell(codes, data, offsets, prefix, last, gap):
    """Return the bytes of the terms of these codes, one after another, and where each starts and ends."""
    edges = np.zeros(len(codes) + 1, np.int64)
    for k in range(len(codes)):
        length = 0
        code = codes[k]
        while code >= DEEP:
            s = last[code - DEEP]
            length += offsets[s + 1] - offsets[s] + gap
            code = np.int64(prefix[code - DEEP])
        if code >= 0:
            length += offsets[code + 1] - offsets[code]
        edges[k + 1] = edges[k] + length
    out = np.empty(edges[-1], np.uint8)
    for k in range(len(codes)):
        end = edges[k + 1]
        code = codes[k]
        while code >= 0:
            s = np.int64(last[code - DEEP]) if code >= DEEP else code
            for i in range(offsets[s + 1] - 1, offsets[s] - 1, -1):
                end -= 1
                out[end] = data[i]
            if code >= DEEP and gap:
                end -= 1
                out[end] = 32
            code = np.int64(prefix[code - DEEP]) if code >= DEEP else np.int64(-1)
    return out, edges
