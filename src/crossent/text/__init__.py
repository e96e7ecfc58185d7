"""Text vectorizers: scikit-learn's, bit for bit, many times faster.

Names are loaded when first used, so that scoring a saved model's texts (`crossent.text.tfidf`) needs no scikit-learn.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crossent.text.shares import highlight
    from crossent.text.vectorizers import CountVectorizer, HashingVectorizer, TfidfVectorizer

__all__ = ["CountVectorizer", "HashingVectorizer", "TfidfVectorizer", "highlight"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'crossent.text' has no attribute {name!r}")
    return getattr(import_module("crossent.text." + ("shares" if name == "highlight" else "vectorizers")), name)
