"""The target column: its classes, kept as the user's values with their type, and rows as codes of classes."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crossent.arrow import plain
from crossent.errors import CrossentError, DataWarning
from crossent.table import values
from crossent.table.schema import require_column

_MANY = 20  # up to so many distinct values are classes, whatever they are


def with_target(table: pa.Table, target: str) -> pa.Table:
    """The rows whose target is there; a warning counts those left out."""
    present = pc.is_valid(_text(table, target))
    lost = len(table) - (pc.sum(present).as_py() or 0)
    if not lost:
        return table
    warnings.warn(f"target {target!r} is missing in {lost:,} of {len(table):,} rows; they are left out", DataWarning, 2)
    return table.filter(present)


def rows_with_target(table: pa.Table, target: str) -> np.ndarray:
    """The positions of the rows whose target is there."""
    return np.flatnonzero(pc.is_valid(_text(table, target)).to_numpy())


def classes_of(table: pa.Table, target: str) -> list[Any]:
    """The classes of the target, sorted: int, float, bool or str, as the user has them.

    Text that holds whole numbers everywhere (a CSV file's ``0`` and ``1``) gives integers.

    Raises
    ------
    CrossentError
        One class or none; numbers with decimals, too many of them (that is regression); a value for every other row.
    """
    text = _text(table, target)
    found = text.unique().drop_null().to_pylist()
    classes = sorted(_typed(plain(table[target]).type, found))
    rows = len(text) - text.null_count
    if len(classes) < 2:
        held = f"one class only, {classes[0]!r}" if classes else "no values"
        raise CrossentError(f"target {target!r} has {held}; logistic regression needs two classes or more")
    decimals = any(isinstance(value, float) and value != int(value) for value in classes)
    if len(classes) > _MANY and (decimals or len(classes) > rows // 2):
        looks = "regression" if not isinstance(classes[0], str) else "text or an identifier"
        held = f"{len(classes):,} distinct values in {rows:,} rows, such as {classes[0]!r}"
        raise CrossentError(f"target {target!r} has {held}; that looks like {looks}: choose a column of classes")
    return classes


def codes_of(table: pa.Table, target: str, classes: Sequence[Any], rows: np.ndarray | None = None) -> np.ndarray:
    """For each row the position of its class in `classes` (int64), -1 where the target is missing.

    Matched by value, whatever the type: ``1``, ``1.0`` and ``"1"`` are the class 1; ``True`` and ``"true"``, True.

    Raises
    ------
    CrossentError
        A value that is none of the classes, with its row: its place in ``rows`` where those are given.
    """
    text = _text(table, target)
    keys = values.texts(pa.chunked_array([pa.array(classes)])).cast(pa.string())
    if isinstance(classes[0], bool):
        spelled, keys = pc.utf8_lower(text), pc.utf8_lower(keys)
    elif isinstance(classes[0], str):
        spelled = text
    else:
        spelled = values.texts(pa.chunked_array([pa.array(values.numbers(text)[0])]))
    codes = pc.fill_null(pc.index_in(spelled, value_set=keys.combine_chunks()), -1).to_numpy().astype(np.int64)
    unknown = np.flatnonzero((codes < 0) & pc.is_valid(text).to_numpy())
    if len(unknown):
        row = int(unknown[0])
        shown = ", ".join(map(repr, classes[:10])) + (", ..." if len(classes) > 10 else "")
        where = f"{text[row].as_py()!r} in data row {(row if rows is None else rows[row]) + 1:,}"
        raise CrossentError(f"target {target!r}: {where} is none of the classes {shown}")
    return codes


def _text(table: pa.Table, target: str) -> pa.ChunkedArray:
    require_column(target, table.column_names, "the target")
    column = plain(table[target])
    if not values.is_readable(column.type):
        raise CrossentError(f"target {target!r} has values of type {column.type}; give text, numbers or true/false")
    return values.texts(column).cast(pa.string())


def _typed(kind: pa.DataType, found: list[str]) -> set[Any]:
    """The values with their type: text becomes numbers only if all of it are, and none is a code such as 007."""
    if pa.types.is_boolean(kind):
        return {value == "True" for value in found}
    if not (values.is_number(kind) or values.is_text(kind)):
        return set(found)
    x, unreadable = values.numbers(pa.chunked_array([pa.array(found, pa.string())]))
    codes = any(len(value) > 1 and value[0] == "0" and value.isdigit() for value in found)
    if len(unreadable) or codes or not np.isfinite(x).all():
        return set(found)
    floats = pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if not floats and all(value.lstrip("+-").isdecimal() for value in found):
        return {int(value) for value in found}
    return set(x.tolist())
