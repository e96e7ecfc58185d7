"""Lists of strings as two plain arrays, the form in which they are saved; checked when they come back."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from crossent.errors import CrossentError


def pack(name: str, strings: pa.Array) -> dict[str, np.ndarray]:
    """``<name>.bytes``: the UTF-8 of all, end to end (uint8); ``<name>.ends``: where each ends (int64)."""
    encoded = [text.encode() for text in strings.to_pylist()]
    ends = np.cumsum([len(text) for text in encoded], dtype=np.int64)
    return {f"{name}.bytes": np.frombuffer(b"".join(encoded), dtype=np.uint8), f"{name}.ends": ends}


def unpack(name: str, arrays: Mapping[str, np.ndarray]) -> pa.Array:
    """The strings again, as an Arrow array; an error if the arrays do not hold strings."""
    try:
        data, ends = arrays[f"{name}.bytes"], arrays[f"{name}.ends"]
        offsets = np.concatenate([[0], ends]).astype(np.int64)
        if data.dtype != np.uint8 or (np.diff(offsets) < 0).any() or offsets[-1] != len(data):
            raise ValueError("offsets do not fit the bytes")
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(data))]
        strings = pa.LargeStringArray.from_buffers(len(ends), buffers[1], buffers[2])
        strings.validate(full=True)
        return strings.cast(pa.string())
    except (KeyError, ValueError, pa.ArrowException) as error:
        raise CrossentError(f"the saved strings {name!r} are damaged: {error}") from None
