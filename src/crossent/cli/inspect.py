"""crossent inspect: what is in a model file."""

from typing import Annotated

import typer

from crossent.cli.options import Json, ModelFile


def inspect(
    model: ModelFile,
    top: Annotated[int, typer.Option(help="Weights to show for each class.", min=1)] = 10,
    json: Json = False,
) -> None:
    """Show a model's weights by class, certificate, columns and training data.

    [bold]Examples[/]

      crossent inspect model.safetensors

      crossent inspect model.safetensors --top 50 --json
    """
    from crossent.cli import show
    from crossent.cli.terminal import out, print_json, spelled
    from crossent.cli.train import report
    from crossent.model import load

    fitted = load(model)
    weights = fitted.weights(top)
    if json:
        listed = {str(label): [weight._asdict() for weight in found] for label, found in weights.items()}
        print_json(report(fitted, model) | {"columns": fitted.schema.to_json()["columns"], "weights": listed})
        return
    console, about = out(), fitted.metadata
    classes = ", ".join(f"{label} ({n:,})" for label, n in zip(fitted.classes, about["class_rows"], strict=True))
    rows, settings = about["rows"], about["settings"]
    penalty = "no penalty" if settings["C"] is None else f"C = {settings['C']:g}, l1_ratio = {settings['l1_ratio']:g}"
    features = f"{fitted.coef.shape[1]:,} from {_counted(len(fitted.encoder.inputs))}"
    lines = (
        ("target", fitted.target),
        ("classes", classes),
        ("features", features),
        ("fit", penalty),
        ("trained on", about["source"]),
        ("", f"{rows['train']:,} rows, {rows['test']:,} more to test"),
        ("written by", f"crossent {about['crossent']}, {about['trained']}"),
    )
    console.print(show.section(model, show.grid([(f"[dim]{name}[/]", spelled(value)) for name, value in lines], "<<")))
    console.print(show.section("Columns", show.columns(fitted.schema)))
    if about["search"]:
        from crossent.cli.curve import plot

        folds = len(about["search"][0]["folds"])
        title = f"Log-loss against C, {folds} folds: the mean and its standard error"
        console.print(show.section(title, plot(about["search"], settings["C"], console.width - 2)))
    for label, found in weights.items():
        console.print(show.weights(label, found))
    if fitted.test:
        console.print(show.evaluation(fitted.test, f"Test: {fitted.test.rows:,} rows held out in training"))
    console.print(show.certificate(fitted.certificate))


def _counted(columns: int) -> str:
    return f"{columns} column" + "s" * (columns != 1)
