"""From a source of rows to a tested, certified model, in one call."""

from __future__ import annotations

import math
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from numbers import Integral, Real
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from crossent import __version__
from crossent.certificate import Outcome
from crossent.errors import CrossentError
from crossent.fit import Fit, Progress, fit
from crossent.metrics import evaluate
from crossent.model import Model
from crossent.table import Encoder, Schema, classes_of, codes_of, read_ahead, rows_with_target, with_target
from crossent.tuning import Candidate, Tuning

Array = NDArray[Any]
Names: TypeAlias = "str | Sequence[str]"
Watch: TypeAlias = "Callable[[str, Progress | Schema | Candidate | None], Any]"


@dataclass(frozen=True)
class Settings:
    """What a training run was asked for; see :func:`train`."""

    C: float | Sequence[float] | None = None
    selection: str = "best"
    l1_ratio: float = 0.0
    test: float = 0.2
    class_weight: str | Mapping[Any, float] | None = None
    tol: float = 1e-6
    max_iter: int = 100
    seed: int = 0
    n_jobs: int | None = None

    def __post_init__(self) -> None:
        several = isinstance(self.C, Iterable) and not isinstance(self.C, str)
        for C in self.C if several else [] if self.C is None else [self.C]:  # type: ignore[union-attr]
            _require(isinstance(C, Real) and float(C) > 0, "C", C, "a positive number (infinite for no penalty)")
        _require(self.candidates is None or len(self.candidates) > 0, "C", self.C, "one value or several")
        _require(self.selection in {"best", "1se"}, "selection", self.selection, "'best' or '1se'")
        _require(_between(self.l1_ratio, 0, 1), "l1_ratio", self.l1_ratio, "a number from 0 to 1")
        _require(
            _between(self.test, 0, 1) and self.test < 1, "test", self.test, "a share from 0 (no test part) to below 1"
        )
        _require(isinstance(self.tol, Real) and self.tol > 0, "tol", self.tol, "a positive number")
        _require(_whole(self.max_iter, 1), "max_iter", self.max_iter, "a whole number of at least 1")
        _require(_whole(self.seed, 0, 2**32 - 1), "seed", self.seed, "a whole number from 0 to 4294967295")
        _require(self.n_jobs is None or _whole(self.n_jobs), "n_jobs", self.n_jobs, "a whole number, or None for all")

    @property
    def candidates(self) -> list[float] | None:
        """The values of C to choose from; None where the grid is free."""
        if self.C is None:
            return None
        return sorted({float(C) for C in self.C}) if isinstance(self.C, Iterable) else [float(self.C)]


def train(
    source: Any,
    target: str,
    *,
    text: Names = (),
    category: Names = (),
    number: Names = (),
    date: Names = (),
    drop: Names = (),
    C: float | Sequence[float] | None = None,
    selection: str = "best",
    l1_ratio: float = 0.0,
    test: float = 0.2,
    class_weight: str | Mapping[Any, float] | None = None,
    tol: float = 1e-6,
    max_iter: int = 100,
    seed: int = 0,
    n_jobs: int | None = None,
    watch: Watch | None = None,
) -> Model:
    """Train a logistic regression on a table and test it on rows held out.

    Parameters
    ----------
    source : path, table or stream
        CSV, TSV, JSON lines, Parquet, Arrow or svmlight, one file, several or a glob, plain or compressed; or a pandas,
        polars or Arrow table, a query result that speaks Arrow's stream protocol, a mapping of columns.
    target : str
        The column to predict. Rows without it are left out, with a warning.
    text, category, number, date, drop : column names
        Kinds of columns; all others are guessed.
    C : float, several, or None
        Inverse strength of the penalty. Of several, the one with the least log-loss in cross-validation of the training
        rows is taken (five stratified folds, fewer where a class has fewer rows); the test part has no say in it. By
        default a grid is tried that goes on until the best is not at its edge.
    selection : {"best", "1se"}
        "1se" takes the smallest C whose log-loss is within one standard error of the least.
    l1_ratio : float
        0 for L2, 1 for L1, between for the elastic net.
    test : float
        Share of the rows to hold out, drawn class by class; 0 for none. The same rows as scikit-learn's
        ``train_test_split(..., stratify=y, random_state=seed)``.
    class_weight : mapping, "balanced" or None
        Weights of the classes.
    tol : float
        Certified relative gap at which the fit ends.
    max_iter, seed, n_jobs : int
    watch : callable, optional
        Called with the name of the stage that begins and None; with "reading" and the Schema once it is known; with
        "choosing C" and a ``Candidate`` for each C tried; with "fitting" and a ``Progress`` at every step.

    Returns
    -------
    Model
        With ``certificate``, ``test`` (an Evaluation) and ``metadata``, whose "search" is the curve of log-loss against
        C. A KeyboardInterrupt while choosing C or fitting gives the best weights so far, marked as interrupted.

    Raises
    ------
    CrossentError
        Whatever is wrong with the data or the settings, in one line.

    Examples
    --------
    >>> import crossent
    >>> model = crossent.train({"x": [1, 2, 3, 4, 5, 6] * 5, "y": ["no", "no", "yes", "no", "yes", "yes"] * 5}, "y")
    >>> model.predict({"x": [1, 6]}).tolist()
    ['no', 'yes']
    """
    settings = Settings(C, selection, l1_ratio, test, class_weight, tol, max_iter, seed, n_jobs)
    _require(isinstance(target, str), "target", target, "the name of a column")
    stages = _Stages(watch)
    with stages("reading"):
        kinds = {"text": text, "category": category, "number": number, "date": date, "drop": drop}
        table, words = read_ahead(source, target=target, **kinds)
        read_rows = len(table)
        rows, table = rows_with_target(table, target), with_target(table, target)
        classes = classes_of(table, target)
        y = codes_of(table, target, classes)
        schema = Schema.guess(table, target=target, **kinds)
        stages.tell(schema)
        held_out = split(y, settings.test, settings.seed, classes)
    with stages("encoding"):
        encoder, X, X_held_out = Encoder.fit_apart(table, schema, held_out, rows, words)
        seen = y[~held_out]
        weights = row_weights(seen, classes, class_weight)
    problem = _Problem(X, seen, weights, classes, settings, stages)
    search: list[dict[str, Any]] = []
    if settings.candidates is not None and len(settings.candidates) == 1:
        with stages("fitting"):
            chosen, fitted = settings.candidates[0], problem.fit(settings.candidates[0])
    else:
        chosen, fitted, search = problem.tune()
    if math.isnan(fitted.certificate.objective):
        raise KeyboardInterrupt("before there were any weights")
    model = Model(classes, fitted.coef, fitted.intercept, schema, encoder, fitted.certificate, {})
    tested = None
    if held_out.any():
        with suppress(KeyboardInterrupt), stages("testing"):  # the weights are there: they are not to be lost
            tested = evaluate(model.margins_of(X_held_out), y[held_out], classes)
    model.metadata = {
        "crossent": __version__,
        "trained": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": _named(source),
        "rows": {"read": read_rows, "used": len(y), "train": int((~held_out).sum()), "test": int(held_out.sum())},
        "class_rows": np.bincount(y, minlength=len(classes)).tolist(),
        "settings": {**_as_dict(settings), "C": chosen},
        "search": search,
        "seconds": stages.seconds,
        "test": tested.as_dict() if tested else None,
        "interrupted": _interrupted(fitted),
    }
    _warn_unless_converged(model)
    return model


def split(y: Array, share: float, seed: int = 0, classes: Sequence[Any] | None = None) -> Array:
    """Return a mask of the rows held out: a share of every class, drawn at random.

    Raises
    ------
    CrossentError
        A class with one row, or parts too small to hold every class.
    """
    n, counts = len(y), np.bincount(y)
    mask = np.zeros(n, dtype=bool)
    if share == 0:
        return mask
    if counts.min() < 2:
        lonely = int(counts.argmin())
        name = repr(classes[lonely]) if classes is not None else lonely
        raise CrossentError(
            f"class {name} has one row only, so it cannot be in both parts; leave it out, or test nothing (test=0)"
        )
    held = math.ceil(share * n)
    if min(held, n - held) < len(counts):
        raise CrossentError(
            f"{held:,} of {n:,} rows to test with {len(counts)} classes leaves a part that cannot hold every class; "
            "give more rows, another share, or test nothing (test=0)"
        )
    from sklearn.model_selection import train_test_split

    mask[train_test_split(np.arange(n), test_size=share, stratify=y, random_state=seed)[1]] = True
    return mask


def row_weights(y: Array, classes: Sequence[Any], class_weight: str | Mapping[Any, float] | None) -> Array | None:
    """Return the weight of each row from those of its class; None for all one."""
    if class_weight is None:
        return None
    if class_weight == "balanced":
        of_class = len(y) / (len(classes) * np.bincount(y, minlength=len(classes)))
    elif isinstance(class_weight, Mapping):
        unknown = [label for label in class_weight if label not in classes]
        if unknown:
            raise CrossentError(f"class_weight names {unknown[0]!r}, which is none of the classes {list(classes)[:10]}")
        for label, weight in class_weight.items():
            _require(isinstance(weight, Real), f"the weight of class {label!r}", weight, "a number")
        of_class = np.array([float(class_weight.get(label, 1.0)) for label in classes])
        if not (np.isfinite(of_class).all() and (of_class >= 0.0).all() and of_class.any()):
            raise CrossentError(f"class_weight is {dict(class_weight)}; weights are finite, not negative, not all 0")
    else:
        raise CrossentError(f"class_weight is {class_weight!r}; give 'balanced' or a mapping of classes to weights")
    return of_class[y]


@dataclass(frozen=True)
class _Problem:
    """The encoded training rows, and what is to be fitted to them."""

    X: Any
    y: Array
    weights: Array | None
    classes: list[Any]
    settings: Settings
    stages: _Stages

    def fit(self, C: float, start: tuple[Array, Array] | None = None, at_once: bool = False) -> Fit:
        """Fit all rows; ``at_once`` takes no step, but says what is proved of the start."""
        return fit(
            self.X,
            self.y,
            n_classes=len(self.classes),
            C=C,
            l1_ratio=self.settings.l1_ratio,
            sample_weight=self.weights,
            tol=self.settings.tol,
            max_iter=self.settings.max_iter,
            start=start,
            n_jobs=self.settings.n_jobs,
            on_step=(lambda _: True) if at_once else self.stages.tell if self.stages.watch else None,
        )

    def tune(self) -> tuple[float, Fit, list[dict[str, Any]]]:
        """Return the C chosen by cross-validation, the fit of all rows with it, and the curve of log-loss against C.

        Interrupted, it returns the best so far: the weights that the folds agree on.
        """
        asked = self.settings
        tuning = Tuning(
            self.X,
            self.y,
            self.weights,
            self.classes,
            asked.candidates,
            asked.selection,
            asked.l1_ratio,
            asked.tol,
            asked.max_iter,
            asked.seed,
            asked.n_jobs,
            self.stages.tell,
        )
        interrupted = False
        with self.stages("choosing C"):
            try:
                tuning.run()
            except KeyboardInterrupt:
                interrupted = True
        if not tuning.candidates:
            raise KeyboardInterrupt("before there were any weights")
        C = tuning.chosen().C
        if interrupted:
            fitted = self.fit(C, tuning.starts[C], at_once=True)
            proof = replace(fitted.certificate, outcome=Outcome.INTERRUPTED.value, converged=False)
            return C, replace(fitted, certificate=proof), tuning.curve()
        with self.stages("fitting"):
            return C, self.fit(C, tuning.starts[C]), tuning.curve()


def _interrupted(fitted: Fit) -> bool:
    return fitted.certificate.outcome == Outcome.INTERRUPTED.value


@dataclass
class _Stages:
    """Names the stages to whoever watches, and remembers how long each took."""

    watch: Watch | None
    seconds: dict[str, float] = field(default_factory=dict)
    current: str = ""

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        self.current = name
        self.tell(None)
        began = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - began

    def tell(self, what: Progress | Schema | Candidate | None) -> None:
        if self.watch is not None:
            self.watch(self.current, what)


def _between(value: Any, low: float, high: float) -> bool:
    return isinstance(value, Real) and low <= float(value) <= high


def _whole(value: Any, low: float = -math.inf, high: float = math.inf) -> bool:
    return isinstance(value, Integral) and low <= int(value) <= high


def _require(holds: bool, name: str, got: Any, wanted: str) -> None:
    if not holds:
        raise CrossentError(f"{name} is {got!r}; give {wanted}")


def _as_dict(settings: Settings) -> dict[str, Any]:
    weight = settings.class_weight
    plain = {str(k): float(v) for k, v in weight.items()} if isinstance(weight, Mapping) else weight
    return {**vars(settings), "class_weight": plain}


def _named(source: Any) -> str:
    """Return what to call the source in the model file."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    if isinstance(source, list | tuple) and all(isinstance(part, str | os.PathLike) for part in source):
        return ", ".join(os.fspath(part) for part in source)
    return f"{type(source).__module__.partition('.')[0]} {type(source).__name__}"


def _warn_unless_converged(model: Model) -> None:
    certificate = model.certificate
    if certificate.converged or model.metadata["interrupted"]:
        return
    from sklearn.exceptions import ConvergenceWarning

    warnings.warn(certificate.shortfall(), ConvergenceWarning, stacklevel=3)
