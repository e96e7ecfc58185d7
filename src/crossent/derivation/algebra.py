"""Evaluate formulas of the notation: with SymPy's symbols, or with mpmath's numbers of any precision.

The numeric algebra differentiates by mpmath's difference quotients and knows no rule of differentiation: it is the
independent witness against the symbolic one.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from crossent.derivation.notation import parse, split_name
from crossent.derivation.steps import DEFINITIONS
from crossent.errors import CrossentError


def require_sympy() -> None:
    """Say which extra to install when SymPy or mpmath is missing."""
    try:
        import mpmath  # noqa: F401
        import sympy  # noqa: F401
    except ImportError:
        raise CrossentError(
            'the derivation needs SymPy, which is not installed: pip install "crossent[derive]"'
        ) from None


@dataclass(frozen=True)
class Algebra:
    """What the letters of a formula stand for.

    ``scalars`` are single names; ``arrays`` map a name to its entries, keyed by tuples of indices; ``indices`` give the
    value of a free index letter; ``sizes`` the range of a letter that ``total`` or ``mean`` runs over; ``functions``
    the functions left abstract by a formula. ``length`` is that of the vectors in a dot product.
    """

    scalars: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Any] = field(default_factory=dict)
    indices: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    functions: Mapping[str, Any] = field(default_factory=dict)
    length: Any = 0

    def index(self, letters: str) -> tuple[Any, ...]:
        return tuple(self.indices[letter] for letter in letters)

    def look_up(self, name: str) -> Any:
        base, letters = split_name(name)
        if letters and base in self.arrays:
            return self.arrays[base][self.index(letters)]
        if name in self.scalars:
            return self.scalars[name]
        return evaluate(DEFINITIONS[name], self)

    def rebind(self, name: str, value: Any) -> Algebra:
        """The same letters with one of them standing for another value."""
        base, letters = split_name(name)
        if letters:
            return replace(self, arrays={**self.arrays, base: {**self.arrays[base], self.index(letters): value}})
        return replace(self, scalars={**self.scalars, name: value})

    def dot(self, left: str, right: str) -> Any:
        (a, i), (b, j) = ((base, self.index(letters)) for base, letters in map(split_name, (left, right)))
        a, b = self.arrays[a], self.arrays[b]
        return sum((a[(*i, c)] * b[(*j, c)] for c in range(self.length)), start=self.number(0))

    def number(self, value: int) -> Any:
        raise NotImplementedError

    def call(self, name: str, *values: Any) -> Any:
        if name == "sigma":
            return 1 / (1 + self.library()["exp"](-values[0]))
        return self.library()[name](*values)

    def library(self) -> Mapping[str, Any]:
        """The functions whose names are not defined here."""
        raise NotImplementedError

    def derivative(self, body: ast.expr, variable: str) -> Any:
        raise NotImplementedError


class Symbolic(Algebra):
    """Letters are SymPy symbols; vectors may have a symbolic length."""

    def number(self, value: int) -> Any:
        import sympy

        return sympy.Integer(value)

    def library(self) -> Mapping[str, Any]:
        import sympy

        return {"log": sympy.log, "exp": sympy.exp, "abs": sympy.Abs, "maximum": sympy.Max}

    def dot(self, left: str, right: str) -> Any:
        import sympy

        if isinstance(self.length, int):
            return super().dot(left, right)
        c = sympy.Symbol("i", integer=True)
        return sympy.Sum(self.arrays[left][c] * self.arrays[right][c], (c, 0, self.length - 1))

    def derivative(self, body: ast.expr, variable: str) -> Any:
        import sympy

        value = self.look_up(variable)
        if isinstance(value, sympy.Symbol | sympy.Indexed):
            return sympy.diff(_evaluate(body, self), value).doit()
        t = sympy.Dummy("t", real=True)
        return sympy.diff(_evaluate(body, self.rebind(variable, t)), t).subs(t, value)


class Numeric(Algebra):
    """Letters are mpmath numbers at the precision in force."""

    def number(self, value: int) -> Any:
        import mpmath

        return mpmath.mpf(value)

    def library(self) -> Mapping[str, Any]:
        import mpmath

        return {"log": mpmath.log, "exp": mpmath.exp, "abs": abs, "maximum": max}

    def derivative(self, body: ast.expr, variable: str) -> Any:
        import mpmath

        return mpmath.diff(lambda t: _evaluate(body, self.rebind(variable, t)), self.look_up(variable))


def evaluate(formula: str, algebra: Algebra) -> Any:
    """The value of a formula where its letters stand for what the algebra says."""
    try:
        return _evaluate(parse(formula), algebra)
    except KeyError as error:
        raise ValueError(f"{formula!r}: nothing is called {error} here") from None


_OPERATORS: dict[type[ast.operator], Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


def _evaluate(node: ast.expr, algebra: Algebra) -> Any:  # noqa: PLR0911 (one return a kind of node)
    match node:
        case ast.Constant(value=int(value)):
            return algebra.number(value)
        case ast.Name(id=name):
            return algebra.look_up(name)
        case ast.UnaryOp(operand=operand):
            return -_evaluate(operand, algebra)
        case ast.BinOp(left=ast.Name(id=left), op=ast.MatMult(), right=ast.Name(id=right)):
            return algebra.dot(left, right)
        case ast.BinOp(left=left, op=op, right=right):
            return _OPERATORS[type(op)](_evaluate(left, algebra), _evaluate(right, algebra))
        case ast.Call(func=ast.Name(id="D"), args=[body, variable]):
            return algebra.derivative(body, ast.unparse(variable))
        case ast.Call(func=ast.Name(id="total" | "mean" as name), args=[ast.Name(id=letter), body]):
            size = algebra.sizes[letter]
            terms = (
                _evaluate(body, replace(algebra, indices={**algebra.indices, letter: value})) for value in range(size)
            )
            value = sum(terms, start=algebra.number(0))
            return value / size if name == "mean" else value
        case ast.Call(func=ast.Name(id=name), args=args):
            values = [_evaluate(argument, algebra) for argument in args]
            function = algebra.functions.get(name)
            return function(*values) if function else algebra.call(name, *values)
    raise ValueError(f"not part of the notation: {ast.dump(node)}")
