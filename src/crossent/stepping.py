"""What an estimator tells while it is being fitted: a printed line a step, and scikit-learn's callbacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crossent.fit import Progress


class Steps:
    """The task tree that callbacks see: one task for the fit and, below it, one for each iteration.

    The last iteration's task is empty: there the gap is certified and no step taken.

    Parameters
    ----------
    estimator : estimator with CallbackSupportMixin, and parameters ``max_iter`` and ``verbose``
    X, y, sample_weight : what is fitted
    attributes : callable
        Turns coef and intercept into the fitted attributes a callback's estimator gets.
    """

    def __init__(self, estimator: Any, X: Any, y: Any, sample_weight: Any, attributes: Callable[..., dict[str, Any]]):
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self.task = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self.attributes = attributes
        self.verbose = estimator.verbose > 0
        self.observed = hasattr(estimator, "_skl_callbacks")
        self.fit = estimator._init_callback_context(max_subtasks=estimator.max_iter + 1)
        self.fit.call_on_fit_task_begin(**self.task)
        self.iteration: Any = None

    @property
    def listener(self) -> Callable[[Progress], bool] | None:
        """What ``fit`` is to call at every step; None when nobody listens."""
        return self if self.verbose or self.observed else None

    def __call__(self, progress: Progress) -> bool:
        """Print and call back; return whether a callback asks to stop."""
        if self.verbose:
            print(
                f"iteration {progress.n_iter}: objective {progress.objective:.10g}, "
                f"relative gap {progress.relative_gap:.2g}",
                flush=True,
            )
        return self.observed and self._next(progress)

    def _next(self, progress: Progress) -> bool:
        here = self.task | {"reconstruction_attributes": lambda: self.attributes(*progress.coefficients())}
        stop = self.iteration is not None and self.iteration.call_on_fit_task_end(**here)
        self.iteration = self.fit.subcontext(task_name="iteration")
        self.iteration.call_on_fit_task_begin(**here)
        return stop

    def close(self) -> None:
        """End what is open; the estimator is fitted by now."""
        if self.iteration is not None:
            self.iteration.call_on_fit_task_end(estimator=self.task["estimator"])
        self.fit.call_on_fit_task_end(**self.task, reconstruction_attributes={})
