"""The public vectorizers: scikit-learn's classes, whose work compiled kernels do.

Where a parameter is a callable, or a pattern of the user's own, scikit-learn itself does the work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction import text as sklearn_text

from crossent import parameters
from crossent.blocks import cores
from crossent.text import matrix
from crossent.text.analysis import analysis_of
from crossent.text.corpus import Corpus
from crossent.text.documents import Block, items
from crossent.text.fitting import WithVocabulary, blocks_of, sparse
from crossent.text.names import HashedNames, joined
from crossent.text.rows import L1, L2, NO_NORM
from crossent.text.tfidf import sublinear
from crossent.text.tokens import WORDS, Analysis

Array = NDArray[Any]
_NORMS = {None: NO_NORM, "l1": L1, "l2": L2}


class CountVectorizer(WithVocabulary, sklearn_text.CountVectorizer):
    """Counts of words, or of characters: :class:`sklearn.feature_extraction.text.CountVectorizer`, faster.

    Parameters, attributes and results are scikit-learn's. What is added: ``n_jobs``, the number of threads (None: all
    cores; the result is the same for any), Arrow columns as documents, :meth:`names_of`, :meth:`to_arrays` and
    :meth:`from_arrays`. Rows come sorted by column from :meth:`fit_transform` too. ``vocabulary_`` is made when asked
    for: to change it assign another dict, for what is edited in place is lost.
    """

    def __init__(
        self,
        *,
        input="content",
        encoding="utf-8",
        decode_error="strict",
        strip_accents=None,
        lowercase=True,
        preprocessor=None,
        tokenizer=None,
        stop_words=None,
        token_pattern=r"(?u)\b\w\w+\b",
        ngram_range=(1, 1),
        analyzer="word",
        max_df=1.0,
        min_df=1,
        max_features=None,
        vocabulary=None,
        binary=False,
        dtype=np.int64,
        n_jobs=None,
    ):
        super().__init__(
            input=input,
            encoding=encoding,
            decode_error=decode_error,
            strip_accents=strip_accents,
            lowercase=lowercase,
            preprocessor=preprocessor,
            tokenizer=tokenizer,
            stop_words=stop_words,
            token_pattern=token_pattern,
            ngram_range=ngram_range,
            analyzer=analyzer,
            max_df=max_df,
            min_df=min_df,
            max_features=max_features,
            vocabulary=vocabulary,
            binary=binary,
            dtype=dtype,
        )
        self.n_jobs = n_jobs


class TfidfVectorizer(WithVocabulary, sklearn_text.TfidfVectorizer):
    """Weighed counts: :class:`sklearn.feature_extraction.text.TfidfVectorizer`, faster.

    Parameters, attributes and results are scikit-learn's; see :class:`CountVectorizer` for what is added and for
    ``vocabulary_``. Values are the bits of scikit-learn's ``transform``. Its ``fit_transform`` sums the squares of a
    row in the order in which terms were first seen, and so differs from its own ``transform`` in the last place; ours
    does not.
    """

    _idf: Array | None = None
    _weights: tuple[Any, Any] | None = None  # norm and sublinear_tf as they were when fitted, which scikit-learn keeps

    def __init__(
        self,
        *,
        input="content",
        encoding="utf-8",
        decode_error="strict",
        strip_accents=None,
        lowercase=True,
        preprocessor=None,
        tokenizer=None,
        stop_words=None,
        token_pattern=r"(?u)\b\w\w+\b",
        ngram_range=(1, 1),
        analyzer="word",
        max_df=1.0,
        min_df=1,
        max_features=None,
        vocabulary=None,
        binary=False,
        dtype=np.float64,
        norm="l2",
        use_idf=True,
        smooth_idf=True,
        sublinear_tf=False,
        n_jobs=None,
    ):
        super().__init__(
            input=input,
            encoding=encoding,
            decode_error=decode_error,
            strip_accents=strip_accents,
            lowercase=lowercase,
            preprocessor=preprocessor,
            tokenizer=tokenizer,
            stop_words=stop_words,
            token_pattern=token_pattern,
            ngram_range=ngram_range,
            analyzer=analyzer,
            max_df=max_df,
            min_df=min_df,
            max_features=max_features,
            vocabulary=vocabulary,
            binary=binary,
            dtype=dtype,
            norm=norm,
            use_idf=use_idf,
            smooth_idf=smooth_idf,
            sublinear_tf=sublinear_tf,
        )
        self.n_jobs = n_jobs

    @property
    def idf_(self) -> Array:
        """The inverse document frequency of each column, when ``use_idf``."""
        return super().idf_ if self._idf is None else self._idf

    @idf_.setter
    def idf_(self, value: Any) -> None:
        value = np.asarray(value)
        if value.ndim != 1:
            raise ValueError(f"idf_ is one number for each column, but its shape is {value.shape}")
        if self._compact is None:
            sklearn_text.TfidfVectorizer.idf_.fset(self, value)
        elif not self.use_idf:
            raise ValueError("`idf_` cannot be set when `use_idf=False`.")
        elif len(value) != self._compact.n_columns:
            raise ValueError(f"idf length = {len(value)} must be equal to vocabulary size = {self._compact.n_columns}")
        self._idf, self._weights = value, self._weights or (self.norm, self.sublinear_tf)

    def to_arrays(self) -> dict[str, Array]:
        """Return the vocabulary, and ``idf`` when it is used; see :meth:`CountVectorizer.to_arrays`."""
        arrays = super().to_arrays()
        return {**arrays, "idf": self.idf_} if self.use_idf else arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], **params: Any) -> Self:
        """Return a fitted vectorizer with these parameters; nothing is parsed, so it takes milliseconds."""
        vectorizer = super().from_arrays(arrays, **params)
        vectorizer._weights = vectorizer.norm, vectorizer.sublinear_tf
        if vectorizer.use_idf:
            if "idf" not in arrays:
                raise ValueError("the arrays hold no idf: they were saved with use_idf=False, so load them with it")
            vectorizer.idf_ = arrays["idf"]
        return vectorizer

    def transform_arrays(self, raw_documents: Any) -> tuple[Array, Array, Array]:
        """Return (data, indices, indptr) of :meth:`transform`."""
        if self._weights is None:
            raise NotFittedError("The TF-IDF vectorizer is not fitted")
        return super().transform_arrays(raw_documents)

    def _learn(self, raw_documents: Any, analysis: Analysis | None) -> matrix.Counted:
        self._weights = None
        counted = super()._learn(raw_documents, analysis)
        if self._weights is None:  # scikit-learn counted, or the vocabulary was given
            self._weigh_by(counted)
        return counted

    def _take(self, *corpus_and_rows: Any) -> list[matrix.Counted]:
        counted = super()._take(*corpus_and_rows)
        self._weigh_by(counted[0])
        return counted

    def _weigh_by(self, counted: matrix.Counted) -> None:
        """Learn the weights of the columns from these documents."""
        self._idf, self._weights = None, (self.norm, self.sublinear_tf)
        if self.use_idf:
            df = counted.documents_with().astype(self._value_type())
            df += float(self.smooth_idf)
            idf = np.full_like(df, counted.n_rows + int(self.smooth_idf))
            idf /= df
            self._idf = np.log(idf, out=idf)
            self._idf += 1.0

    def _value_type(self) -> Any:
        dtype = np.dtype(self.dtype)
        return dtype if dtype in (np.float32, np.float64) else np.dtype(np.float64)

    def _arrays(self, counted: matrix.Counted) -> tuple[Array, Array, Array]:
        dtype = self._value_type()
        assert self._weights is not None
        norm, is_sublinear = self._weights
        of_count = sublinear(counted.largest(), dtype) if is_sublinear else None
        idf = None if self._idf is None else self._idf.astype(dtype, copy=False)
        if not counted.n_rows:
            raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required by TfidfVectorizer.")
        arrays = matrix.assemble(counted, dtype, of_count, idf, _NORMS[norm], cores(self.n_jobs))
        if norm is not None and not np.isfinite(arrays[0].sum()):  # infinity over infinity
            raise ValueError("Input contains infinity or NaN: an idf_ is not finite; smooth_idf=True makes it so")
        return arrays


class _Read(NamedTuple):
    """A file that can be read again."""

    content: Any

    def read(self) -> Any:
        return self.content


class HashingVectorizer(sklearn_text.HashingVectorizer):
    """Counts in hashed columns: :class:`sklearn.feature_extraction.text.HashingVectorizer`, faster.

    Parameters and results are scikit-learn's. What is added: ``n_jobs``, the number of threads (None: all cores; the
    result is the same for any), Arrow columns as documents, and ``keep_names``: then :meth:`fit` reads the documents,
    counts their terms and keeps, for each column, the most frequent one, which :meth:`names_of` tells.
    """

    _names: HashedNames | None = None

    def __init__(
        self,
        *,
        input="content",
        encoding="utf-8",
        decode_error="strict",
        strip_accents=None,
        lowercase=True,
        preprocessor=None,
        tokenizer=None,
        stop_words=None,
        token_pattern=r"(?u)\b\w\w+\b",
        ngram_range=(1, 1),
        analyzer="word",
        n_features=2**20,
        binary=False,
        norm="l2",
        alternate_sign=True,
        dtype=np.float64,
        n_jobs=None,
        keep_names=False,
    ):
        super().__init__(
            input=input,
            encoding=encoding,
            decode_error=decode_error,
            strip_accents=strip_accents,
            lowercase=lowercase,
            preprocessor=preprocessor,
            tokenizer=tokenizer,
            stop_words=stop_words,
            token_pattern=token_pattern,
            ngram_range=ngram_range,
            analyzer=analyzer,
            n_features=n_features,
            binary=binary,
            norm=norm,
            alternate_sign=alternate_sign,
            dtype=dtype,
        )
        self.n_jobs = n_jobs
        self.keep_names = keep_names

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the parameters; with ``keep_names``, learn the names of the columns, in one pass over the text."""
        parameters.check_parameters(self)
        super().fit(X, y)
        self._names = HashedNames.of(*self._terms(X), self.n_features) if self.keep_names else None
        return self

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """Fit, then transform; see scikit-learn."""
        if self.keep_names and self.input == "file":
            X = [_Read(file.read()) for file in items(X)]
        elif self.keep_names and isinstance(X, Iterator):
            X = list(X)  # read twice, as files are
        return self.fit(X, y).transform(X)

    def _terms(self, X: Any) -> tuple[Callable[[Array], tuple[Array, Array]], Array]:
        """Return what spells the documents' terms, in their order, and how often each occurs."""
        analysis = analysis_of(self)
        if analysis is None:
            found = chain.from_iterable(map(self.build_analyzer(), items(X)))
            totals = Counter(term.encode() if isinstance(term, str) else term for term in found)
            encoded = sorted(totals)
            return lambda some: joined([encoded[k] for k in some]), np.array([totals[term] for term in encoded], int)
        pieces, threads = self._blocks(X, analysis)
        corpus = Corpus(analysis).read_all(pieces, threads)
        if corpus.is_empty:
            return lambda some: joined([]), np.zeros(0, int)
        terms = corpus.terms(None, 0, np.inf, threads)
        return terms.vocabulary.spelled, corpus.count(terms, None, threads, last=True).totals(np.dtype(int))

    def _blocks(self, X: Any, analysis: Analysis) -> tuple[Iterable[Block], int]:
        """Return blocks of the documents. Lone surrogates are in no word; in characters they cannot be hashed."""
        return blocks_of(self, X, surrogates=analysis.mode == WORDS)

    def names_of(self, columns: Any) -> list[str]:
        """Return the most frequent term of each of these columns; ``"#"`` and its number where none was seen."""
        if self._names is None or self._names.n_features != self.n_features:
            raise NotFittedError(
                f"the {self.n_features} columns have no names: fit a HashingVectorizer(keep_names=True) on documents"
            )
        return self._names.of_columns(columns)

    def to_arrays(self) -> dict[str, Array]:
        """Return the names of the columns as arrays for :meth:`from_arrays`; none without ``keep_names``."""
        return {} if self._names is None else self._names.to_arrays()

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], **params: Any) -> Self:
        """Return a vectorizer with these parameters, and the names of its columns if there are any."""
        vectorizer = cls(**params)
        if arrays:
            vectorizer._names = HashedNames.from_arrays(arrays)
        return vectorizer

    def transform(self, X: Any) -> Any:
        """Return the documents' matrix; see scikit-learn. Costs one pass over the text."""
        analysis = analysis_of(self)
        dtype = np.dtype(self.dtype)
        known = dtype in (np.float32, np.float64) and 0 < self.n_features < 1 << 31 and self.norm in _NORMS
        if analysis is None or not known:
            return super().transform(items(X))
        pieces, threads = self._blocks(X, analysis)
        counted = matrix.hashed(pieces, analysis, self.n_features, bool(self.alternate_sign), threads)
        if not counted.n_rows:
            raise ValueError("Cannot vectorize empty sequence.")
        if self.binary:
            counted.binarize()
        arrays = matrix.assemble(counted, dtype, None, None, _NORMS[self.norm], threads)
        return sparse(arrays, self.n_features)
