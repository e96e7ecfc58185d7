"""Columns of any Arrow type, made plain: every other room sees values where they stand, and nulls where they count."""

import numpy as np
import pyarrow as pa


def plain(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray:
    """The column in an ordinary type: dictionaries and runs decoded, views and extension types undone."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    return pa.chunked_array([_plain(chunk) for chunk in chunks or [pa.nulls(0, column.type)]])


def _plain(chunk: pa.Array) -> pa.Array:
    kind = chunk.type
    if isinstance(kind, pa.BaseExtensionType):
        return _plain(chunk.storage)
    if pa.types.is_dictionary(kind):  # by hand, as runs are: Arrow decodes those of few types, of views for one not
        return _plain(chunk.dictionary).take(chunk.indices)
    if pa.types.is_run_end_encoded(kind):
        ends, places = np.asarray(chunk.run_ends), chunk.offset + np.arange(len(chunk))
        return _plain(chunk.values).take(pa.array(np.searchsorted(ends, places, "right")))
    if pa.types.is_string_view(kind):
        return chunk.cast(pa.large_string())
    return chunk.cast(pa.large_binary()) if pa.types.is_binary_view(kind) else chunk
