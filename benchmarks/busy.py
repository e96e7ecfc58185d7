"""CPU seconds of a process, thread by thread: on a busy machine waiting for a core is nobody's slowness.

The work of the busiest thread is at most what the same call takes on a quiet machine, whatever the number of threads;
so whoever is stopped for it would have been late there too. Threads that have ended leave only the sum of their work
behind, which is counted as shared evenly.
"""

import contextlib
import os
import time
from pathlib import Path

Work = dict[str, float]
TOTAL = "total"


def work(pid: int | str = "self") -> Work | None:
    """CPU seconds of each living thread and of the whole process; None where the system does not tell."""
    seconds = {}
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
                seconds[task.name] = int((task / "schedstat").read_text().split()[0]) / 1e9
        ticks = sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
    except (OSError, ValueError):
        return None
    seconds[TOTAL] = time.process_time() if pid == "self" else ticks / os.sysconf("SC_CLK_TCK")
    return seconds


def busiest(before: Work | None, after: Work | None, threads: int) -> float | None:
    """CPU seconds of the thread that worked most in between; ``threads`` is how many may have ended."""
    if before is None or after is None:
        return None
    done = {thread: seconds - before.get(thread, 0.0) for thread, seconds in after.items()}
    total = done.pop(TOTAL)
    return max(*done.values(), (total - sum(done.values())) / threads)
