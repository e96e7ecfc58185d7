"""What the results were measured on. Names no path and no user."""

import datetime
import os
import platform
import subprocess
from pathlib import Path

from benchmarks.install import ROOT


def describe() -> dict[str, str | int | float]:
    """Processor, cores, memory, caches, system, Python."""
    facts: dict[str, str | int | float] = {
        "processor": _first("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }
    if total := _first("/proc/meminfo", "MemTotal"):
        facts["memory_gb"] = round(int(total.split()[0]) / 2**20, 1)
    if cache := _first("/proc/cpuinfo", "cache size"):
        facts["last_cache"] = cache
    return facts


def commit() -> str:
    """The commit measured, with a + when files of the package or of the benchmarks differ from it."""
    head = _git("rev-parse", "--short", "HEAD")
    return f"{head}+" if head and _git("status", "--porcelain", "--", "src", "benchmarks") else head or "unknown"


def now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")


def load() -> float:
    """Processes waiting for a core, averaged over a minute: a busy machine spoils a measurement."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else 0.0


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _first(file: str, key: str) -> str:
    if not Path(file).exists():
        return ""
    lines = Path(file).read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key)), "")
