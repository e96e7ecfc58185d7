"""crossent explain: why a row gets its probability, z = b + sum of w_j x_j, term by term."""

import os
from collections.abc import Sequence
from typing import Annotated

import typer

from crossent.cli.options import Json, ModelFile
from crossent.errors import CrossentError


def explain(
    model: ModelFile,
    row_or_text: Annotated[
        str, typer.Argument(metavar="TEXT|FILE", help="A text; with --row, a file.", show_default=False)
    ],
    row: Annotated[int | None, typer.Option(help="Which row of the file, from 1.", min=1)] = None,
    label: Annotated[
        str | None, typer.Option("--class", help="Of more than two classes, which.  \\[default: the predicted one]")
    ] = None,
    top: Annotated[int, typer.Option(help="Terms to show; the others are summed.", min=1)] = 20,
    json: Json = False,
) -> None:
    """Show the terms of z for one text or one row, the largest first.

    The words of a text are shown as strong as their share of z.

    [bold]Examples[/]

      crossent explain model.safetensors "A gripping first hour, then a terrible ending."

      crossent explain model.safetensors --row 7 new.csv
    """
    from crossent.cli.terminal import notes, print_json
    from crossent.model import load

    if row is None and os.path.isfile(row_or_text):
        raise CrossentError(f"{row_or_text} is a file; say which row of it, as in --row 1")
    text = os.fsencode(row_or_text).decode("utf-8", "replace")  # as Python gives it, bytes that are no text are halves
    with notes():
        fitted = load(model)
        found = fitted.explain(text if row is None else _pick(row_or_text, row, fitted.encoder.inputs), label=label)
    if json:
        print_json(found.as_dict())
    else:
        show(found, top)


def show(found, top: int) -> None:
    """Print an explanation."""
    from crossent.cli import show as look
    from crossent.cli.terminal import note, out, spelled

    console = out()
    if found.missing:
        note(f"not given, so taken as missing: {', '.join(found.missing)}")
    console.print(f"\n{look.probabilities(found)}\n")
    if found.texts:
        console.print(look.highlighted(found.texts, marks=console.no_color or console.color_system is None))
        console.print()
    console.print(look.explanation(found, top))
    how = "sigma(z)" if len(found.probabilities) == 2 else "softmax(z)"
    chance = found.probabilities[found.label]
    console.print(f"\n[dim]The probability of {spelled(found.label)} is {how} = {chance:.4f}.[/]")


def _pick(path: str, row: int, expected: Sequence[str]):
    """Return a row of a file, counted from 1, as a table; reads no further than it."""
    import pyarrow as pa

    from crossent.table import read

    seen = 0
    for batch in read(path, expected=expected):
        if row <= seen + len(batch):
            return pa.Table.from_batches([batch.slice(row - seen - 1, 1)])
        seen += len(batch)
    raise CrossentError(f"{path}: has {seen:,} rows, so no row {row:,}")
