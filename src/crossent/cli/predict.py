"""crossent predict: classes and probabilities of new rows."""

from typing import Annotated

import typer

from crossent.cli import options
from crossent.cli.options import ModelFile, Quiet, Rows


def predict(
    model: ModelFile,
    source: Rows,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="Ends in .csv, .parquet or .jsonl.  \\[default: CSV to standard output]",
            show_default=False,
        ),
    ] = None,
    keep: Annotated[list[str] | None, typer.Option(help="Columns to copy beside the predictions.")] = None,
    quiet: Quiet = False,
) -> None:
    """Predict the class of each row, and the probability of every class.

    Rows are read, scored and written in batches: files may be larger than memory.

    [bold]Examples[/]

      crossent predict model.safetensors new.csv -o out.csv

      crossent predict model.safetensors new.parquet --keep id | head
    """
    from crossent.cli.progress import Stages
    from crossent.cli.terminal import err, notes, spelled
    from crossent.files import check_apart
    from crossent.model import load
    from crossent.predictions import rows_of, writer

    if output is not None:
        check_apart(output, [model, *source])
    with notes(quiet), Stages(quiet or output is None, lines=False) as stages:
        stages("predicting", None)
        fitted, kept, rows = load(model), options.names(keep), 0
        with writer(output) as write:
            for batch, z in fitted.batches(source if len(source) > 1 else source[0]):
                write(rows_of(fitted, batch, z, kept))
                rows += len(z)
                stages("predicting", rows)
    if output is not None and not quiet:
        err().print(f"{rows:,} rows predicted  [dim]{spelled(output)}[/]", soft_wrap=True)
