"""The command ``crossent``: one verb a file, each a thin face over one call of the package."""

from __future__ import annotations

import io
import os
import sys


def main() -> None:
    """Run the command. Exit codes: 0, 1 (it ran and failed), 2 (it was asked wrongly)."""
    try:
        from crossent.cli.app import app

        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # a terminal's character set may lack what is in the data
        app(prog_name="crossent")
    except KeyboardInterrupt as error:
        _end(f"interrupted {error}".rstrip(), 1)
    except Exception as error:
        if os.environ.get("CROSSENT_DEBUG"):
            raise
        _end(*_told(error))


def _told(error: Exception) -> tuple[str, int]:
    """Return what to say of an error, and the exit code."""
    from crossent.errors import CrossentError

    text = " ".join(str(error).split())
    if isinstance(error, CrossentError):
        return text, 2
    if isinstance(error, MemoryError):
        return "there is not enough memory for this; give fewer rows or columns", 1
    if isinstance(error, OSError):
        return f"{error.filename or 'writing'}: {error.strerror}" if error.strerror else text, 1
    return f"{type(error).__name__}: {text} (this is a fault of crossent; CROSSENT_DEBUG=1 shows where)", 1


def _end(message: str, code: int) -> None:
    from crossent.cli.terminal import err, spelled

    err().print(f"[bold red]error:[/] {spelled(message)}", soft_wrap=True)
    sys.exit(code)
