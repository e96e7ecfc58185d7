"""The derivation followed with the numbers of one example: every line's value, and what one step does to the loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossent.derivation.steps import LINES, Step
from crossent.errors import CrossentError
from crossent.solvers.descent import LARGEST

LARGEST_Z = 5000.0  # 1 - sigma(z) then begins with 2171 zeros; every line is computed with more digits than that


@dataclass(frozen=True)
class Example:
    """One row as the derivation sees it.

    Attributes
    ----------
    names : sequence of str
        The features that are present; a text's words.
    x, w : array of shape (d,)
        Their values and weights.
    b, y : float
        The bias and the label, y in [0, 1].
    label, other : str
        What ``y = 1`` and ``y = 0`` mean.
    text : str
        The example as the user knows it, for a caption.

    Raises
    ------
    CrossentError
        When the lengths differ, a number is not finite or its square overflows, or y is outside [0, 1].
    """

    names: Sequence[str]
    x: NDArray[np.float64]
    w: NDArray[np.float64]
    b: float
    y: float
    label: str = "1"
    other: str = "0"
    text: str = ""

    def __post_init__(self) -> None:
        for letter in "xw":
            object.__setattr__(self, letter, np.asarray(getattr(self, letter), dtype=np.float64))
        if not self.x.shape == self.w.shape == (len(self.names),):
            raise CrossentError(f"{len(self.names)} names, x of shape {self.x.shape}, w of shape {self.w.shape}")
        for letter in "xw":
            for name, value in zip(self.names, getattr(self, letter), strict=True):
                if not abs(value) < LARGEST:
                    raise CrossentError(f"{letter} of {name!r} is {value:g}, with which nothing can be computed")
        if not np.isfinite(self.b) or not 0 <= self.y <= 1:
            raise CrossentError(f"b is {self.b} and y is {self.y}; b must be finite and y from 0 to 1")

    @property
    def z(self) -> float:
        return float(self.w @ self.x + self.b)

    @property
    def bound(self) -> float:
        """The proven bound on the rate, 4 / (|x|^2 + 1). Proved: `descent_step_with_bias`."""
        return float(4.0 / (self.x @ self.x + 1.0))

    def position(self, name: str | None = None) -> int:
        """Where a feature stands; without a name, the one that moves z most."""
        if name is None:
            return int(np.argmax(np.abs(self.w * self.x))) if len(self.x) else -1
        names = list(self.names)
        matches = [names.index(name)] if name in names else []
        matches = matches or [i for i, given in enumerate(names) if name == given.rpartition(":")[2]]
        if not matches:
            some = ", ".join(repr(names[i]) for i in np.argsort(-np.abs(self.w * self.x))[:8])
            raise CrossentError(f"no feature {name!r} in this example; it has {some}{' ...' if len(names) > 8 else ''}")
        if len(matches) > 1:
            raise CrossentError(f"{name!r} is {' and '.join(repr(names[i]) for i in matches)}; give the full name")
        return matches[0]


@dataclass(frozen=True)
class Walk:
    """The numbers of every line for one weight, and of one step of gradient descent on the example."""

    example: Example
    weight: int
    z: float
    sigma: float
    loss: float
    residual: float
    lines: tuple[tuple[Step, float], ...]
    spread: float  # the largest difference between two lines, computed at 50 digits
    gradient: NDArray[np.float64]  # of every weight, by the compiled code
    gradient_bias: float
    rate: float
    loss_after: float

    def largest(self, count: int = 10) -> NDArray[np.intp]:
        """The features that move z most, the walked one first."""
        order = np.argsort(-np.abs(self.example.w * self.example.x), kind="stable")
        order = np.concatenate([[self.weight], order[order != self.weight]])
        return order[:count].astype(np.intp)


def walk(example: Example, weight: str | None = None, rate: float | None = None) -> Walk:
    """Follow the derivation on one example.

    Parameters
    ----------
    example : Example
    weight : str, optional
        The feature whose weight is followed through the lines; the most influential one by default.
    rate : float, optional
        Of the step of gradient descent; the proven bound 4 / (|x|^2 + 1) by default.

    Returns
    -------
    Walk

    Raises
    ------
    CrossentError
        When the example has no such feature, or none at all; when z is so large that no number of digits will do;
        when SymPy is not installed (extra ``derive``).
    """
    from crossent import cross_entropy, gradient, residual, sigmoid

    if not len(example.x):
        raise CrossentError("the example has no feature that the model knows, so there is no weight to follow")
    j = example.position(weight)
    if abs(example.z) > LARGEST_Z:
        raise CrossentError(
            f"z is {example.z:.6g}: more digits than can be followed lie between sigma(z) and 0 or 1; "
            "take a row with a smaller z"
        )
    rate = example.bound if rate is None else rate
    if not 0 < rate < np.inf:
        raise CrossentError(f"rate is {rate}; it must be positive and finite (default: the proven bound)")
    dw, db = gradient(example.w, example.b, example.x, example.y)
    z_after = (example.w - rate * dw) @ example.x + example.b - rate * db
    lines, spread = _lines(example, j)
    z = example.z
    return Walk(
        example, j, z, sigmoid(z), cross_entropy(z, example.y), residual(z, example.y), lines, spread,
        dw, db, rate, cross_entropy(z_after, example.y),
    )  # fmt: skip


def _lines(example: Example, j: int) -> tuple[tuple[tuple[Step, float], ...], float]:
    """The value of every line's right side, and their largest difference."""
    from crossent.derivation.algebra import Numeric, evaluate, require_sympy

    require_sympy()
    import mpmath

    # 1 - sigma(z) is about exp(-|z|): as many digits more as that has zeros.
    with mpmath.workdps(60 + int(abs(example.z) / np.log(10))):
        arrays: dict[str, Any] = {
            name: {(c,): mpmath.mpf(float(value)) for c, value in enumerate(values)}
            for name, values in (("w", example.w), ("x", example.x))
        }
        scalars = {"y": mpmath.mpf(example.y), "b": mpmath.mpf(example.b)}
        algebra = Numeric(scalars, arrays, {"j": j}, length=len(example.x))
        values = [evaluate(step.right, algebra) for step in LINES]
        spread = float(max(values) - min(values))
    return tuple((step, float(value)) for step, value in zip(LINES, values, strict=True)), spread
