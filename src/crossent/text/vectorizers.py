"""The public vectorizers: scikit-learn's classes, whose work compiled kernels will do."""

from sklearn.feature_extraction import text as sklearn_text


class CountVectorizer(sklearn_text.CountVectorizer):
    """scikit-learn's CountVectorizer."""


class TfidfVectorizer(sklearn_text.TfidfVectorizer):
    """scikit-learn's TfidfVectorizer."""


class HashingVectorizer(sklearn_text.HashingVectorizer):
    """scikit-learn's HashingVectorizer."""
