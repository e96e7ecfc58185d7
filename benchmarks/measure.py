"""The timing, by rules that are the same for everybody (the search for the settings is in search.py).

Warm-up: the first call at the loosest setting; reported, not counted.

Check: one run at the setting kept from the search. The referee looks again; a setting that no longer arrives is
tightened until it does. A run long enough to be timed alone counts as the first repeat.

Repeats: the entrants run in turn, one sample each a round, the order turned by one each time; medians are reported.
An entrant has enough after ``rounds`` samples or ``entry_s`` seconds of them, or after one when it is twice behind
the best rival. Those that the search saw ``far`` times behind it are shown with the search's time and not run.
"""

import math

from benchmarks import judges
from benchmarks.race import Entry, Race
from benchmarks.search import search

SAMPLE_S = 0.02  # shorter calls are repeated inside one sample
ALONE_S = 1.0  # a check that took so long is a repeat
LONG_S = 10.0  # a job without settings that takes longer is not run a second time before the repeats


def measure(race: Race) -> list[Entry]:
    """Warm up and check, then repeat in turn, then compare the answers."""
    running = [entry for entry in race.entries if _near(race, entry) and _check(race, entry)]
    for turn in range(race.rules.rounds):
        shift = turn % max(len(running), 1)
        for entry in running[shift:] + running[:shift]:
            if len(entry.seconds) <= turn and not _enough(race, entry):
                _repeat(race, entry)
    if not race.has_gap:
        _compare(race)
    race.drop()
    return race.entries


def expected(race: Race) -> float:
    """Seconds that :func:`measure` will take, by what is kept of the row."""
    total = 2.0
    for entry in race.entries:
        if _near(race, entry):
            repeats = min(race.rules.rounds * max(entry.found_s, SAMPLE_S), race.rules.entry_s + entry.found_s)
            once = entry.found_s > 2 * race.best_rival()
            total += (entry.convert_s or 0) + min(entry.first_s or 0, 5.0) + (entry.found_s if once else repeats)
    return total


def _near(race: Race, entry: Entry) -> bool:
    """Arrived in the search, and not hopelessly late."""
    if entry.arrived and not entry.is_ours and entry.found_s > race.rules.far * race.best_rival():
        entry.reason = f"about {entry.found_s:.3g} s in the search: too far behind to be timed"
        return False
    return entry.arrived


def _check(race: Race, entry: Entry) -> bool:
    """Warm up and run once at the kept setting; False when it does not arrive."""
    first = race.warm_up(entry, _limit(race, entry))
    entry.arrived = first is not None
    if not first:
        return False
    if entry.fixed and first["seconds"] > LONG_S:
        entry.seconds, entry.gaps = [first["seconds"]], [first["gap"]]
        return True
    sample = race.run(entry, entry.setting, _limit(race, entry))
    if sample and not entry.fixed and sample["gap"] > race.task.gap:
        race.say(f"  {entry.name}: {entry.setting:.2g} no longer arrives (gap {sample['gap']:.1e})")
        search(race, entry, nearby=True)
        race.keep(entry)
        sample = race.run(entry, entry.setting, _limit(race, entry)) if entry.arrived else None
    entry.arrived = sample is not None
    if sample:
        entry.number = max(1, math.ceil(SAMPLE_S / max(sample["seconds"], 1e-6)))
        entry.found_s = sample["seconds"]
        if sample["seconds"] > ALONE_S:
            entry.seconds, entry.gaps = [sample["seconds"]], [sample["gap"]]
    return entry.arrived


def _repeat(race: Race, entry: Entry) -> None:
    sample = race.run(entry, entry.setting, _limit(race, entry))
    if sample is not None:
        entry.seconds.append(sample["seconds"])
        entry.gaps.append(sample["gap"])


def _enough(race: Race, entry: Entry) -> bool:
    if not entry.seconds:
        return False
    behind = not entry.is_ours and entry.time > 2 * race.best_rival()
    return behind or sum(entry.seconds) * entry.number > race.rules.entry_s


def _limit(race: Race, entry: Entry) -> float:
    return race.rules.long_cap if entry.fixed else 5.0 + 10 * entry.found_s


def _compare(race: Race) -> None:
    """Set the answers of jobs without an objective beside scikit-learn's (or numpy's)."""
    arrived = [entry for entry in race.entries if entry.arrived and entry.seconds]
    answers = {entry.key: judges.read(race.answer(entry)) for entry in arrived}
    reference = next((answers[entry.key] for entry in arrived if entry.name in ("scikit-learn", "numpy")), None)
    for entry in arrived:
        entry.facts |= judges.compare(race.task, answers[entry.key], reference)
