"""The JSON file: rows measured earlier stay until they are measured again."""

import json
import math
import os
from pathlib import Path
from typing import Any

from benchmarks.race import Rules

VERSION = 1


class UnusableError(Exception):
    """The results' folder cannot be used, in one line."""


def open_results(out: Path, machine: dict[str, Any], rules: Rules) -> dict[str, Any]:
    """The results in ``out``, or empty ones; rows of another machine or number of threads are not kept.

    Each row says by which rules it was measured.
    """
    fresh = {"version": VERSION, "machine": machine, "rules": vars(rules), "versions": {}, "absent": {}, "rows": {}}
    path = out / "results.json"
    try:
        out.mkdir(parents=True, exist_ok=True)
        old = json.loads(path.read_text()) if path.exists() else None
    except OSError as error:
        raise UnusableError(f"--out: {error.strerror}: {error.filename}; name a folder") from None
    except ValueError as error:
        raise UnusableError(f"{path} is not whole ({error}); remove it or name another folder with --out") from None
    if old is not None:
        known = {key: old.get("machine", {}).get(key) for key in machine}
        if old.get("version") == VERSION and known == machine and _comparable(old["rules"], vars(rules)):
            return {**old, "rules": vars(rules)}
    return fresh


def _comparable(old: dict[str, Any], new: dict[str, Any]) -> bool:
    return all(old.get(part) == new[part] for part in ("threads", "quick"))


def save(results: dict[str, Any], out: Path) -> None:
    """Write ``results.json``; numbers that are not finite become null."""
    out.mkdir(parents=True, exist_ok=True)
    partial = out / "results.json.part"
    partial.write_text(json.dumps(_finite(results), indent=1, allow_nan=False) + "\n")
    os.replace(partial, out / "results.json")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
