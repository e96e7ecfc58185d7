"""The public vectorizers: scikit-learn's classes, whose work compiled kernels do.

Where a parameter is a callable, or a pattern of the user's own, scikit-learn itself does the work. It also checks every
parameter, and warns: it is asked to fit documents whose first one stops it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from numbers import Integral
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction import text as sklearn_text
from sklearn.utils.validation import check_is_fitted

from crossent.blocks import cores
from crossent.text import matrix
from crossent.text.analysis import analysis_of
from crossent.text.documents import Block, blocks
from crossent.text.names import HashedNames
from crossent.text.rows import L1, L2, NO_NORM
from crossent.text.tfidf import sublinear
from crossent.text.tokens import WORDS, Analysis
from crossent.text.vocabulary import Vocabulary

Array = NDArray[Any]
_NORMS = {None: NO_NORM, "l1": L1, "l2": L2}


class _Checked(Exception):
    """scikit-learn has checked the parameters and asks for the first document."""


def _check_parameters(fit: Any) -> None:
    """Have scikit-learn check the parameters: call its ``fit`` with documents whose first one stops it."""

    def documents() -> Iterator[str]:
        raise _Checked
        yield

    try:
        fit(documents())
    except _Checked:
        pass


def _blocks(vectorizer: Any, documents: Any, surrogates: bool = True) -> tuple[Iterable[Block], int]:
    """Return the blocks of the documents, and the number of threads worth using."""
    if isinstance(documents, str):
        raise ValueError("Iterable over raw text documents expected, string object received.")
    preprocess = vectorizer.build_preprocessor() if vectorizer.strip_accents else None
    iterator = blocks(documents, vectorizer.decode, preprocess, surrogates)
    first = list(islice(iterator, 2))
    return chain(first, iterator), cores(vectorizer.n_jobs) if len(first) > 1 else 1


def _sparse(arrays: tuple[Array, Array, Array], n_columns: int) -> Any:
    kind = sp.csr_array if get_config()["sparse_interface"] == "sparray" else sp.csr_matrix
    X = kind(arrays, shape=(len(arrays[2]) - 1, n_columns))
    X.has_canonical_format = True  # sorted, each column once
    return X


class _VocabularyVectorizer:
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
        """Terms and their columns, as a dict."""
        if self._terms is None:
            if self._compact is None:
                raise AttributeError(f"{type(self).__name__} has no vocabulary_ before it is fitted")
            self._terms = {term: column for column, term in enumerate(self._compact.names())}
        return self._terms

    @vocabulary_.setter
    def vocabulary_(self, terms: dict[str, int]) -> None:
        self._terms, self._compact = terms, None

    def fit(self, raw_documents: Any, y: Any = None) -> Self:
        """Learn the vocabulary of the documents; see scikit-learn. Costs one pass over the text."""
        analysis = analysis_of(self)
        if analysis is None:
            self._forget()
            super().fit(raw_documents, y)  # type: ignore[misc]
            self._take_over()
            return self
        self._learn(raw_documents, analysis)
        return self

    def fit_transform(self, raw_documents: Any, y: Any = None) -> Any:
        """Learn the vocabulary and return the documents' matrix; see scikit-learn. Costs one pass over the text."""
        analysis = analysis_of(self)
        if analysis is None:
            self._forget()
            X = super().fit_transform(raw_documents, y)  # type: ignore[misc]
            X.sort_indices()
            self._take_over()
            return X
        counted = self._learn(raw_documents, analysis)
        return _sparse(self._arrays(counted), counted.n_columns)

    def transform(self, raw_documents: Any) -> Any:
        """Return the documents' matrix in the columns of the vocabulary; see scikit-learn."""
        data, indices, indptr = self.transform_arrays(raw_documents)
        n_columns = len(self._terms or ()) if self._compact is None else self._compact.n_columns
        return _sparse((data, indices, indptr), n_columns)

    def transform_arrays(self, raw_documents: Any) -> tuple[Array, Array, Array]:
        """Return (data, indices, indptr) of :meth:`transform`: for one document, making a matrix costs most of the time."""
        analysis = analysis_of(self)
        vocabulary = self._ready(analysis)
        if analysis is None or vocabulary is None:
            return self._arrays(self._counted_by_parent(raw_documents))
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
            return self.get_feature_names_out()[columns].tolist()
        return vocabulary.names(np.asarray(columns))

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
        state = super().__getstate__()  # type: ignore[misc]
        if self._compact is not None:
            state = {name: value for name, value in state.items() if name != "_terms"}
        return state

    def _forget(self) -> None:
        self._compact = self._terms = None

    def _take_over(self) -> None:
        """Keep what scikit-learn has learned beside the vocabulary."""

    def _counted_by_parent(self, raw_documents: Any) -> matrix.Counted:
        X = sklearn_text.CountVectorizer.transform(self, raw_documents)
        rows = X.indices.astype(np.int32), X.data.astype(np.int32), np.diff(X.indptr).astype(np.int32)
        return matrix.Counted([rows], X.shape[0], X.shape[1], np.zeros(0, np.int32))

    def _learn(self, raw_documents: Any, analysis: Analysis) -> matrix.Counted:
        """Count the documents; keep the vocabulary, and of the counts what belongs to it."""
        if isinstance(raw_documents, str):
            raise ValueError("Iterable over raw text documents expected, string object received.")
        _check_parameters(super().fit_transform)  # type: ignore[misc]
        if self.fixed_vocabulary_:
            vocabulary = self._ready(analysis)
            assert vocabulary is not None
            return self._look_up(raw_documents, analysis, vocabulary)
        pieces, threads = _blocks(self, raw_documents)
        counted, vocabulary = matrix.learn(pieces, analysis, threads)
        if not vocabulary.n_columns:
            raise ValueError("empty vocabulary; perhaps the documents only contain stop words")
        if self.binary:
            counted.binarize()
        mask = self._kept(counted)
        if not mask.all():
            counted.keep(mask, threads)
            vocabulary = vocabulary.keep(mask)
        self._compact, self._terms = vocabulary, None
        return counted

    def _kept(self, counted: matrix.Counted) -> Array:
        """Tell which columns min_df, max_df and max_features keep."""
        n = counted.n_rows
        most = self.max_df if isinstance(self.max_df, Integral) else self.max_df * n
        least = self.min_df if isinstance(self.min_df, Integral) else self.min_df * n
        if most < least:
            raise ValueError("max_df corresponds to < documents than min_df")
        mask = (counted.in_documents <= most) & (counted.in_documents >= least)
        if self.max_features is not None and mask.sum() > self.max_features:
            totals = counted.totals(np.result_type(self.dtype, np.int64 if np.dtype(self.dtype).kind in "biu" else 0))
            best = (-totals[mask]).argsort()[: self.max_features]
            kept = np.flatnonzero(mask)[best]
            mask = np.zeros(len(mask), bool)
            mask[kept] = True
        if not mask.any():
            raise ValueError("After pruning, no terms remain. Try a lower min_df or a higher max_df.")
        return mask

    def _ready(self, analysis: Analysis | None) -> Vocabulary | None:
        """Return the vocabulary for the kernels, made from ``vocabulary_`` where a dict was given; None: not possible."""
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
        pieces, threads = _blocks(self, raw_documents)
        counted = matrix.look_up(pieces, analysis, vocabulary, threads)
        if self.binary:
            counted.binarize()
        return counted

    def _arrays(self, counted: matrix.Counted) -> tuple[Array, Array, Array]:
        return matrix.assemble(counted, np.dtype(self.dtype), None, None, NO_NORM, cores(self.n_jobs))


class CountVectorizer(_VocabularyVectorizer, sklearn_text.CountVectorizer):
    """Counts of words, or of characters: :class:`sklearn.feature_extraction.text.CountVectorizer`, faster.

    Parameters, attributes and results are scikit-learn's. What is added: ``n_jobs``, the number of threads (None: all
    cores; the result is the same for any), Arrow columns as documents, :meth:`names_of`, :meth:`to_arrays` and
    :meth:`from_arrays`. Rows come sorted by column from :meth:`fit_transform` too.
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


class TfidfVectorizer(_VocabularyVectorizer, sklearn_text.TfidfVectorizer):
    """Weighed counts: :class:`sklearn.feature_extraction.text.TfidfVectorizer`, faster.

    Parameters, attributes and results are scikit-learn's; see :class:`CountVectorizer` for what is added. Values are
    the bits of scikit-learn's ``transform``. Its ``fit_transform`` sums the squares of a row in the order in which
    terms were first seen, and so differs from its own ``transform`` in the last place; ours does not.
    """

    _idf: Array | None = None

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
        if self._compact is None:
            sklearn_text.TfidfVectorizer.idf_.fset(self, value)
        elif not self.use_idf:
            raise ValueError("`idf_` cannot be set when `use_idf=False`.")
        elif len(value) != self._compact.n_columns:
            raise ValueError(f"idf length = {len(value)} must be equal to vocabulary size = {self._compact.n_columns}")
        self._idf = np.asarray(value)

    def to_arrays(self) -> dict[str, Array]:
        """Return the vocabulary, and ``idf`` when it is used; see :meth:`CountVectorizer.to_arrays`."""
        arrays = super().to_arrays()
        return {**arrays, "idf": self.idf_} if self.use_idf else arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], **params: Any) -> Self:
        """Return a fitted vectorizer with these parameters; nothing is parsed, so it takes milliseconds."""
        vectorizer = super().from_arrays(arrays, **params)
        if vectorizer.use_idf:
            vectorizer.idf_ = arrays["idf"]
        return vectorizer

    def transform_arrays(self, raw_documents: Any) -> tuple[Array, Array, Array]:
        """Return (data, indices, indptr) of :meth:`transform`."""
        if self._idf is None:
            check_is_fitted(self, msg="The TF-IDF vectorizer is not fitted")
        return super().transform_arrays(raw_documents)

    def _forget(self) -> None:
        super()._forget()
        self._idf = None

    def _take_over(self) -> None:
        self._idf = super().idf_ if self.use_idf else None

    def _learn(self, raw_documents: Any, analysis: Analysis) -> matrix.Counted:
        counted = super()._learn(raw_documents, analysis)
        self._idf = None
        if self.use_idf:
            df = counted.documents_with().astype(self._value_type())
            df += float(self.smooth_idf)
            idf = np.full_like(df, counted.n_rows + int(self.smooth_idf))
            idf /= df
            self._idf = np.log(idf, out=idf)
            self._idf += 1.0
        return counted

    def _value_type(self) -> Any:
        dtype = np.dtype(self.dtype)
        return dtype if dtype in (np.float32, np.float64) else np.dtype(np.float64)

    def _arrays(self, counted: matrix.Counted) -> tuple[Array, Array, Array]:
        dtype = self._value_type()
        of_count = None
        if self.sublinear_tf:
            of_count = sublinear(counted.largest(), dtype)
        idf = None if self._idf is None else self._idf.astype(dtype, copy=False)
        return matrix.assemble(counted, dtype, of_count, idf, _NORMS[self.norm], cores(self.n_jobs))


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
        super().fit(X, y)
        if self.keep_names:
            shared = CountVectorizer().get_params().keys() & self.get_params().keys() - {"binary", "dtype"}
            counter = CountVectorizer(**{name: getattr(self, name) for name in shared})
            totals = np.asarray(counter.fit_transform(X).sum(axis=0)).ravel()
            self._names = HashedNames.of(counter.get_feature_names_out(), totals, self.n_features)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """Fit, then transform; see scikit-learn."""
        if self.keep_names and isinstance(X, Iterator):
            X = list(X)  # read twice
        return self.fit(X, y).transform(X)

    def names_of(self, columns: Any) -> list[str]:
        """Return the most frequent term of each of these columns; ``"#"`` and its number where none was seen."""
        if self._names is None:
            raise NotFittedError("the columns have no names: fit a HashingVectorizer(keep_names=True) on documents")
        return self._names.of_columns(columns)

    def to_arrays(self) -> dict[str, Array]:
        """Return the names of the columns as arrays that :meth:`from_arrays` takes back; none without ``keep_names``."""
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
        if analysis is None or dtype not in (np.float32, np.float64) or not 0 < self.n_features < 1 << 31:
            return super().transform(X)
        pieces, threads = _blocks(self, X, surrogates=False)
        counted = matrix.hashed(pieces, analysis, self.n_features, bool(self.alternate_sign), threads)
        if not counted.n_rows:
            raise ValueError("Cannot vectorize empty sequence.")
        if self.binary:
            counted.binarize()
        arrays = matrix.assemble(counted, dtype, None, None, _NORMS[self.norm], threads)
        return _sparse(arrays, self.n_features)
