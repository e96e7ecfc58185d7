"""Where words go: results to standard output, everything else (notes, progress, errors) to standard error."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape

WIDTH = 100


def out() -> Console:
    """Return the console of results."""
    return _console(stderr=False)


def err() -> Console:
    """Return the console of everything else."""
    return _console(stderr=True)


def _console(stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False, emoji=False)
    console.width = min(console.width, WIDTH)
    return console


def print_json(value: Any) -> None:
    """Print one JSON object; what is not finite is null."""
    from crossent.modelfile import plain

    print(json.dumps(plain(value), allow_nan=False, indent=2))


def note(text: str) -> None:
    """Tell the user something in passing."""
    err().print(f"[yellow]note:[/] {spelled(text)}", soft_wrap=True)


def spelled(value: Any) -> str:
    """Return a value of the user's, safe to print: no markup of ours, no control characters for the terminal."""
    return escape(printable(value))


def printable(value: Any) -> str:
    """Return a value of the user's without what would steer the terminal, each replaced by one sign.

    These are control characters, those that turn the direction of a line, and lone surrogates.
    """
    return re.sub(
        r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", str(value)
    )


@contextmanager
def notes(quiet: bool = False) -> Iterator[None]:
    """Turn warnings about the data and the fit into notes, each told once; hide others, which are not the user's."""
    from crossent.errors import DataWarning

    told: set[str] = set()

    def show(message: Any, category: type[Warning], *_: Any, **__: Any) -> None:
        text = " ".join(str(message).split())
        meant = issubclass(category, DataWarning) or category.__name__ == "ConvergenceWarning"  # scikit-learn's
        if meant and text not in told and not quiet:
            told.add(text)
            note(text)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = show
        yield


def announce_compiling() -> None:
    """Say that the first run compiles, if this is the first run of this version."""
    from crossent.jit import cache_folder

    if not any(cache_folder().glob("**/*.nbi")):
        note("first run: compiling takes a few seconds, with text some more; later runs load it from disk")
