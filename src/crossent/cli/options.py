"""Arguments and options that several verbs share, so that they mean the same everywhere."""

from typing import Annotated

import typer

ROWS = (
    "A file, several, or a glob: CSV, TSV, JSON lines, Parquet, Arrow, svmlight; plain or compressed; "
    "- for standard input."
)

ModelFile = Annotated[str, typer.Argument(metavar="MODEL", help="A model file that train wrote.", show_default=False)]
Rows = Annotated[list[str], typer.Argument(metavar="FILE...", help=ROWS, show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]


def names(given: list[str] | None) -> list[str]:
    """Return column names given as ``--text a --text b`` or ``--text a,b``."""
    return [name for one in given or [] for name in one.split(",") if name]
