"""Formulas of the derivation as short strings, read once and then shown or evaluated from the same tree.

A formula is written in Python's expression syntax, ``"(sigma(w@x + b) - y)*x_j"``. What a reader sees (terminal, LaTeX,
MathML) and what the machine checks (SymPy, mpmath) come from one syntax tree, so a display cannot differ from what was
proved. Nothing is simplified or reordered on the way.

``a@b``         dot product                      ``D(f, t)``      derivative of f with respect to t
``x_j, x_ij``   entries of a vector, a matrix    ``total(l, f)``  sum of f over l
``sigma, log, exp, abs, maximum``                ``mean(i, f)``   mean of f over the examples i
"""

from __future__ import annotations

import ast
from functools import cache
from html import escape


@cache
def parse(formula: str) -> ast.expr:
    """Read a formula into Python's own syntax tree."""
    return ast.parse(formula, mode="eval").body


def split_name(name: str) -> tuple[str, str]:
    """``"x_ij"`` is the entry ``"ij"`` of ``"x"``; a name without an underscore has no index."""
    base, _, index = name.partition("_")
    return base, index


SUM, SIGNED, QUOTIENT, PRODUCT, POWER, ATOM = range(6)  # how tightly a written piece holds together
RELATIONS = {"=": "=", "<=": "≤", ">=": "≥"}


class Terminal:
    """One line of Unicode."""

    minus, times, dot, space = "−", " ", "·", " "
    fraction_holds = QUOTIENT
    _subscripts = str.maketrans("ijkl", "ᵢⱼₖₗ")

    def name(self, text: str) -> str:
        return text

    def number(self, text: str) -> str:
        return text

    def subscript(self, base: str, index: str) -> str:
        return base + index.translate(self._subscripts)

    def operator(self, sign: str) -> str:
        return f" {sign} "

    def comma(self) -> str:
        return ", "

    def d(self, partial: bool) -> str:
        return "∂" if partial else "d"

    def negative(self, body: str) -> str:
        return self.minus + body

    def brackets(self, body: str) -> str:
        """Square brackets around round ones, as the textbook sets them, and round ones around square ones."""
        return self.enclosed(body, "()" if "[" in body or "(" not in body else "[]")

    def enclosed(self, body: str, pair: str = "()") -> str:
        return pair[0] + body + pair[1]

    def bars(self, body: str) -> str:
        return f"|{body}|"

    def fraction(self, top: str, bottom: str) -> str:
        return f"{top} / {bottom}"

    def small_fraction(self, top: str, bottom: str) -> str:
        """A fraction of two short names, which needs no brackets anywhere."""
        return f"{top}/{bottom}"

    def power(self, base: str, exponent: str) -> str:
        if exponent == "2":
            return base + "²"
        return base + (f"^{exponent}" if len(exponent) == 1 else f"^({exponent})")

    def function(self, name: str) -> str:
        return {"sigma": "σ", "maximum": "max"}.get(name, name)

    def upright(self, name: str) -> str:
        return name + " "

    def big_sum(self, index: str) -> str:
        return self.subscript("Σ", index) + " "

    def row(self, *pieces: str) -> str:
        return "".join(pieces)

    def relation(self, sign: str) -> str:
        return RELATIONS[sign]


class Latex(Terminal):
    """LaTeX for display mathematics."""

    minus, times, dot, space = "-", r"\,", r"\cdot ", r"\,"
    fraction_holds = ATOM

    def subscript(self, base: str, index: str) -> str:
        return f"{base}_{{{index}}}"

    def operator(self, sign: str) -> str:
        return f" {sign} ".replace("−", "-")

    def d(self, partial: bool) -> str:
        return r"\partial " if partial else "d"

    def enclosed(self, body: str, pair: str = "()") -> str:
        return rf"\left{pair[0]}{body}\right{pair[1]}"

    def bars(self, body: str) -> str:
        return rf"\left|{body}\right|"

    def fraction(self, top: str, bottom: str) -> str:
        return rf"\frac{{{top}}}{{{bottom}}}"

    small_fraction = fraction

    def power(self, base: str, exponent: str) -> str:
        return f"{base}^{{{exponent}}}"

    def function(self, name: str) -> str:
        return {"sigma": r"\sigma", "maximum": r"\max", "log": r"\log"}.get(name, name)

    def upright(self, name: str) -> str:
        return rf"\{name} "

    def big_sum(self, index: str) -> str:
        return rf"\sum_{{{index}}} "

    def relation(self, sign: str) -> str:
        return {"=": "=", "<=": r"\le", ">=": r"\ge"}[sign]


class MathML(Terminal):
    """Presentation MathML, which browsers draw without a library."""

    minus, times, dot, space = "<mo>−</mo>", "<mspace width='.2em'/>", "<mo>⋅</mo>", "<mspace width='.2em'/>"
    fraction_holds = ATOM

    def name(self, text: str) -> str:
        return f"<mi>{escape(text)}</mi>"

    def number(self, text: str) -> str:
        return f"<mn>{text}</mn>"

    def subscript(self, base: str, index: str) -> str:
        letters = "".join(f"<mi>{escape(letter)}</mi>" for letter in index)
        return f"<msub>{base}<mrow>{letters}</mrow></msub>"

    def operator(self, sign: str) -> str:
        return f"<mo>{escape(sign)}</mo>"

    def comma(self) -> str:
        return "<mo separator='true'>,</mo>"

    def d(self, partial: bool) -> str:
        return "<mo form='prefix' lspace='0' rspace='0'>∂</mo>" if partial else "<mi>d</mi>"

    def negative(self, body: str) -> str:
        return f"<mrow><mo form='prefix'>−</mo>{body}</mrow>"

    def enclosed(self, body: str, pair: str = "()") -> str:
        return f"<mrow><mo>{pair[0]}</mo>{body}<mo>{pair[1]}</mo></mrow>"

    def bars(self, body: str) -> str:
        return f"<mrow><mo>|</mo>{body}<mo>|</mo></mrow>"

    def fraction(self, top: str, bottom: str) -> str:
        return f"<mfrac><mrow>{top}</mrow><mrow>{bottom}</mrow></mfrac>"

    small_fraction = fraction

    def power(self, base: str, exponent: str) -> str:
        return f"<msup><mrow>{base}</mrow><mrow>{exponent}</mrow></msup>"

    def function(self, name: str) -> str:
        return f"<mi>{escape({'sigma': 'σ', 'maximum': 'max'}.get(name, name))}</mi>"

    def upright(self, name: str) -> str:
        return f"<mi mathvariant='normal'>{name}</mi><mspace width='.15em'/>"

    def big_sum(self, index: str) -> str:
        return f"<munder><mo>∑</mo><mi>{escape(index)}</mi></munder>"

    def row(self, *pieces: str) -> str:
        return "<mrow>" + "".join(pieces) + "</mrow>"


def show(formula: str, style: Terminal) -> str:
    """Write a formula in one of the styles above."""
    return _write(parse(formula), style)[0]


_SIGNS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "−"}


def _write(node: ast.expr, style: Terminal) -> tuple[str, int]:  # noqa: PLR0911 (one return a kind of node)
    """Write a node; also say how tightly the result holds together."""
    match node:
        case ast.Constant(value=value):
            return style.number(str(value)), ATOM
        case ast.Name(id=name):
            base, index = split_name(name)
            return (style.subscript(style.name(base), index) if index else style.name(base)), ATOM
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return style.negative(_held(operand, PRODUCT, style)), SIGNED
        case ast.BinOp(left=ast.Constant(value=top), op=ast.Div(), right=ast.Constant(value=bottom)):
            return style.small_fraction(style.number(str(top)), style.number(str(bottom))), ATOM
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            line = style.fraction_holds == ATOM  # a fraction line holds its parts together; a slash needs brackets
            top, bottom = _held(left, SUM if line else PRODUCT, style), _held(right, SUM if line else POWER, style)
            return style.fraction(top, bottom), style.fraction_holds
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            first, holds = _write(left, style)
            if holds not in {SIGNED, PRODUCT}:  # a leading minus belongs to the whole product
                first, holds = _held(left, PRODUCT, style), PRODUCT
            return style.row(first, style.times, _held(right, PRODUCT, style)), holds
        case ast.BinOp(left=left, op=ast.MatMult(), right=right):
            return style.row(_held(left, POWER, style), style.dot, _held(right, POWER, style)), PRODUCT
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return style.power(_held(left, ATOM, style), _write(right, style)[0]), POWER
        case ast.BinOp(left=left, op=op, right=right):
            return style.row(
                _write(left, style)[0], style.operator(_SIGNS[type(op)]), _held(right, QUOTIENT, style)
            ), SUM
        case ast.Call(func=ast.Name(id=name), args=args):
            return _write_call(name, args, style)
    raise ValueError(f"not part of the notation: {ast.dump(node)}")


def _write_call(name: str, args: list[ast.expr], style: Terminal) -> tuple[str, int]:  # noqa: PLR0911
    if name == "D":
        return _write_derivative(args[0], args[1], style)
    if name == "total":
        index = ast.unparse(args[0])
        return style.row(style.big_sum(index), _held(args[1], PRODUCT, style)), PRODUCT
    if name == "mean":
        index = ast.unparse(args[0])
        one_over_m = style.small_fraction(style.number("1"), style.name("m"))
        return style.row(one_over_m, style.space, style.big_sum(index), _held(args[1], PRODUCT, style)), PRODUCT
    if name == "exp":
        return style.power(style.name("e"), _write(args[0], style)[0]), POWER
    if name == "abs":
        return style.bars(_write(args[0], style)[0]), ATOM
    if name == "log" and isinstance(args[0], ast.Call | ast.Name):
        return style.row(style.upright("log"), _write(args[0], style)[0]), PRODUCT
    inside = style.comma().join(_write(argument, style)[0] for argument in args)
    return style.row(style.function(name), style.enclosed(inside)), ATOM


def _write_derivative(body: ast.expr, variable: ast.expr, style: Terminal) -> tuple[str, int]:
    d = style.d(partial=ast.unparse(variable)[0] in "wb")
    below = style.row(d, _write(variable, style)[0])
    match body:
        case ast.Name():
            return style.small_fraction(style.row(d, _write(body, style)[0]), below), ATOM
        case ast.Call(func=ast.Name(id=name), args=[ast.Name(id=argument)]) if name in {
            "sigma",
            "u",
            "v",
        } and argument == ast.unparse(variable):
            return style.small_fraction(style.row(d, style.function(name)), below), ATOM
    return style.row(style.small_fraction(d, below), style.space, _held(body, QUOTIENT, style)), PRODUCT


def _held(node: ast.expr, at_least: int, style: Terminal) -> str:
    """Write a node, in brackets if it would fall apart at this place."""
    text, holds = _write(node, style)
    return text if holds >= at_least else style.brackets(text)
