"""The promise: any kind of documents, any number of threads, any way to store a vectorizer: the same matrix."""

import io
import pickle
import subprocess
import sys
from collections import Counter
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import sklearn.feature_extraction.text as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import crossent.text
import crossent.text.documents
from crossent.errors import CrossentError
from crossent.text import CountVectorizer, HashingVectorizer, TfidfVectorizer

TEXTS = ["the cat sat", "", "Σίσυφος ΣΙΣΥΦΟΣ café", "the dog, the cat; THE end", "日本 語", "x_1 y2 z"] * 7


def same(a, b):
    return a.shape == b.shape and a.dtype == b.dtype and (a != b).nnz == 0 and np.array_equal(a.indices, b.indices)


COLUMNS = {
    "tuple": tuple,
    "generator": iter,
    "numpy objects": lambda texts: np.array(texts, dtype=object),
    "numpy str": np.array,
    "bytes": lambda texts: [text.encode() for text in texts],
    "text and bytes": lambda texts: [text.encode() if k % 2 else text for k, text in enumerate(texts)],
    "pandas": pd.Series,
    "pandas objects": lambda texts: pd.Series(texts, dtype=object),
    "pandas categories": lambda texts: pd.Series(texts, dtype="category"),
    "polars": pl.Series,
    "polars objects": lambda texts: pl.Series(texts, dtype=pl.Object),
    "polars categories": lambda texts: pl.Series(texts, dtype=pl.Categorical),
    "polars enum": lambda texts: pl.Series(texts, dtype=pl.Enum(sorted(set(texts)))),
    "arrow": pa.array,
    "arrow large": lambda texts: pa.array(texts, pa.large_string()),
    "arrow view": lambda texts: pa.array(texts, pa.string_view()),
    "arrow binary": lambda texts: pa.array([text.encode() for text in texts]),
    "arrow binary view": lambda texts: pa.array([text.encode() for text in texts], pa.binary_view()),
    "arrow dictionary": lambda texts: pa.array(texts).dictionary_encode(),
    "arrow dictionary of bytes": lambda texts: pa.array([text.encode() for text in texts]).dictionary_encode(),
    "arrow runs": lambda texts: pa.RunEndEncodedArray.from_arrays(
        np.arange(1, len(texts) + 2, dtype=np.int32), pa.array(["before", *texts], pa.string_view())
    )[1:],
    "arrow slice": lambda texts: pa.array(["before", *texts, "after"])[1:-1],
    "arrow chunks": lambda texts: pa.chunked_array([texts[:5], [], texts[5:]]),
    "stream of arrow": lambda texts: (pa.array(texts[k : k + 4]) for k in range(0, len(texts), 4)),
}


ANALYZERS = {
    "words and pairs": {"ngram_range": (1, 2)},
    "characters": {"analyzer": "char_wb", "ngram_range": (2, 3)},
    "accents": {"strip_accents": "unicode"},
    "pattern": {"token_pattern": r"[a-z]+"},
    "preprocessor": {"preprocessor": str.upper},
    "tokenizer": {"tokenizer": str.split, "token_pattern": None},
    "analyzer": {"analyzer": lambda text: text.split()[:3]},
}
CLASSES = {
    "CountVectorizer": {"max_features": 9},
    "TfidfVectorizer": {"norm": "l1"},
    "HashingVectorizer": {"n_features": 64, "norm": "l1"},
}


@pytest.mark.parametrize("kind", COLUMNS)
@pytest.mark.parametrize("size", [17, crossent.text.documents.BLOCK_BYTES])
@pytest.mark.parametrize("analyzer", ANALYZERS)
def test_documents_of_any_kind(kind, size, analyzer, monkeypatch):
    monkeypatch.setattr(crossent.text.documents, "BLOCK_BYTES", size)
    for name, own in CLASSES.items():
        params = {**own, **ANALYZERS[analyzer]}
        expected = getattr(reference, name)(**params).fit(TEXTS).transform(TEXTS)
        vectorizer = getattr(crossent.text, name)(**params)
        assert same(vectorizer.fit_transform(COLUMNS[kind](TEXTS)), expected)
        assert same(vectorizer.transform(COLUMNS[kind](TEXTS)), expected)
        assert same(vectorizer.fit(COLUMNS[kind](TEXTS)).transform(COLUMNS[kind](TEXTS)), expected)


PATHS = {"list": list, "paths": lambda names: map(Path, names), "pandas": pd.Series, "arrow": pa.array}


@pytest.mark.parametrize("analyzer", ANALYZERS)
@pytest.mark.parametrize("name", CLASSES)
def test_files(name, analyzer, tmp_path):
    names = [str(tmp_path / f"{k}.txt") for k in range(len(TEXTS))]
    for path, text in zip(names, TEXTS, strict=True):
        Path(path).write_text(text, encoding="utf-8")
    params = {**CLASSES[name], **ANALYZERS[analyzer]}
    expected = getattr(reference, name)(**params).fit(TEXTS).transform(TEXTS)
    kind = getattr(crossent.text, name)
    for column in PATHS.values():
        assert same(kind(input="filename", **params).fit_transform(column(names)), expected)
    for file in (io.StringIO, lambda text: io.BytesIO(text.encode())):
        assert same(kind(input="file", **params).fit_transform(list(map(file, TEXTS))), expected)
    with pytest.raises(FileNotFoundError):
        kind(input="filename").fit_transform([str(tmp_path / "none")])


@pytest.mark.parametrize("decode_error", ["ignore", "replace"])
@pytest.mark.parametrize("analyzer", ["word", "char"])
def test_bad_utf8(decode_error, analyzer):
    documents = [b"caf\xe9 ol\xe9", b"\xff\xfe", b"\xe2\x82", b"good \xf0\x9f\x98\x80 text"]
    params = {"decode_error": decode_error, "analyzer": analyzer}
    theirs = reference.CountVectorizer(**params).fit(documents)
    for given_documents in (documents, pa.array(documents)):
        ours = CountVectorizer(**params)
        assert same(ours.fit_transform(given_documents), theirs.transform(documents))
        assert ours.vocabulary_ == theirs.vocabulary_
    with pytest.raises(UnicodeDecodeError):
        CountVectorizer(analyzer=analyzer).fit(documents)
    latin = [b"caf\xe9"]
    assert CountVectorizer(encoding="latin-1").fit(latin).vocabulary_ == {"café": 0}


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=10), st.sampled_from(["word", "char", "char_wb"]))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_bytes_that_claim_to_be_text_do_no_harm(documents, analyzer):
    """Arrow does not check that its strings are UTF-8: whatever they hold, every byte is read once and none beyond."""
    column = pa.array(documents, pa.binary()).view(pa.string())
    X = CountVectorizer(analyzer=analyzer, vocabulary=["a", "b"]).transform(column)
    assert X.shape == (len(documents), 2)


def test_lone_surrogates():
    documents = ["a\ud800b cd", "\udfff", "ab cd"]
    for analyzer in ("word", "char"):
        theirs, ours = reference.CountVectorizer(analyzer=analyzer), CountVectorizer(analyzer=analyzer)
        assert same(ours.fit_transform(documents), theirs.fit(documents).transform(documents))
        assert ours.vocabulary_ == theirs.vocabulary_
    with pytest.raises(UnicodeEncodeError):
        HashingVectorizer(analyzer="char").transform(documents)


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ("one text", "string object received"),
        (["a", 3], "document 1 is int"),
        (["ab", None], "document 1 is NoneType"),
        (["ab", np.nan], "np.nan is an invalid document"),
        (pa.array(["ab", None]), "document 1 is missing"),
        (pa.chunked_array([["ab"], ["cd", None]]), "document 2 is missing"),
        (pd.Series(["ab", None]), "document 1 is missing"),
        (pd.Series(["ab", None], dtype="category"), "document 1 is missing"),
        (pl.Series(["ab", None], dtype=pl.Categorical), "document 1 is missing"),
        (pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array(["ab", None])), "document 1 is missing"),
        (pa.RunEndEncodedArray.from_arrays([2, 3], pa.array(["ab", None])), "document 2 is missing"),
        (pa.array([b"ab", None]), "document 1 is missing"),
        (pa.nulls(1), "document 0 is missing"),
        (pa.array([1, 2]).dictionary_encode(), "column of int64"),
        (pa.array([1, 2]), "column of int64"),
        (pa.table({"a": ["x"], "b": ["y"]}), "table of 2 columns"),
        ([], "empty"),
    ],
)
@pytest.mark.parametrize("vectorizer", [CountVectorizer(), HashingVectorizer(), CountVectorizer(strip_accents="ascii")])
def test_bad_documents_are_named(vectorizer, documents, message):
    with pytest.raises(ValueError, match=message):
        vectorizer.fit_transform(documents)


@pytest.mark.parametrize("analyzer", ["word", "char_wb"])
@pytest.mark.parametrize("kind", [CountVectorizer, TfidfVectorizer, HashingVectorizer])
def test_any_number_of_threads(kind, analyzer, monkeypatch):
    monkeypatch.setattr(crossent.text.documents, "BLOCK_BYTES", 3000)
    rng = np.random.default_rng(0)
    words = [f"w{k}" + "é" * (k % 3) + "long" * (k % 5) for k in range(3000)]
    documents = [" ".join(rng.choice(words, 30, p=None) if k % 9 else []) for k in range(1000)]
    params = {"analyzer": analyzer, "ngram_range": (1, 3)}
    one = kind(n_jobs=1, **params).fit(documents)
    expected = one.transform(documents)
    for n_jobs in (2, 3, 8):
        vectorizer = kind(n_jobs=n_jobs, **params)
        X = vectorizer.fit_transform(documents)
        assert same(X, expected)
        assert np.array_equal(X.data.view(np.uint8), expected.data.view(np.uint8))
        if kind is not HashingVectorizer:
            arrays, others = vectorizer.to_arrays(), one.to_arrays()
            assert all(np.array_equal(arrays[name], others[name]) for name in others)


@pytest.mark.parametrize("kind", [CountVectorizer, TfidfVectorizer])
@pytest.mark.parametrize(
    "params",
    [{"ngram_range": (1, 3)}, {"analyzer": "char_wb", "ngram_range": (2, 5), "min_df": 8}, {"token_pattern": "[a-z]+"}],
)
def test_stored_and_loaded(kind, params):
    vectorizer = kind(**params).fit(TEXTS)
    expected = vectorizer.transform(TEXTS)
    arrays = vectorizer.to_arrays()
    for array in arrays.values():
        array.flags.writeable = False  # as arrays mapped from a file are
    loaded = kind.from_arrays(arrays, **params)
    assert same(loaded.transform(TEXTS), expected)
    assert loaded.vocabulary_ == vectorizer.vocabulary_
    again = pickle.loads(pickle.dumps(vectorizer))
    assert same(again.transform(TEXTS), expected)
    assert again.vocabulary_ == vectorizer.vocabulary_
    fresh = clone(vectorizer)
    with pytest.raises(NotFittedError):
        fresh.transform(TEXTS)
    assert same(fresh.fit_transform(TEXTS), vectorizer.fit_transform(TEXTS))


def test_names_of_a_few_columns():
    vectorizer = CountVectorizer(ngram_range=(1, 2)).fit(TEXTS)
    names = vectorizer.get_feature_names_out()
    assert vectorizer.names_of([3, 0, len(names) - 1]) == [names[3], names[0], names[-1]]
    assert vectorizer.names_of(2) == [names[2]]
    theirs = reference.CountVectorizer(ngram_range=(1, 2)).fit(TEXTS)
    X = vectorizer.transform(TEXTS)
    for ours, expected in zip(vectorizer.inverse_transform(X), theirs.inverse_transform(X), strict=True):
        assert list(ours) == list(expected)


def test_vocabulary_and_idf_may_be_set():
    theirs, ours = reference.TfidfVectorizer(vocabulary=["cat", "dog"]), TfidfVectorizer(vocabulary=["cat", "dog"])
    for vectorizer in (theirs, ours):
        vectorizer.idf_ = np.array([1.5, 2.5])
    assert same(ours.transform(TEXTS), theirs.transform(TEXTS))
    ours = CountVectorizer()
    ours.vocabulary_ = {"dog": 0, "cat": 1}
    assert ours.transform(["cat cat dog"]).toarray().tolist() == [[1, 2]]
    del ours.vocabulary_
    with pytest.raises(NotFittedError):
        ours.transform(["cat"])
    params = {"vocabulary": [b"cat", "dog"], "lowercase": False}
    assert same(CountVectorizer(**params).fit_transform(TEXTS), reference.CountVectorizer(**params).transform(TEXTS))


def test_weights_are_those_of_the_fit():
    theirs, ours = reference.TfidfVectorizer().fit(TEXTS), TfidfVectorizer().fit(TEXTS)
    for vectorizer in (theirs, ours):
        vectorizer.set_params(norm="l1", sublinear_tf=True)
    assert same(ours.transform(TEXTS), theirs.transform(TEXTS))
    assert same(pickle.loads(pickle.dumps(ours)).transform(TEXTS), theirs.transform(TEXTS))
    assert same(ours.fit_transform(TEXTS), theirs.fit(TEXTS).transform(TEXTS))


def test_wrong_parameters_are_scikit_learns_to_refuse():
    for params in (
        {"ngram_range": (2, 1)},
        {"ngram_range": "12"},
        {"analyzer": "words"},
        {"stop_words": "german"},
        {"min_df": -1},
    ):
        with pytest.raises(ValueError, match=r"ngram_range|analyzer|stop_words|min_df"):
            CountVectorizer(**params).fit(TEXTS)
    with pytest.warns(UserWarning, match="stop_words"):
        CountVectorizer(stop_words=["don't"]).fit(TEXTS)
    for vectorizer in (CountVectorizer(vocabulary=["cat"], stop_words=["The"]), HashingVectorizer(stop_words=["The"])):
        with pytest.warns(UserWarning, match="stop_words"):
            vectorizer.transform(TEXTS)
    for dtype in (np.float16, object, str):
        with pytest.raises(ValueError, match="type"):
            CountVectorizer(dtype=dtype).fit(TEXTS)
    for n_jobs in ("2", 1.5, True):
        for kind in (CountVectorizer, TfidfVectorizer, HashingVectorizer):
            with pytest.raises(CrossentError, match="n_jobs is"):
                kind(n_jobs=n_jobs).fit(TEXTS)


def test_norms_that_only_scikit_learn_has():
    expected = reference.HashingVectorizer(norm="max").transform(TEXTS)
    assert same(HashingVectorizer(norm="max").transform(TEXTS), expected)
    with pytest.raises(ValueError, match="norm"):
        HashingVectorizer(norm="l3").transform(TEXTS)


def test_no_weights_no_matrix():
    vectorizer = TfidfVectorizer(vocabulary=["cat", "dog"], norm=None)
    with pytest.raises(UnicodeDecodeError):
        vectorizer.fit(["cat", "cat dog", b"\xff"])
    with pytest.raises(NotFittedError):
        vectorizer.transform(["cat dog"])
    with pytest.raises(ValueError, match="0 sample"):
        TfidfVectorizer().fit(TEXTS).transform([])
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        unseen = TfidfVectorizer(vocabulary=["cat", "zebra"], smooth_idf=False).fit(TEXTS)
    with pytest.raises(ValueError, match="infinity"):
        unseen.transform(["zebra cat"])
    assert unseen.transform(["cat cat"]).toarray().tolist() == [[1.0, 0.0]]
    with pytest.raises(ValueError, match="shape"):
        TfidfVectorizer().fit(TEXTS).idf_ = np.ones((17, 1))
    with pytest.raises(ValueError, match="no idf"):
        TfidfVectorizer.from_arrays(TfidfVectorizer(use_idf=False).fit(TEXTS).to_arrays())


def test_error_in_the_stream_of_documents_is_raised():
    def documents():
        yield from ["some text"] * 100
        raise CrossentError("the file ended in the middle")

    with pytest.raises(CrossentError, match="in the middle"):
        CountVectorizer().fit(documents())


NAMED = {
    **ANALYZERS,
    "bytes": {"analyzer": lambda text: text.encode().split()},
    "stop words": {"stop_words": ["the"], "ngram_range": (1, 2)},
}
READ = {
    "content": list,
    "content once": iter,
    "file": lambda texts: list(map(io.StringIO, texts)),
    "file once": lambda texts: map(io.StringIO, texts),
}


@pytest.mark.parametrize("texts", [TEXTS, [""], [*TEXTS, "the \ud800 cat"]], ids=["texts", "nothing", "surrogate"])
@pytest.mark.parametrize("read", READ)
@pytest.mark.parametrize("analyzer", NAMED)
def test_hashed_columns_keep_the_name_of_their_most_frequent_term(analyzer, read, texts):
    params = {"n_features": 16, "norm": None, **NAMED[analyzer]}
    theirs = reference.HashingVectorizer(**params)
    vectorizer = HashingVectorizer(keep_names=True, input=read.split()[0], **params)
    try:
        expected = theirs.transform(texts)
    except UnicodeEncodeError:
        with pytest.raises(UnicodeEncodeError):
            vectorizer.fit_transform(READ[read](texts))
        return
    assert same(vectorizer.fit_transform(READ[read](texts)), expected)
    totals = Counter(chain.from_iterable(map(theirs.build_analyzer(), texts)))
    hasher = reference.HashingVectorizer(n_features=16, analyzer=lambda term: [term])
    column_of = hasher.transform(list(totals)).indices if totals else []
    by_column = {}
    for term, column in sorted(zip(totals, column_of, strict=True), key=lambda of: (-totals[of[0]], of[0])):
        by_column.setdefault(int(column), term if isinstance(term, str) else term.decode())
    for kept in (vectorizer, HashingVectorizer.from_arrays(vectorizer.to_arrays(), n_features=16)):
        assert kept.names_of(range(16)) == [by_column.get(column, f"#{column}") for column in range(16)]


def test_names_are_of_the_last_fit_and_its_columns():
    vectorizer = HashingVectorizer(keep_names=True, n_features=16).fit(["cat dog mouse"])
    assert set(vectorizer.names_of(range(16))) >= {"cat", "dog", "mouse"}
    arrays = vectorizer.to_arrays()
    vectorizer.set_params(n_features=8)
    for unnamed in (vectorizer, HashingVectorizer().fit(TEXTS), vectorizer.set_params(keep_names=False).fit(TEXTS)):
        with pytest.raises(NotFittedError, match="keep_names"):
            unnamed.names_of([0])
    assert vectorizer.to_arrays() == {}
    for wrong in (
        {"offsets": arrays["offsets"] + 1},
        {"columns": arrays["columns"][::-1]},
        {"n_features": np.array(3)},
    ):
        with pytest.raises(ValueError, match="do not fit together"):
            HashingVectorizer.from_arrays({**arrays, **wrong}, n_features=16)


BEFORE_AND_AFTER = """
import itertools, sys, numpy as np
from crossent.text import CountVectorizer, TfidfVectorizer
documents = [" ".join(f"w{i}" for i in range(k)) + " w0" for k in (3, 12, 25)]
kinds = itertools.product([np.float32, np.float64], ["l1", "l2", None], [False, True])
params = [{"dtype": dtype, "norm": norm, "sublinear_tf": sublinear} for dtype, norm, sublinear in kinds]
fitted = [TfidfVectorizer(tokenizer=str.split, token_pattern=None, **p).fit(documents) for p in params]
before = [vectorizer.transform(documents).data for vectorizer in fitted]
assert "numba" not in sys.modules
CountVectorizer().fit(["one two"])
assert "numba" in sys.modules
assert all((a == v.transform(documents).data).all() for a, v in zip(before, fitted, strict=True))
"""


def test_values_are_the_same_before_the_first_kernel():
    done = subprocess.run([sys.executable, "-c", BEFORE_AND_AFTER], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
