"""What the verbs print: each function makes one thing to look at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from crossent.cli.terminal import printable, spelled

MOST_CLASSES = 8  # that a confusion matrix shows on a terminal
WIDEST_NAME = 44
BAR = 12
SHADES = (0.05, 0.25, 0.5, 0.75)  # of the largest share of z that a word has: from here on the next shade


def indented(part: RenderableType) -> RenderableType:
    """Return a part two spaces in."""
    return Padding(part, (0, 0, 0, 2), expand=False)


def section(title: str, *parts: RenderableType) -> RenderableType:
    """Return a heading with indented parts below it."""
    return Group(Text(f"\n{title}", style="bold"), *map(indented, parts))


def grid(rows: Sequence[Sequence[str]], layout: str) -> Table:
    """Return rows of cells as columns: ``<`` left, ``>`` right, ``.`` left and dim, ``|`` left and of limited width.

    Columns without a word are left out.
    """
    table = Table.grid(padding=(0, 2))
    shown = [j for j in range(len(layout)) if any(row[j] for row in rows)]
    for j in shown:
        table.add_column(
            justify="right" if layout[j] == ">" else "left",
            style="dim" if layout[j] == "." else "",
            max_width=WIDEST_NAME if layout[j] == "|" else None,
            no_wrap=layout[j] in "|>",
            overflow="ellipsis" if layout[j] == "|" else "fold",
        )
    for row in rows:
        table.add_row(*(row[j] for j in shown))
    return table


def columns(schema: Any) -> RenderableType:
    """Return the columns of a table and what each is for."""
    styles = {"target": "bold", "left out": "dim"}
    rows = []
    for column in schema.columns:
        style = styles.get(column.kind)
        told = [spelled(column.name), column.kind]
        rows.append([f"[{style}]{cell}[/]" if style else cell for cell in told] + [spelled(column.note)])
    return grid(rows, "|<.")


def evaluation(found: Any, title: str) -> RenderableType:
    """Return what a model achieves."""
    most = max(range(len(found.classes)), key=lambda k: sum(found.confusion[k]))
    rows = [
        ("accuracy", f"{found.accuracy:.4f}", f"{found.base_accuracy:.4f} by always answering {found.classes[most]}"),
        ("log-loss", f"{found.log_loss:.4f}", "nats a row; 0 is perfect"),
        ("AUC", "-" if found.auc is None else f"{found.auc:.4f}", "" if found.auc else "the rows are of one class"),
        ("calibration error", f"{found.calibration_error:.4f}", "mean distance of probabilities from what came true"),
    ]
    return section(title, grid([(a, b, spelled(c)) for a, b, c in rows], "<>."), Text(" "), confusion(found))


def confusion(found: Any) -> RenderableType:
    """Return the confusion matrix, or of many classes the pairs most often confused."""
    names = [spelled(label) for label in found.classes]
    if len(names) <= MOST_CLASSES:
        rows = [["", *(f"[dim]predicted {name}[/]" for name in names)]]
        for i, (name, counts) in enumerate(zip(names, found.confusion, strict=True)):
            rows.append(
                [f"[dim]true {name}[/]", *(f"[bold]{n:,}[/]" if i == j else f"{n:,}" for j, n in enumerate(counts))]
            )
        return grid(rows, "<" + ">" * len(names))
    cells = [
        (n, f"{names[i]} taken for {names[j]}")
        for i, counts in enumerate(found.confusion)
        for j, n in enumerate(counts)
        if i != j and n
    ]
    worst = sorted(cells, key=lambda cell: -cell[0])[:5]
    return grid([(told, f"{n:,}", "rows") for n, told in worst], "<>.")


def certificate(proof: Any) -> RenderableType:
    """Return the certificate: how the fit ended, and how far from the optimum it can be at most."""
    head, _, why = proof.outcome.partition(": ")
    known = math.isfinite(proof.gap)
    bound = f"at most {proof.gap:.2g} above the least possible" if known else "no bound on its distance from the least"
    rows = [
        ("objective", f"{proof.objective:.8g}", bound),
        ("relative gap", f"{proof.relative_gap:.1e}" if known else "unknown", f"asked: {proof.tol:.0e}"),
        ("gradient norm", f"{proof.gradient_norm:.1e}", ""),
        ("passes over X", f"{proof.passes:.4g}", f"{proof.n_iter} steps of {proof.solver}, {proof.seconds:.2f} s"),
    ]
    title = Text.assemble((head, "green" if proof.converged else "yellow"), f": {why}" if why else "")
    return section("Certificate", title, grid(rows, "<>."))


def explanation(found: Any, top: int) -> RenderableType:
    """Return z = b + sum of w_j x_j, term by term."""
    shown, rest = found.terms[:top], found.terms[top:]
    largest = max((abs(term.product) for term in found.terms), default=1.0) or 1.0
    rows = [["[dim]term[/]", "[dim]weight w[/]", "[dim]x[/]", "[dim]w · x[/]", ""]]
    for term in shown:
        given = f" [dim]= {term.given:.6g}[/]" if term.given != term.value else ""
        x = f"{term.value:.4g}"
        rows.append([spelled(term.name) + given, _signed(term.weight), x, *_product(term.product, largest)])
    if rest:
        total = math.fsum(term.product for term in rest)
        rows.append([f"[dim]{len(rest):,} smaller terms[/]", "", "", *_product(total, largest)])
    rows.append(["[dim]b, the intercept[/]", "", "", *_product(found.bias, largest)])
    rows.append(["[bold]z, their sum[/]", "", "", f"[bold]{_signed(found.z)}[/]", ""])
    return grid(rows, "|>>><")


def highlighted(texts: Sequence[Any], marks: bool) -> RenderableType:
    """Return texts whose words look as strong as their share of z is, and the legend; ``marks``: without colour."""
    top = max((abs(span.contribution) for text in texts for span in text.spans), default=0.0)
    parts = []
    for text in texts:
        shown, at = Text(), 0
        if len(texts) > 1:
            shown.append(f"{printable(text.column)}: ", "dim")
        for span in text.spans:
            shown.append(printable(text.text[at : span.start]))
            shown.append_text(_shaded(text.text[span.start : span.end], span.contribution, top, marks))
            at = span.end
        parts += [shown.append(printable(text.text[at:])), Text()]
    if top:
        for side, does in ((top, "raises"), (-top, "lowers")):
            steps = [side * shade for shade in SHADES]
            scale = [_shaded(f"{abs(z):.4f}" if marks else _signed(z), z, top, marks) for z in steps]
            parts.append(Text("  ").join(scale).append(f"  {does} z by this or more", "dim"))
    return Group(*parts)


def _shaded(word: str, share: float, top: float, marks: bool) -> Text:
    """Return a word in the shade of its share: one side bold, the other underlined, both marked where asked."""
    level = sum(abs(share) >= shade * top for shade in SHADES)
    if not level or not top:
        return Text(printable(word))
    hue, line, mark = ("green", "bold", "+") if share > 0.0 else ("red", "underline", "-")
    style = (hue, f"{line} {hue}", f"{line} black on {hue}", f"{line} black on bright_{hue}")[level - 1]
    return Text(mark * level * marks).append(printable(word), style)


def _signed(value: float) -> str:
    """Return a number with its sign and four decimals; one too large for the column, by its power of ten."""
    return f"{value:+.4f}" if abs(value) < 1e9 else f"{value:+.4e}"


def _product(product: float, largest: float) -> tuple[str, str]:
    cells = round(BAR * min(1.0, abs(product) / largest))
    return _signed(product), f"[{'green' if product >= 0 else 'red'}]{'━' * cells}[/]"


def probabilities(found: Any) -> str:
    """Return the verdict in a line."""
    ordered = sorted(found.probabilities.items(), key=lambda item: -item[1])[:5]
    chances = ", ".join(f"{spelled(label)} {p:.4f}" for label, p in ordered)
    return f"predicted [bold]{spelled(found.prediction)}[/]   [dim]probabilities: {chances}[/]"


def weights(label: Any, found: Sequence[Any]) -> RenderableType:
    """Return the features that speak most for a class."""
    rows = []
    for weight in found:
        scaled = "" if weight.weight == weight.encoded else f"a unit; {weight.encoded:+.4g} a standard deviation"
        rows.append([spelled(weight.name), f"{weight.weight:+.4g}", scaled])
    return section(f"Speaks for {label}", grid(rows, "|>.") if rows else Text("nothing", style="dim"))


def size(value: float) -> str:
    """Return a file's size."""
    for unit in ("bytes", "kB", "MB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} GB"
