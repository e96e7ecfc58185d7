"""Crossent: logistic regression, done completely.

Names are loaded when first used (PEP 562), so that ``import crossent`` costs neither numba nor scikit-learn.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "train": "training",
    "load": "model",
    "Model": "model",
    "sigmoid": "equations",
    "cross_entropy": "equations",
    "residual": "equations",
    "curvature": "equations",
    "conjugate": "equations",
    "softmax": "equations",
    "softmax_cross_entropy": "equations",
    "gradient": "objective",
    "gradient_descent": "solvers.descent",
    "LogisticRegression": "estimators",
    "LogisticRegressionCV": "cv",
    "logistic_path": "path",
    "plot_path": "path",
    "CrossentError": "errors",
    "DataWarning": "errors",
}

__all__ = ["__version__", *_HOME]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'crossent' has no attribute {name!r}")
    value = getattr(import_module(f"crossent.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
