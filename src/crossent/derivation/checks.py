"""Prove every step: by symbols, by 50 digits, and against the compiled gradient that trains the models."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from crossent.derivation.algebra import Algebra, evaluate, require_sympy
from crossent.derivation.settings import numeric, symbolic
from crossent.derivation.steps import BIAS, STEPS, Step


@dataclass(frozen=True)
class Check:
    """One verdict: which step, checked how, and what was found."""

    key: str
    method: str
    passed: bool
    detail: str = ""

    def __str__(self) -> str:
        verdict = "holds" if self.passed else "FAILS"
        return f"{self.key}: {verdict} {self.method}" + (f" ({self.detail})" if self.detail else "")


@dataclass(frozen=True)
class Verification:
    """All verdicts; true when there are some and every one passed."""

    checks: tuple[Check, ...]

    def __bool__(self) -> bool:
        return bool(self.checks) and not self.failures

    @property
    def failures(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if not check.passed)

    def of(self, key: str) -> tuple[Check, ...]:
        """The verdicts on one step."""
        return tuple(check for check in self.checks if check.key == key)

    def __str__(self) -> str:
        return "\n".join(map(str, self.checks))


def verify(points: int = 200, digits: int = 50, steps: Iterable[Step] = STEPS, seed: int = 0) -> Verification:
    """Prove each step of the derivation and tie its lines to the product.

    Three witnesses that share no code: SymPy simplifies the difference of the two sides to zero, for a symbolic label
    and, in the lines of the derivation, vectors of a symbolic length; mpmath evaluates both sides at random points,
    derivatives by difference quotients; and every line is compared with the compiled :func:`crossent.gradient`, with
    complex-step differentiation and with a five-point stencil at the same points. So a line that follows from a wrong
    one fails too.

    Parameters
    ----------
    points : int
        Random points for each step.
    digits : int
        Digits of the numeric check.
    steps : iterable of Step
        What to prove; the whole derivation by default.
    seed : int
        For the random points.

    Returns
    -------
    Verification
        True when every check passed; ``failures`` names those that did not.

    Raises
    ------
    crossent.errors.CrossentError
        When SymPy is not installed (extra ``derive``), or there are no points or digits.
    ValueError
        When a step is not written in the notation, or names what its setting does not have.
    """
    from crossent.errors import CrossentError

    require_sympy()
    if points < 1 or digits < 1:
        raise CrossentError(f"points is {points} and digits {digits}; both must be at least 1 to prove anything")
    checks: list[Check] = []
    for step in steps:
        checks.append(_symbolically(step))
        checks.append(_numerically(step, points, digits, seed))
        if step.setting == "weight":
            checks.extend(_against_the_product(step, points, seed))
    return Verification(tuple(checks))


def _symbolically(step: Step) -> Check:
    return Check(step.key, "symbolically", all(_holds(step, algebra) for algebra in symbolic(step.setting)))


def _holds(step: Step, algebra: Algebra) -> bool:
    import sympy

    left, right = evaluate(step.left, algebra), evaluate(step.right, algebra)
    if step.relation == "=":
        return _vanishes(left - right)
    # A bound: the difference equals a witness whose factors are visibly not negative.
    larger, smaller = (left, right) if step.relation == ">=" else (right, left)
    witness = evaluate(step.witness, algebra)
    not_negative = all(_not_negative(term) for term in sympy.Add.make_args(witness))
    return not_negative and _vanishes(larger - smaller - witness)


def _vanishes(difference: Any) -> bool:
    """Whether an expression is zero; where simplifying stops short, because it is zero at 0 and so is its slope."""
    import sympy

    if sympy.simplify(difference.doit()) == 0:
        return True
    z = sympy.Symbol("z", real=True)
    if difference.free_symbols - {z, sympy.Symbol("y", real=True)}:
        return False
    if difference.has(sympy.Abs, sympy.Max):  # one smooth piece at a time
        t = sympy.Symbol("t", positive=True)
        return all(_constant_zero(sympy.simplify(difference.subs(z, piece)), t) for piece in (t, -t))
    return _constant_zero(difference, z)


def _constant_zero(difference: Any, z: Any) -> bool:
    import sympy

    slope = sympy.simplify(sympy.diff(difference, z))
    return bool(slope == 0 and sympy.simplify(sympy.limit(difference, z, 0)) == 0)


def _not_negative(term: Any) -> bool:
    import sympy

    return all(bool(sympy.simplify(factor).is_nonnegative) for factor in sympy.Mul.make_args(term))


def _numerically(step: Step, points: int, digits: int, seed: int) -> Check:
    import mpmath

    rng = random.Random(f"{seed}{step.key}")
    worst = mpmath.mpf(0)
    with mpmath.workdps(digits + 15):  # guard digits for the cancellation that the formulas themselves contain
        for _ in range(points):
            algebra = numeric(step.setting, rng)
            left, right = evaluate(step.left, algebra), evaluate(step.right, algebra)
            if step.relation == "=":
                worst = max(worst, abs(left - right) / (1 + abs(right)))
            else:
                worst = max(worst, (right - left) if step.relation == ">=" else (left - right))
        passed = worst < mpmath.mpf(10) ** -digits
    return Check(step.key, f"at {points} points to {digits} digits", passed, f"worst {mpmath.nstr(worst, 2)}")


def _against_the_product(step: Step, points: int, seed: int) -> Iterator[Check]:
    """The compiled gradient, complex steps and a five-point stencil, all against the step's right side."""
    import mpmath
    import numpy as np

    from crossent import cross_entropy, gradient

    rng = random.Random(f"{seed}product")
    # Rounding in double precision; the stencil's error is h^4/30 times a fifth derivative, and rounding over h.
    allowed = {"the compiled gradient": 4e-15, "complex-step differentiation": 1e-30, "a five-point stencil": 1e-8}
    worst = dict.fromkeys(allowed, 0.0)
    variable, h, tiny = "b" if step.key == BIAS.key else "w_j", 2e-3, mpmath.mpf("1e-20")
    for _ in range(points):
        algebra = numeric(step.setting, rng)
        w, x = (np.array([float(entry) for entry in algebra.arrays[name].values()]) for name in "wx")
        y, b, j = float(algebra.scalars["y"]), float(algebra.scalars["b"]), algebra.indices["j"]
        z, slope = w @ x + b, (1.0 if variable == "b" else x[j])  # z as a function of the variable
        far, near, near_right, far_right = (float(cross_entropy(z + k * h * slope, y)) for k in (-2, -1, 1, 2))
        dw, db = gradient(w, b, x, y)
        with mpmath.workdps(60):
            line = evaluate(step.right, algebra)
            sideways = algebra.rebind(variable, mpmath.mpc(algebra.look_up(variable), tiny))
            found = {
                "the compiled gradient": float(db) if variable == "b" else float(dw[j]),
                "complex-step differentiation": evaluate("L", sideways).imag / tiny,  # its error is of order tiny^2
                "a five-point stencil": (far - 8 * near + 8 * near_right - far_right) / (12 * h),
            }
            for name, value in found.items():
                worst[name] = max(worst[name], float(abs(value - line) / (1 + abs(line))))
    for name, error in worst.items():
        yield Check(step.key, f"against {name}", error <= allowed[name], f"worst {error:.1e}")
