"""The verbs, and what they have in common."""

from typing import Annotated

import typer

from crossent import __version__
from crossent.cli import demo, derive, evaluate, explain, inspect, predict, train

app = typer.Typer(
    name="crossent",
    help="Logistic regression, done completely: raw text or tables in; a tested, certified, explained model out.",
    epilog="Example:  crossent train reviews.csv --target label",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(asked: bool) -> None:
    if asked:
        print(f"crossent {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """What every verb has."""


for verb in (
    train.train,
    predict.predict,
    evaluate.evaluate,
    inspect.inspect,
    explain.explain,
    derive.derive,
    demo.demo,
):
    app.command()(verb)
