"""From records to ratios: the numbers that the table and the pictures show."""

import math
from typing import Any

from benchmarks.rows import Goal

Record = dict[str, Any]


def ours(record: Record) -> Record | None:
    return next((entry for entry in record["entries"] if entry["ours"]), None)


def rivals(record: Record) -> list[Record]:
    """The rivals that arrived, fastest first."""
    arrived = [e for e in record["entries"] if not e["ours"] and e["arrived"] and e["median_s"] is not None]
    return sorted(arrived, key=lambda entry: entry["median_s"])


def ratio(record: Record, against: str = "", of: str = "time") -> float | None:
    """Rival / ours in time or memory: against the fastest, or one by name. None when either did not arrive."""
    own = ours(record)
    others = [entry for entry in rivals(record) if against in ("", entry["name"])]
    if own is None or not own["arrived"] or own["median_s"] is None or not others:
        return None
    if of == "memory":
        return others[0]["memory"]["extra_mb"] / max(own["memory"]["extra_mb"], 1.0)
    return others[0]["median_s"] / own["median_s"]


def values(rows: dict[str, Record], goal: Goal) -> dict[str, float | None]:
    """What each row of the goal's group reached."""
    found = {}
    for name, record in rows.items():
        if record["group"] == goal.group and not record.get("absent"):
            if goal.of in ("time", "memory"):
                found[name] = ratio(record, goal.against, goal.of)
            else:
                own = ours(record)
                found[name] = own["facts"].get(goal.of) if own and own["arrived"] else None
    return found


def alone(record: Record, against: str = "") -> bool:
    """Ours arrived, rivals took part (or the one named), and none of them arrived."""
    own, others = ours(record), [e for e in record["entries"] if not e["ours"] and against in ("", e["name"])]
    tried = any(entry["convert_s"] is not None for entry in others)
    return bool(own and own["arrived"] and tried and not any(entry["arrived"] for entry in others))


def mean(numbers: list[float]) -> float:
    """The geometric mean."""
    return math.exp(sum(math.log(max(number, 1e-300)) for number in numbers) / len(numbers))
