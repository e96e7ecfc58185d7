"""``python -m benchmarks``: choose rows, measure them, write the table, the JSON and the pictures."""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from benchmarks import datasets, judges, machine, measure, roofline
from benchmarks.install import REPORT
from benchmarks.measure import QUICK, Entry, Rules
from benchmarks.process import THREAD_VARIABLES, Library
from benchmarks.results import pictures, store, table
from benchmarks.rivals import LIBRARIES
from benchmarks.rows import ROWS, Row, choose

RESULTS = Path(__file__).parent / "results"


def main(argv: list[str] | None = None) -> int:
    """Run the command line; 0 when every chosen row was measured and ours arrived in all."""
    options = _parser().parse_args(argv)
    rows = choose([word for word in options.only.split(",") if word], options.quick)
    if options.list:
        for row in rows:
            print(f"{row.name:32} {row.group:24} {','.join(row.tags)}")
        return 0
    if not rows:
        print(f"no row has the tags {options.only!r}; --list shows the rows", file=sys.stderr)
        return 2
    rules = QUICK if options.quick else Rules()
    rules = Rules(**{**vars(rules), "threads": options.threads})
    os.environ |= dict.fromkeys(THREAD_VARIABLES, str(rules.threads))
    out = options.out or RESULTS / ("quick" if options.quick else "full")
    results = store.open_results(out, machine.describe(), rules)
    # The referee's own products need no threads that spin beside those measured.
    with tempfile.TemporaryDirectory() as scratch, threadpool_limits(1):
        libraries = _open(options.rivals, rules.threads, Path(scratch), results)
        try:
            failed = sum(not _measure(row, libraries, rules, Path(scratch), results, out) for row in rows)
        finally:
            for library in libraries:
                library.close()
    pictures.draw(results, out)
    print(f"\n{table.goals(results)}\nwritten: {out}/README.md, results.json, *.png")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", default="", metavar="TAGS", help="rows with one of these tags: text,l1+path,cold")
    parser.add_argument("--quick", action="store_true", help="a few thousand rows of each set, one decade of tolerance")
    parser.add_argument("--list", action="store_true", help="print the rows and their tags, measure nothing")
    parser.add_argument("--rivals", default="", metavar="NAMES", help=f"some of {','.join(LIBRARIES)}; ours always")
    parser.add_argument("--threads", type=int, default=2, help="threads for everybody (2)")
    parser.add_argument("--out", type=Path, help="folder of the results; rows measured earlier stay in it")
    return parser


def _open(names: str, threads: int, scratch: Path, results: dict[str, Any]) -> list[Library]:
    """Start every library's process; note versions, and the absent with their reasons."""
    chosen = {"ours", "plain", *names.split(",")} if names else set(LIBRARIES)
    libraries = [
        Library(module, env, threads, scratch / f"{module}.log")
        for module, env in LIBRARIES.items()
        if module in chosen
    ]
    for library in libraries:
        library.open()
        if library.absent:
            results["absent"][library.module] = library.absent
            print(f"absent: {library.module}: {library.absent}")
        else:
            results["absent"].pop(library.module, None)
            results["versions"][library.module] = library.versions
    if REPORT.exists():
        results["absent"] |= json.loads(REPORT.read_text())
    return libraries


def _measure(
    row: Row, libraries: list[Library], rules: Rules, scratch: Path, results: dict[str, Any], out: Path
) -> bool:
    """Measure one row and write everything measured so far; True when ours arrived."""
    start = time.perf_counter()
    record: dict[str, Any] = {"group": row.group, "task": row.task.as_dict(), "commit": machine.commit()}
    record |= {"date": machine.now(), "load": machine.load(), "entries": []}
    print(f"{row.name}", flush=True)
    try:
        folder = datasets.folder(row.task.data, rules.quick)
    except datasets.AbsentError as absent:
        record["absent"] = str(absent)
        print(f"  absent: {absent}")
    else:
        record["shape"] = datasets.describe(folder)
        run = measure.Row(row.task, folder, libraries, rules, scratch, lambda line: print(line, flush=True))
        entries = run.measure()
        _share(row, folder, entries, rules, results)
        for entry in entries:
            if row.task.job == "path choice" and entry.arrived:
                judges.write_choice(judges.read(run.answer(entry)), entry.median, out / f"{row.task.data}.csv")
        record["entries"] = [entry.as_dict() for entry in entries]
    record["took_s"] = round(time.perf_counter() - start, 1)
    results["rows"][row.name] = record
    results["rows"] = {known.name: results["rows"][known.name] for known in ROWS if known.name in results["rows"]}
    store.save(results, out)
    table.write(results, out)
    print(f"  {table.verdict(record)} ({record['took_s']} s)", flush=True)
    return any(entry["ours"] and entry["arrived"] for entry in record["entries"])


def _share(row: Row, folder: Path, entries: list[Entry], rules: Rules, results: dict[str, Any]) -> None:
    """Facts that need the machine or the clock: share of the bandwidth, MB/s."""
    if row.task.job == "gradient":
        if "bandwidth_gb_s" not in results["machine"]:
            results["machine"]["bandwidth_gb_s"] = roofline.bandwidth(
                rules.threads, roofline.BYTES // (8 if rules.quick else 1)
            )
        moved, limit = roofline.pass_bytes(*datasets.read(folder)), max(results["machine"]["bandwidth_gb_s"].values())
        for entry in entries:
            speed = moved / entry.median / 1e9
            entry.facts |= {"megabytes": moved / 1e6, "gb_per_s": speed, "bandwidth_share": speed / limit}
    for entry in entries:
        if row.task.job == "vectorize" and entry.arrived:
            speed = entry.facts["megabytes"] / entry.median
            entry.facts |= {"mb_per_s": speed, "mb_per_s_and_core": speed / rules.threads}


if __name__ == "__main__":
    sys.exit(main())
