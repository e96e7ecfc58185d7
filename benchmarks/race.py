"""One row of the table: who takes part, what is known of each, and how one sample is taken."""

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import judges
from benchmarks.kept import Kept, source
from benchmarks.process import START_S, LateError, Library
from benchmarks.task import Data, Task

COMPILE_S = 30.0  # what the first call gets on top of its cap
OURS = "ours"


@dataclass(frozen=True)
class Rules:
    """How a run is made; written into the results. Seconds of the search are those of the busiest thread."""

    threads: int = 2
    rounds: int = 5
    entry_s: float = 5.0
    far: float = 3.0
    finer: int = 2
    cap: float = 30.0
    own_cap: float = 120.0
    long_cap: float = 200.0
    behind: float = 2.5
    least_cap: float = 0.5
    search_cap: float = 45.0
    row_s: float = math.inf
    quick: bool = False


QUICK = Rules(
    rounds=2, finer=0, entry_s=0.5, cap=1.0, own_cap=30.0, least_cap=0.2, search_cap=2.0, long_cap=60.0, quick=True
)

BRIEF = Rules(rounds=3, entry_s=2.0, far=2.0, cap=6.0, own_cap=20.0, long_cap=30.0, search_cap=6.0, row_s=30.0)


@dataclass
class Entry:
    """One entrant in one row: what happened."""

    name: str
    key: str
    library: Library
    ladder: list[float | None] = field(default_factory=list)
    setting: float | None = None
    arrived: bool = False
    reason: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    convert_s: float | None = None
    first_s: float | None = None
    found_s: float = math.inf
    number: int = 1
    seconds: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    curve: list[dict[str, float]] = field(default_factory=list)
    memory: dict[str, float] = field(default_factory=dict)

    FOUND = ("setting", "arrived", "reason", "facts", "convert_s", "first_s", "found_s", "curve", "memory", "ladder")

    @property
    def is_ours(self) -> bool:
        return self.library.module == OURS

    @property
    def fixed(self) -> bool:
        """Nothing to loosen."""
        return len(self.ladder) == 1

    @property
    def versions(self) -> dict[str, str]:
        return {"source": source()} if self.is_ours else self.library.versions

    @property
    def time(self) -> float:
        """Seconds: the median of the repeats, before them what the search saw."""
        return statistics.median(self.seconds) if self.seconds else self.found_s

    def as_dict(self) -> dict[str, Any]:
        parts = (
            "name", "arrived", "reason", "setting", "convert_s", "first_s", "found_s", "number", "seconds", "curve",
            "memory", "facts",
        )  # fmt: skip
        gap = max(self.gaps) if self.gaps else min((step["gap"] for step in self.curve), default=None)
        median = self.time if self.seconds else None
        return {**{part: getattr(self, part) for part in parts}, "ours": self.is_ours, "median_s": median, "gap": gap}


class Race:
    """One task, and every library that may run it; ``scratch`` holds the answers."""

    def __init__(
        self,
        task: Task,
        folder: Path,
        libraries: list[Library],
        rules: Rules,
        scratch: Path,
        say: Callable[[str], None],
    ) -> None:
        self.task, self.folder, self.rules, self.scratch, self.say = task, folder, rules, scratch, say
        self.data = Data(folder)
        self.kept = Kept(task, folder, rules.threads)
        self.bounds = self.kept.bounds()
        self.entries = [
            Entry(key.split("/", 1)[1], key, library)
            for library in libraries
            for key in library.entrants
            if key.split("/", 1)[0] == task.job
        ]

    @property
    def has_gap(self) -> bool:
        return self.task.job in judges.GAP_JOBS

    def recall(self) -> list[Entry]:
        """Take what is kept of each entrant; those of which nothing that still counts is kept."""
        unknown = []
        for entry in self.entries:
            found, current = self.kept.read(entry.key, entry.versions)
            for part in Entry.FOUND if found else ():
                setattr(entry, part, found[part])
            entry.found_s = math.inf if entry.found_s is None else entry.found_s
            # Who was stopped by shorter caps is searched again; who arrived has arrived under any.
            if not current or not (entry.arrived or found.get("cap", 0) >= self.rules.search_cap):
                unknown.append(entry)
        return unknown

    def keep(self, entry: Entry) -> None:
        found = {part: getattr(entry, part) for part in Entry.FOUND}
        self.kept.write(
            entry.key,
            entry.versions,
            {**found, "found_s": entry.found_s if entry.arrived else None, "cap": self.rules.search_cap},
        )

    def drop(self) -> None:
        """Free what the libraries hold."""
        for library in {entry.library.module: entry.library for entry in self.entries}.values():
            if library.loaded:
                library.ask(START_S, do="drop")
                library.loaded.clear()

    def best_rival(self) -> float:
        """Seconds of the best rival that has arrived so far."""
        return min((entry.time for entry in self.entries if entry.arrived and not entry.is_ours), default=math.inf)

    def run(self, entry: Entry, setting: float | None, cap: float, prove: bool = False) -> dict[str, float] | None:
        """One sample: seconds a call, memory, gap. None when it failed or was stopped; the reason is in the entry."""
        try:
            entry.reason = self._load(entry)
            if entry.reason:
                return None
            reply = entry.library.ask(
                cap * entry.number, do="run", entrant=entry.key, setting=setting,
                number=entry.number, answer=str(self.answer(entry)),
            )  # fmt: skip
        except LateError:
            entry.reason = f"stopped after {cap:.3g} s"
            return None
        if "error" in reply:
            entry.reason = reply["error"]
            return None
        sample = {"seconds": reply["seconds"], "busy_s": reply["busy_s"], "gap": 0.0}
        entry.memory = {part: max(mb, entry.memory.get(part, 0.0)) for part, mb in reply["memory"].items()}
        if self.has_gap:
            try:
                entry.facts, bounds = judges.gap_of(
                    self.task, self.data, judges.read(self.answer(entry)), self.bounds, prove
                )
            except ValueError as error:
                entry.reason = f"the referee: {error}"
                return None
            sample["gap"] = entry.facts["gap"]
            if bounds is not None and (self.bounds is None or np.any(bounds > self.bounds)):
                self.bounds = bounds
                self.kept.keep_bounds(bounds)
        return sample

    def warm_up(self, entry: Entry, cap: float) -> dict[str, float] | None:
        """The first call, with time to compile; None when the task is refused or fails."""
        try:
            entry.reason = self._load(entry)
        except LateError:
            entry.reason = f"no conversion within {START_S:.0f} s"
        first = None if entry.reason else self.run(entry, entry.ladder[0], cap + COMPILE_S)
        if first and entry.library.compiles and not entry.fixed:
            # The loosest setting may stop before everything is compiled.
            second = self.run(entry, entry.ladder[4], cap + COMPILE_S)
            first = max(first, second or first, key=lambda sample: sample["seconds"])
        entry.first_s = first and first["seconds"]
        return first

    def answer(self, entry: Entry) -> Path:
        return self.scratch / (entry.key.replace("/", "-").replace(" ", "_") + ".npz")

    def _load(self, entry: Entry) -> str | None:
        """Bring data to the entrant's process and convert it; the reason when it does not take the task."""
        mark = (entry.key, str(self.folder))
        if mark in entry.library.loaded:
            return None
        reply = entry.library.ask(
            START_S, do="load", entrant=entry.key, task=self.task.as_dict(), folder=str(self.folder),
            threads=self.rules.threads,
        )  # fmt: skip
        if reason := reply.get("refuses") or reply.get("error"):
            return reason
        entry.library.loaded.add(mark)
        entry.ladder = reply["ladder"]
        entry.convert_s = reply["convert_s"]
        return None
