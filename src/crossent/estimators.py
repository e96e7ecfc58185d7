"""Scikit-learn's face: ``LogisticRegression``, with the meaning of every parameter that scikit-learn 1.9 gives it.

Validation, labels, weights and prediction live here; the mathematics does not. The fit is ``crossent.fit.fit``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import check_array, compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from crossent.absent import fit_present
from crossent.errors import CrossentError
from crossent.parameters import check_parameters, method, strengths
from crossent.scoring import (
    all_finite,
    log_probabilities,
    margins,
    margins_if_finite,
    probabilities,
    probabilities_if_finite,
)
from crossent.stepping import Steps
from crossent.terms import as_offset

Array = NDArray[np.float64]


class LogisticRegression(CallbackSupportMixin, ClassifierMixin, BaseEstimator):
    """Logistic regression of two or more classes, fitted to a certified optimum.

    Minimises ``C sum_i s_i loss_i + l1_ratio |w|_1 + (1 - l1_ratio)/2 |w|^2``, the intercept never penalised; with more
    than two classes the loss is the cross-entropy of the softmax. Drop-in for scikit-learn's: every parameter is
    accepted and means the same, but for those named below as without effect.

    Parameters
    ----------
    penalty : {'l1', 'l2', 'elasticnet', None}
        Deprecated, as in scikit-learn: use ``l1_ratio``, and ``C=np.inf`` for no penalty.
    C : float, default=1.0
        Inverse strength of the penalty, positive; ``np.inf`` for no penalty.
    l1_ratio : float in [0, 1], default=0.0
        0 is L2, 1 is L1, between is the elastic net.
    dual : bool, default=False
        Without effect: the optimum is the same.
    tol : float, default=1e-6
        The certified relative gap at which to stop: F(w) - F* <= tol F(w).
    fit_intercept : bool, default=True
    intercept_scaling : float, default=1
        Without effect: the intercept is never penalised.
    class_weight : dict or 'balanced', optional
        Weights of the classes, multiplied with ``sample_weight``.
    random_state : int or RandomState, optional
        Without effect: nothing is random.
    solver : str, default='auto'
        'auto' chooses by the shape of the data; 'cholesky', 'newton-cg', 'dual' and 'coordinate' name a method.
        Scikit-learn's names are hints: 'newton-cholesky' is 'cholesky', the others are 'auto'. Every penalty, any
        number of classes.
    max_iter : int, default=100
    verbose : int, default=0
        Positive: print iteration, objective and gap at every step.
    warm_start : bool, default=False
        Start from the last fit's coefficients.
    n_jobs : int, optional
        Threads; all cores by default. The coefficients are the same bits for any number.
    penalty_factor : array of shape (n_features,), optional
        Multiplies the penalty of each feature; 0 leaves one without.
    bounds : (lower, upper), optional
        Of the coefficients, obeyed exactly: numbers, or arrays of shape (n_features,), infinite where there is none.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
    coef_ : ndarray or sparse matrix of shape (1, n_features), or (K, n_features) for K > 2 classes
        Of X's type when that is float32, else float64.
    intercept_ : ndarray of shape (1,) or (K,)
    n_iter_ : ndarray of shape (1,)
    certificate_ : Certificate
        What the fit proves about itself: objective, dual value, gap, passes over X, seconds, how it ended.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        Only when X has names that are all strings.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from crossent import LogisticRegression
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = LogisticRegression().fit(X, y)
    >>> model.certificate_.converged
    True
    """

    coef_: Any
    intercept_: Array

    def __init__(
        self,
        penalty: str | None = "deprecated",
        *,
        C: float = 1.0,
        l1_ratio: float | None = 0.0,
        dual: bool = False,
        tol: float = 1e-6,
        fit_intercept: bool = True,
        intercept_scaling: float = 1,
        class_weight: Any = None,
        random_state: Any = None,
        solver: str = "auto",
        max_iter: int = 100,
        verbose: int = 0,
        warm_start: bool = False,
        n_jobs: int | None = None,
        penalty_factor: ArrayLike | None = None,
        bounds: Any = None,
    ):
        self.penalty = penalty
        self.C = C
        self.l1_ratio = l1_ratio
        self.dual = dual
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.random_state = random_state
        self.solver = solver
        self.max_iter = max_iter
        self.verbose = verbose
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.penalty_factor = penalty_factor
        self.bounds = bounds

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # ------------------------------------------------------------ fitting

    @with_callbacks
    def fit(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, *, offset: ArrayLike | None = None
    ) -> LogisticRegression:
        """Fit to n rows and their labels.

        Parameters
        ----------
        X : array, sparse matrix or table of shape (n, n_features)
            Any numeric type, C or Fortran order, CSR or CSC with indices of any width: not copied.
        y : array of shape (n,)
            Labels of at least two classes.
        sample_weight : array of shape (n,), optional
            Weights >= 0.
        offset : array of shape (n,), or (n, K) for K > 2 classes, optional
            A fixed part of the margins. The model does not keep it: give that of new rows when predicting.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            In one line, when a parameter, X, y, sample_weight or offset is not allowed.

        Warns
        -----
        ConvergenceWarning
            When the gap that was asked for is not reached: with the one that was, and what to do.
        """
        check_parameters(self)
        C, l1_ratio = strengths(self)
        X, codes = self._encoded(X, y)
        if len(self.classes_) < 2:
            raise CrossentError(f"y has one class, {self.classes_.tolist()[0]!r}; give rows of at least two classes")
        dtype = np.float32 if X.dtype == np.float32 else np.float64
        steps = Steps(self, X, y, sample_weight, lambda coef, intercept: _as_attributes(coef, intercept, dtype))
        result = fit_present(
            X,
            codes,
            n_classes=len(self.classes_),
            C=C,
            l1_ratio=l1_ratio,
            fit_intercept=self.fit_intercept,
            sample_weight=self._weights(codes, sample_weight),
            penalty_factor=self.penalty_factor,
            bounds=self.bounds,
            offset=offset,
            tol=self.tol,
            max_iter=self.max_iter,
            solver=method(self.solver, C, l1_ratio, self.bounds is not None),
            start=self._start(X.shape[1]),
            n_jobs=self.n_jobs,
            on_step=steps.listener,
            dtype=dtype,
        )
        for name, value in _as_attributes(result.coef, result.intercept, dtype).items():
            setattr(self, name, value)
        self.certificate_ = result.certificate
        self.n_iter_ = np.array([result.certificate.n_iter], dtype=np.int32)
        steps.close()
        if not self.certificate_.converged:
            warnings.warn(self.certificate_.shortfall(), ConvergenceWarning, stacklevel=3)
        return self

    def _encoded(self, X: Any, y: Any) -> tuple[Any, NDArray[np.int64]]:
        """Return X, checked, and the codes of the labels; learn classes and columns. Plain arrays need few checks."""
        if (
            _is_plain(X)
            and type(y) is np.ndarray
            and y.dtype.kind in "biu"
            and y.shape == X.shape[:1]
            and all_finite(X, self.n_jobs)
        ):
            self.classes_, codes = np.unique(y, return_inverse=True)
            if 2 * len(self.classes_) <= len(y):  # otherwise scikit-learn has something to say about it
                self.n_features_in_ = X.shape[1]
                self.__dict__.pop("feature_names_in_", None)
                return X, codes
        X, y = validate_data(self, X, y, accept_sparse=("csr", "csc"), dtype="numeric")
        check_classification_targets(y)
        encoder = LabelEncoder()
        codes = encoder.fit_transform(y)
        self.classes_ = encoder.classes_
        return X, codes

    def _weights(self, codes: NDArray[np.int64], sample_weight: ArrayLike | None) -> Array | None:
        """Return the rows' weights times their classes', or None for ones."""
        weights = None
        if sample_weight is not None:
            weights = (
                np.full(len(codes), float(sample_weight))
                if isinstance(sample_weight, Real)
                else check_array(sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight")
            )
            if weights.shape != (len(codes),):
                raise CrossentError(
                    f"sample_weight has shape {weights.shape}; give one weight for each of {len(codes)} rows"
                )
        if self.class_weight is not None:
            if isinstance(self.class_weight, str):
                with np.errstate(divide="ignore"):
                    of_class = compute_class_weight(
                        self.class_weight, classes=np.arange(len(self.classes_)), y=codes, sample_weight=weights
                    )
                of_class[np.isinf(of_class)] = 0.0  # of a class without weight
            else:
                of_class = compute_class_weight(self.class_weight, classes=self.classes_, y=self.classes_)
            weights = of_class[codes] if weights is None else weights * of_class[codes]
        if weights is not None:
            if weights.min() < 0.0:
                raise CrossentError(f"the weight of row {weights.argmin()} is {weights.min():g}; weights are >= 0")
            if not weights.any():
                raise CrossentError("Sample weights must contain at least one non-zero number; all rows have weight 0")
            present = np.flatnonzero(np.bincount(codes, weights, len(self.classes_)))
            if len(present) < 2 and self.fit_intercept:
                name = self.classes_.tolist()[present[0]]
                raise CrossentError(f"only class {name!r} has rows with a positive weight; two classes need some")
        return weights

    def _start(self, n_features: int) -> tuple[Array, Array] | None:
        """Return the coefficients to start from, or None for zeros."""
        if not (self.warm_start and hasattr(self, "coef_")):
            return None
        shape = (1 if len(self.classes_) == 2 else len(self.classes_), n_features)
        if self.coef_.shape != shape:
            raise CrossentError(
                f"warm_start has coefficients of shape {self.coef_.shape} but this fit needs {shape}; "
                "fit the same classes and columns again, or set warm_start=False"
            )
        return _dense(self.coef_), self.intercept_

    # ------------------------------------------------------------ storage of the coefficients

    def densify(self) -> LogisticRegression:
        """Turn ``coef_`` back into an array; return self."""
        check_is_fitted(self)
        self.coef_ = _dense(self.coef_)
        return self

    def sparsify(self) -> LogisticRegression:
        """Turn ``coef_`` into a sparse matrix, smaller where L1 left most coefficients zero; return self."""
        check_is_fitted(self)
        self.coef_ = (
            sp.csr_matrix(self.coef_) if get_config()["sparse_interface"] == "spmatrix" else sp.csr_array(self.coef_)
        )
        return self

    # ------------------------------------------------------------ predicting

    def decision_function(self, X: Any, *, offset: ArrayLike | None = None) -> Array:
        """Return the margins z = X w + b: shape (n,) for two classes (positive is ``classes_[1]``), (n, K) for K.

        ``offset``, shaped as z, is added to them. Cost: half a pass over X.
        """
        if not hasattr(self, "coef_"):
            check_is_fitted(self)
        z = self._margins(X)
        return z if offset is None else z + as_offset(offset, len(z), len(self.classes_))

    def _margins(self, X: Any) -> Array:
        z = self._unchecked(X, margins_if_finite)
        if z is not None:
            return z
        X = validate_data(self, X, accept_sparse=("csr", "csc"), dtype="numeric", reset=False)
        return margins(X, _dense(self.coef_), self.intercept_, self.n_jobs)

    def _unchecked(self, X: Any, score: Callable[..., Array | None]) -> Array | None:
        """Return the scores of X if all that may be wrong with it is a value that is not finite, and none is."""
        if not hasattr(self, "coef_") or not _is_plain(X) or hasattr(self, "feature_names_in_"):
            return None
        coef = _dense(self.coef_)
        return score(X, coef, self.intercept_, self.n_jobs) if X.shape[1] == coef.shape[1] else None

    def predict(self, X: Any, *, offset: ArrayLike | None = None) -> NDArray[Any]:
        """Return the most probable class of each row."""
        z = self.decision_function(X, offset=offset)
        return self.classes_[(z > 0.0).astype(np.intp) if z.ndim == 1 else z.argmax(axis=1)]

    def predict_proba(self, X: Any, *, offset: ArrayLike | None = None) -> Array:
        """Return the probability of each class, shape (n, K), columns in the order of ``classes_``."""
        p = self._unchecked(X, probabilities_if_finite) if offset is None else None
        return probabilities(self.decision_function(X, offset=offset), self.n_jobs) if p is None else p

    def predict_log_proba(self, X: Any, *, offset: ArrayLike | None = None) -> Array:
        """Return the logarithm of each class's probability, shape (n, K): exact also where it rounds to 0 or 1."""
        return log_probabilities(self.decision_function(X, offset=offset), self.n_jobs)

    def score(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, *, offset: ArrayLike | None = None
    ) -> float:
        """Return the accuracy on rows X with labels y."""
        return float(accuracy_score(y, self.predict(X, offset=offset), sample_weight=sample_weight))


def _is_plain(X: Any) -> bool:
    """Tell whether X is an array or rows of CSR that need no check but for being finite: float64, not empty."""
    if type(X) is np.ndarray:
        return X.ndim == 2 and X.dtype == np.float64 and X.size > 0 and X.flags.forc
    return type(X) in {sp.csr_matrix, sp.csr_array} and X.ndim == 2 and X.dtype == np.float64 and X.size > 0


def _as_attributes(coef: Array, intercept: Array, dtype: type) -> dict[str, NDArray[Any]]:
    return {"coef_": coef.astype(dtype, copy=False), "intercept_": intercept.astype(dtype, copy=False)}


def _dense(coef: Any) -> NDArray[Any]:
    return coef.toarray() if sp.issparse(coef) else coef
