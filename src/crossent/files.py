"""Writing a file so that nobody ever sees half of it, and nothing the user had is lost when the writing fails."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from crossent.errors import CrossentError


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise CrossentError if a file cannot be written there; asked before hours of work rather than after."""
    target = Path(path)
    folder = target.parent
    if target.is_dir():
        raise CrossentError(f"{target}: is a folder; give the name of a file")
    if not folder.is_dir():
        raise CrossentError(f"{target}: there is no folder {folder}; make it first")
    if not os.access(folder, os.W_OK):
        raise CrossentError(f"{target}: the folder {folder} cannot be written to; choose another")


def check_apart(path: str | os.PathLike[str], sources: Iterable[str]) -> None:
    """Raise CrossentError if what is written there would replace one of the files (or patterns) that are read."""
    target = Path(path)
    for name in (found for source in sources for found in [source, *glob.glob(source, recursive=True)]):
        if target.is_file() and os.path.isfile(name) and target.samefile(name):
            raise CrossentError(f"{target}: is one of the files to read, which would be replaced; choose another name")


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary name beside ``path``; on success sync that file and rename it to ``path``, else remove it.

    A link is followed. What is no ordinary file (a pipe, ``/dev/stdout``) is given as it is.
    """
    check_writable(path)
    target = Path(path).resolve()
    if target.exists() and not target.is_file():
        yield Path(path)
        return
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        _sync(temporary)
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync(target.parent)


def _sync(path: Path) -> None:
    """Have the disk hold what was written; a folder, too, where the system can (Windows cannot)."""
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
