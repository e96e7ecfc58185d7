"""What each word of a document adds to z: the products w_j x_j of its n-grams, shared among the words they cover.

The words are found by Python's ``re`` in the lower-cased document, which is how scikit-learn defines them and what the
kernels are tested against; a document to be shown is short enough for it.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from crossent.errors import CrossentError

Key: TypeAlias = "Callable[[list[str]], Sequence[Hashable]]"


class Span(NamedTuple):
    """``document[start:end]`` is ``token``; ``contribution`` is its share of z."""

    start: int
    end: int
    token: str
    contribution: float


class Words(NamedTuple):
    """How a document is cut into words, and how many of them an n-gram has."""

    pattern: str = r"(?u)\b\w\w+\b"
    lower: bool = True
    ngram_range: tuple[int, int] = (1, 2)
    stop_words: Collection[str] = ()

    def find(self, document: str) -> Iterator[tuple[int, int, str]]:
        """Yield where each word starts and ends in the document, and the word, lower-cased if the words are."""
        text = document.lower() if self.lower else document
        pattern = re.compile(self.pattern)
        if len(text) == len(document):
            begins: Sequence[int] = range(len(text) + 1)
        else:  # the lower case of a dotted capital I is two characters
            begins = [at for at, c in enumerate(document) for _ in c.lower()] + [len(document)]
        for match in pattern.finditer(text):
            word = match[pattern.groups] or ""  # a group that took no part is an empty word, which counts too
            if word not in self.stop_words:
                start, end = match.span(pattern.groups if word else 0)
                yield begins[start], begins[end - 1] + 1 if word else begins[start], word


def spread(document: str, words: Words, products: Mapping[Any, float], key: Key = list) -> list[Span]:
    """Return the document's words, each with its share of the products; the shares add up to their sum.

    Parameters
    ----------
    document : str
    words : Words
    products : mapping
        w_j x_j of the features that the document holds, by their keys.
    key : callable
        The keys of a list of n-grams; by default the n-grams themselves. A product is shared equally by all places
        whose n-grams have its key, and there by the words of the n-gram.

    Raises
    ------
    CrossentError
        A product of something that the words of the document are not.
    """
    found = list(words.find(document))
    tokens = [word for _, _, word in found]
    places: dict[Hashable, list[range]] = defaultdict(list)
    for n in range(words.ngram_range[0], words.ngram_range[1] + 1):
        covered = [range(i, i + n) for i in range(len(tokens) - n + 1)]
        for where, feature in zip(covered, key([" ".join(tokens[i] for i in where) for where in covered]), strict=True):
            if feature in products:
                places[feature].append(where)
    lost = products.keys() - places.keys()
    if lost:
        raise CrossentError(f"{next(iter(lost))!r} is in the document's row, but not among its words: not to be traced")
    shares: list[list[float]] = [[] for _ in found]
    for feature, everywhere in places.items():
        for where in everywhere:
            for i in where:
                shares[i].append(products[feature] / (len(everywhere) * len(where)))
    return [
        Span(start, end, document[start:end], math.fsum(parts))
        for (start, end, _), parts in zip(found, shares, strict=True)
    ]


def highlight(vectorizer: Any, document: str | bytes, weights: Any) -> list[Span]:
    """Return the words of a document, each with its share of the margin w . x, for a fitted vectorizer of words.

    A word pair's product is shared by its two words; terms that fall into one hashed column share its product.

    Parameters
    ----------
    vectorizer : CountVectorizer, TfidfVectorizer or HashingVectorizer
        Ours or scikit-learn's; fitted, of words: ``analyzer="word"`` with no callable and no ``strip_accents``.
    document : str or bytes
    weights : array of shape (n_features,)
        The weights of one class: a row of ``coef_``.

    Returns
    -------
    list of Span
        In the document's order; their contributions add up to w . x.

    Raises
    ------
    CrossentError
        A vectorizer whose words cannot be traced back to the document.
    """
    from crossent.text.analysis import changes_a_step

    v = vectorizer
    custom = v.strip_accents or v.preprocessor is not None or v.tokenizer is not None or changes_a_step(v.__class__)
    if v.analyzer != "word" or custom:
        wanted = "analyzer='word' and no preprocessor, tokenizer, strip_accents or step of a subclass's own"
        raise CrossentError(f"only words are highlighted: give a vectorizer with {wanted}")
    if isinstance(document, bytes):
        document = document.decode(v.encoding, v.decode_error)
    X, weights = v.transform([document]), np.asarray(weights)
    if weights.shape != X.shape[1:]:
        raise CrossentError(f"weights of shape {weights.shape}: give {X.shape[1]}, one for each column: a row of coef_")
    words = Words(v.token_pattern, v.lowercase, v.ngram_range, frozenset(v.get_stop_words() or ()))
    products = (weights[X.indices] * X.data).tolist()
    if hasattr(v, "n_features"):
        from crossent.text.names import columns_of

        by_column = dict(zip(X.indices.tolist(), products, strict=True))
        return spread(document, words, by_column, lambda terms: columns_of(terms, v.n_features).tolist())
    terms = v.names_of(X.indices) if hasattr(v, "names_of") else v.get_feature_names_out()[X.indices]
    return spread(document, words, dict(zip(terms, products, strict=True)))
