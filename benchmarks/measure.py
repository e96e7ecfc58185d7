"""The rules of fairness, in one place.

Search: each entrant goes from its loosest setting towards tight ones, a decade at a time, until the referee's gap is
reached; then the last decade is halved ``finer`` times, so that the loosest setting that just arrives is the one
timed. The first run of all is the warm-up: reported, not counted.

Repeats: the entrants that arrived run in turn, one run each a round, at the setting found; medians are reported.

Caps: one run may take ``cap`` seconds (``long_cap`` for jobs without a tolerance), and once a rival has arrived no more
than ``behind`` times the best rival's time; a search ends after three times that, or ``search_cap``. Whoever does not
arrive is shown with the smallest gap it reached. Ours is not stopped for being behind.
"""

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import judges
from benchmarks.process import START_S, LateError, Library
from benchmarks.task import Data, Task

SAMPLE_S = 0.02  # shorter calls are repeated inside one sample
COMPILE_S = 30.0  # what the first call gets on top of the cap
LONG_S = 10.0  # a job without settings that takes longer is not run a second time before the repeats
REPEATS_S = 15.0  # when an entrant's repeats have taken so long, there are no more of them
OURS = "ours"


@dataclass(frozen=True)
class Rules:
    """How a run is made; written into the results."""

    threads: int = 2
    rounds: int = 5
    finer: int = 2
    cap: float = 30.0
    long_cap: float = 600.0
    behind: float = 3.0
    least_cap: float = 0.5
    search_cap: float = 45.0
    quick: bool = False


QUICK = Rules(rounds=2, finer=0, cap=1.0, least_cap=0.2, search_cap=2.0, long_cap=120.0, quick=True)


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

    @property
    def is_ours(self) -> bool:
        return self.library.module == OURS

    @property
    def median(self) -> float:
        return statistics.median(self.seconds) if self.seconds else math.inf

    def as_dict(self) -> dict[str, Any]:
        plain = ("name", "arrived", "reason", "setting", "convert_s", "first_s", "number", "seconds", "curve", "memory")
        record = {part: getattr(self, part) for part in plain}
        gap = max(self.gaps) if self.gaps else min((step["gap"] for step in self.curve), default=None)
        median = self.median if self.seconds else None
        return {**record, "ours": self.is_ours, "median_s": median, "gap": gap, "facts": self.facts}


class Row:
    """Runs one task with every library; ``scratch`` holds the answers."""

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
        self.entries = [
            Entry(key.split("/", 1)[1], key, library)
            for library in libraries
            for key in library.entrants
            if key.split("/", 1)[0] == task.job
        ]

    def measure(self) -> list[Entry]:
        """Search, then repeat in turn, then compare the answers."""
        for entry in self.entries:
            self._search(entry)
            if entry.first_s is not None or entry.is_ours:
                self.say(_line(entry))
        for turn in range(self.rules.rounds):
            running = [entry for entry in self.entries if entry.arrived and self._still(entry, turn)]
            shift = turn % max(len(running), 1)
            for entry in running[shift:] + running[:shift]:
                self._repeat(entry)
        self._compare()
        for library in {entry.library.module: entry.library for entry in self.entries}.values():
            if library.loaded:
                library.ask(START_S, do="drop")
                library.loaded.clear()
        return self.entries

    def _best_rival(self) -> float:
        """Seconds of the best rival that has arrived so far."""
        arrived = (entry for entry in self.entries if entry.arrived and not entry.is_ours)
        return min((entry.median if entry.seconds else entry.found_s for entry in arrived), default=math.inf)

    def _cap(self, entry: Entry) -> float:
        if len(entry.ladder) == 1:
            return self.rules.long_cap
        if entry.is_ours:
            return Rules.cap
        return max(min(self.rules.cap, self.rules.behind * self._best_rival()), self.rules.least_cap)

    def _search_cap(self, entry: Entry) -> float:
        return Rules.search_cap if entry.is_ours else min(3 * self._cap(entry), self.rules.search_cap)

    def _still(self, entry: Entry, turn: int) -> bool:
        """One repeat for those far behind the best rival, and no more once the repeats of one took REPEATS_S."""
        if sum(entry.seconds) * entry.number > REPEATS_S:
            return False
        near = entry.is_ours or entry.median <= 2 * self._best_rival()
        return turn == 0 or (near and bool(entry.seconds))

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

    def _run(self, entry: Entry, setting: float | None, grace: float = 1.0) -> dict[str, float] | None:
        """One sample: seconds a call, memory, gap. None when it failed or was stopped; the reason is in the entry."""
        limit = self._cap(entry) * entry.number + grace
        try:
            entry.reason = self._load(entry)
            if entry.reason:
                return None
            reply = entry.library.ask(
                limit, do="run", entrant=entry.key, setting=setting,
                number=entry.number, answer=str(self.answer(entry)),
            )  # fmt: skip
        except LateError:
            entry.reason = f"stopped after {limit:.3g} s"
            return None
        if "error" in reply:
            entry.reason = reply["error"]
            return None
        sample = {"seconds": reply["seconds"], "gap": 0.0}
        entry.memory = {part: max(reply[part], entry.memory.get(part, 0.0)) for part in ("peak_mb", "extra_mb")}
        if self.task.job in judges.GAP_JOBS:
            entry.facts = judges.gap_of(self.task, self.data, judges.read(self.answer(entry)))
            sample["gap"] = entry.facts["gap"]
        return sample

    def _search(self, entry: Entry) -> None:
        """Find the loosest setting that reaches the gap."""
        first = self._warm_up(entry)
        if first is None:
            return
        entry.first_s = first["seconds"]
        fixed = len(entry.ladder) == 1
        if fixed and first["seconds"] > LONG_S:
            self._note(entry, entry.ladder[0], first, math.inf)  # no second run before the repeats
            if first["seconds"] > REPEATS_S:
                entry.seconds, entry.gaps = [first["seconds"]], [first["gap"]]
            return
        self._tighten(entry, math.inf if fixed else self.task.gap)
        entry.curve.sort(key=lambda step: -step["setting"])
        if entry.arrived:
            entry.reason = None
        elif entry.reason is None:
            entry.reason = "its tightest setting does not arrive"

    def _warm_up(self, entry: Entry) -> dict[str, float] | None:
        """The first call, with time to compile; None when the task is refused or fails."""
        try:
            entry.reason = self._load(entry)
        except LateError:
            entry.reason = f"no conversion within {START_S:.0f} s"
        first = None if entry.reason else self._run(entry, entry.ladder[0], COMPILE_S)
        if first and entry.library.compiles and len(entry.ladder) > 1:
            # The loosest setting may stop before everything is compiled.
            second = self._run(entry, entry.ladder[4], COMPILE_S)
            return max(first, second or first, key=lambda sample: sample["seconds"])
        return first

    def _tighten(self, entry: Entry, target: float) -> None:
        """Decade by decade until the target is reached, then halve the last decade."""
        loose = None
        for setting in entry.ladder:
            sample = self._run(entry, setting)
            if sample is None or self._note(entry, setting, sample, target):
                break
            loose = setting
            if sum(step["seconds"] for step in entry.curve) > self._search_cap(entry):
                entry.reason = "stopped: too slow to search further"
                break
        if not entry.arrived or loose is None or entry.setting is None:
            return
        for _ in range(self.rules.finer):
            between = math.sqrt(loose * entry.setting)
            sample = self._run(entry, between)
            if sample is None:
                break
            if not self._note(entry, between, sample, target):
                loose = between

    def _note(self, entry: Entry, setting: float | None, sample: dict[str, float], target: float) -> bool:
        """Keep a step of the search; True when it arrives."""
        entry.curve.append({"setting": setting or 0.0, **sample})
        if not sample["gap"] <= target:
            return False
        entry.arrived, entry.setting, entry.found_s = True, setting, sample["seconds"]
        return True

    def _repeat(self, entry: Entry) -> None:
        entry.number = max(1, math.ceil(SAMPLE_S / max(entry.found_s, 1e-6)))
        sample = self._run(entry, entry.setting, grace=5.0 + 10 * entry.found_s * entry.number)
        if sample is None:
            return
        entry.seconds.append(sample["seconds"])
        entry.gaps.append(sample["gap"])

    def _compare(self) -> None:
        """Set the answers of jobs without an objective beside scikit-learn's (or numpy's)."""
        if self.task.job in judges.GAP_JOBS:
            self._above_best_bound()
            return
        arrived = [entry for entry in self.entries if entry.arrived]
        answers = {entry.key: judges.read(self.answer(entry)) for entry in arrived}
        reference = next((answers[entry.key] for entry in arrived if entry.name in ("scikit-learn", "numpy")), None)
        for entry in arrived:
            entry.facts |= judges.compare(self.task, answers[entry.key], reference)

    def _above_best_bound(self) -> None:
        """Beside the gap of each: how far its objective is above the best bound that anybody's weights gave."""
        judged = [entry for entry in self.entries if "bound" in entry.facts]
        best = max((entry.facts["bound"] for entry in judged), default=-math.inf)
        for entry in judged:
            objective = entry.facts["objective"]
            entry.facts["above_best_bound"] = (objective - best) / objective if objective > 0 else 0.0

    def answer(self, entry: Entry) -> Path:
        return self.scratch / (entry.key.replace("/", "-").replace(" ", "_") + ".npz")


def _line(entry: Entry) -> str:
    gap = min((step["gap"] for step in entry.curve), default=None)
    if not entry.arrived:
        return f"  {entry.name}: -- {entry.reason}" + ("" if gap is None else f" (gap {gap:.1e})")
    setting = "" if entry.setting is None else f" at {entry.setting:.2g}"
    return f"  {entry.name}: {entry.found_s:.4g} s{setting}"
