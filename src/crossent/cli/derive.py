"""``crossent derive``: the derivation of the gradient, checked; and with the numbers of the user's own example."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from crossent.derivation import Example, Step, Walk
    from crossent.report import Rows

POINTS = 25  # of the numeric check at each run; `derivation.verify()` takes 200
DIGITS = 50
FIRST = 2000  # rows of the data that are read for gradient descent on the page
SHOWN = 10  # features in the table of the example


def derive(
    model: Annotated[
        str | None, typer.Argument(metavar="[MODEL]", help="A model file that train wrote.", show_default=False)
    ] = None,
    data: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="Rows; the example is one of them.", show_default=False)
    ] = None,
    row: Annotated[int | None, typer.Option(help="Which row of the file, from 1.  \\[default: 1]", min=1)] = None,
    example: Annotated[str | None, typer.Option(help="A text as the example, instead of a row.")] = None,
    label: Annotated[str | None, typer.Option(help="The example's class, where the row does not say it.")] = None,
    weight: Annotated[
        str | None, typer.Option(help="The feature whose weight is followed.  \\[default: the most influential]")
    ] = None,
    lang: Annotated[str, typer.Option(help="Language of the texts: en or zh.")] = "en",
    html: Annotated[str | None, typer.Option(help="Write a page to play with to this file instead.")] = None,
    latex: Annotated[str | None, typer.Option(help="Write a LaTeX document to this file instead.")] = None,
) -> None:
    """Show where the gradient comes from, step by step, each step checked; with a model, in your own numbers.

    [bold]Examples[/]

      crossent derive

      crossent derive model.safetensors reviews.csv --row 7 --weight terrible

      crossent derive model.safetensors --example "A terrible ending." --label 0 --html page.html
    """
    import numpy as np

    from crossent.cli.terminal import notes, out
    from crossent.derivation import texts, walk
    from crossent.derivation.algebra import require_sympy
    from crossent.derivation.examples import small
    from crossent.errors import CrossentError
    from crossent.report import Rows, derivation_latex, derivation_page

    require_sympy()
    texts(lang)  # an unknown language is told before any work
    _check_files(html, latex, [model, data])
    if model is None and weight is not None and html is None:
        raise CrossentError("--weight needs a model, or --html FILE for the small example of the page")
    with notes():
        shown, rows = _example(model, data, row, example, label, with_rows=html is not None)
    page_only = html is not None and latex is None  # which computes for itself
    followed = walk(shown, weight) if shown is not None and not page_only else None
    if html is None and latex is None:
        console = out()
        print_derivation(console, lang)
        if followed is not None:
            print_walk(console, followed, lang)
    if latex is not None:
        _write(latex, derivation_latex(followed, lang))
    if html is not None:
        if shown is None:
            shown, X, y = small()
            rows = Rows(X, y, shown.w, np.arange(len(shown.w)))
        _write(html, derivation_page(shown, rows, weight=weight, lang=lang))


def _check_files(html: str | None, latex: str | None, read: list[str | None]) -> None:
    """Refuse files that cannot be written, two documents in one file, and one that would replace what is read."""
    from pathlib import Path

    from crossent.errors import CrossentError
    from crossent.files import check_apart, check_writable

    for path in (html, latex):
        if path is not None:
            check_writable(path)
            check_apart(path, [name for name in read if name is not None])
    if html is not None and latex is not None and Path(html).resolve() == Path(latex).resolve():
        raise CrossentError(f"{html}: --html and --latex need two different files")


def _write(path: str, content: str) -> None:
    from crossent.cli.terminal import note
    from crossent.files import replacing

    with replacing(path) as temporary:
        temporary.write_text(content, "utf-8")
    note(f"wrote {path}, {len(content.encode()) / 1000:,.0f} KB")


def _example(
    model: str | None, data: str | None, row: int | None, example: str | None, label: str | None, *, with_rows: bool
) -> tuple[Example | None, Rows | None]:
    """Return the example asked for; if wanted, also rows of the data for gradient descent on the page."""
    from crossent.errors import CrossentError

    if model is None:
        if row is not None or example is not None or label is not None:
            raise CrossentError("an example needs a model: crossent derive MODEL FILE --row 7")
        return None, None
    if data is None and example is None:
        raise CrossentError('which example? crossent derive MODEL FILE --row 7, or --example "a text" --label CLASS')
    if example is not None and row is not None:
        raise CrossentError("give --row or --example, not both")

    from crossent.derivation.examples import of_model
    from crossent.model import load

    fitted = load(model)
    chosen, others = _read(data, row or 1, FIRST if with_rows else 0) if data is not None else (None, None)
    shown, columns = of_model(fitted, chosen if example is None else example, label)
    return shown, _rows(fitted, others, columns)


def _read(data: str, row: int, count: int) -> tuple[Any, Any]:
    """Return one row of the data, and its first rows, as tables; reads no further than both need."""
    import pyarrow as pa

    from crossent.errors import CrossentError
    from crossent.table import read

    first: list[Any] = []
    chosen, seen = None, 0
    for batch in read(data):
        if seen < count:
            first.append(batch)
        if seen < row <= seen + len(batch):
            chosen = pa.Table.from_batches([batch.slice(row - seen - 1, 1)])
        seen += len(batch)
        if chosen is not None and seen >= count:
            break
    if chosen is None:
        raise CrossentError(f"{data}: has {seen:,} rows, so no row {row:,}")
    return chosen, pa.Table.from_batches(first).slice(0, count) if first else None


def _rows(fitted: Any, table: Any, columns: Any) -> Rows | None:
    """Return rows for gradient descent, if the data says their class."""
    import numpy as np

    from crossent.report import Rows
    from crossent.table import codes_of, with_target

    if table is None or fitted.target not in table.column_names:
        return None
    table = with_target(table, fitted.target)
    if len(table) < 2:
        return None
    y = codes_of(table, fitted.target, fitted.classes).astype(np.float64)
    return Rows(fitted.encoder.transform(table), y, fitted.coef[0], columns)


# ------------------------------------------------------------------------------------------ the terminal


def print_derivation(console: Console, lang: str) -> None:
    """Print every step with its rule and its condition, each checked before it is printed."""
    from crossent.derivation import BIAS, CONSEQUENCES, LINES, STEPS, TOOLS, texts, verify
    from crossent.errors import CrossentError

    t = texts(lang)["terminal"]
    console.print(f"[bold]{t['title']}[/]")
    console.print(t["setting"], markup=False)
    failures: list[str] = []
    for heading, steps in ((t["tools"], TOOLS), (t["derivation"], (*LINES, BIAS)), (t["consequences"], CONSEQUENCES)):
        console.print(f"\n[bold cyan]{heading}[/]")
        for step in steps:
            verification = verify(POINTS, DIGITS, [step])
            failures += map(str, verification.failures)
            _print_step(console, step, bool(verification), lang, whole=step not in LINES[1:])
    if failures:
        raise CrossentError(f"{t['unproved']} {'; '.join(failures)}")
    console.print(
        "\n" + t["verified"].format(steps=len(STEPS), points=POINTS, digits=DIGITS), style="green", markup=False
    )


def _print_step(console: Console, step: Step, holds: bool, lang: str, *, whole: bool) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from crossent.derivation import texts
    from crossent.derivation.notation import Terminal

    t = texts(lang)["terminal"]
    mark = Text("✓ ", "green") if holds else Text("✗ ", "bold red")
    console.print(mark + Text(step.title(lang), "bold"))
    for line in _broken(step.show(Terminal(), whole=whole), console.width - 4):
        console.print(Padding(Text(line), (0, 0, 0, 4), expand=False))
    console.print(Padding(Text(t["because"] + step.rule(lang), "dim"), (0, 0, 0, 4), expand=False))
    if step.condition(lang):
        console.print(Padding(Text(t["if"] + step.condition(lang), "dim"), (0, 0, 0, 4), expand=False))


def _broken(formula: str, width: int) -> list[str]:
    """Break a formula into lines, at no space between round brackets: w·x + b stays whole."""
    import re
    import textwrap

    glued = re.sub(r"\([^()]*\)", lambda match: match[0].replace(" ", "\N{NO-BREAK SPACE}"), formula)
    lines = textwrap.wrap(glued, width, break_long_words=False, break_on_hyphens=False)
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


def print_walk(console: Console, walk: Walk, lang: str) -> None:
    """Print the example, every line's value, and one step of gradient descent."""
    from rich.table import Table
    from rich.text import Text

    from crossent.derivation import texts

    t, example = texts(lang)["terminal"], walk.example

    def table(*columns: str) -> Table:
        made = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
        for i, column in enumerate(columns):
            made.add_column(Text(column), justify="left" if i == 0 else "right", overflow="fold")
        return made

    console.print(f"\n[bold cyan]{t['example']}[/]")
    if example.text:
        console.print(Text(example.text[:400] + (" …" if len(example.text) > 400 else ""), "italic"))
    features = table(t["feature"], t["value"], t["weight"], t["product"], t["gradient"])
    for i in walk.largest(SHOWN):
        numbers = (example.x[i], example.w[i], example.w[i] * example.x[i], walk.gradient[i])
        chosen = "bold" if i == walk.weight else ""
        features.add_row(Text(str(example.names[i]), chosen), *(Text(f"{number:.6g}", chosen) for number in numbers))
    features.add_row(Text(t["bias"]), "1", f"{example.b:.6g}", f"{example.b:.6g}", f"{walk.gradient_bias:.6g}")
    console.print(features)
    if len(example.x) > SHOWN:
        console.print(t["others"].format(count=len(example.x) - SHOWN), style="dim", markup=False)
    summary = table("", "")
    summary.show_header = False
    summary.add_row("z = w·x + b", f"{walk.z:.10g}")
    summary.add_row(Text(t["probability"].format(label=example.label)), f"{walk.sigma:.10g}")
    summary.add_row(Text(t["label"]), f"{example.y:g}")
    summary.add_row(Text(t["loss"]), f"{walk.loss:.10g}")
    summary.add_row(Text(t["residual"]), f"{walk.residual:.10g}")
    console.print(summary)

    name = str(example.names[walk.weight])
    console.print(Text("\n" + t["lines"].format(weight=name), "bold cyan"))
    lines = table(t["line"], t["line_value"])
    for step, value in walk.lines:
        lines.add_row(Text(step.title(lang)), f"{value:.15g}")
    console.print(lines)
    agree = t["agree"].format(spread=f"{walk.spread:.0e}", compiled=f"{walk.gradient[walk.weight]:.15g}")
    console.print(agree, markup=False)

    console.print(Text("\n" + t["step"].format(rate=f"{walk.rate:.6g}"), "bold cyan"))
    console.print(f"{t['loss']}: {t['before']} {walk.loss:.10g}, {t['after']} {walk.loss_after:.10g}", markup=False)
