"""The other end of worker.py: start a library's process, ask it, end it when it takes too long."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.busy import busiest, work
from benchmarks.install import ROOT, environment, python

IDLE = 10.0  # how much longer than its time a process may wait without working
STOP_S = 3.0
START_S = 120.0  # for importing a library and for bringing data in
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class LateError(Exception):
    """No reply within the time given; the process was ended."""


class Library:
    """One library: its process (started when first asked), what it offers, and why not if it does not."""

    def __init__(self, module: str, env: str | None, threads: int, log: Path) -> None:
        self.module, self.env, self.threads, self.log = module, env, threads, log
        self.entrants: list[str] = []
        self.versions: dict[str, str] = {}
        self.compiles = False
        self.absent: str | None = None
        self.loaded: set[tuple[str, str]] = set()
        self._process: subprocess.Popen[str] | None = None
        self._forwarder: threading.Thread | None = None
        self._replies: queue.Queue[str] = queue.Queue()

    def open(self) -> None:
        """Start the process and learn what it offers."""
        interpreter = sys.executable if self.env is None else str(python(self.env))
        if not Path(interpreter).exists():
            self.absent = f"there is no environment {environment(self.env).name}: make bench builds it"
            return
        self._start(interpreter)
        reply = self.ask(START_S, do="hello")
        if "error" in reply:
            self.absent = reply["error"]
            self.close()
            return
        self.entrants, self.versions, self.compiles = reply["entrants"], reply["versions"], reply["compiles"]

    def ask(self, seconds: float, **request: Any) -> dict[str, Any]:
        """Send a request, wait for its reply; past ``seconds`` stop the work and raise :class:`LateError`.

        The seconds are those of the process's busiest thread, so that a busy machine makes nobody late; a process that
        does not work at all is given ``IDLE`` times as long.
        """
        if self._process is None:
            self.open()
            if self.absent:
                return {"error": self.absent}
        process = self._process
        assert process is not None
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # its end is noticed below
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
        line = self._wait(process, seconds)
        if not line:
            code = process.wait()
            self.close()
            return {"error": f"its process ended with code {code}"}
        return json.loads(line)

    def _wait(self, process: subprocess.Popen[str], seconds: float) -> str:
        start, before, left = time.monotonic(), work(process.pid), seconds
        while True:
            try:
                return self._replies.get(timeout=max(left, 0.02))
            except queue.Empty:
                used = busiest(before, work(process.pid), self.threads)
                if used is None or used >= seconds or time.monotonic() - start > IDLE * seconds:
                    break
                left = seconds - used
        # Asked to stop, it may save the time of another start; what still comes as a reply is late.
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(queue.Empty):
            if self._replies.get(timeout=STOP_S):
                raise LateError
        self.close()
        raise LateError

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._forwarder is not None:
                self._forwarder.join()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
        self._process = None
        self.loaded.clear()

    def _start(self, interpreter: str) -> None:
        variables = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(self.threads))}
        variables["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "src")])  # this checkout, wherever installed
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [interpreter, "-m", "benchmarks.worker", self.module, str(self.threads)], cwd=ROOT, env=variables,
                text=True, bufsize=1, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        self._replies = queue.Queue()
        self._forwarder = threading.Thread(target=_forward, args=(self._process, self._replies), daemon=True)
        self._forwarder.start()


def _forward(process: subprocess.Popen[str], replies: queue.Queue[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        replies.put(line)
    replies.put("")
