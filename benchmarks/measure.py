"""The timing, by rules that are the same for everybody (the search for the settings is in search.py).

Warm-up: the first call at the loosest setting; reported, not counted.

Check: one run at the setting kept from the search. The referee looks again; a setting that no longer arrives is
tightened until it does. A run long enough to be timed alone counts as the first repeat.

Repeats: the entrants run in turn, one sample each a round, the order turned by one each time; medians are reported.
An entrant has enough after ``rounds`` samples or ``entry_s`` seconds of them, or after one when it is twice behind
the best rival. Those that the search saw ``far`` times behind it are shown with the search's time and not run, unless
that time is as short as the ticks by which some systems count work.

Jobs without settings: an answer that is not the reference's has not arrived, nor has a fit that ends further from the
optimum than both the row's gap and scikit-learn's own call.
"""

import math

from benchmarks import judges
from benchmarks.race import Entry, Race
from benchmarks.search import search

SAMPLE_S = 0.02  # shorter calls are repeated inside one sample
ALONE_S = 1.0  # a check that took so long is a repeat
TICKS_S = 0.05  # times of the search below this may be off by a factor
REFERENCES = ("scikit-learn", "numpy")
LONG_S = 10.0  # a job without settings that takes longer is not run a second time before the repeats


def measure(race: Race) -> list[Entry]:
    """Warm up and check, then repeat in turn, then compare the answers."""
    running = [entry for entry in race.entries if _near(race, entry) and _check(race, entry)]
    running = _agreeing(race, running)
    for turn in range(race.rules.rounds):
        shift = turn % max(len(running), 1)
        for entry in running[shift:] + running[:shift]:
            if len(entry.seconds) <= turn and not _enough(race, entry):
                _repeat(race, entry)
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
    """Arrived in the search, and not hopelessly late. Jobs without settings have few rivals: all are timed."""
    late = entry.found_s > max(race.rules.far * race.best_rival(), TICKS_S)
    if entry.arrived and late and not (entry.is_ours or entry.fixed):
        entry.reason = f"about {entry.found_s:.3g} CPU s in the search: too far behind to be timed"
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


def _agreeing(race: Race, entries: list[Entry]) -> list[Entry]:
    """Those whose answers are right; the others have not arrived."""
    if not all(entry.fixed for entry in entries):
        return entries
    reference = next((entry for entry in entries if entry.name in REFERENCES), None)
    for entry in entries:
        wrong = _looser(race, entry, reference) if race.has_gap else _other(race, entry, reference)
        if wrong:
            entry.arrived, entry.reason, entry.seconds = False, wrong, []
    return [entry for entry in entries if entry.arrived]


def _looser(race: Race, entry: Entry, reference: Entry | None) -> str | None:
    asked = max(race.task.gap, reference.facts["gap"] if reference else 0.0)
    gap = entry.facts["gap"]
    return None if gap <= asked else f"stops at a gap of {gap:.1e}"


def _other(race: Race, entry: Entry, reference: Entry | None) -> str | None:
    try:
        answers = [judges.read(race.answer(one)) if one else None for one in (entry, reference)]
        entry.facts |= judges.compare(race.task, *answers)
    except (ValueError, TypeError, IndexError, KeyError) as error:
        return f"not an answer ({error})"
    off = entry.facts.get("largest_difference", math.nan)
    return None if entry.facts.get("agrees", True) else f"not the reference's answer (off by {off:.2g})"
