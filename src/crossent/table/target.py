"""The target column: its classes, kept as the user's values with their type, and rows as codes of classes."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crossent.errors import CrossentError, DataWarning
from crossent.table.values import is_text, numbers, plain, texts

_REGRESSION = 20  # more distinct values than this, of a number with decimals: no classes


def classes_of(table: pa.Table, target: str) -> list[Any]:
    """The classes of the target, sorted: int, float, bool or str, as the user has them.

    Text that holds whole numbers everywhere (a CSV file's ``0`` and ``1``) gives integers.

    Raises
    ------
    CrossentError
        One class or none; a number with too many values to be a class (that is regression); a value for every row.
    """
    column = plain(table[target])
    text = texts(column)
    counts = pc.value_counts(text.drop_null())
    found = counts.field("values").to_pylist()
    if len(found) < 2:
        held = f"one class only, {found[0]!r}" if found else "no values"
        raise CrossentError(f"target {target!r} has {held}; logistic regression needs at least two classes")
    values, bad = numbers(pa.chunked_array([pa.array(found, pa.string())]))
    classes = _typed(column.type, found, values if not len(bad) and not _has_codes(found) else None)
    rows = len(text) - text.null_count
    if len(found) > _REGRESSION and isinstance(classes[0], float) and not all(c == int(c) for c in classes):
        raise CrossentError(
            f"target {target!r} has {len(found):,} distinct numbers with decimals; that is regression, not classes: "
            "choose another target, or cut it into classes first"
        )
    if len(found) > max(_REGRESSION, rows // 2):
        what = "that looks like regression" if not isinstance(classes[0], str) else "that looks like an identifier"
        raise CrossentError(f"target {target!r} has {len(found):,} distinct values in {rows:,} rows; {what}, not classes")
    return classes


def _has_codes(found: Sequence[str]) -> bool:
    return any(len(value.lstrip("+-")) > 1 and value.lstrip("+-")[0] == "0" and value.isdigit() for value in found)


def _typed(kind: pa.DataType, found: list[str], values: np.ndarray | None) -> list[Any]:
    if pa.types.is_boolean(kind):
        return [value == "True" for value in sorted(found)]
    if values is None or not np.isfinite(values).all():
        return sorted(found)
    floats = pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if not floats and (np.abs(values) < 2**53).all() and all(value.lstrip("+-").isdigit() for value in found):
        return sorted({int(value) for value in found})
    if floats or is_text(kind):
        return sorted(set(values.tolist()))
    return sorted(found)


def codes_of(table: pa.Table, target: str, classes: Sequence[Any]) -> np.ndarray:
    """For each row the position of its class in `classes` (int64), -1 where the target is missing.

    Matched by value, whatever the type: ``1``, ``1.0`` and ``"1"`` are the class 1, ``True`` and ``"true"`` the class True.

    Raises
    ------
    CrossentError
        A value that is none of the classes, with its row.
    """
    if target not in table.column_names:
        raise CrossentError(f"no column {target!r} for the target; the table has {', '.join(table.column_names[:10])}")
    text = texts(table[target]).cast(pa.string())
    keys = texts(pa.chunked_array([pa.array(classes)])).cast(pa.string())
    if isinstance(classes[0], bool):
        text, keys = pc.utf8_lower(text), pc.utf8_lower(keys)
    elif not isinstance(classes[0], str):
        value, bad = numbers(text)
        spelled = texts(pa.chunked_array([pa.array(value)]))
        text = pc.if_else(pa.array(_mask(len(value), bad)), text, spelled) if len(bad) else spelled
    codes = pc.fill_null(pc.index_in(text, value_set=keys.combine_chunks()), -1).to_numpy().astype(np.int64)
    unknown = np.flatnonzero((codes < 0) & pc.is_valid(text).to_numpy())
    if len(unknown):
        row = int(unknown[0])
        shown = ", ".join(repr(c) for c in classes[:10]) + (", ..." if len(classes) > 10 else "")
        raise CrossentError(
            f"target {target!r}: {text[row].as_py()!r} in data row {row + 1:,} is none of the classes {shown}"
        )
    return codes


def _mask(size: int, positions: np.ndarray) -> np.ndarray:
    mask = np.zeros(size, dtype=bool)
    mask[positions] = True
    return mask


def with_target(table: pa.Table, target: str) -> pa.Table:
    """The rows whose target is there; a warning counts those left out."""
    present = pc.is_valid(texts(table[target]))
    lost = len(present) - pc.sum(present).as_py() if len(present) else 0
    if not lost:
        return table
    warnings.warn(f"target {target!r} is missing in {lost:,} of {len(table):,} rows; they are left out", DataWarning, 2)
    return table.filter(present)
