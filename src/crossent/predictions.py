"""Predictions as a table, written in batches to CSV, Parquet or JSON lines."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from crossent.errors import CrossentError
from crossent.files import replacing
from crossent.modelfile import plain
from crossent.scoring import probabilities

if TYPE_CHECKING:
    from crossent.model import Model

Array = NDArray[Any]
Write = Callable[[pa.RecordBatch], None]


class Writer(Protocol):
    """Takes batches; closing it completes the file."""

    def write(self, batch: pa.RecordBatch) -> None: ...
    def close(self) -> None: ...


def rows_of(model: Model, batch: pa.RecordBatch, z: Array, keep: Sequence[str] = ()) -> pa.RecordBatch:
    """Return the columns ``keep`` of a batch, ``prediction``, and ``probability_<class>`` for each class."""
    p = probabilities(z)
    found = {"prediction": _arrow(model.labels(z))}
    found |= {f"probability_{label}": _arrow(p[:, k]) for k, label in enumerate(model.classes)}
    copied = {}
    for name in keep:
        if name not in batch.schema.names:
            raise CrossentError(
                f"no column {name!r} to keep; there are {', '.join(map(repr, batch.schema.names[:10]))}"
            )
        if name in found:
            raise CrossentError(f"column {name!r} cannot be kept: the predictions have a column of that name")
        copied[name] = batch[name]
    return pa.RecordBatch.from_pydict(copied | found)


def _arrow(values: Array) -> pa.Array:
    """Return an array as Arrow has it. ``pa.array`` would load pandas, to learn whether it is one of its arrays."""
    if values.dtype.kind == "b":
        return pa.array(values)
    if values.dtype.kind in "if":
        buffers = [None, pa.py_buffer(np.ascontiguousarray(values))]
        return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), buffers)
    texts = [str(value).encode() for value in values.tolist()]
    ends = np.cumsum([0, *map(len, texts)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(b"".join(texts)))


@contextmanager
def writer(path: str | None) -> Iterator[Write]:
    """Give a function that writes batches to a file, by its ending, or to standard output as CSV.

    The file appears when all is written; if something fails, what was there before is untouched.
    """
    if path is None:
        yield _Stream(_csv, sys.stdout.buffer)
        return
    ending = Path(path).suffix.lower()
    if ending not in WRITERS:
        raise CrossentError(f"{path}: its ending {ending!r} is not one of {', '.join(WRITERS)}")
    with replacing(path) as temporary, open(temporary, "wb") as stream:
        write = _Stream(WRITERS[ending], stream)
        yield write
        write.close()


class _Stream:
    """Opens the writer with the schema of the first batch, to which later ones are cast."""

    def __init__(self, make: Callable[[IO[bytes], pa.Schema], Writer], stream: IO[bytes]):
        self.make, self.stream = make, stream
        self.schema: pa.Schema | None = None

    def __call__(self, batch: pa.RecordBatch) -> None:
        if self.schema is None:
            self.schema = batch.schema
            self.writer = self.make(self.stream, self.schema)
        self.writer.write(batch.cast(self.schema))

    def close(self) -> None:
        if self.schema is not None:
            self.writer.close()


def _csv(stream: IO[bytes], schema: pa.Schema) -> Writer:
    from pyarrow.csv import CSVWriter

    return CSVWriter(stream, schema)


def _parquet(stream: IO[bytes], schema: pa.Schema) -> Writer:
    from pyarrow.parquet import ParquetWriter

    return ParquetWriter(stream, schema)


class _JsonLines:
    def __init__(self, stream: IO[bytes], schema: pa.Schema):
        self.stream = stream

    def write(self, batch: pa.RecordBatch) -> None:
        lines = [json.dumps(plain(row), default=str, ensure_ascii=False) for row in batch.to_pylist()]
        self.stream.write("".join(f"{line}\n" for line in lines).encode())

    def close(self) -> None:
        pass


WRITERS: dict[str, Callable[[IO[bytes], pa.Schema], Writer]] = {
    ".csv": _csv,
    ".parquet": _parquet,
    ".jsonl": _JsonLines,
}
