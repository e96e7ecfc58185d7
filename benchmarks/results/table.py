"""The Markdown table: the goals first, then every row, then every entrant of every row."""

from pathlib import Path
from typing import Any

from benchmarks.results import ratios
from benchmarks.rows import GOALS, Goal

Record = dict[str, Any]


def write(results: Record, out: Path) -> None:
    """Write ``README.md`` in the results' folder."""
    parts = [_head(results), "## Goals\n", goals(results), "\n## Rows\n", _rows(results), "\n## Everybody\n"]
    (out / "README.md").write_text("\n".join([*parts, _everybody(results), _absent(results)]) + "\n")


def seconds(value: float | None) -> str:
    """1.23 s, 4.5 ms, 6.7 us."""
    if value is None:
        return "-"
    for scale, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")):
        if value >= scale or unit == "us":
            return f"{value / scale:.3g} {unit}"
    return "-"


def verdict(record: Record) -> str:
    """One line on a row: ours, the fastest rival, the ratio."""
    if record.get("absent"):
        return f"absent: {record['absent']}"
    own, best = ratios.ours(record), next(iter(ratios.rivals(record)), None)
    if own is None:
        return "ours has no such job"
    if not own["arrived"]:
        return f"OURS FAILED: {own['reason']}"
    text = f"ours {seconds(own['median_s'])}"
    if best is None:
        return f"{text}, no rival arrived" if ratios.alone(record) else text
    return f"{text}, {best['name']} {seconds(best['median_s'])}: ratio {ratios.ratio(record):.2f}"


def goals(results: Record) -> str:
    """The table of goals."""
    lines = ["| job | against | goal | geometric mean | worst row | rows | reached |", "|---|---|---|---|---|---|---|"]
    return "\n".join([*lines, *(line for goal in GOALS if (line := _goal(results["rows"], goal)))])


def _goal(rows: dict[str, Record], goal: Goal) -> str | None:
    found = ratios.values(rows, goal)
    if not found:
        return None
    known = {name: value for name, value in found.items() if value is not None}
    numbers = list(known.values())
    missing = [rows[name] for name, value in found.items() if value is None]
    alone = sum(ratios.alone(record, goal.against) for record in missing)
    failed = sum(not (own := ratios.ours(record)) or not own["arrived"] for record in missing)
    unmatched = len(missing) - alone - failed
    against = goal.against or ("the fastest" if goal.of in ("time", "memory") else "-")
    unit = {"time": "x", "memory": "x less memory"}.get(goal.of, f" {goal.of}")
    sign = "at most " if goal.at_most else ""
    head = f"| {goal.group} | {against} | {sign}{goal.target:g}{unit} "
    count = (
        f"{len(found)}"
        + (f", {alone} where only ours arrived" if alone else "")
        + (f", {failed} failed" * bool(failed))
        + (f", {unmatched} with nothing to compare" * bool(unmatched))
    )
    if not numbers:
        return f"{head}| - | - | {count} | {'yes' if alone and not failed + unmatched else 'no'} |"
    mean = ratios.mean(numbers)
    name, worst = (max if goal.at_most else min)(known.items(), key=lambda item: item[1])
    fine = mean <= goal.target if goal.at_most else mean >= goal.target
    floor = goal.of != "time" or worst >= 1.0
    reached = "yes" if fine and floor and not failed + unmatched else "no"
    return f"{head}| {mean:.3g} | {worst:.3g} ({name}) | {count} | {reached} |"


def _head(results: Record) -> str:
    machine, rules = results["machine"], results["rules"]
    kind = "**A quick run: a few thousand rows of each set. Not a measurement.**\n\n" if rules["quick"] else ""
    commits = sorted({record["commit"] for record in results["rows"].values()})
    dates = sorted({record["date"] for record in results["rows"].values()})
    versions = {name: v for library in results["versions"].values() for name, v in library.items() if name != "numpy"}
    text = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    spoiled = sum(record["load"] > rules["threads"] * 1.5 for record in results["rows"].values())
    lines = [
        f"# Crossent and its rivals\n\n{kind}{machine['processor']}, {machine['cores']} cores, "
        f"{machine.get('memory_gb', '?')} GB, {machine['system']}, Python {machine['python']}. "
        f"{rules['threads']} threads for everybody. Commit {', '.join(commits)}; {dates[0]} to {dates[-1]}.\n",
        f"Versions: {text}.\n",
        "How to read it and the rules: `docs/benchmarks.md`.\n",
    ]
    if bandwidth := machine.get("bandwidth_gb_s"):
        lines.append("Memory: " + ", ".join(f"{name} {speed:.1f} GB/s" for name, speed in bandwidth.items()) + ".\n")
    if spoiled:
        lines.append(f"**{spoiled} rows were measured while other work kept the machine busy.**\n")
    return "\n".join(lines)


def _rows(results: Record) -> str:
    lines = ["| row | data | gap asked | ours | fastest rival | ratio | others |", "|---|---|---|---|---|---|---|"]
    for name, record in results["rows"].items():
        if record.get("absent"):
            lines.append(f"| {name} | absent: {record['absent']} | | | | | |")
            continue
        own, arrived = ratios.ours(record), ratios.rivals(record)
        ratio = ratios.ratio(record)
        best = f"{arrived[0]['name']} {seconds(arrived[0]['median_s'])}" if arrived else "none arrived"
        others = [f"{entry['name']} {seconds(entry['median_s'])}" for entry in arrived[1:]]
        others += [_lost(entry) for entry in record["entries"] if _is_loser(entry)]
        mine = (
            seconds(own["median_s"])
            if own and own["arrived"]
            else f"**failed**: {own['reason'] if own else 'no such job'}"
        )
        gap = f"{record['task']['gap']:g}" if record["task"]["job"] in ("fit", "path") else ""
        cells = [name, record["shape"], gap, mine, best, f"**{ratio:.2f}**" if ratio else "-", "; ".join(others)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _is_loser(entry: Record) -> bool:
    """Did not arrive or was too far behind to be timed; those that do not offer the job are only in the JSON."""
    return not entry["ours"] and entry["median_s"] is None and entry["first_s"] is not None


def _lost(entry: Record) -> str:
    if entry["arrived"]:
        return f"{entry['name']} {entry['reason']}"
    gap = "" if entry["gap"] is None else f" at gap {entry['gap']:.1e}"
    return f"{entry['name']} never{gap} ({entry['reason']})"


def _everybody(results: Record) -> str:
    lines = [
        "Conversion and the first call are not part of the time. Memory: peak of the process, and how far it rose.\n",
        "| row | who | time | runs | setting | gap reached | conversion | first call | peak MB | rise MB | facts |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, record in results["rows"].items():
        for entry in record["entries"]:
            if entry["first_s"] is None and not entry["ours"]:
                continue
            setting = "" if entry["setting"] is None else f"{entry['setting']:.2g}"
            gap = "" if not entry["gap"] else f"{entry['gap']:.1e}"
            memory = [
                f"{entry['memory'][part]:.0f}" if part in entry["memory"] else "" for part in ("peak_mb", "extra_mb")
            ]
            time = seconds(entry["median_s"]) if entry["median_s"] else _lost(entry).removeprefix(f"{entry['name']} ")
            cells = [name, entry["name"], time, str(len(entry["seconds"])), setting, gap, seconds(entry["convert_s"])]
            lines.append("| " + " | ".join([*cells, seconds(entry["first_s"]), *memory, _facts(entry["facts"])]) + " |")
    return "\n".join(lines)


def _facts(facts: Record) -> str:
    hidden = ("gap", "objective", "bound")
    shown = {key: value for key, value in facts.items() if key not in hidden}
    return ", ".join(
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in shown.items()
    )


def _absent(results: Record) -> str:
    if not results["absent"]:
        return ""
    return "\n## Absent\n\n" + "\n".join(f"- {name}: {reason}" for name, reason in results["absent"].items())
