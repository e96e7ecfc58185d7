"""Where bytes come from: paths, standard input, object stores; decompressed, and text made UTF-8 on the way."""

import atexit
import codecs
import io
import re
import sys
import time
import warnings
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from crossent.errors import CrossentError, DataWarning

CHUNK = 1 << 20
PIECE, TAIL = 2 << 20, 1 << 16
_QUOTE, _NEWLINE = b'"\n'
# The first bytes of a compressed file tell the codec, whatever the file is called.
MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zstd"}


@contextmanager
def open_bytes(source: Any) -> Iterator[tuple[str, io.BufferedReader]]:
    """Open one source for reading, decompressed: gives the name to call it by in messages, and the stream.

    Parameters
    ----------
    source : str, path, or binary file object
        ``-`` is standard input; ``s3://``, ``gs://``, ``hdfs://`` and ``file://`` go through Arrow's file systems. Only
        what was opened here is closed at the end.
    """
    with ExitStack() as opened:
        if hasattr(source, "read"):
            name, raw = str(getattr(source, "name", "the stream")), source
        elif str(source) == "-":
            name, raw = "standard input", sys.stdin.buffer
        else:
            name = str(source)
            raw = opened.enter_context(_open_path(name))
        # A peek at a pipe gives what one small read gave; ours waits for a chunk, enough to know the format.
        head = raw if isinstance(raw, io.BufferedReader) and raw.seekable() else _Reader(raw, name).buffered()
        codec = next((codec for magic, codec in MAGIC.items() if head.peek(8).startswith(magic)), None)
        if codec:
            head = _Reader(pa.CompressedInputStream(pa.PythonFile(head, mode="r"), codec), name).buffered()
        yield name, head


def _open_path(name: str) -> Any:
    try:
        if "://" in name:
            from pyarrow import fs

            system, path = fs.FileSystem.from_uri(name)
            return system.open_input_file(path)
        return open(name, "rb", buffering=CHUNK)
    except FileNotFoundError:
        raise CrossentError(f"{name}: no such file; check the path, or quote a pattern with *") from None
    except IsADirectoryError:
        pattern = name.rstrip("/") + "/*.csv"
        raise CrossentError(f"{name}: is a folder; give its files with a pattern, e.g. '{pattern}'") from None
    except (OSError, pa.ArrowException) as error:
        raise CrossentError(f"{name}: cannot be opened: {first_line(error)}") from None


class _Reader(io.RawIOBase):
    """Anything with ``read(n)`` as a raw stream, so that Python's buffer gives it ``peek`` and ``readline``."""

    def __init__(self, stream: Any, name: str = ""):
        self.stream, self.name = stream, name

    def buffered(self) -> io.BufferedReader:
        return io.BufferedReader(self, CHUNK)

    def readable(self) -> bool:
        return True

    def fetch(self, size: int) -> bytes:
        try:
            data = self.stream.read(size)
        except (OSError, EOFError) as error:
            raise CrossentError(f"{self.name}: damaged or cut short: {first_line(error)}") from None
        if isinstance(data, str):
            raise CrossentError(f"{self.name}: gives text, not bytes; open it in binary mode ('rb')")
        return cast(bytes, data)

    def readinto(self, buffer: Any) -> int:
        data = self.fetch(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class Utf8(_Reader):
    """A text stream as UTF-8: byte-order marks removed, UTF-16 decoded, stray Latin-1 bytes understood.

    A byte that is not UTF-8 is read as Latin-1 and counted; `tell_latin1` says so. The stream always ends with a
    newline, so a last line without one is like the others.
    """

    def __init__(self, stream: io.BufferedReader, name: str):
        super().__init__(stream, name)
        self.latin1, self.pending, self.ended = 0, b"", False
        head = stream.peek(CHUNK)
        utf16 = head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        if b"\0" in head and not utf16:
            raise CrossentError(f"{name}: is not text; if it is a spreadsheet, save it as CSV in UTF-8")
        self.decoder = codecs.getincrementaldecoder("utf-16")("replace") if utf16 else None
        self.rest = b""  # the beginning of a character that a chunk ends in
        if head.startswith(codecs.BOM_UTF8):
            stream.read(len(codecs.BOM_UTF8))

    def leave(self) -> None:
        """Say that nobody reads on. Arrow's own thread may yet do so for a moment, and lets go of us when it ends."""
        _left.add(self)

    def readinto(self, buffer: Any) -> int:
        while not self.pending and not self.ended:
            data = self.fetch(CHUNK)
            self.ended = not data
            self.pending = self._as_utf8(data)
            if self.ended:
                self.pending += b"\n"
        size = min(len(buffer), len(self.pending))
        buffer[:size] = self.pending[:size]
        self.pending = self.pending[size:]
        return size

    def _as_utf8(self, data: bytes) -> bytes:
        if self.decoder is not None:
            return self.decoder.decode(data, final=self.ended).encode("utf-8", "replace")
        data = self.rest + data
        try:
            used = codecs.utf_8_decode(data, "strict", self.ended)[1]
            good = data[:used]
        except UnicodeDecodeError:  # surrogateescape marks each undecodable byte 0x80..0xFF as U+DC80..U+DCFF
            text, used = codecs.utf_8_decode(data, "surrogateescape", self.ended)
            text, count = re.subn("[\udc80-\udcff]", lambda byte: chr(ord(byte[0]) - 0xDC00), text)
            self.latin1 += count
            good = text.encode()
        self.rest = data[used:]
        return good

    def tell_latin1(self) -> None:
        """Warn if some bytes were Latin-1. Called by the reader at the end: Arrow reads us from a thread of its own."""
        if self.latin1:
            bytes_are = "byte is" if self.latin1 == 1 else "bytes are"
            warnings.warn(f"{self.name}: {self.latin1:,} {bytes_are} not UTF-8; read as Latin-1", DataWarning, 2)


class Pieces(_Reader):
    """Delimited text in pieces as small as may be, so that the first rows are there while the last are still read.

    A row has to end in each, as Arrow needs it: a newline that is not between quotation marks, which are counted as
    they pass. Where marks stand alone that is sooner or later mistaken, and pieces are as large as they are asked for.
    """

    def __init__(self, stream: io.BufferedReader, quoted: bool):
        super().__init__(stream)
        self.quoted, self.quotes = quoted, 0

    def read(self, size: int = -1) -> bytes:
        parts, left, complete = [b""], size, False
        while left > 0 and not complete and (part := self.fetch(min(left, PIECE))):
            parts.append(part)
            left -= len(part)
            complete = self._pass(np.frombuffer(part, np.uint8))
        return b"".join(parts)

    def _pass(self, part: NDArray[np.uint8]) -> bool:
        """Count the quotation marks; tell whether a row ends, as far as the last of the bytes show."""
        self.quotes += int(np.count_nonzero(part == _QUOTE))  # bytes.count takes longer
        tail = part[-TAIL:]
        quotes = np.cumsum(tail == _QUOTE)
        before = self.quotes - quotes[-1] + quotes[tail == _NEWLINE]  # each newline
        return bool((before % 2 == 0).any()) if self.quoted else len(before) > 0


_left: "weakref.WeakSet[Utf8]" = weakref.WeakSet()
PATIENCE = 5.0  # seconds


@atexit.register
def _wait_for_arrow() -> None:
    """Let Arrow's threads end before the interpreter does: one that calls Python after that aborts the process."""
    deadline = time.monotonic() + PATIENCE
    while len(_left) and time.monotonic() < deadline:
        time.sleep(0.002)


def first_line(error: BaseException) -> str:
    """Return what an error says, on one line."""
    parts = error.args if len(error.args) > 1 and all(isinstance(part, str) for part in error.args) else [error]
    return ("; ".join(map(str, parts)).splitlines() or [type(error).__name__])[0]
