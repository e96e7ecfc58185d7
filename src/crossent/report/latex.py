"""The derivation as a LaTeX document, with the numbers of an example where there is one."""

from __future__ import annotations

import re

from crossent.derivation.steps import BIAS, CONSEQUENCES, LINES, TOOLS, Step, texts
from crossent.derivation.walking import Walk

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "σ": r"$\sigma$", "η": r"$\eta$", "·": r"$\cdot$", "−": r"$-$", "≠": r"$\ne$", "²": "$^2$", "ⱼ": "$_j$",
    "≤": r"$\le$", "∂": r"$\partial$", "“": "``", "”": "''", "…": r"\dots{}",
}  # fmt: skip


def escape(text: str) -> str:
    """Return text that LaTeX prints as it stands."""
    return re.sub("|".join(map(re.escape, _SPECIAL)), lambda match: _SPECIAL[match[0]], text)


def derivation_latex(walk: Walk | None = None, lang: str = "en") -> str:
    """Return a document for pdfLaTeX (English) or XeLaTeX (Chinese)."""
    t = texts(lang)["terminal"]
    parts = [
        r"\documentclass{ctexart}" if lang == "zh" else r"\documentclass{article}",
        r"\usepackage{amsmath}",
        r"\usepackage[margin=2cm]{geometry}",
        r"\allowdisplaybreaks",
        r"\begin{document}",
        rf"\section*{{{escape(t['title'])}}}",
        escape(t["setting"]),
    ]
    for heading, steps in (
        (t["tools"], TOOLS),
        (t["derivation"], LINES),
        (None, (BIAS,)),
        (t["consequences"], CONSEQUENCES),
    ):
        if heading:
            parts.append(rf"\subsection*{{{escape(heading)}}}")
        parts += [_step(step, lang, whole=step not in LINES[1:]) for step in steps]
    if walk is not None:
        parts.append(_numbers(walk, lang))
    return "\n".join([*parts, r"\end{document}", ""])


def _step(step: Step, lang: str, *, whole: bool) -> str:
    t = texts(lang)["terminal"]
    condition = f" ({t['if']}{step.condition(lang)})" if step.condition(lang) else ""
    return rf"\paragraph{{{escape(step.title(lang))}}} {escape(step.rule(lang) + condition)}" + (
        "\n" + r"\[" + step.latex(whole=whole) + r"\]"
    )


def _numbers(walk: Walk, lang: str) -> str:
    t, example = texts(lang)["terminal"], walk.example
    rows = [
        (f"z = {walk.z:.10g}", ""),
        (t["probability"].format(label=example.label), f"{walk.sigma:.10g}"),
        (t["loss"], f"{walk.loss:.10g}"),
        (t["residual"], f"{walk.residual:.10g}"),
    ]
    rows += [(step.title(lang), f"{value:.12g}") for step, value in walk.lines]
    body = "\n".join(rf"{escape(name)} & {escape(value)} \\" for name, value in rows)
    heading = escape(t["lines"].format(weight=example.names[walk.weight]))
    return "\n".join([rf"\subsection*{{{heading}}}", r"\begin{tabular}{lr}", body, r"\end{tabular}"])
