"""What the vectorizers share: scikit-learn checks parameters, kernels do the work, a vocabulary is kept as arrays.

scikit-learn checks every parameter, and warns, before it reads a document: it is given one that stops it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain, islice
from numbers import Integral
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction import text as sklearn_text

from crossent import parameters
from crossent.blocks import cores
from crossent.text import matrix
from crossent.text.analysis import analysis_of
from crossent.text.corpus import Corpus
from crossent.text.documents import Block, blocks, items
from crossent.text.rows import NO_NORM
from crossent.text.tokens import WORDS, Analysis
from crossent.text.vocabulary import Vocabulary

Array = NDArray[Any]


class _Checked(Exception):  # noqa: N818
    """scikit-learn has checked the parameters and asks for the first document."""


def check_parameters(vectorizer: Any, fit: Any) -> None:
    """Check ours, and have scikit-learn check its own: call its ``fit`` with documents whose first one stops it."""
    parameters.check_parameters(vectorizer)
    sp.csr_array((1, 1), dtype=vectorizer.dtype)  # ValueError where no matrix holds the type

    def documents() -> Iterator[str]:
        raise _Checked
        yield

    with suppress(_Checked):
        fit(documents())


def blocks_of(vectorizer: Any, documents: Any, surrogates: bool = True) -> tuple[Iterable[Block], int]:
    """Return the blocks of the documents, and the number of threads worth using."""
    if vectorizer.input != "content":
        documents = map(vectorizer.decode, items(documents))
    if vectorizer.stop_words is not None:
        vectorizer.build_analyzer()  # warns, once, of stop words that no token can be
    preprocess = vectorizer.build_preprocessor() if vectorizer.strip_accents else None
    iterator = blocks(documents, vectorizer.decode, preprocess, surrogates)
    first = list(islice(iterator, 2))
    return chain(first, iterator), cores(vectorizer.n_jobs) if len(first) > 1 else 1


def sparse(arrays: tuple[Array, Array, Array], n_columns: int) -> Any:
    """Return the CSR matrix of (data, indices, indptr), an array or a matrix as scikit-learn is set."""
    kind = sp.csr_array if get_config()["sparse_interface"] == "sparray" else sp.csr_matrix
    X = kind(arrays, shape=(len(arrays[2]) - 1, n_columns))
    X.has_canonical_format = True  # sorted, each column once
    return X


def corpus_for(vectorizer: Any) -> Corpus:
    """Return a corpus to read documents into, from which :func:`fit_corpus` can fit the vectorizer."""
    analysis = analysis_of(vectorizer)
    if analysis is None:
        raise TypeError("the vectorizer has a part that is not compiled")
    return Corpus(analysis)


def fit_corpus(vectorizer: Any, corpus: Corpus, learn_from: Array, others: Array | None) -> list[Any]:
    """Fit a vectorizer to some documents of a corpus; return their matrix, and that of other documents if given.

    Both are masks. ValueError, and the corpus is as it was, if there is nothing to learn; else it is used up.
    """
    counted = vectorizer._take(corpus, learn_from, others, cores(vectorizer.n_jobs))
    vectorizer.fixed_vocabulary_ = False
    return [sparse(vectorizer._arrays(part), part.n_columns) for part in counted]


def _counted(X: Any) -> matrix.Counted:
    """Return scikit-learn's matrix of counts as ours."""
    X.sort_indices()
    rows = X.indices.astype(np.int32), X.data.astype(np.int32), np.diff(X.indptr).astype(np.int32)
    return matrix.Counted([rows], X.shape[0], X.shape[1], np.zeros(0, np.int32))


class WithVocabulary:
    """What the two vectorizers with a vocabulary share. ``vocabulary_`` becomes a dict only when it is asked for."""

    # Mixed into scikit-learn's classes; the attributes below are theirs.
    vocabulary: Any
    min_df: Any
    max_df: Any
    max_features: Any
    binary: Any
    dtype: Any
    n_jobs: Any
    analyzer: Any
    fixed_vocabulary_: bool

    _compact: Vocabulary | None = None
    _terms: dict[str, int] | None = None

    @property
    def vocabulary_(self) -> dict[str, int]:
        """Terms and their columns: a dict that is made when asked for. To change them assign a dict; edits are lost."""
        if self._terms is None:
            if self._compact is None:
                raise AttributeError(f"{type(self).__name__} has no vocabulary_ before it is fitted")
            self._terms = {term: column for column, term in enumerate(self._compact.names())}
        return self._terms

    @vocabulary_.setter
    def vocabulary_(self, terms: dict[str, int]) -> None:
        self._terms, self._compact = terms, None

    @vocabulary_.deleter
    def vocabulary_(self) -> None:
        self._terms = self._compact = None

    def fit(self, raw_documents: Any, y: Any = None) -> Self:
        """Learn the vocabulary of the documents; see scikit-learn. Costs one pass over the text."""
        self._learn(raw_documents, analysis_of(self))
        return self

    def fit_transform(self, raw_documents: Any, y: Any = None) -> Any:
        """Learn the vocabulary and return the documents' matrix; see scikit-learn. Costs one pass over the text."""
        counted = self._learn(raw_documents, analysis_of(self))
        return sparse(self._arrays(counted), counted.n_columns)

    def transform(self, raw_documents: Any) -> Any:
        """Return the documents' matrix in the vocabulary's columns; see scikit-learn."""
        data, indices, indptr = self.transform_arrays(raw_documents)
        n_columns = len(self._terms or ()) if self._compact is None else self._compact.n_columns
        return sparse((data, indices, indptr), n_columns)

    def transform_arrays(self, raw_documents: Any) -> tuple[Array, Array, Array]:
        """Return (data, indices, indptr) of :meth:`transform`: a matrix of one document takes longer to make."""
        analysis = analysis_of(self)
        vocabulary = self._ready(analysis)
        if analysis is None or vocabulary is None:
            X = sklearn_text.CountVectorizer.transform(self, items(raw_documents))
            return self._arrays(_counted(X))
        return self._arrays(self._look_up(raw_documents, analysis, vocabulary))

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """Return the terms, in the order of the columns."""
        if self._compact is None:
            return super().get_feature_names_out(input_features)  # type: ignore[misc]
        return np.array(self._compact.names(), dtype=object)

    def names_of(self, columns: Any) -> list[str]:
        """Return the terms of a few columns; makes no list of all."""
        vocabulary = self._compact
        if vocabulary is None:
            return self.get_feature_names_out()[np.atleast_1d(columns)].tolist()
        return vocabulary.names(np.atleast_1d(columns))

    def to_arrays(self) -> dict[str, Array]:
        """Return what was learned, as arrays that :meth:`from_arrays` takes back.

        The vocabulary's symbols are UTF-8 in Arrow's layout (``data``, ``offsets``), sorted; n-gram m is
        (``prefix[m]``, ``last[m]``), see :class:`crossent.text.vocabulary.Vocabulary`.
        """
        vocabulary = self._ready(analysis_of(self))
        if vocabulary is None:
            terms = self.vocabulary_
            vocabulary = Vocabulary.of(terms.keys(), list(terms.values()), joined=False)
        return vocabulary.to_arrays()

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], **params: Any) -> Self:
        """Return a fitted vectorizer with these parameters; nothing is parsed, so it takes milliseconds."""
        vectorizer = cls(**params)
        vectorizer._compact = Vocabulary.from_arrays(arrays)
        vectorizer.fixed_vocabulary_ = vectorizer.vocabulary is not None
        return vectorizer

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()  # type: ignore[assignment]
        if self._compact is not None:
            state = {name: value for name, value in state.items() if name != "_terms"}
        return state

    def _learn(self, raw_documents: Any, analysis: Analysis | None) -> matrix.Counted:
        """Count the documents; keep the vocabulary, and of the counts what belongs to it."""
        check_parameters(self, super().fit_transform)  # type: ignore[misc]
        given = self._ready(analysis) if self.fixed_vocabulary_ else None
        if given is not None and analysis is not None:
            return self._look_up(raw_documents, analysis, given)
        if self.fixed_vocabulary_ or analysis is None:
            return _counted(sklearn_text.CountVectorizer.fit_transform(self, items(raw_documents)))
        pieces, threads = blocks_of(self, raw_documents)
        return self._take(Corpus(analysis).read_all(pieces, threads), None, None, threads)[0]

    def _take(
        self, corpus: Corpus, learn_from: Array | None, others: Array | None, threads: int
    ) -> list[matrix.Counted]:
        """Learn the vocabulary of some documents of a corpus, of all when None; return their counts.

        And those of others, a mask as ``learn_from`` is, if that is given.
        """
        if corpus.is_empty:
            raise ValueError("empty vocabulary; perhaps the documents only contain stop words")
        n = corpus.n_documents if learn_from is None else int(learn_from.sum())
        terms = corpus.terms(learn_from, *self._bounds(n), threads)
        if not terms.vocabulary.n_columns:
            raise ValueError("After pruning, no terms remain. Try a lower min_df or a higher max_df.")
        more = [] if others is None else [corpus.count(terms, others, threads)]
        counted = [corpus.count(terms, learn_from, threads, last=True), *more]
        if self.binary:
            for part in counted:
                part.binarize()
        vocabulary = terms.vocabulary
        if self.max_features is not None and vocabulary.n_columns > self.max_features:
            mask = self._most_frequent(counted[0])
            for part in counted:
                part.keep(mask, threads)
            vocabulary = vocabulary.keep(mask)
        self._compact, self._terms = vocabulary, None
        return counted

    def _bounds(self, n: int) -> tuple[Any, Any]:
        """Return in how many of n documents a term must be at least, and may be at most."""
        most = self.max_df if isinstance(self.max_df, Integral) else self.max_df * n
        least = self.min_df if isinstance(self.min_df, Integral) else self.min_df * n
        if most < least:
            raise ValueError("max_df corresponds to < documents than min_df")
        return least, most

    def _most_frequent(self, counted: matrix.Counted) -> Array:
        """Tell which columns max_features keeps."""
        totals = counted.totals(np.dtype(self.dtype))
        mask = np.zeros(len(totals), bool)
        mask[(-totals).argsort()[: self.max_features]] = True
        return mask

    def _ready(self, analysis: Analysis | None) -> Vocabulary | None:
        """Return the vocabulary for the kernels, made of ``vocabulary_`` where that was given; None if it cannot be."""
        if self._compact is None and self._terms is None:
            if self.vocabulary is None:
                raise NotFittedError("Vocabulary not fitted or provided")
            super().get_feature_names_out()  # type: ignore[misc]  # checks the given vocabulary, and takes it
        if analysis is None:
            return self._compact
        joined = analysis.mode == WORDS
        if self._compact is None or self._compact.joined != joined:
            terms = self.vocabulary_
            if not terms:
                raise ValueError("Vocabulary is empty")
            if not all(isinstance(term, str) for term in terms):
                return None
            self._compact = Vocabulary.of(terms.keys(), list(terms.values()), joined)
        return self._compact

    def _look_up(self, raw_documents: Any, analysis: Analysis, vocabulary: Vocabulary) -> matrix.Counted:
        pieces, threads = blocks_of(self, raw_documents)
        counted = matrix.look_up(pieces, analysis, vocabulary, threads)
        if self.binary:
            counted.binarize()
        return counted

    def _arrays(self, counted: matrix.Counted) -> tuple[Array, Array, Array]:
        return matrix.assemble(counted, np.dtype(self.dtype), None, None, NO_NORM, cores(self.n_jobs))
