"""What the verbs print: each function makes one thing to look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from crossent.cli.terminal import spelled

MOST_CLASSES = 8  # that a confusion matrix shows on a terminal


def section(title: str, *parts: RenderableType) -> RenderableType:
    """Return a heading with indented parts below it."""
    return Group(Text(f"\n{title}", style="bold"), *(Padding(part, (0, 0, 0, 2)) for part in parts))


def pairs(rows: Sequence[tuple[str, str, str]]) -> Table:
    """Return rows of name, number, comment."""
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    for row in rows:
        table.add_row(*row)
    return table


def columns(schema: Any) -> RenderableType:
    """Return the columns of a table and what each is for."""
    table = Table.grid(padding=(0, 2))
    table.add_column(max_width=40, overflow="ellipsis", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(style="dim", overflow="ellipsis", no_wrap=True)
    for column in schema.columns:
        style = {"target": "bold", "left out": "dim"}.get(column.kind, "")
        table.add_row(spelled(column.name), column.kind, spelled(column.note), style=style)
    return Group(Padding(table, (0, 0, 0, 2)), "")


def evaluation(found: Any, title: str) -> RenderableType:
    """Return what a model achieves."""
    most = max(range(len(found.classes)), key=lambda k: sum(found.confusion[k]))
    rows = [
        ("accuracy", f"{found.accuracy:.4f}", f"{found.base_accuracy:.4f} by always answering {found.classes[most]}"),
        ("log-loss", f"{found.log_loss:.4f}", "nats a row, 0 is perfect"),
        ("AUC", "-" if found.auc is None else f"{found.auc:.4f}", "" if found.auc else "the rows are of one class"),
        ("calibration error", f"{found.calibration_error:.4f}", "mean distance of probabilities from what came true"),
    ]
    return section(title, pairs([(a, b, spelled(c)) for a, b, c in rows]), "", confusion(found))


def confusion(found: Any) -> RenderableType:
    """Return the confusion matrix, or of many classes the pairs most often confused."""
    if len(found.classes) > MOST_CLASSES:
        cells = [
            (n, a, b)
            for i, (a, row) in enumerate(zip(found.classes, found.confusion, strict=True))
            for j, (b, n) in enumerate(zip(found.classes, row, strict=True))
            if i != j and n
        ]
        worst = sorted(cells, key=lambda cell: -cell[0])[:5]
        return pairs([(f"{spelled(a)} taken for {spelled(b)}", f"{n:,}", "") for n, a, b in worst])
    table = Table.grid(padding=(0, 3))
    table.add_column(style="dim")
    table.add_row("", *(f"[dim]predicted {spelled(label)}[/]" for label in found.classes))
    for _ in found.classes:
        table.add_column(justify="right")
    for i, (label, row) in enumerate(zip(found.classes, found.confusion, strict=True)):
        table.add_row(f"true {spelled(label)}", *(f"[bold]{n:,}[/]" if i == j else f"{n:,}" for j, n in enumerate(row)))
    return table


def certificate(proof: Any) -> RenderableType:
    """Return the certificate: how the fit ended, and how far from the optimum it can be at most."""
    head, _, why = proof.outcome.partition(": ")
    style = "green" if proof.converged else "yellow"
    known = proof.gap < float("inf")
    bound = (
        f"at most {proof.gap:.2g} above the least possible" if known else "no bound on its distance from the optimum"
    )
    rows = [
        ("objective", f"{proof.objective:.8g}", bound),
        ("relative gap", f"{proof.relative_gap:.1e}" if known else "unknown", f"asked: {proof.tol:.0e}"),
        ("gradient norm", f"{proof.gradient_norm:.1e}", ""),
        ("passes over X", f"{proof.passes:.4g}", f"{proof.n_iter} steps of {proof.solver}, {proof.seconds:.2f} s"),
    ]
    title = Text.assemble((f"{head}", style), (f": {why}" if why else "", "dim"))
    return section("Certificate", title, pairs(rows))


def explanation(found: Any, top: int) -> RenderableType:
    """Return z = b + sum of w_j x_j, term by term."""
    table = Table.grid(padding=(0, 2))
    table.add_column(max_width=44, overflow="ellipsis", no_wrap=True)
    for _ in range(3):
        table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_row("[dim]term[/]", "[dim]weight[/]", "[dim]x[/]", "[dim]weight · x[/]")
    largest = max((abs(term.product) for term in found.terms), default=1.0)
    for term in found.terms[:top]:
        given = f" [dim]= {term.given:.6g}[/]" if term.given != term.value else ""
        table.add_row(
            spelled(term.name) + given, f"{term.weight:+.4f}", f"{term.value:.4g}", *_product(term.product, largest)
        )
    rest = found.terms[top:]
    if rest:
        total = sum(term.product for term in rest)
        table.add_row(f"[dim]{len(rest):,} smaller terms[/]", "", "", *_product(total, largest))
    table.add_row("[dim]b, the intercept[/]", "", "", f"{found.bias:+.4f}")
    table.add_row("[bold]z, their sum[/]", "", "", f"[bold]{found.z:+.4f}[/]")
    return table


def _product(product: float, largest: float) -> tuple[str, str]:
    cells = round(12 * min(1.0, abs(product) / largest)) if largest else 0
    colour = "green" if product >= 0 else "red"
    return f"{product:+.4f}", f"[{colour}]{'━' * cells}[/]"


def probabilities(found: Any) -> str:
    """Return the verdict in a line."""
    ordered = sorted(found.probabilities.items(), key=lambda item: -item[1])[:5]
    chances = ", ".join(f"{spelled(label)} {p:.4f}" for label, p in ordered)
    return f"predicted [bold]{spelled(found.prediction)}[/]   [dim]probabilities: {chances}[/]"


def weights(label: Any, found: Sequence[Any], first: str = "speaks for") -> RenderableType:
    """Return the features that speak most for a class."""
    table = Table.grid(padding=(0, 2))
    table.add_column(max_width=44, overflow="ellipsis", no_wrap=True)
    table.add_column(justify="right")
    table.add_column(style="dim")
    for weight in found:
        scaled = "" if weight.weight == weight.encoded else f"{weight.encoded:+.4f} a standard deviation"
        table.add_row(spelled(weight.name), f"{weight.weight:+.4g}", scaled)
    return section(f"{first} {label}", table)


def number(value: float) -> str:
    """Return a file size."""
    for unit in ("bytes", "KB", "MB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} GB"
