"""``python -m benchmarks``: choose rows, measure them, write the table, the JSON and the pictures."""

import argparse
import json
import math
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from benchmarks import datasets, judges, machine, measure, roofline, search
from benchmarks.install import REPORT
from benchmarks.process import THREAD_VARIABLES, Library
from benchmarks.race import BRIEF, QUICK, Entry, Race, Rules
from benchmarks.results import pictures, store, table
from benchmarks.rivals import LIBRARIES
from benchmarks.rows import ROWS, Row, choose

RESULTS = Path(__file__).parent / "results"


def main(argv: list[str] | None = None) -> int:
    """Run the command line; 0 when every chosen row was measured (or searched) and ours arrived in all."""
    options = _options(argv)
    rows = choose(_words(options.only), options.quick)
    if options.list:
        return _list(rows)
    rules = QUICK if options.quick else Rules() if options.minutes is None else BRIEF
    rules = Rules(**{**vars(rules), "threads": options.threads})
    searching = options.search is not None
    os.environ |= dict.fromkeys(THREAD_VARIABLES, str(rules.threads))
    if searching:  # threads that spin while others hold the cores would count as work
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    out = options.out or RESULTS / ("quick" if options.quick else "full")
    try:
        results = store.open_results(out, machine.describe(), rules)
    except store.UnusableError as error:
        print(error, file=sys.stderr)
        return 2
    # The referee's own products need no threads that spin beside those measured.
    with tempfile.TemporaryDirectory() as scratch, threadpool_limits(1):
        libraries: list[Library] = []
        try:
            libraries += _open(options.rivals, rules.threads, Path(scratch), results)
            redo = set(LIBRARIES) if options.search == "all" else set(_words(options.search))
            races = {row.name: _prepare(row, libraries, rules, Path(scratch)) for row in rows}
            total = sum(measure.expected(race) for race in races.values() if isinstance(race, Race))
            if not searching:
                print(f"{len(rows)} rows, about {total / 60:.0f} minutes and the searches that are still to do")
            failed, until = 0, time.monotonic() + 60 * (options.minutes or math.inf)
            for row in rows:
                if time.monotonic() > until:
                    print(f"{row.name}: not reached, left as it was")
                    continue
                race, begin = races.pop(row.name), time.perf_counter()
                print(row.name, flush=True)
                if isinstance(race, Race):
                    search.find(race, redo)
                if not searching:
                    _record(row, race, rules, results, out, begin)
                failed += isinstance(race, str) or not any(e.is_ours and e.arrived for e in race.entries)
        except KeyboardInterrupt:
            print(f"\nstopped: what was found is kept, {len(results['rows'])} rows are in {out}", file=sys.stderr)
            return 130
        finally:
            for library in libraries:
                library.close()
    if not searching:
        written = ["README.md", "results.json", *(path.name for path in pictures.draw(results, out))]
        print(f"\n{table.goals(results)}\nwritten to {out}: {', '.join(written)}")
    return 1 if failed else 0


def _options(argv: list[str] | None) -> argparse.Namespace:
    """What was asked; whatever would be passed over in silence ends here with one line."""
    parser = _parser()
    options = parser.parse_args(argv)
    for option in ("rivals", "search"):
        for name in _words(getattr(options, option)):
            if name not in (*LIBRARIES, *(["all"] if option == "search" else [])):
                parser.error(f"--{option}: no library {name!r}; there are {', '.join(LIBRARIES)}")
    for word in _words(options.only):
        if not choose([word], options.quick):
            kind = "row of a quick run" if options.quick else "row"
            parser.error(f"--only: no {kind} has the tags {word!r}; --list shows the rows")
    if options.threads < 1:
        parser.error(f"--threads: {options.threads}; at least 1")
    if options.minutes is not None and not options.minutes > 0:
        parser.error(f"--minutes: {options.minutes:g}; more than 0")
    return options


def _words(text: str | None) -> list[str]:
    return [word for word in (text or "").split(",") if word]


def _list(rows: list[Row]) -> int:
    """Print the rows; whoever reads may have seen enough (``| head``)."""
    try:
        for row in rows:
            print(f"{row.name:32} {row.group:24} {','.join(row.tags)}")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", default="", metavar="TAGS", help="rows with one of these tags: text,l1+path,cold")
    parser.add_argument("--quick", action="store_true", help="a few thousand rows of each set, one decade of tolerance")
    parser.add_argument("--minutes", type=float, help="short caps, and no row begins after so many minutes")
    parser.add_argument("--list", action="store_true", help="print the rows and their tags, measure nothing")
    parser.add_argument(
        "--search", nargs="?", const="", metavar="NAMES",
        help="only search for settings: those not kept yet, those of the libraries named (ours,celer), or all",
    )  # fmt: skip
    parser.add_argument("--rivals", default="", metavar="NAMES", help=f"some of {','.join(LIBRARIES)}; ours always")
    parser.add_argument("--threads", type=int, default=2, help="threads for everybody (2)")
    parser.add_argument("--out", type=Path, help="folder of the results; rows measured earlier stay in it")
    return parser


def _open(names: str, threads: int, scratch: Path, results: dict[str, Any]) -> list[Library]:
    """Start every library's process; note versions, and the absent with their reasons."""
    chosen = {"ours", "plain", *_words(names)} if names else set(LIBRARIES)
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


def _prepare(row: Row, libraries: list[Library], rules: Rules, scratch: Path) -> Race | str:
    """The row's data and what is kept of it; or why there are none."""
    try:
        folder = datasets.folder(row.task.data, rules.quick)
    except datasets.AbsentError as absent:
        return str(absent)
    race = Race(row.task, folder, libraries, rules, scratch, lambda line: print(line, flush=True))
    race.recall()
    return race


def _record(row: Row, race: Race | str, rules: Rules, results: dict[str, Any], out: Path, begin: float) -> None:
    """Time one row and write everything measured so far."""
    record: dict[str, Any] = {"group": row.group, "task": row.task.as_dict(), "commit": machine.commit()}
    record |= {"date": machine.now(), "load": machine.load(), "rules": vars(rules), "entries": []}
    if isinstance(race, str):
        record["absent"] = race
    else:
        record["shape"] = datasets.describe(race.folder)
        entries = measure.measure(race)
        _share(row, race.folder, entries, race.rules, results)
        for entry in entries:
            if row.task.job == "path choice" and entry.arrived:
                judges.write_choice(judges.read(race.answer(entry)), entry.time, out / f"{row.task.data}.csv")
        record["entries"] = [entry.as_dict() for entry in entries]
    record["took_s"] = round(time.perf_counter() - begin, 1)
    results["rows"][row.name] = record
    results["rows"] = {known.name: results["rows"][known.name] for known in ROWS if known.name in results["rows"]}
    store.save(results, out)
    table.write(results, out)
    print(f"  {table.verdict(record)} ({record['took_s']} s)", flush=True)


def _share(row: Row, folder: Path, entries: list[Entry], rules: Rules, results: dict[str, Any]) -> None:
    """Facts that need the machine or the clock: share of the bandwidth, MB/s."""
    if row.task.job == "gradient":
        size = roofline.BYTES // (8 if rules.quick else 1)
        speeds = results["machine"]["bandwidth_gb_s"] = roofline.bandwidth(rules.threads, size)
        moved = roofline.pass_bytes(*datasets.read(folder))
        for entry in entries:
            if entry.seconds:
                entry.facts |= roofline.share(moved, entry.time, max(speeds.values()))
    for entry in entries:
        if row.task.job == "vectorize" and entry.arrived:
            speed = entry.facts["megabytes"] / entry.time
            entry.facts |= {"mb_per_s": speed, "mb_per_s_and_core": speed / rules.threads}


if __name__ == "__main__":
    sys.exit(main())
