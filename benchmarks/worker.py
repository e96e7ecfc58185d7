"""One library in a process of its own: ``python -m benchmarks.worker scikit 2``.

Reads one JSON request a line, writes one JSON reply a line. A process of its own gives every library its own
environment, its own peak of memory, and lets the other side end a run that takes too long. The process has as many
cores as the run has threads, whatever the library asks for. What libraries print goes to stderr.
"""

import contextlib
import ctypes
import gc
import importlib
import importlib.metadata
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import busy
from benchmarks.task import Data, Entrant, Task


class Worker:
    """Holds one data set and what each entrant made of it."""

    def __init__(self, module: str) -> None:
        self.module = importlib.import_module(f"benchmarks.rivals.{module}")
        self.entrants: dict[str, Entrant] = {}
        self.data: Data | None = None
        self.ready: dict[str, Any] = {}
        self.threads = 1

    def hello(self) -> dict[str, Any]:
        """Import the library: what it offers, its version, whether it compiles while it runs."""
        self.entrants = {entrant.key: entrant for entrant in self.module.entrants()}
        versions = {name: importlib.metadata.version(name) for name in (*self.module.PACKAGES, "numpy")}
        return {"entrants": list(self.entrants), "versions": versions, "compiles": "numba" in self.module.PACKAGES}

    def load(self, entrant: str, task: dict[str, Any], folder: str, threads: int) -> dict[str, Any]:
        """Bring the data in; convert it for one entrant. Says so if the entrant does not take the task."""
        if self.data is None or self.data.folder != Path(folder):
            self.data, self.ready = Data(Path(folder)), {}
            if self.data.is_matrix:
                _ = self.data.arrays
        asked, self.threads = Task(**task), threads
        reason = self.entrants[entrant].refuses(asked, self.data)
        if reason:
            return {"refuses": reason}
        self.ready.pop(entrant, None)
        start = time.perf_counter()
        self.ready[entrant] = self.entrants[entrant].prepare(asked, self.data, threads)
        return {"convert_s": time.perf_counter() - start, "ladder": self.entrants[entrant].ladder}

    def run(self, entrant: str, setting: float | None, number: int, answer: str) -> dict[str, Any]:
        """``number`` calls one after the other; seconds a call, by the clock and of the busiest thread; memory.

        The answer of the last goes to a file.
        """
        subject, ready = self.entrants[entrant], self.ready[entrant]
        before, start_work = _settle(), busy.work()
        start = time.perf_counter()
        for _ in range(number):
            result = subject.run(ready, setting)
        seconds = (time.perf_counter() - start) / number
        worked = busy.busiest(start_work, busy.work(), self.threads)
        peak = _peak()
        np.savez(answer, **subject.answer(ready, result))  # type: ignore[arg-type]
        busiest = seconds if worked is None else worked / number
        memory = {} if subject.elsewhere else {"peak_mb": peak, "extra_mb": max(peak - before, 0.0)}
        return {"seconds": seconds, "busy_s": busiest, "memory": memory}

    def drop(self) -> dict[str, Any]:
        """Forget the data."""
        self.data, self.ready = None, {}
        _settle()
        return {}


def _settle() -> float:
    """Return freed memory, start the high-water mark anew where the system can; resident MB now."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> float:
    """High-water mark of resident memory, MB."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _one_line(error: BaseException) -> str:
    """The error without folders of this machine; of a command that failed, the last line that it wrote."""
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, subprocess.CalledProcessError):
        last = [line for line in (error.stderr or "").splitlines() if line.strip()][-1:]
        text = f"exit code {error.returncode}: {''.join(last)}"
    return re.sub(r"(?<![\w.])/(?:[\w.+-]+/)+", "", " ".join(text.split()))[:300]


def main(module: str, threads: int) -> None:
    warnings.simplefilter("ignore")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    with os.fdopen(os.dup(1), "w", buffering=1) as replies:
        os.dup2(2, 1)  # a library that prints must not break the protocol
        worker: Worker | None = None
        for line in sys.stdin:
            request = json.loads(line)
            try:
                worker = worker or Worker(module)
                signal.signal(signal.SIGINT, signal.default_int_handler)
                reply = getattr(worker, request.pop("do"))(**request)
            except (Exception, SystemExit, KeyboardInterrupt) as error:
                traceback.print_exc()
                reply = {"error": _one_line(error)}
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            replies.write(json.dumps(reply) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
