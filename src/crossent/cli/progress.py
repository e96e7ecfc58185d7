"""Stages as they pass: a line for each when it ends; a bar with a live objective for what takes over a second.

While C is chosen, its curve as it grows.
"""

from __future__ import annotations

import math
import threading
import time
from types import TracebackType
from typing import Any

from rich.live import Live
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from crossent.cli.terminal import err

PATIENCE = 1.0  # seconds before a bar appears


class Stages:
    """The ``watch`` of :func:`crossent.train`: nothing if quiet; a line for each stage that ends, if ``lines``."""

    def __init__(self, quiet: bool = False, tol: float = 1e-6, lines: bool = True):
        self.quiet, self.tol, self.lines = quiet, tol, lines
        self.console = err()
        self.bar = Progress(
            TextColumn("  "),
            SpinnerColumn("line", style="dim"),
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=28, complete_style="cyan", finished_style="cyan", pulse_style="cyan"),
            TextColumn("[dim]{task.elapsed:.0f} s[/]  {task.fields[told]}"),
            console=self.console,
            transient=True,
        )
        self.timer: threading.Timer | None = None
        self.stage, self.began, self.first_gap, self.told = "", 0.0, math.inf, ""
        self.task: Any = None
        self.tried: list[dict[str, Any]] = []
        self.chart: Live | None = None

    def __enter__(self) -> Stages:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end_stage(finished=kind is None)

    def __call__(self, stage: str, what: Any) -> None:
        """Take news: a stage that begins (None), rows done (a number), the schema, a ``Progress`` or ``Candidate``."""
        if self.quiet:
            return
        if what is None:
            self._end_stage()
            self._begin_stage(stage)
        elif isinstance(what, int):
            self.bar.update(self.task, told=f"{what:,} rows")
        elif hasattr(what, "relative_gap"):
            self._step(what)
        elif hasattr(what, "log_loss"):
            self._try(what.as_dict())
        elif hasattr(what, "columns"):
            from crossent.cli.show import columns, indented

            self.console.print()
            self.console.print(indented(columns(what)))
            self.console.print()

    def _begin_stage(self, stage: str) -> None:
        self.stage, self.began, self.first_gap, self.told = stage, time.perf_counter(), math.inf, ""
        self.task = self.bar.add_task(stage, total=None, told="")
        if self.console.is_terminal:
            self.timer = threading.Timer(PATIENCE, self.bar.start)
            self.timer.daemon = True
            self.timer.start()

    def _end_stage(self, finished: bool = True) -> None:
        if not self.stage:
            return
        self._hide_bar()
        if self.chart is not None:
            self.chart.stop()
            self.chart = None
        self.bar.remove_task(self.task)
        if finished and self.lines:
            seconds = time.perf_counter() - self.began
            self.console.print(f"  {self.stage:<12} {seconds:6.2f} s" + (f"  [dim]{self.told}[/]" if self.told else ""))
        self.stage = ""

    def _hide_bar(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer.join()
            self.bar.stop()

    def _try(self, candidate: dict[str, Any]) -> None:
        """Show one more value of C: in the chart on a terminal, in a line elsewhere."""
        from crossent.cli.curve import line, plot
        from crossent.cli.show import indented

        self.tried.append(candidate)
        if not self.console.is_terminal:
            self.console.print(f"    {line(candidate)}")
            return
        if self.chart is None:
            self._hide_bar()
            self.chart = Live(console=self.console, auto_refresh=False)
            self.chart.start()
        self.chart.update(indented(plot(self.tried, width=self.console.width - 2)), refresh=True)

    def _step(self, step: Any) -> None:
        """Show how far a fit is: on a logarithmic scale, from the first known gap to the one asked for."""
        gap = step.relative_gap
        known = math.isfinite(gap)
        steps = f"{step.n_iter} step" + "s" * (step.n_iter != 1)
        self.told = steps + (f", relative gap {gap:.1e}" if known else "") if self.stage == "fitting" else ""
        if known and not math.isfinite(self.first_gap):
            self.first_gap = max(gap, self.tol)
        told = f"objective {step.objective:.6g}" + (f"  gap {gap:.1e}" if known else "")
        if known and self.first_gap > self.tol:
            done = math.log(self.first_gap / max(gap, self.tol)) / math.log(self.first_gap / self.tol)
            self.bar.update(self.task, total=1.0, completed=max(0.0, done), told=told)
        else:
            self.bar.update(self.task, told=told)
