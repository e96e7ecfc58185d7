"""The search for each entrant's loosest setting that reaches the gap; what is found is kept (kept.py).

From the loosest setting towards tight ones, a decade at a time, until the referee's gap is reached; then the last
decade is halved ``finer`` times. All times here are seconds of the busiest thread: a search may share the machine.

Caps: one run may take ``cap`` seconds, and once a rival has arrived no more than ``behind`` times the best rival's
time; a search ends after three times that, or ``search_cap``. Whoever does not arrive is kept with the smallest gap
it reached. Ours is not stopped for being behind. Ours, which changes often, is searched from the place where it was
found before: a looser setting that happens to do as well may be missed, to nobody's loss but ours.
"""

import math
import time

from benchmarks.race import OURS, Entry, Race

REFERENCE = 1e-3  # of the gap asked: how tight the weights are that give the first lower bound


def find(race: Race, redo: set[str]) -> None:
    """Search for every entrant of whom nothing is kept, and for those of the libraries named in ``redo``."""
    unknown = race.recall()
    wanted = [entry for entry in race.entries if entry in unknown or entry.library.module in redo]
    if wanted and race.has_gap and race.task.job != "whole fit" and race.bounds is None:
        _prove(race)
    begin = time.perf_counter()
    for entry in wanted:
        if not entry.is_ours and time.perf_counter() - begin > race.rules.row_s:
            entry.arrived, entry.reason = False, "not searched: the time for this row was used up"
            continue
        nearby = entry.is_ours and entry.arrived and entry.setting is not None
        search(race, entry, nearby)
        if entry.arrived or not entry.is_ours:
            race.keep(entry)
        if entry.first_s is not None or entry.is_ours:
            race.say(_line(entry))
    race.drop()


def search(race: Race, entry: Entry, nearby: bool = False) -> None:
    """Find the loosest setting that arrives; ``nearby``: beginning at the one that the entry has."""
    begin = entry.setting if nearby else None
    entry.arrived, entry.setting, entry.found_s, entry.curve, entry.number = False, None, math.inf, [], 1
    if not race.warm_up(entry, _cap(race, entry)):
        return
    if entry.fixed:
        entry.arrived, entry.found_s = True, entry.first_s or 0.0
        return
    found = _Search(race, entry)
    found.walk(begin) if begin else found.descend()
    entry.curve.sort(key=lambda step: -step["setting"])
    if entry.arrived:
        entry.reason = None
    elif entry.reason is None:
        entry.reason = "its tightest setting does not arrive"


class _Search:
    """Settings by their place: ``2**finer`` places a decade of the entrant's ladder."""

    def __init__(self, race: Race, entry: Entry) -> None:
        self.race, self.entry, self.places = race, entry, 2**race.rules.finer
        self.last = (len(entry.ladder) - 1) * self.places

    def descend(self) -> None:
        """Decade by decade, then halving."""
        place = 0
        while (arrives := self._try(place)) is False and place < self.last:
            place += self.places
        if not arrives or place == 0:
            return
        loose, tight = place - self.places, place
        while tight - loose > 1:
            middle = (loose + tight) // 2
            arrives = self._try(middle)
            if arrives is None:
                return
            loose, tight = (loose, middle) if arrives else (middle, tight)

    def walk(self, begin: float) -> None:
        """From a setting found before: looser while it arrives, or tighter until it does."""
        first = float(self.entry.ladder[0] or 1.0)
        place = min(max(round(math.log10(first / begin) * self.places), 0), self.last)
        if self._try(place):
            while place > 0 and self._try(place - 1):
                place -= 1
        else:
            while not self.entry.arrived and place < self.last and self._try(place + 1) is not None:
                place += 1

    def _try(self, place: int) -> bool | None:
        """Whether the setting arrives; None when the search is over."""
        race, entry = self.race, self.entry
        cap = _cap(race, entry)
        if not entry.is_ours and sum(step["seconds"] for step in entry.curve) > min(3 * cap, race.rules.search_cap):
            entry.reason = "stopped: too slow to search further"
            return None
        decade, part = divmod(place, self.places)
        setting = float(entry.ladder[decade] or 1.0) * 10.0 ** (-part / self.places)
        sample = race.run(entry, setting, cap, prove=True)
        if sample is None:
            return None
        entry.curve.append({"setting": setting, "seconds": sample["busy_s"], "gap": sample["gap"]})
        if sample["gap"] > race.task.gap:
            return False
        entry.arrived, entry.setting, entry.found_s = True, setting, sample["busy_s"]
        return True


def _prove(race: Race) -> None:
    """A first lower bound for everybody: the referee's, from weights far tighter than the row asks for."""
    for entry in race.entries:
        if entry.library.module == OURS and race.bounds is None:
            race.run(entry, REFERENCE * race.task.gap, 3 * race.rules.own_cap, prove=True)
            gap = entry.facts.get("gap", math.inf)
            race.say(f"  reference: gap {gap:.1e}" if race.bounds is not None else f"  no reference: {entry.reason}")


def _cap(race: Race, entry: Entry) -> float:
    if entry.fixed:
        return race.rules.long_cap
    if entry.is_ours:
        return race.rules.own_cap
    return max(min(race.rules.cap, race.rules.behind * race.best_rival()), race.rules.least_cap)


def _line(entry: Entry) -> str:
    gap = min((step["gap"] for step in entry.curve), default=None)
    if not entry.arrived:
        return f"  {entry.name}: -- {entry.reason}" + ("" if gap is None else f" (gap {gap:.1e})")
    setting = "" if entry.setting is None else f" at {entry.setting:.2g}"
    return f"  {entry.name}: {entry.found_s:.4g} s{setting}"
