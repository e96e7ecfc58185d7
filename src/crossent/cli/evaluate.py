"""crossent evaluate: how well a model does on rows whose target is known."""

from crossent.cli.options import Json, ModelFile, Quiet, Rows


def evaluate(model: ModelFile, source: Rows, json: Json = False, quiet: Quiet = False) -> None:
    """Compare predictions with the target column of the file.

    [bold]Examples[/]

      crossent evaluate model.safetensors test.csv

      crossent evaluate model.safetensors test.csv --json | jq .accuracy
    """
    from crossent.cli.progress import Stages
    from crossent.cli.show import evaluation
    from crossent.cli.terminal import notes, out, print_json
    from crossent.model import load

    with notes(quiet), Stages(quiet or json, lines=False) as stages:
        stages("evaluating", None)
        found = load(model).evaluate(source if len(source) > 1 else source[0])
    if json:
        print_json(found.as_dict())
    elif not quiet:
        out().print(evaluation(found, f"{found.rows:,} rows"))
