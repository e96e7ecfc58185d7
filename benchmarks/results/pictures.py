"""Two kinds of picture: gap against time on logarithmic scales, one panel a row; bars of the ratios."""

import math
from pathlib import Path
from typing import Any

from benchmarks.results import ratios

COLUMNS = 4
OURS = "black"  # the rivals have the colours
LINES = ("-", "--", ":")  # for more than ten rivals


def draw(results: dict[str, Any], out: Path) -> list[Path]:
    """Write ``gap-*.png`` (one for each group with a gap) and ``ratios.png``; which were written."""
    import matplotlib as mpl

    mpl.use("Agg")
    groups: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for name, record in results["rows"].items():
        if record["task"]["job"] in ("fit", "path") and any(entry["curve"] for entry in record["entries"]):
            groups.setdefault(record["group"], []).append((name, record))
    written = []
    for group, members in groups.items():
        written.append(out / f"gap-{group.replace(', ', '-').replace(' ', '-')}.png")
        _gaps(f"{group}: each point one setting of the search", _source(results), members, written[-1])
    found = [(name, value) for name, record in results["rows"].items() if (value := ratios.ratio(record))]
    if found:
        written.append(out / "ratios.png")
        _ratios(_source(results), found, written[-1])
    return written


def _source(results: dict[str, Any]) -> str:
    """What was measured, where: the line under every picture."""
    commits = ", ".join(sorted({record["commit"] for record in results["rows"].values()}))
    machine, threads = results["machine"], results["rules"]["threads"]
    kind = "; a quick run, not a measurement" if results["rules"]["quick"] else ""
    return f"{machine['processor']}, {machine['cores']} cores, {threads} threads; commit {commits}{kind}"


def _gaps(title: str, source: str, members: list[tuple[str, dict[str, Any]]], path: Path) -> None:
    from matplotlib import pyplot as plt

    columns = min(COLUMNS, len(members))
    names = sorted({entry["name"] for _, record in members for entry in record["entries"] if not entry["ours"]})
    styles = {name: {"color": f"C{k % 10}", "linestyle": LINES[k // 10]} for k, name in enumerate(names)}
    lines = math.ceil(len(members) / columns)
    size = (4.2 * columns, 3.4 * lines + 1.8)
    figure, axes = plt.subplots(lines, columns, figsize=size, squeeze=False, layout="constrained")
    for axis, (name, record) in zip(axes.flat, members, strict=False):
        for entry in record["entries"]:
            points = [(s["seconds"], s["gap"]) for s in entry["curve"] if s["gap"] and s["gap"] > 0]
            if points:
                style = {"color": OURS, "linewidth": 2.5, "zorder": 5} if entry["ours"] else styles[entry["name"]]
                axis.plot(*zip(*points, strict=True), marker="o", markersize=3, label=entry["name"], **style)
        axis.axhline(record["task"]["gap"], color="0.6", linestyle=":", label="the gap asked")
        axis.set(xscale="log", yscale="log", title=name)
        axis.title.set_fontsize(9)
        axis.set_xlabel("CPU seconds of the busiest thread", fontsize=8)
    for axis in axes.flat[len(members) :]:
        axis.set_visible(False)
    handles = {label: h for axis in axes.flat for h, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    for axis in axes[:, 0]:
        axis.set_ylabel("relative duality gap", fontsize=8)
    figure.suptitle(f"{title}\n" + source.replace("; ", "\n"), fontsize=8)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=2 * columns, fontsize=7)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _ratios(source: str, found: list[tuple[str, float]], path: Path) -> None:
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(8, 0.22 * len(found) + 1.2))
    names, numbers = zip(*reversed(found), strict=True)
    axis.barh(names, [n - 1 for n in numbers], left=1, color=["#2a7f3f" if n >= 1 else "#c1272d" for n in numbers])
    axis.axvline(1, color="black", linewidth=0.8)
    for k, number in enumerate(numbers):
        axis.text(
            number,
            k,
            f" {number:.{1 if number >= 10 else 2}f} ",
            va="center",
            ha="left" if number >= 1 else "right",
            fontsize=7,
        )
    axis.set(xscale="log", title="median time of the fastest rival / ours: above 1 ours is faster")
    axis.set_xlabel(f"ratio of wall seconds\n{source}", fontsize=7)
    axis.tick_params(axis="y", labelsize=7)
    axis.margins(y=0.01, x=0.15)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
