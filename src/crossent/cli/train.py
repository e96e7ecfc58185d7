"""crossent train: a file of rows in, a tested and saved model out."""

import os
from typing import Annotated

import typer

from crossent.cli import options
from crossent.cli.options import Json, Quiet, Rows
from crossent.errors import CrossentError

DEFAULT_NAME = "model.safetensors"
COLUMNS = "Columns"
FIT = "The fit"


def train(
    source: Rows,
    target: Annotated[str, typer.Option("--target", "-t", help="The column to predict.", show_default=False)],
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="MODEL", help=f"Where to save.  \\[default: {DEFAULT_NAME}]")
    ] = None,
    text: Annotated[list[str] | None, typer.Option(metavar="COLUMN", help="Text.", rich_help_panel=COLUMNS)] = None,
    category: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="Categories.", rich_help_panel=COLUMNS)
    ] = None,
    number: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="Numbers.", rich_help_panel=COLUMNS)
    ] = None,
    date: Annotated[list[str] | None, typer.Option(metavar="COLUMN", help="Dates.", rich_help_panel=COLUMNS)] = None,
    drop: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="Leave these out.", rich_help_panel=COLUMNS)
    ] = None,
    C: Annotated[
        str | None,
        typer.Option(
            "--C",
            metavar="NUMBERS",
            help="Inverse penalty: one fixes it, several (1,3,10) are tried.  \\[default: chosen]",
            show_default=False,
            rich_help_panel=FIT,
        ),
    ] = None,
    selection: Annotated[
        str,
        typer.Option(help="C of the best score, or the smallest within its standard error (1se).", rich_help_panel=FIT),
    ] = "best",
    l1_ratio: Annotated[float, typer.Option(help="0 for L2, 1 for L1.", rich_help_panel=FIT)] = 0.0,
    test: Annotated[float, typer.Option(help="Share of the rows held out to test.", rich_help_panel=FIT)] = 0.2,
    balanced: Annotated[bool, typer.Option("--balanced", help="Weigh all classes alike.", rich_help_panel=FIT)] = False,
    tol: Annotated[float, typer.Option(help="Relative gap to certify.", rich_help_panel=FIT)] = 1e-6,
    max_iter: Annotated[int, typer.Option(help="Steps at most.", rich_help_panel=FIT)] = 100,
    seed: Annotated[int, typer.Option(help="Of the draw of the test part.", rich_help_panel=FIT)] = 0,
    threads: Annotated[int | None, typer.Option(help="Default: all cores.", rich_help_panel=FIT)] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train on a table, test on rows held out, save the model.

    Every column gets a kind (number, category, text, date), guessed from
    its values and printed. Overrule it with --text, --category, --number,
    --date, --drop: one name, or several with commas.

    C is chosen by cross-validation of the training rows, unless --C fixes it.

    Ctrl-C while choosing C or fitting saves the best weights so far, marked as interrupted.

    [bold]Examples[/]

      crossent train reviews.csv --target label

      crossent train 'part-*.parquet' -t churned --drop name --C 0.1,1,10 --selection 1se

      zcat log.csv.gz | crossent train - -t clicked --test 0.1 --json
    """
    from crossent.cli.terminal import announce_compiling, notes, print_json
    from crossent.files import check_apart, check_writable

    path = output if output is not None else _default_name()
    check_writable(path)
    check_apart(path, source)
    values = None if C is None else _numbers(C)
    with notes(quiet):
        from crossent.cli.progress import Stages
        from crossent.training import train as train_model

        silent = quiet or json
        if not silent:
            announce_compiling()
        with Stages(silent, tol) as stages:
            model = train_model(
                source if len(source) > 1 else source[0],
                target,
                text=options.names(text),
                category=options.names(category),
                number=options.names(number),
                date=options.names(date),
                drop=options.names(drop),
                C=values,
                selection=selection,
                l1_ratio=l1_ratio,
                test=test,
                class_weight="balanced" if balanced else None,
                tol=tol,
                max_iter=max_iter,
                seed=seed,
                n_jobs=threads,
                watch=stages,
            )
        model.save(path)
    if json:
        print_json(report(model, path))
    elif not quiet:
        show(model, path)
    if model.metadata["interrupted"]:
        raise typer.Exit(1)


def report(model, path: str | None) -> dict:
    """Return all there is to say about a training run."""
    return {"model": path, "classes": model.classes, "certificate": model.certificate.as_dict(), **model.metadata}


def show(model, path: str | None) -> None:
    """Print a training run's test, certificate and file."""
    from crossent.cli import show as look
    from crossent.cli.terminal import out, spelled

    console, about = out(), model.metadata
    if about["search"]:
        chosen = about["settings"]["C"]
        best = min(about["search"], key=lambda one: one["log_loss"])
        why = "the least" if best["C"] == chosen else f"within one standard error of the least, C = {best['C']:.4g}'s,"
        at = next(one for one in about["search"] if one["C"] == chosen)
        console.print(
            f"\nC = {chosen:.4g}: log-loss {at['log_loss']:.4f} ± {at['standard_error']:.4f}, {why} in "
            f"{len(at['folds'])}-fold cross-validation of the training rows"
        )
    if model.test:
        console.print(look.evaluation(model.test, f"Test: {model.test.rows:,} rows held out"))
    else:
        console.print("\nNo test: every row was trained on" if about["settings"]["test"] == 0 else "\nNo test")
    console.print(look.certificate(model.certificate))
    if path is not None:
        console.print(f"\nsaved {spelled(path)}  [dim]{look.size(os.path.getsize(path))}[/]", soft_wrap=True)
    if about["interrupted"]:
        console.print("[yellow]interrupted:[/] the model holds the best weights so far, and says so")


def _default_name() -> str:
    if os.path.exists(DEFAULT_NAME):
        raise CrossentError(f"{DEFAULT_NAME} is there already; say where to save with -o (a file named so is replaced)")
    return DEFAULT_NAME


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise CrossentError(f"--C is {text!r}; give a number, or several as 0.1,1,10") from None
