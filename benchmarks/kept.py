"""What a search found, kept from run to run in the cache folder beside the data.

The loosest setting with which an entrant arrives, or that it never does, is a property of the task, the entrant, its
version, the data and the number of threads, not of the hour. One JSON file an entrant; one that was found for
anything else than what is asked now does not count, except as the place where a search begins. For ours the version
is the source itself.

Lower bounds of a task's optimum are kept beside them: each was proved by the referee from somebody's weights.
"""

import hashlib
import json
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.datasets import cache_folder
from benchmarks.install import ROOT
from benchmarks.task import Task

VERSION = 1  # raise it when the rules of the search or of the referee change
SOURCE = ROOT / "src" / "crossent"


class Kept:
    """The files of one task on one data set."""

    def __init__(self, task: Task, data: Path, threads: int) -> None:
        self.key = {"version": VERSION, "task": task.as_dict(), "data": fingerprint(data), "threads": threads}
        self.folder = cache_folder() / "settings" / f"{task.job}-{data.name}-{_digest([self.key['task']])}"

    def read(self, entrant: str, versions: dict[str, str]) -> tuple[dict[str, Any] | None, bool]:
        """What is kept of an entrant, and whether it was found for what is asked now."""
        found = _read(self._file(entrant))
        return (None, False) if found is None else (found["found"], found["key"] == self._key(versions))

    def write(self, entrant: str, versions: dict[str, str], found: dict[str, Any]) -> None:
        _write(self._file(entrant), {"key": self._key(versions), "found": found})

    def bounds(self) -> np.ndarray | None:
        """The best lower bounds shown so far (one, or one a point of a path), or None."""
        found = _read(self.folder / "bounds.json")
        return np.array(found["bounds"]) if found and found["key"] == self._key({}) else None

    def keep_bounds(self, bounds: np.ndarray) -> None:
        _write(self.folder / "bounds.json", {"key": self._key({}), "bounds": list(bounds)})

    def _key(self, versions: dict[str, str]) -> dict[str, Any]:
        return json.loads(json.dumps({**self.key, "versions": versions}))

    def _file(self, entrant: str) -> Path:
        return self.folder / f"{entrant.replace('/', '-').replace(' ', '_')}.json"


@cache
def source() -> str:
    """The hash of the package's source: a changed solver is searched again."""
    files = sorted(SOURCE.rglob("*.py"))
    return _digest([part for file in files for part in (file.relative_to(SOURCE).as_posix(), file.read_text())])


def fingerprint(data: Path) -> str:
    """The hash of a data set's files; computed once and written beside them."""
    known = data.parent / f"{data.name}.fingerprint"
    if not known.exists() or known.stat().st_mtime < data.stat().st_mtime:
        total = hashlib.blake2b(digest_size=8)
        for file in sorted(data.iterdir()):
            total.update(file.name.encode())
            with file.open("rb") as content:
                total.update(hashlib.file_digest(content, "blake2b").digest())
        _replace(known, total.hexdigest())
    return known.read_text()


def _digest(parts: list[Any]) -> str:
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=4).hexdigest()


def _read(file: Path) -> dict[str, Any] | None:
    try:
        return json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return None


def _write(file: Path, content: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    _replace(file, json.dumps(content, indent=1) + "\n")


def _replace(file: Path, text: str) -> None:
    """All or nothing: two runs at once may write the same file."""
    with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False) as part:
        part.write(text)
    os.replace(part.name, file)
