"""Documents as the codes of their n-grams: read once, and before it is known which of them the terms come from.

What a thread does depends on no other thread: each has tables of its own, which become one vocabulary at the end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from crossent import blocks as pool
from crossent.text.counting import code
from crossent.text.documents import Block
from crossent.text.interning import empty_ngrams, empty_symbols
from crossent.text.matrix import Counted, Rows
from crossent.text.merging import merge
from crossent.text.rows import count_columns, count_documents
from crossent.text.tokens import WORDS, Analysis
from crossent.text.vocabulary import Vocabulary

Array = NDArray[Any]

_NO_ROWS: Rows = (np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.int32))


class Terms(NamedTuple):
    """A vocabulary, the columns of each thread's symbols and n-grams, and how many documents hold each column.

    Those are not known, and none, where every term is kept.
    """

    vocabulary: Vocabulary
    columns: dict[int, tuple[Array, Array]]
    in_documents: Array


class Corpus:
    """Documents, block by block, as codes of n-grams in the tables of the threads that read them."""

    def __init__(self, analysis: Analysis):
        self.analysis = analysis
        self._tables: dict[int, Any] = {}  # (Symbols, Ngrams) of each thread
        self._coded: dict[int, list[tuple[Array, Array, int]]] = {}  # codes, ends of documents, thread

    def read(self, number: int, block: Block) -> None:
        """Read a block of documents; they come in the order of the blocks' numbers, from 0. On any thread."""
        me = threading.get_ident()
        tables = self._tables.get(me, (empty_symbols(), empty_ngrams()))
        pieces, *self._tables[me] = code(block, self.analysis, *tables)
        self._coded[number] = [(*piece, me) for piece in pieces]

    def read_all(self, blocks: Iterable[Block], threads: int) -> Self:
        """Read all documents."""
        pool.each(enumerate(blocks), lambda numbered: self.read(*numbered), threads)
        return self

    @property
    def n_documents(self) -> int:
        """How many documents were read."""
        return sum(len(ends) for _, ends, _ in self._pieces)

    @property
    def is_empty(self) -> bool:
        """Whether no document holds a term."""
        return not any(len(codes) for codes, _, _ in self._pieces)

    def terms(self, wanted: Array | None, least: float, most: float, threads: int) -> Terms:
        """Return the sorted vocabulary of terms that so many of the wanted documents hold; all are wanted when None.

        No document can be read after this.
        """
        free = np.zeros(0, np.uint32)  # nothing is looked up any more
        for thread, (symbols, ngrams) in self._tables.items():
            self._tables[thread] = symbols._replace(slots=free), ngrams._replace(slots=free)
        del symbols, ngrams
        documents = None
        if wanted is not None or least > 1 or most < self.n_documents:
            documents = pool.run([partial(self._documents, thread, wanted) for thread in self._tables], threads)
        tables, bounds, is_words = list(self._tables.values()), (max(least, 1), most), self.analysis.mode == WORDS
        vocabulary, columns, in_documents = merge(tables, documents, bounds, self.analysis.min_n, is_words, threads)
        return Terms(vocabulary, dict(zip(self._tables, columns, strict=True)), in_documents)

    def count(self, terms: Terms, wanted: Array | None, threads: int, *, last: bool = False) -> Counted:
        """Count the terms in the wanted documents; the last count gives up the codes as it goes."""
        pieces, rows = self._pieces, self._rows(wanted)
        if last:
            self._coded.clear()
            self._tables.clear()
        n_columns, counted = terms.vocabulary.n_columns, [_NO_ROWS] * len(pieces)
        counting: list[Array] = []  # documents by column, one for each thread, unless they are known

        def counter() -> Callable[[int], None]:
            mine = np.zeros(0 if len(terms.in_documents) else n_columns, np.int32)
            counting.append(mine)

            def count(k: int) -> None:
                stream, ends, thread = pieces[k]
                of_symbols, of_ngrams = terms.columns[thread]
                counted[k] = count_columns(stream, ends, rows[k], of_symbols, of_ngrams, n_columns, 0, mine)
                if last:
                    pieces[k] = None

            return count

        pool.each(range(len(pieces)), counter, threads, per_worker=True)
        in_documents = terms.in_documents if len(terms.in_documents) else pool.in_order(counting)
        n_rows = sum(len(lengths) for _, _, lengths in counted)
        return Counted(counted, n_rows, n_columns, in_documents)

    @property
    def _pieces(self) -> list[Any]:
        return [piece for number in range(len(self._coded)) for piece in self._coded[number]]

    def _rows(self, wanted: Array | None) -> list[Array]:
        """Return which documents of each piece are wanted."""
        ends = np.cumsum([0, *(len(ends) for _, ends, _ in self._pieces)])
        wanted = np.ones(ends[-1], np.bool_) if wanted is None else wanted
        return [wanted[a:b] for a, b in pairwise(ends)]

    def _documents(self, thread: int, wanted: Array | None) -> tuple[Array, Array]:
        """Return how many wanted documents hold each symbol, and each n-gram, of a thread's tables."""
        symbols, ngrams = self._tables[thread]
        n_symbols, seen = int(symbols.used[0]), 0
        found = np.zeros((n_symbols + int(ngrams.used[0]), 2), np.int32)
        for (stream, ends, own), rows in zip(self._pieces, self._rows(wanted), strict=True):
            if own == thread:
                count_documents(stream, ends, rows, n_symbols, seen, found)
                seen += len(ends)
        return found[:n_symbols, 1], found[n_symbols:, 1]
