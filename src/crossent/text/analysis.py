"""Which parameters of a vectorizer the kernels understand, and what they make of them."""

from collections.abc import Hashable
from functools import cache, lru_cache
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.feature_extraction import text as sklearn_text

from crossent.text.interning import Symbols, symbols_of
from crossent.text.tokens import CHARACTERS, CHARACTERS_IN_WORDS, WORDS, Analysis
from crossent.text.unicode import tables

_MODES = {"word": WORDS, "char": CHARACTERS, "char_wb": CHARACTERS_IN_WORDS}
_MIN_CHARS = {
    r"(?u)\b\w\w+\b": 2,
    r"\b\w\w+\b": 2,
    r"(?u)\b\w+\b": 1,
    r"\b\w+\b": 1,
    r"(?u)\w+": 1,
    r"\w+": 1,
}
_STEPS = ("build_analyzer", "build_preprocessor", "build_tokenizer", "decode", "get_stop_words")


def analysis_of(vectorizer: Any) -> Analysis | None:
    """Return what the kernels need to know, or None when the work is scikit-learn's: a custom callable or pattern."""
    v = vectorizer
    if v.preprocessor is not None or v.tokenizer is not None or callable(v.strip_accents):
        return None
    if not isinstance(v.analyzer, str) or v.analyzer not in _MODES or not _is_range(v.ngram_range):
        return None
    if v.analyzer == "word" and v.token_pattern not in _MIN_CHARS:
        return None
    if changes_a_step(v.__class__):
        return None
    stop_words = v.stop_words if v.analyzer == "word" else None
    if isinstance(stop_words, str):
        if stop_words != "english":
            return None
    elif stop_words is not None:
        stop_words = frozenset(stop_words)
    lower = bool(v.lowercase) and not v.strip_accents  # lower case comes before accents: then Python does both
    return _analysis(v.analyzer, v.token_pattern, v.ngram_range, lower, stop_words)


def _is_range(ngram_range: Any) -> bool:
    if not isinstance(ngram_range, tuple) or len(ngram_range) != 2:
        return False
    low, high = ngram_range
    return isinstance(low, Integral) and isinstance(high, Integral) and 1 <= int(low) <= int(high)


@cache
def changes_a_step(kind: Hashable) -> bool:
    """Tell whether a subclass of the user's has its own way of doing something that the kernels do."""
    return any(getattr(kind, step) is not getattr(sklearn_text.CountVectorizer, step) for step in _STEPS)


@lru_cache(maxsize=32)
def _analysis(
    analyzer: str,
    token_pattern: str,
    ngram_range: tuple[int, int],
    lower: bool,
    stop_words: str | frozenset[str] | None,
) -> Analysis:
    words = sklearn_text.ENGLISH_STOP_WORDS if stop_words == "english" else stop_words or ()
    mode = _MODES[analyzer]
    min_chars = _MIN_CHARS[token_pattern] if mode == WORDS else 1
    return Analysis(
        mode,
        min_chars,
        int(ngram_range[0]),
        int(ngram_range[1]),
        lower,
        None if mode == WORDS else tables(lower),
        _symbols(words) if mode == WORDS else None,
    )


def _symbols(words: Any) -> Symbols:
    encoded = [word.encode("utf-8", "surrogatepass") for word in words if isinstance(word, str)]
    offsets = np.append(0, np.cumsum([len(word) for word in encoded], dtype=np.int64))
    return symbols_of(np.frombuffer(bytearray().join(encoded), np.uint8), offsets)
