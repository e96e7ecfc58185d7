"""Documents of any kind, as blocks of UTF-8 bytes: Arrow columns are read where they lie."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from crossent.errors import CrossentError

BLOCK_BYTES = 1 << 20
_BATCH = 64  # documents taken at a time, to see how long they are


class Block(NamedTuple):
    """Document d is ``data[offsets[d] : offsets[d + 1]]``."""

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]


def blocks(
    documents: Iterable[Any], decode: Callable[[Any], str], preprocess: Callable[[str], str] | None, surrogates: bool
) -> Iterator[Block]:
    """Cut documents into blocks of about a megabyte.

    Parameters
    ----------
    documents
        Text (str or bytes), or Arrow: a column of any library that speaks the Arrow C interface, or an iterable of
        such columns, read one at a time.
    decode
        Makes text of what is not text.
    preprocess
        Applied to each text; None leaves all that to the kernels.
    surrogates
        Whether lone surrogates may pass.
    """
    if preprocess is not None:
        yield from _from_python(items(documents), decode, preprocess, surrogates)
        return
    for part in _parts(documents):
        if _is_arrow(part) and not _is_binary(part.type):
            yield from _in_place(part)
        else:
            yield from _from_python(_listed(part), decode, None, surrogates)


def items(documents: Iterable[Any]) -> Iterator[Any]:
    """Return documents of any kind one at a time: those of Arrow columns as str or bytes, others as they are."""
    for part in _parts(documents):
        yield from _listed(part)


def _listed(part: Any) -> Iterator[Any]:
    return iter(part.to_pylist() if _is_arrow(part) else part)


def _parts(documents: Iterable[Any]) -> Iterator[Any]:
    """Return the documents as Arrow arrays of text or bytes, none of them null, or as one iterator of other things."""
    if isinstance(documents, str):
        raise ValueError("Iterable over raw text documents expected, string object received.")
    if _is_arrow(documents):
        columns: Iterable[Any] = [documents]
    else:
        iterator = iter(documents)
        first = list(islice(iterator, 1))
        columns = chain(first, iterator)
        if not first or not _is_arrow(first[0]):
            yield columns
            return
    seen = 0
    for column in columns:
        for chunk in _chunks(column, seen):
            seen += len(chunk)
            yield chunk


def _from_python(
    documents: Iterator[Any], decode: Callable[[Any], str], preprocess: Callable[[str], str] | None, surrogates: bool
) -> Iterator[Block]:
    parts: list[bytes] = []
    size = seen = 0
    while batch := list(islice(documents, _BATCH)):
        if set(map(type, batch)) != {str}:
            batch = [_text(document, decode, seen + k) for k, document in enumerate(batch)]
        if preprocess is not None:
            batch = list(map(preprocess, batch))
        seen += len(batch)
        encoded = _encode(batch, surrogates)
        parts += encoded
        size += sum(map(len, encoded))
        if size >= BLOCK_BYTES:
            yield _joined(parts)
            parts, size = [], 0
    if parts:
        yield _joined(parts)


def _text(document: Any, decode: Callable[[Any], str], place: int) -> str:
    text = decode(document)
    if not isinstance(text, str):
        raise CrossentError(f"document {place} is {type(text).__name__}, not text: give str or bytes")
    return text


def _encode(texts: list[str], surrogates: bool) -> list[bytes]:
    try:
        return list(map(str.encode, texts))
    except UnicodeEncodeError:
        if not surrogates:
            raise
        return [text.encode("utf-8", "surrogatepass") for text in texts]


def _joined(parts: list[bytes]) -> Block:
    offsets = np.zeros(len(parts) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, parts), np.int64, len(parts)), out=offsets[1:])
    return Block(np.frombuffer(b"".join(parts), np.uint8), offsets)


def _is_arrow(documents: Any) -> bool:
    """Tell whether to read Arrow buffers.

    pandas offers its columns of objects too, but makes them Arrow first; polars offers the addresses of objects.
    """
    if str(getattr(documents, "dtype", "")).lower() == "object":
        return False
    return hasattr(documents, "__arrow_c_stream__") or hasattr(documents, "__arrow_c_array__")


def _chunks(column: Any, seen: int) -> Iterator[Any]:
    """Return the column's chunks as arrays of text or bytes; an error names the place of what is missing."""
    import pyarrow as pa

    from crossent.arrow import plain

    column = pa.chunked_array(column) if hasattr(column, "__arrow_c_stream__") else pa.chunked_array([pa.array(column)])
    if pa.types.is_struct(column.type):
        raise CrossentError(f"got a table of {column.type.num_fields} columns, not documents: pass its column of text")
    for encoded in column.chunks:
        [chunk] = plain(encoded).chunks
        if pa.types.is_null(chunk.type):
            chunk = chunk.cast(pa.large_string())
        if chunk.type not in ("string", "large_string") and not _is_binary(chunk.type):
            raise CrossentError(f"got a column of {chunk.type}, not documents: pass a column of text")
        if chunk.null_count:
            place = seen + chunk.is_null().index(True).as_py()
            raise CrossentError(
                f"document {place} is missing (null): fill it, with '' for example, or leave its row out"
            )
        seen += len(chunk)
        yield chunk


def _is_binary(kind: Any) -> bool:
    return kind in ("binary", "large_binary") or str(kind).startswith("fixed_size_binary")


def _in_place(chunk: Any) -> Iterator[Block]:
    n = len(chunk)
    if not n:
        return
    _, ends, text = chunk.buffers()
    width = np.int32 if chunk.type == "string" else np.int64
    offsets = np.frombuffer(ends, width)[chunk.offset : chunk.offset + n + 1]
    data = np.frombuffer(text if text is not None else b"", np.uint8)
    data.flags.writeable = False
    pieces = 1 + int(offsets[-1] - offsets[0]) // BLOCK_BYTES
    targets = int(offsets[0]) + BLOCK_BYTES * np.arange(1, pieces)
    edges = np.unique(np.concatenate([[0], np.searchsorted(offsets, targets), [n]]))
    for start, stop in pairwise(edges):
        yield Block(data, offsets[start : stop + 1].astype(np.int64))
