"""The promise: crossent's vectorizers return scikit-learn's matrix and vocabulary, bit for bit, for any text.

Values of fit_transform are compared with scikit-learn's ``transform``: its own ``fit_transform`` leaves rows unsorted,
and so rounds their norms in another order.
"""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import sklearn.feature_extraction.text as reference
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import crossent.text

DATA = Path(__file__).parents[2] / "shared" / "data" / "text"
ANALYZERS = ["word", "char", "char_wb"]
RANGES = [(1, 1), (1, 2), (2, 2), (1, 4), (3, 4), (4, 4)]
CLASSES = ["CountVectorizer", "TfidfVectorizer", "HashingVectorizer"]


def assert_same_matrix(theirs, ours):
    theirs = theirs.copy()
    theirs.sort_indices()
    assert type(theirs) is type(ours)
    assert theirs.shape == ours.shape
    assert theirs.indices.dtype == ours.indices.dtype
    assert theirs.data.dtype == ours.data.dtype
    np.testing.assert_array_equal(theirs.indptr, ours.indptr)
    np.testing.assert_array_equal(theirs.indices, ours.indices)
    np.testing.assert_array_equal(theirs.data, ours.data)


def assert_same(name, documents, more=(), **params):
    """Fit both; compare vocabulary, the matrix of fit_transform, and that of ``transform`` on more documents."""
    theirs, ours = getattr(reference, name)(**params), getattr(crossent.text, name)(**params)
    try:
        theirs.fit(documents)
    except ValueError as error:
        with pytest.raises(ValueError, match=str(error)[:30]):
            ours.fit(documents)
        return
    assert_same_matrix(theirs.transform(documents), ours.fit_transform(documents))
    if name != "HashingVectorizer":
        assert theirs.vocabulary_ == ours.vocabulary_
        np.testing.assert_array_equal(theirs.get_feature_names_out(), ours.get_feature_names_out())
    if len(more):
        assert_same_matrix(theirs.transform(more), ours.transform(more))


# Text as hypothesis makes it, and as it is made to hurt: letters whose case depends on their neighbours, or whose lower
# case is longer, marks, right to left, joined emoji, every white space, zero bytes, characters of every plane.
NASTY = [
    "ΑΣ", "ΣΑΣ Σ", "αΣ.", "Σ\u0301", "ΑΣ\u0301Β", "İ", "İI", "ıI", "ẞß", "Ⱥ", "K", "Å", "ǅ", "ﬁ",
    "ŉ", "a\u0301b", "\u0301\u0301", "שלום עולם", "مرحبا", "نص\u200fab", "👨\u200d👩\u200d👧",
    "🏳️\u200d🌈x", "a👍b", "日本語テキスト", "한국어", "ไทย", "हिन\u094dदी", "x\x00y", "\x00", "\x00\x00a",
    "\u2028", "\u3000 ", "\x1c\x1d", "\x85", "\xa0\xa0", "a\t\nb", "_", "__a", "x_1", "٣٤", "½²",
    "Ⅷ", "𝐀𝐁", "𐐀𐐨", "🄰", "\ufeffbom", "\U000e0041", "\U0010ffff", "\ue000", "a'b", "don't", "A",
    "AB", "the the", "abcdefgh", "abcdefghi", "abcdefghabcdefgh", "ABCDEFGHIJKLMNOPQ",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "", " ",
]  # fmt: skip
CHARACTERS = st.characters(exclude_categories=["Cs"])
PIECES = st.one_of(st.sampled_from(NASTY), st.text(CHARACTERS, max_size=6), st.sampled_from([" ", "  ", ". ", "\n"]))
DOCUMENTS = st.lists(st.lists(PIECES, max_size=8).map("".join), min_size=20, max_size=24)


@pytest.mark.parametrize("analyzer", ANALYZERS)
@pytest.mark.parametrize("name", CLASSES)
@settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(documents=DOCUMENTS, ngram_range=st.sampled_from(RANGES), lowercase=st.booleans())
@example(documents=NASTY, ngram_range=(1, 4), lowercase=True)
def test_any_unicode(name, analyzer, documents, ngram_range, lowercase):  # 10,000 documents over the nine cases
    more = [*documents[::5], " ".join(documents[:5])]
    assert_same(name, documents, more, analyzer=analyzer, ngram_range=ngram_range, lowercase=lowercase)


def test_every_code_point_between_letters():
    points = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    pages = [points[k : k + 256] for k in range(0, len(points), 256)]
    documents = ["".join(f"a{c}b a{c}Σ " for c in page) for page in pages]
    assert_same("CountVectorizer", documents)
    assert_same("CountVectorizer", documents[:512], analyzer="char_wb", ngram_range=(4, 4))


@pytest.mark.parametrize("analyzer", ANALYZERS)
def test_token_of_a_megabyte(analyzer):
    token = "Abcdefghi" * 117_000
    documents = [token, "", "short one", token[:40] + "x", "\0" * 1000]
    documents += [token + "x", token[:-1] + " " + token] if analyzer == "word" else []
    assert_same("CountVectorizer", documents, analyzer=analyzer, ngram_range=(1, 2))
    assert_same("HashingVectorizer", documents, analyzer=analyzer, ngram_range=(2, 2))


def texts(path):
    if path.suffix == ".tsv":
        return [line.split("\t", 1)[1] for line in path.read_text(encoding="utf-8").splitlines()]
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]


@pytest.mark.skipif(not DATA.exists(), reason="the folder ../shared/data/text is not there")
@pytest.mark.parametrize("path", sorted(DATA.glob("*.*")), ids=lambda path: path.name)
def test_real_text(path):
    documents = texts(path)
    few = documents[:: max(1, len(documents) // 200)]
    assert_same("TfidfVectorizer", documents[:3000], documents[3000:3500], min_df=2)
    for analyzer in ANALYZERS:
        assert_same("CountVectorizer", few, analyzer=analyzer, ngram_range=(1, 4) if analyzer == "word" else (2, 4))
        assert_same("HashingVectorizer", few[:100], analyzer=analyzer, ngram_range=(1, 3))


REVIEWS = [
    "A wonderful, WONDERFUL film: the best of the year.",
    "The worst film of the decade. Not good, not even bad.",
    "It is what it is; good in parts, café scenes naïve.",
    "Ein schöner Film über Straßen, ÄÖÜ.",
    "good good good good film film",
    "",
] * 3


@pytest.mark.parametrize(
    "params",
    [
        {"stop_words": "english"},
        {"stop_words": ["the", "of", "film"], "ngram_range": (1, 3)},
        {"strip_accents": "unicode", "ngram_range": (1, 2)},
        {"strip_accents": "ascii", "analyzer": "char_wb", "ngram_range": (2, 5)},
        {"strip_accents": "unicode", "lowercase": False, "analyzer": "char"},
        {"token_pattern": r"(?u)\b\w+\b", "ngram_range": (1, 2)},
        {"token_pattern": r"[a-z]+"},
        {"tokenizer": str.split, "token_pattern": None},
        {"preprocessor": str.upper},
        {"analyzer": lambda text: text.split()[:3]},
        {"strip_accents": lambda text: text[::-1]},
        {"binary": True, "ngram_range": (1, 2)},
        {"dtype": np.float32, "ngram_range": (1, 2)},
    ],
    ids="-".join,
)
@pytest.mark.parametrize("name", CLASSES)
def test_parameters(name, params):
    assert_same(name, REVIEWS, [*REVIEWS[:3], "a new film"], **params)


@pytest.mark.parametrize(
    "params",
    [
        {"min_df": 4},
        {"max_df": 0.3},
        {"min_df": 2, "max_df": 9, "max_features": 10},
        {"max_features": 5, "binary": True},
        {"max_features": 12},
        {"min_df": 0.9, "max_df": 0.95},
        {"max_df": 1, "min_df": 5},
        {"vocabulary": ["film", "the film", "café", "of the year", "not  there", ""]},
        {"vocabulary": {"good": 1, "good film": 0, "the": 2}},
        {"vocabulary": {"good", "film"}},
    ],
    ids="-".join,
)
@pytest.mark.parametrize("name", ["CountVectorizer", "TfidfVectorizer"])
@pytest.mark.parametrize("ngram_range", [(1, 1), (1, 3), (2, 3)])
def test_choosing_features(name, ngram_range, params):
    assert_same(name, REVIEWS, REVIEWS[:3], ngram_range=ngram_range, **params)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int32, np.uint64, np.float32])
@pytest.mark.parametrize("how", [{}, {"binary": True}, {"tokenizer": str.split, "token_pattern": None}])
def test_most_frequent_as_the_type_counts(dtype, how):
    documents = ["aa " * 257, "bb bb", "cc dd dd", "bb ee " + "dd " * 130, "ff " * 128]
    for k in range(1, 6):
        assert_same("CountVectorizer", documents, dtype=dtype, max_features=k, **how)


@pytest.mark.parametrize("norm", ["l1", "l2", None])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values(norm, dtype):
    for params in ({"sublinear_tf": True}, {"use_idf": False}, {"smooth_idf": False}):
        assert_same("TfidfVectorizer", REVIEWS, REVIEWS[:3], norm=norm, dtype=dtype, **params)
    for params in ({}, {"alternate_sign": False}, {"n_features": 7}, {"n_features": 16}, {"n_features": 2**31 - 1}):
        assert_same("HashingVectorizer", REVIEWS, norm=norm, dtype=dtype, **params)
