"""The encoder of a column of text; the others are in `crossent.table.columns`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa
from scipy import sparse

from crossent.errors import CrossentError
from crossent.table import values
from crossent.table.columns import Arrays, Block, ColumnEncoder, Rows
from crossent.text.shares import Span, Words, spread

if TYPE_CHECKING:
    from crossent.text.corpus import Corpus

_TFIDF: dict[str, Any] = {"ngram_range": (1, 2), "sublinear_tf": True}


class Text(ColumnEncoder):
    """Words and word pairs of at least two rows, weighted by TF-IDF; each row scaled to length one."""

    kind: ClassVar[str] = "text"
    per_row = None

    def __init__(self, name: str, vectorizer: Any):
        self.name, self.vectorizer = name, vectorizer

    @staticmethod
    def corpus(column: pa.ChunkedArray | None = None) -> Corpus:
        """What texts are read into before it is known from which of them to learn; with a column, its texts."""
        from crossent.text import TfidfVectorizer
        from crossent.text.fitting import blocks_of, corpus_for

        vectorizer = TfidfVectorizer(**_TFIDF)
        corpus = corpus_for(vectorizer)
        return corpus if column is None else corpus.read_all(*blocks_of(vectorizer, values.documents(column)))

    @classmethod
    def fit_corpus(
        cls, name: str, corpus: Corpus, learn_from: np.ndarray, others: np.ndarray
    ) -> tuple[Text, list[Block]]:
        """Learn from some of the texts of a corpus, which is used up; give the blocks of those and of others."""
        from crossent.text import TfidfVectorizer
        from crossent.text.fitting import fit_corpus

        for least in (2, 1) if learn_from.sum() > 1 else (1,):  # a handful of rows may share no word
            vectorizer = TfidfVectorizer(**_TFIDF, min_df=least)
            try:
                blocks = fit_corpus(vectorizer, corpus, learn_from, others if others.any() else None)
            except ValueError:
                continue
            self = cls(name, vectorizer)
            return self, [*blocks, sparse.csr_matrix((0, self.width))][:2]
        raise CrossentError(f"column {name!r} is text without a single word; drop it")

    def block(self, column: pa.ChunkedArray, rows: Rows = None) -> Block:
        if not len(column):
            return sparse.csr_matrix((0, self.width))
        return self.vectorizer.transform(values.documents(column))

    @property
    def width(self) -> int:
        return len(self.vectorizer.idf_)

    @property
    def names(self) -> list[str]:
        return self.names_of(np.arange(self.width))

    def names_of(self, features: np.ndarray) -> list[str]:
        return [f"{self.name}:{term}" for term in self.vectorizer.names_of(features)]

    def spans(self, document: str, features: np.ndarray, products: np.ndarray) -> list[Span]:
        """The words of a document, each with its share of the products w_j x_j of some features of the block."""
        terms = self.vectorizer.names_of(features)
        return spread(document, Words(), dict(zip(terms, products.tolist(), strict=True)))

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {}, self.vectorizer.to_arrays()

    @classmethod
    def restore(cls, name: str, meta: Mapping[str, Any], arrays: Arrays) -> Text:
        from crossent.text.tfidf import SavedTfidf  # what `fit` learned, without loading scikit-learn

        return cls(name, SavedTfidf.from_arrays(arrays))
