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
    if _is_arrow(documents):
        columns: Iterable[Any] = [documents]
    else:
        iterator = iter(documents)
        first = list(islice(iterator, 1))
        if not first or not _is_arrow(first[0]):
            yield from _from_python(chain(first, iterator), decode, preprocess, surrogates)
            return
        columns = chain(first, iterator)
    seen = 0
    for column in columns:
        for chunk in _string_chunks(column, seen):
            seen += len(chunk)
            if preprocess is None and not isinstance(chunk, list):
                yield from _in_place(chunk)
            else:
                texts = chunk if isinstance(chunk, list) else chunk.to_pylist()
                yield from _from_python(iter(texts), decode, preprocess, surrogates)


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
    """Tell whether to read Arrow buffers. pandas offers its columns of objects too, but makes them Arrow first."""
    if str(getattr(documents, "dtype", "")) == "object":
        return False
    return hasattr(documents, "__arrow_c_stream__") or hasattr(documents, "__arrow_c_array__")


def _string_chunks(column: Any, seen: int) -> Iterator[Any]:
    """Return the column's chunks as large_string arrays, or as lists of bytes when it is binary."""
    import pyarrow as pa

    chunks = pa.chunked_array(column) if hasattr(column, "__arrow_c_stream__") else pa.chunked_array([pa.array(column)])
    kind = chunks.type.value_type if pa.types.is_dictionary(chunks.type) else chunks.type
    if pa.types.is_struct(kind):
        raise CrossentError(f"got a table of {chunks.type.num_fields} columns, not documents: pass its column of text")
    binary = pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    if not binary and not pa.types.is_null(kind) and not _is_string(pa, kind):
        raise CrossentError(f"got a column of {kind}, not documents: pass a column of text")
    for chunk in chunks.chunks:
        if chunk.null_count:
            place = seen + chunk.is_null().index(True).as_py()
            raise CrossentError(
                f"document {place} is missing (null): fill it, with '' for example, or leave its row out"
            )
        seen += len(chunk)
        if binary:
            yield chunk.to_pylist()
        else:
            yield chunk if pa.types.is_string(chunk.type) else chunk.cast(pa.large_string())


def _is_string(pa: Any, kind: Any) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


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
