"""Where the work is split: pieces that depend on the data alone, run on a pool of threads.

Sums over pieces are added in the order of the pieces, so results are the same bits for any number of threads.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import cache, lru_cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

T = TypeVar("T")

BLOCK_VALUES = 1 << 16  # values of X a block holds: half a megabyte stays in a core's second-level cache
MAX_PIECES = 16  # pieces whose partial sums are kept apart


def cores(n_jobs: int | None = None) -> int:
    """Return how many threads to use: all cores by default; scikit-learn's meaning of ``n_jobs`` else."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if n_jobs is None or n_jobs == 0:
        return available
    return n_jobs if n_jobs > 0 else max(1, available + 1 + n_jobs)


@lru_cache
def split(n: int, size: int) -> tuple[slice, ...]:
    """Cut range(n) into consecutive slices of at most ``size``, as equal as can be."""
    count = max(1, -(-n // max(1, size)))
    edges = [n * i // count for i in range(count + 1)]
    return tuple(slice(lo, hi) for lo, hi in itertools.pairwise(edges))


def split_by_weight(ends: NDArray[Any], pieces: int) -> list[slice]:
    """Cut range(len(ends) - 1) into at most ``pieces`` slices of about equal weight; ``ends`` are running sums."""
    if pieces == 1:
        return [slice(0, len(ends) - 1)]
    targets = ends[0] + (ends[-1] - ends[0]) * np.arange(1, pieces) / pieces
    edges = [0, *np.searchsorted(ends, targets).tolist(), len(ends) - 1]
    return [slice(lo, hi) for lo, hi in itertools.pairwise(edges) if hi > lo] or [slice(0, 0)]


def run(tasks: Sequence[Callable[[], T]], threads: int) -> list[T]:
    """Call every task, on up to ``threads`` threads, and return their results in order. An exception is raised here.

    This thread works too, and each takes the next task when it is free.
    """
    if threads <= 1 or len(tasks) <= 1:
        return [task() for task in tasks]
    results: dict[int, T] = {}
    waiting = deque(enumerate(tasks))

    def work() -> None:
        while True:
            try:
                number, task = waiting.popleft()
            except IndexError:
                return
            results[number] = task()

    helpers = [_pool(os.getpid(), threads - 1).submit(work) for _ in range(min(threads, len(tasks)) - 1)]
    try:
        work()
    finally:
        waiting.clear()
        for helper in helpers:
            if not helper.cancel():
                helper.result()
    return [results[number] for number in range(len(tasks))]


def each(items: Iterable[Any], task: Callable[..., Any], threads: int, per_worker: bool = False) -> None:
    """Call the task on every item, each taken by the next free thread; ``per_worker``: each thread has its own."""
    if threads == 1:
        alone = task() if per_worker else task
        for item in items:
            alone(item)
        return
    iterator: Iterator[Any] = iter(items)
    lock = threading.Lock()
    failed = threading.Event()

    def work() -> None:
        with lock:
            mine = task() if per_worker else task
        while not failed.is_set():
            with lock:
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            mine(item)

    def guarded() -> None:
        try:
            work()
        except BaseException:
            failed.set()
            raise

    run([guarded] * threads, threads)


@cache
def _pool(_process: int, threads: int) -> ThreadPoolExecutor:
    """Return this process's pool: a forked child has none of its parent's threads, so it makes its own."""
    return ThreadPoolExecutor(threads, thread_name_prefix="crossent")


def in_order(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return the sum of the parts, added in their order."""
    if len(parts) == 1:
        return parts[0]
    total = parts[0] + parts[1]
    for part in parts[2:]:
        total += part
    return total


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


def quiet_blas(work: bool = True) -> AbstractContextManager[Any]:
    """Hold BLAS to one thread while our own pool runs: its spinning threads slow ours down up to threefold."""
    return _blas().limit(limits=1, user_api="blas") if work else nullcontext()
