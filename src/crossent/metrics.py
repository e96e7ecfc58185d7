"""How well a model does on rows it has not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossent.equations import cross_entropy, softmax_cross_entropy
from crossent.scoring import probabilities

Array = NDArray[Any]

BINS = 10  # bins of equal width over [0, 1] for the calibration error


@dataclass(frozen=True)
class Evaluation:
    """What a model achieves on some rows.

    Attributes
    ----------
    rows : int
    classes : list
    accuracy : float
    base_accuracy : float
        That of always answering with these rows' most frequent class.
    log_loss : float
        Mean cross-entropy in nats.
    auc : float or None
        Area under the ROC curve; with K > 2 classes the mean of each against the rest. None with one class in the rows.
    calibration_error : float
        Mean distance between a probability and the share of rows for which it came true, in ten bins; the mean over
        classes (Kull et al. 2019).
    confusion : list of lists of int
        Rows are the true classes, columns the predicted ones.
    """

    rows: int
    classes: list[Any]
    accuracy: float
    base_accuracy: float
    log_loss: float
    auc: float | None
    calibration_error: float
    confusion: list[list[int]]

    def as_dict(self) -> dict[str, Any]:
        """Return the evaluation as plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Evaluation:
        """Return the evaluation of `as_dict`."""
        return cls(**saved)

    def __str__(self) -> str:
        auc = "" if self.auc is None else f", AUC {self.auc:.4f}"
        return (
            f"{self.rows:,} rows: accuracy {self.accuracy:.4f} ({self.base_accuracy:.4f} by always answering the most "
            f"frequent class), log-loss {self.log_loss:.4f}{auc}, calibration error {self.calibration_error:.4f}"
        )


def losses(z: Array, y: Array) -> Array:
    """Return the cross-entropy of each row, in nats."""
    return cross_entropy(z, y) if z.ndim == 1 else softmax_cross_entropy(z, y)


def decide(z: Array) -> Array:
    """Return the position of the most probable class of each row."""
    return (z > 0.0).astype(np.int64) if z.ndim == 1 else z.argmax(axis=1)


def evaluate(z: Array, y: Array, classes: Sequence[Any]) -> Evaluation:
    """Return the measures of margins ``z`` against class codes ``y`` (0..K-1).

    Parameters
    ----------
    z : array of shape (n,), or (n, K) for K > 2 classes
    y : int array of shape (n,)
    classes : sequence of K values
    """
    from sklearn.metrics import accuracy_score, confusion_matrix

    K = len(classes)
    predicted, p = decide(z), probabilities(z)
    return Evaluation(
        rows=len(y),
        classes=list(classes),
        accuracy=float(accuracy_score(y, predicted)),
        base_accuracy=float(np.bincount(y, minlength=K).max() / len(y)),
        log_loss=float(losses(z, y).mean()),
        auc=_auc(z if z.ndim == 1 else p, y, K),
        calibration_error=calibration_error(p, y),
        confusion=confusion_matrix(y, predicted, labels=np.arange(K)).tolist(),
    )


def _auc(scores: Array, y: Array, K: int) -> float | None:
    from sklearn.metrics import roc_auc_score

    present = np.unique(y)
    if len(present) < 2:
        return None
    if scores.ndim == 1:
        return float(roc_auc_score(y, scores))
    return float(np.mean([roc_auc_score(y == k, scores[:, k]) for k in present]))


def calibration_error(p: Array, y: Array) -> float:
    """Return the mean over classes of sum_bins (rows in bin / n) |mean probability - share of the class|."""
    n, K = p.shape
    errors = []
    for k in range(K):
        bins = np.minimum((p[:, k] * BINS).astype(np.int64), BINS - 1)
        errors.append(np.abs(np.bincount(bins, p[:, k] - (y == k), BINS)).sum() / n)
    return float(np.mean(errors))
