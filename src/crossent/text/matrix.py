"""From blocks of documents to a sparse matrix, on all cores. What a thread does depends on no other thread."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossent import blocks as pool
from crossent.jit import uncompiled
from crossent.text.counting import code_documents
from crossent.text.documents import Block
from crossent.text.hashing import hash_documents
from crossent.text.rows import NO_NORM, count_columns, keep_columns, weigh
from crossent.text.tokens import Analysis, plain, scratch_for
from crossent.text.vocabulary import Vocabulary

Array = NDArray[Any]
Rows = tuple[Array, Array, Array]  # columns, counts, and how many each row has

_NONE = np.zeros(0, np.int32)
_MANY = 1 << 20  # numbers of four bytes


@dataclass
class Counted:
    """The counts of a corpus: blocks of rows, and for each column the number of rows that hold it."""

    rows: list[Rows]
    n_rows: int
    n_columns: int
    in_documents: Array

    def documents_with(self) -> Array:
        """Return the number of rows that hold each column."""
        if not len(self.in_documents):
            self.in_documents = np.zeros(self.n_columns, np.int64)
            for columns, _, _ in self.rows:
                self.in_documents += np.bincount(columns, minlength=self.n_columns)
        return self.in_documents

    def totals(self, dtype: Any) -> Array:
        """Return the sum of each column, of counts that were cast to a type, in the type that numpy sums it in."""
        sums = np.zeros(self.n_columns)
        for columns, counts, _ in self.rows:
            sums += np.bincount(columns, counts.astype(dtype), self.n_columns)
        return sums.astype(np.zeros(0, dtype).sum().dtype)

    def largest(self) -> int:
        """Return the largest count."""
        return max((int(counts.max(initial=0)) for _, counts, _ in self.rows), default=0)

    def binarize(self) -> None:
        """Make every count one."""
        for _, counts, _ in self.rows:
            counts.fill(1)

    def keep(self, mask: Array, threads: int) -> None:
        """Leave out the columns that the mask does not keep."""
        renumbered = np.where(mask, np.cumsum(mask) - 1, -1).astype(np.int32)

        def prune(k: int) -> None:
            self.rows[k] = keep_columns(*self.rows[k], renumbered)

        pool.each(range(len(self.rows)), prune, threads)
        self.n_columns = int(mask.sum())
        self.in_documents = self.in_documents[mask]


def look_up(blocks: Iterable[Block], analysis: Analysis, vocabulary: Vocabulary, threads: int) -> Counted:
    """Count the n-grams that a vocabulary holds."""
    tables = vocabulary.tables

    def count(block: Block) -> Rows:
        block = plain(block, analysis)
        stream, ends, _ = code_documents(*block, analysis, *tables, scratch_for(block.offsets, analysis.mode), False)
        columns = vocabulary.symbol_columns, vocabulary.ngram_columns
        return count_columns(stream, ends, np.ones(len(ends), np.bool_), *columns, vocabulary.n_columns, 0, _NONE)

    return _counted(blocks, count, vocabulary.n_columns, threads)


def hashed(blocks: Iterable[Block], analysis: Analysis, n_features: int, alternate_sign: bool, threads: int) -> Counted:
    """Count the n-grams by the hash of their bytes."""

    def count(block: Block) -> Rows:
        block = plain(block, analysis)
        stream, ends = hash_documents(
            *block, analysis, scratch_for(block.offsets, analysis.mode), n_features, alternate_sign
        )
        return count_columns(stream, ends, np.ones(len(ends), np.bool_), _NONE, _NONE, n_features, 1, _NONE)

    return _counted(blocks, count, n_features, threads)


def _counted(blocks: Iterable[Block], count: Callable[[Block], Rows], n_columns: int, threads: int) -> Counted:
    found: dict[int, Rows] = {}

    def task(numbered: tuple[int, Block]) -> None:
        found[numbered[0]] = count(numbered[1])

    pool.each(enumerate(blocks), task, threads)
    rows = [found[k] for k in range(len(found))]
    return Counted(rows, sum(len(lengths) for _, _, lengths in rows), n_columns, _NONE)


def assemble(
    counted: Counted, dtype: Any, of_count: Array | None, idf: Array | None, norm: int, threads: int
) -> tuple[Array, Array, Array]:
    """Return (data, indices, indptr) of all rows; the counted rows are used up.

    Parameters
    ----------
    of_count : array or None
        The value of each count (from 0 on); the count itself when None.
    idf : array or None
        A weight for each column.
    norm : int
        NO_NORM, L1 or L2.
    """
    plain = of_count is None and idf is None and norm == NO_NORM
    of_count = _empty(dtype) if of_count is None else of_count
    idf = _empty(dtype) if idf is None else idf
    if len(counted.rows) == 1:  # a few documents: no time for more
        columns, counts, lengths = counted.rows.pop()
        indptr = np.zeros(counted.n_rows + 1, np.int32)
        lengths.cumsum(out=indptr[1:])
        if plain:
            return counts.astype(dtype), columns, indptr
        data = np.empty(len(columns), dtype)
        uncompiled(weigh, len(columns))(columns, counts, lengths, of_count, idf, norm, columns, data)
        return data, columns, indptr
    ends = np.cumsum([0, *(len(columns) for columns, _, _ in counted.rows)])
    _give_back(int(ends[-1]))
    narrow = ends[-1] <= np.iinfo(np.int32).max
    index = np.int32 if narrow else np.int64
    indptr = np.zeros(counted.n_rows + 1, index)
    np.cumsum(np.concatenate([lengths for _, _, lengths in counted.rows] or [_NONE]), out=indptr[1:])
    indices, data = np.empty(ends[-1], index), np.empty(ends[-1], dtype)
    quarter = -(-len(counted.rows) // 4)

    def place(k: int) -> None:
        columns, counts, lengths = counted.rows[k]
        here = slice(ends[k], ends[k + 1])
        if plain:
            indices[here], data[here] = columns, counts
        else:
            weigh(columns, counts, lengths, of_count, idf, norm, indices[here], data[here])
        counted.rows[k] = (_NONE, _NONE, _NONE)
        if (k + 1) % quarter == 0:
            _give_back(int(ends[-1]))

    pool.each(range(len(counted.rows)), place, threads)
    return data, indices, indptr


@cache
def _empty(dtype: Any) -> Array:
    return np.zeros(0, dtype)


def _give_back(kept: int) -> None:
    """Return freed memory to the system, when many numbers are kept beside it: the allocator would keep as much."""
    if kept >= _MANY:
        _malloc_trim()(0)


@cache
def _malloc_trim() -> Callable[[int], Any]:
    try:
        return ctypes.CDLL(None).malloc_trim  # glibc's; takes milliseconds
    except (AttributeError, OSError, TypeError):
        return lambda _: None
