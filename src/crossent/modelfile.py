"""The model file: a safetensors file whose tensors are weights and vocabulary, and whose metadata is JSON.

Nothing in it can run code. The metadata has four entries: ``format`` ("crossent"), ``version`` (of this layout),
``model`` (everything that is no array, as JSON) and ``sha256`` over all the rest.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialize

from crossent.errors import CrossentError
from crossent.files import replacing

Array = NDArray[Any]

FORMAT = "crossent"
VERSION = 1


def save(path: str | os.PathLike[str], content: Mapping[str, Any], tensors: Mapping[str, Array]) -> None:
    """Write a model file: to a temporary name in the same folder, synced, renamed."""
    arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    text = json.dumps(plain(content), allow_nan=False, separators=(",", ":"))
    checksum = _checksum(str(VERSION), text, arrays)
    about = {"format": FORMAT, "version": str(VERSION), "model": text, "sha256": checksum}
    with replacing(path) as temporary:
        temporary.write_bytes(serialize(arrays, about))


def load(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Array]]:
    """Read a model file; return what was given to :func:`save`.

    Lengths, offsets and shapes in the file are checked against its size before anything is allocated.

    Raises
    ------
    CrossentError
        A file that is not there, cut short, changed since it was saved, of another program, or of a newer Crossent.
    """
    name = os.fspath(path)
    try:
        with safe_open(name, framework="numpy") as file:
            about = file.metadata() or {}
            version, text = _check_header(name, about)
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise CrossentError(f"{name}: there is no such file") from None
    except (SafetensorError, OSError, TypeError, ValueError) as error:
        if isinstance(error, CrossentError):
            raise
        raise CrossentError(f"{name}: {_unreadable(name, error)}") from None
    if _checksum(version, text, tensors) != about.get("sha256"):
        raise CrossentError(f"{name}: was changed or damaged since it was saved (its checksum differs); train it again")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise CrossentError(f"{name}: its description of the model cannot be read; train it again")
    return content, tensors


def plain(value: Any) -> Any:
    """Return a value as JSON has it: NumPy's numbers and arrays as Python's, and what is not finite as null."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _check_header(name: str, about: Mapping[str, str]) -> tuple[str, str]:
    if about.get("format") != FORMAT:
        raise CrossentError(f"{name}: is a safetensors file of another program, not a Crossent model")
    version = about.get("version", "")
    if version.isdecimal() and len(version) < 10 and int(version) > VERSION:
        raise CrossentError(
            f"{name}: was written by a newer Crossent (format {version}; this one reads {VERSION}); "
            "upgrade with: pip install --upgrade crossent"
        )
    if version != str(VERSION):
        raise CrossentError(f"{name}: has format {version[:20]!r}, which is unknown; this Crossent reads {VERSION}")
    return version, about.get("model", "")


def _unreadable(name: str, error: Exception) -> str:
    if os.path.isdir(name):
        return "is a folder; give a model file"
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror or error}"
    try:
        with open(name, "rb") as file:
            alike = file.read(9)[8:] == b"{"
    except OSError:
        alike = False
    return (
        "is cut short or damaged; copy or train it again" if alike else "is not a model file; give one that train wrote"
    )


def _checksum(version: str, text: str, tensors: Mapping[str, Array]) -> str:
    digest = hashlib.sha256(f"{FORMAT} {version} {len(text)} {text}".encode())
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.reshape(-1).view(np.uint8).data if array.size else b"")
    return digest.hexdigest()
