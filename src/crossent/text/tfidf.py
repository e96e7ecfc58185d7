"""A fitted TF-IDF of words and word pairs, read from a model file: it scores texts without loading scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from itertools import chain, islice, pairwise
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from crossent.blocks import cores
from crossent.jit import LITTLE, is_loaded
from crossent.text import few, matrix
from crossent.text.documents import blocks
from crossent.text.interning import empty_symbols
from crossent.text.rows import L2
from crossent.text.shares import Words
from crossent.text.tokens import WORDS, Analysis
from crossent.text.vocabulary import Vocabulary

Array = NDArray[Any]


def sublinear(largest: int, dtype: Any = np.float64) -> Array:
    """Return 1 + log(count) for every count from 0 (whose value is 0) to the largest."""
    of_count = np.arange(largest + 1).astype(dtype)
    of_count[1:] = np.log(of_count[1:]) + 1
    return of_count


class SavedTfidf:
    """What a fitted ``TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)`` gives, bit for bit, from its arrays."""

    def __init__(self, vocabulary: Vocabulary, idf: Array):
        if idf.shape != (vocabulary.n_columns,) or idf.dtype != np.float64 or not np.isfinite(idf).all():
            raise ValueError(f"{vocabulary.n_columns} terms, but document frequencies of shape {idf.shape}")
        self.vocabulary, self.idf_ = vocabulary, idf

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> SavedTfidf:
        """Return what `TfidfVectorizer.to_arrays` saved; ValueError if the arrays do not fit together."""
        return cls(Vocabulary.from_arrays(arrays), np.require(arrays["idf"], requirements=["C", "W"]))

    def to_arrays(self) -> dict[str, Array]:
        """Return the arrays again."""
        return {**self.vocabulary.to_arrays(), "idf": self.idf_}

    def names_of(self, columns: Any) -> list[str]:
        """Return the terms of a few columns."""
        return self.vocabulary.names(np.atleast_1d(columns))

    @cached_property
    def _analysis(self) -> Analysis:
        return Analysis(WORDS, 2, 1, 2, True, None, empty_symbols())

    def transform(self, texts: Any) -> sp.csr_matrix:
        """Return the matrix of texts (str, or an Arrow column). Costs one pass over them."""
        pieces = blocks(texts, str, None, True)
        first = list(islice(pieces, 2))
        threads = cores() if len(first) > 1 else 1
        if not is_loaded() and sum(int(offsets[-1] - offsets[0]) for _, offsets in first) < LITTLE:
            documents = (data[a:b].tobytes() for data, offsets in first for a, b in pairwise(offsets))
            counted = few.look_up((text.decode("utf-8", "replace") for text in documents), Words(), self.vocabulary)
        else:
            counted = matrix.look_up(chain(first, pieces), self._analysis, self.vocabulary, threads)
        of_count = sublinear(counted.largest())
        arrays = matrix.assemble(counted, np.dtype(np.float64), of_count, self.idf_, L2, threads)
        X = sp.csr_matrix(arrays, shape=(len(arrays[2]) - 1, self.vocabulary.n_columns))
        X.has_canonical_format = True  # sorted, each column once
        return X
