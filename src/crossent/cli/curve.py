"""The curve of a search for C: log-loss against C, with one standard error up and down, in signs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

HEIGHT = 9
CELL = 7  # signs a value of C takes on the axis; narrower where there are many
POINT, BAR = "●", "│"


def plot(search: Sequence[Mapping[str, Any]], chosen: float | None = None, width: int = 80) -> Text:
    """Return the curve as text; the chosen C, or the best so far, stands out."""
    ordered = sorted(search, key=lambda one: one["C"])
    marked = min(ordered, key=lambda one: one["log_loss"])["C"] if chosen is None else chosen
    cell = max(2, min(CELL, (width - 10) // len(ordered)))
    low = min(one["log_loss"] - one["standard_error"] for one in ordered)
    high = max(one["log_loss"] + one["standard_error"] for one in ordered)

    def row_of(value: float) -> int:
        return round((high - value) / (high - low) * (HEIGHT - 1)) if high > low else 0

    drawn = Text()
    for row in range(HEIGHT):
        label = {0: f"{high:8.4f}", HEIGHT - 1: f"{low:8.4f}"}.get(row, " " * 8)
        drawn.append(f"{label} ┤" if label.strip() else f"{label} │", style="dim")
        for one in ordered:
            loss, error = one["log_loss"], one["standard_error"]
            inside = row_of(loss + error) <= row <= row_of(loss - error)
            sign = POINT if row == row_of(loss) else BAR if inside else " "
            drawn.append(sign.center(cell), style="bold green" if one["C"] == marked else "cyan")
        drawn.append("\n")
    drawn.append(" " * 9 + "└" + "─" * (cell * len(ordered)) + "\n", style="dim")
    drawn.append(" " * 6 + "C   ", style="dim")
    step = -(-CELL // cell)  # a label under every value, or under every second or third
    for k, one in enumerate(ordered):
        if k % step == 0:
            room = cell * min(step, len(ordered) - k)
            label = f"{one['C']:.3g}".rjust(cell // 2 + 1) if step > 1 else f"{one['C']:.3g}".center(cell)
            drawn.append(label[:room].ljust(room), style="bold green" if one["C"] == marked else "dim")
    return drawn


def line(one: Mapping[str, Any]) -> str:
    """Return one value of C in a line."""
    return f"C {one['C']:<10.4g} log-loss {one['log_loss']:.4f} ± {one['standard_error']:.4f}"
