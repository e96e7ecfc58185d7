"""Promises of highlighted documents: the spans are the vectorizer's own words where they stand, and their shares add up
to w . x, for columns by vocabulary and by hash.
"""

import math

import numpy as np
import pytest
import sklearn.feature_extraction.text as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from crossent.errors import CrossentError
from crossent.text import CountVectorizer, HashingVectorizer, TfidfVectorizer, highlight

CORPUS = ["Good film, good plot", "an AWFUL film of İstanbul", "ΟΔΟΣ όδος", "great great great cast", "the end of it"]
VECTORIZERS = [
    CountVectorizer(token_pattern=r"\w*"),
    CountVectorizer(token_pattern=r"a?(w)?", ngram_range=(1, 2)),
    HashingVectorizer(token_pattern=r"f*"),
    reference.CountVectorizer(ngram_range=(1, 2)),
    reference.HashingVectorizer(n_features=7),
    CountVectorizer(),
    CountVectorizer(lowercase=False, token_pattern=r"(?u)\w(\w+)"),
    CountVectorizer(token_pattern=r"(?u)\b\w+\b", ngram_range=(2, 3), binary=True),
    TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
    TfidfVectorizer(ngram_range=(1, 3), stop_words="english"),
    HashingVectorizer(ngram_range=(1, 2)),
    HashingVectorizer(n_features=7, ngram_range=(1, 2), alternate_sign=False, norm=None),
]


def weights_of(vectorizer):
    return np.random.default_rng(0).standard_normal(vectorizer.transform([""]).shape[1])


@pytest.mark.parametrize("vectorizer", VECTORIZERS, ids=str)
@settings(max_examples=50, deadline=None)
@given(document=st.lists(st.sampled_from([*" ".join(CORPUS).split(), "İİ", "aİb", "ß", "unseen"])).map(", ".join))
def test_shares_add_up_to_the_margin(vectorizer, document):
    vectorizer.fit(CORPUS)
    weights = weights_of(vectorizer)
    spans = highlight(vectorizer, document, weights)
    assert all(document[span.start : span.end] == span.token for span in spans)
    assert [span.start for span in spans] == sorted(span.start for span in spans)
    margin = (vectorizer.transform([document]) @ weights)[0]
    assert math.fsum(span.contribution for span in spans) == pytest.approx(margin, abs=1e-12)


@pytest.mark.parametrize("vectorizer", [TfidfVectorizer(), HashingVectorizer(alternate_sign=False)], ids=str)
def test_a_word_has_the_weight_of_its_own_column(vectorizer):
    vectorizer.fit(CORPUS)
    weights = np.zeros(vectorizer.transform([""]).shape[1])
    weights[vectorizer.transform(["istanbul cast"]).indices] = 1.0
    spans = highlight(vectorizer, "a GREAT cast, İSTANBUL", weights)
    assert [(span.token, span.contribution > 0) for span in spans] == [
        ("GREAT", False), ("cast", True), ("STANBUL", False)
    ]  # fmt: skip


class Shouted(CountVectorizer):
    def build_preprocessor(self):
        return str.upper


def test_words_that_cannot_be_traced_back_are_refused():
    for vectorizer in (CountVectorizer(analyzer="char"), CountVectorizer(analyzer=str.split), Shouted()):
        vectorizer.fit(CORPUS)
        with pytest.raises(CrossentError, match="analyzer='word'"):
            highlight(vectorizer, "good", weights_of(vectorizer))


def test_weights_are_one_for_each_column():
    for vectorizer in (CountVectorizer().fit(CORPUS), HashingVectorizer(n_features=16)):
        weights = weights_of(vectorizer)
        for wrong in (weights[None], weights[:-1], np.append(weights, 1.0), 1.0):
            with pytest.raises(CrossentError, match="one for each column"):
                highlight(vectorizer, "a good film", wrong)
        assert highlight(vectorizer, b"a good film", weights) == highlight(vectorizer, "a good film", weights)
