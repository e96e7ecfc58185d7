"""The decorators of compiled code.

``formula``
    A scalar formula. Always inlined, and never reassociated: rounding tricks inside it survive, whatever loop uses it.
``row_formula``
    The same over the K entries of one row; its sums may be reordered.
``step``, ``part``
    Of one kernel: a step is compiled by itself and inlined wherever the kernel calls it, a part is written into the
    one place that calls it, which takes far less time to compile. Neither can be called from Python.
``kernel``
    A loop over arrays. Releases the interpreter lock, is cached on disk, and may reorder its own sums so that they
    vectorise.

A cached kernel does not notice an edit in another file that it inlines from (numba stamps one file only). So the cache
folder's name is a hash of all compiled sources of this package, the interpreter and numba: an edit or an upgrade opens
a new folder.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba import njit

F = TypeVar("F", bound=Callable[..., Any])

ORDERED = {"contract", "nsz"}
REASSOCIATED = {"contract", "nsz", "reassoc"}

_numba_config_lock = threading.Lock()


def formula(function: F) -> F:
    """Compile a scalar formula that kernels inline; its operations keep the order in which they are written."""
    return njit(function, forceinline=True, fastmath=ORDERED, error_model="numpy", nogil=True)


def row_formula(function: F) -> F:
    """Compile a formula over one short row that kernels inline; its sums are free to vectorise."""
    return njit(function, forceinline=True, fastmath=REASSOCIATED, error_model="numpy", nogil=True)


def step(function: F) -> F:
    """Compile what a kernel inlines in several places; without the wrappers that Python would need to call it."""
    return njit(
        function, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True, error_model="numpy", nogil=True
    )


def part(function: F) -> F:
    """Write a part of a kernel into the place that calls it. Not for parts of parts of parts: their time multiplies."""
    return njit(function, inline="always", error_model="numpy", nogil=True)


def kernel(function: F) -> F:
    """Compile a loop over arrays: no interpreter lock, cached on disk, its sums free to vectorise."""
    return _cached(function, REASSOCIATED)


def exact_kernel(function: F) -> F:
    """Compile as :func:`kernel` does, but keep every operation in its written order."""
    return _cached(function, ORDERED)


def rounded_kernel(function: F) -> F:
    """Compile as :func:`kernel` does, each operation rounded as written, unfused: the bits of a plain C program."""
    return _cached(function, set())


def _cached(function: F, fastmath: set[str]) -> F:
    with _numba_config_lock:
        before = numba.config.CACHE_DIR
        numba.config.CACHE_DIR = before or str(cache_folder())
        try:
            return njit(function, nogil=True, cache=True, no_cfunc_wrapper=True, fastmath=fastmath, error_model="numpy")
        finally:
            numba.config.CACHE_DIR = before


@cache
def cache_folder() -> Path:
    """Return the folder of this build's compiled kernels: under the user's cache, or a private temporary one."""
    digest = hashlib.sha256(f"{sys.version} {numba.__version__}".encode())
    for source in sorted(Path(__file__).parent.rglob("*.py")):
        text = source.read_bytes()
        if b"jit import" in text or source == Path(__file__):
            digest.update(text)
    name = f"kernels-{digest.hexdigest()[:16]}"
    try:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = Path(home) / "crossent" / name
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except (OSError, RuntimeError):  # no home, or a read-only one
        pass
    return Path(tempfile.mkdtemp(prefix="crossent-"))
