"""The derivation as data: every row of the table, and the consequences on which the trainer relies."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from crossent.derivation.notation import Latex, MathML, Terminal, show


@dataclass(frozen=True)
class Step:
    """One equality (or bound) of the derivation.

    Attributes
    ----------
    key : str
        Its place in the table: ``"4.61.3"`` is line 3 of (4.61). Names its texts in ``texts/*.toml``.
    left, right : str
        The two sides in the notation of :mod:`crossent.derivation.notation`.
    lemma : str
        The statement of the proof, in ``proof/``, that says the same.
    setting : str
        What the letters stand for: ``scalar``, ``weight`` (one example), ``rows`` (all), ``classes`` (K of them).
    relation : str
        ``"="``, ``"<="`` or ``">="``.
    witness : str
        For a bound: an expression equal to the larger side minus the smaller that is visibly not negative.
    """

    key: str
    left: str
    right: str
    lemma: str
    setting: str = "scalar"
    relation: str = "="
    witness: str = ""

    @property
    def number(self) -> str:
        """The number in the textbook, ``"(4.61)"`` for each of its lines; empty for a consequence."""
        return f"({self.key[:4]})" if self.key.startswith("4.") else ""

    def title(self, lang: str = "en") -> str:
        """The number and line, or the name of a consequence."""
        return str(texts(lang)["steps"][self.key]["title"])

    def rule(self, lang: str = "en") -> str:
        """The rule that leads from the left side to the right side, in words."""
        return str(texts(lang)["steps"][self.key]["rule"])

    def condition(self, lang: str = "en") -> str:
        """What makes the step legal; empty where nothing is needed."""
        return str(texts(lang)["steps"][self.key].get("condition", ""))

    def show(self, style: Terminal, *, whole: bool = True) -> str:
        """Write both sides as one line in the given style; without ``whole``, the relation and the right side."""
        right = style.row(style.operator(style.relation(self.relation)), show(self.right, style))
        return style.row(show(self.left, style), right) if whole else right.lstrip()

    def __str__(self) -> str:
        return self.show(Terminal())

    def latex(self, *, whole: bool = True) -> str:
        """The step as LaTeX."""
        return self.show(Latex(), whole=whole)

    def mathml(self, *, whole: bool = True) -> str:
        """The step as a MathML element."""
        return f'<math display="block">{self.show(MathML(), whole=whole)}</math>'

    def sympy(self) -> tuple[Any, Any]:
        """Both sides as SymPy expressions, derivatives taken (needs the extra ``derive``)."""
        from crossent.derivation.algebra import evaluate, require_sympy
        from crossent.derivation.settings import symbolic

        require_sympy()
        algebra = symbolic(self.setting)[-1]
        return evaluate(self.left, algebra), evaluate(self.right, algebra)


_S = "sigma(w@x + b)"
_SI = "sigma(w@x_i + b)"
_LOSS = f"-(y*log({_S}) + (1 - y)*log(1 - {_S}))"

# Names that stand for longer formulas.
DEFINITIONS = {
    "L": _LOSS,
    "L_i": f"-(y_i*log({_SI}) + (1 - y_i)*log(1 - {_SI}))",
    "p_k": "exp(z_k)/total(q, exp(z_q))",
    "p_l": "exp(z_l)/total(q, exp(z_q))",
    "z_k": "w_k@x + b_k",
    "z_l": "w_l@x + b_l",
    "z_q": "w_q@x + b_q",
}

TOOLS = (
    Step("4.56", "D(log(u), u)", "1/u", "eq_4_56"),
    Step("4.57", "D(sigma(z), z)", "sigma(z)*(1 - sigma(z))", "eq_4_57"),
    Step("4.58", "D(u(v(x)), x)", "D(u(v), v)*D(v(x), x)", "eq_4_58", "chain"),
)


def _chain(*lines: tuple[str, str, str]) -> tuple[Step, ...]:
    """Each line's left side is the right side of the line before."""
    left, steps = "D(L, w_j)", []
    for key, right, lemma in lines:
        steps.append(Step(key, left, right, lemma, "weight"))
        left = right
    return tuple(steps)


LINES = _chain(
    ("4.59", f"D({_LOSS}, w_j)", "eq_4_59"),
    ("4.59.2", f"-(D(y*log({_S}), w_j) + D((1 - y)*log(1 - {_S}), w_j))", "eq_4_59"),
    ("4.60", f"-(y/{_S})*D({_S}, w_j) - (1 - y)/(1 - {_S})*D(1 - {_S}, w_j)", "eq_4_60"),
    ("between", f"-(y/{_S} - (1 - y)/(1 - {_S}))*D({_S}, w_j)", "eq_between"),
    ("4.61.1", f"-((y - {_S})/({_S}*(1 - {_S})))*{_S}*(1 - {_S})*D(w@x + b, w_j)", "eq_4_61_line1"),
    ("4.61.2", f"-((y - {_S})/({_S}*(1 - {_S})))*{_S}*(1 - {_S})*x_j", "eq_4_61_line2"),
    ("4.61.3", f"-(y - {_S})*x_j", "eq_4_61_line3"),
    ("4.61.4", f"({_S} - y)*x_j", "eq_4_61_line4"),
)

BIAS = Step("bias", "D(L, b)", f"{_S} - y", "gradient_b", "weight")

_LOSS_Z = "-(y*log(sigma(z)) + (1 - y)*log(1 - sigma(z)))"
_H = f"{_SI}*(1 - {_SI})"
CONSEQUENCES = (
    Step("mean", "D(mean(i, L_i), w_j)", f"mean(i, ({_SI} - y_i)*x_ij)", "mean_gradient", "rows"),
    Step("hessian", f"D(mean(i, ({_SI} - y_i)*x_ij), w_k)", f"mean(i, {_H}*x_ij*x_ik)", "mean_hessian", "rows"),
    Step(
        "quadratic", f"total(j, total(k, v_j*mean(i, {_H}*x_ij*x_ik)*v_k))", f"mean(i, {_H}*(v@x_i)**2)",
        "hessian_quadratic", "rows",
    ),
    Step("convex", f"mean(i, {_H}*(v@x_i)**2)", "0", "hessian_psd", "rows", ">=", f"mean(i, {_H}*(v@x_i)**2)"),
    Step("residual", f"D({_LOSS_Z}, z)", "sigma(z) - y", "residual_is_slope"),
    Step("quarter", "sigma(z)*(1 - sigma(z))", "1/4", "curvature_bounds", "scalar", "<=", "(1/2 - sigma(z))**2"),
    Step("stable", _LOSS_Z, "log(1 + exp(z)) - y*z", "loss_stable"),
    Step(
        "stable.max", "log(1 + exp(z)) - y*z", "maximum(z, 0) - y*z + log(1 + exp(-abs(z)))", "loss_stable_max"
    ),
    Step(
        "conjugate", "z*(sigma(z) - y) - (log(1 + exp(z)) - y*z)",
        "sigma(z)*log(sigma(z)) + (1 - sigma(z))*log(1 - sigma(z))", "conjugate_attained",
    ),
    Step("softmax", "D(-total(l, y_l*log(p_l)), w_kj)", "(p_k - y_k)*x_j", "softmax_gradient", "classes"),
)  # fmt: skip

STEPS = (*TOOLS, *LINES, BIAS, *CONSEQUENCES)


@cache
def texts(lang: str) -> dict[str, Any]:
    """Every text in one language; a new language is one more file in ``texts/``."""
    from crossent.errors import CrossentError

    file = files("crossent.derivation") / "texts" / f"{lang}.toml"
    if lang not in languages():
        raise CrossentError(f"no texts in language {lang!r}; there are: {', '.join(languages())}")
    return tomllib.loads(file.read_text("utf-8"))


@cache
def languages() -> tuple[str, ...]:
    """The languages for which there is a file of texts."""
    folder = files("crossent.derivation") / "texts"
    return tuple(sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml")))
