"""The decorators of compiled code.

``formula``
    A scalar formula. Always inlined, and never reassociated: rounding tricks inside it survive, whatever loop uses it.
``row_formula``
    The same over the K entries of one row; its sums may be reordered.
``step``, ``part``
    Of one kernel: a step is compiled by itself and inlined wherever the kernel calls it, a part is written into the
    one place that calls it, which takes far less time to compile.
``kernel``
    A loop over arrays. Releases the interpreter lock, is cached on disk, and may reorder its own sums so that they
    vectorise. It copies by loops too: ``a[:] = b`` takes a second to compile, for the message of shapes that differ.
``intrinsic``
    Instructions that Python has not; see numba's manual on extending it.

Only kernels can be called from Python: what it takes for that is not compiled for the others.

numba is loaded when the first kernel is called, which takes longer than to score a few rows: until then all these are
the Python functions that they are written as, and ``uncompiled`` gives them to whoever has little to do. The first call
puts numba's functions in their places, in every module of this package.


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
from functools import cache, wraps
from pathlib import Path
from types import FunctionType
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
Make = Callable[[], Any]

ORDERED = {"contract", "nsz"}
REASSOCIATED = {"contract", "nsz", "reassoc"}
INLINED = {"forceinline": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
LITTLE = 1 << 16  # innermost steps; Python takes less time for them than numba to be loaded

_lock = threading.RLock()
_loaded = threading.Event()
_waiting: list[tuple[Any, Make]] = []  # functions as they stand in their modules, and how to compile them
_made: dict[Any, Any] = {}  # what has replaced them


def formula(function: F) -> F:
    """Compile a scalar formula that kernels inline; its operations keep the order in which they are written."""
    return _later(function, _njit(function, fastmath=ORDERED, **INLINED))


def row_formula(function: F) -> F:
    """Compile a formula over one short row that kernels inline; its sums are free to vectorise."""
    return _later(function, _njit(function, fastmath=REASSOCIATED, **INLINED))


def step(function: F) -> F:
    """Compile what a kernel inlines in several places."""
    return _later(function, _njit(function, **INLINED))


def part(function: F) -> F:
    """Write a part of a kernel into the place that calls it. Not for parts of parts of parts: their time multiplies."""
    return _later(function, _njit(function, inline="always"))


def intrinsic(function: F) -> F:
    """Give kernels what the function builds of LLVM's instructions."""

    def make() -> Any:
        from numba.extending import intrinsic

        return intrinsic(function)

    return _later(function, make)


def kernel(function: F) -> F:
    """Compile a loop over arrays: no interpreter lock, cached on disk, its sums free to vectorise."""
    return _cached(function, REASSOCIATED)


def rounded_kernel(function: F) -> F:
    """Compile as :func:`kernel` does, each operation rounded as written, unfused: the bits of a plain C program."""
    return _cached(function, set())


def is_loaded() -> bool:
    """Tell whether kernels have been called, and so are compiled now."""
    return _loaded.is_set()


def uncompiled(kernel: F, steps: int) -> F:
    """Return the Python function of a kernel, if it takes few steps and nothing is compiled yet; else the kernel.

    Both compute the same; a result may differ in its last places, because compiled sums are reordered.
    """
    return kernel if is_loaded() or steps > LITTLE else kernel.__wrapped__  # type: ignore[attr-defined]


def _njit(function: F, **options: Any) -> Make:
    def make() -> Any:
        from numba import njit

        return njit(function, error_model="numpy", nogil=True, **options)

    return make


def _cached(function: F, fastmath: set[str]) -> F:
    @wraps(function)
    def first_call(*arguments: Any) -> Any:
        return _compiled(first_call)(*arguments)

    def make() -> Any:
        from numba import config

        before = config.CACHE_DIR
        config.CACHE_DIR = before or str(cache_folder())
        try:
            return _njit(function, cache=True, no_cfunc_wrapper=True, fastmath=fastmath)()
        finally:
            config.CACHE_DIR = before

    return _later(first_call, make)


def _later(function: Any, make: Make) -> Any:
    """Return the function, to be replaced when the first kernel is called; compiled, if that is past."""
    with _lock:
        if is_loaded():
            return make()
        _waiting.append((function, make))
    return function


def _compiled(function: Any) -> Any:
    """Return what has replaced a function, after replacing all that wait."""
    with _lock:
        if not is_loaded():
            _made.update((waiting, make()) for waiting, make in _waiting)
            _loaded.set()
            package = __name__.partition(".")[0]
            for module in [module for name, module in sys.modules.items() if name.partition(".")[0] == package]:
                for name, value in list(vars(module).items()):
                    if isinstance(value, FunctionType) and value in _made:
                        setattr(module, name, _made[value])
    return _made[function]


@cache
def cache_folder() -> Path:
    """Return the folder of this build's compiled kernels: under the user's cache, or a private temporary one."""
    import numba

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
