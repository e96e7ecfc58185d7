"""What the cells of an Arrow column mean: text, numbers, dates, and what counts as missing.

The same reading serves training and prediction and every source, so that ``3`` in a CSV file, ``3`` in an integer
column and ``3.0`` in a pandas column with gaps are one level, and an empty cell, ``?`` and a null are all missing.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crossent.arrow import plain

# What means "no value" in a cell of text, after trimming. "None" is not among them: it is often a level of its own.
MISSING = ("", "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "null", "NULL")
# Plain numbers, and as spreadsheets write them: 1,234.50 and $1,234 and 12%. A comma is never a decimal point.
_NUMBER = r"^[+-]?[$€£]?(\d+|[1-9]\d{0,2}(,\d{3})+)?(\.\d*)?([eE][+-]?\d+)?%?$|^[+-]?(?i:inf|infinity)$"
_ORNAMENT = r"[,$€£%]"
# ISO 8601 is tried first. Month before day where both could be meant, as most exports with slashes are American.
_DATE_FORMATS = ("iso", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%Y/%m/%d", "%Y%m%d")
_ISO = r"^\d{4}-\d{2}-\d{2}([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$"
_ZONE = r":\d{2}(\.\d+)?(Z|[+-]\d{2}:?\d{2})$"


def is_text(type_: pa.DataType) -> bool:
    """Whether cells of this type are text."""
    return pa.types.is_string(type_) or pa.types.is_large_string(type_)


def is_readable(type_: pa.DataType) -> bool:
    """Whether cells of this type mean something here; nested values, bytes and times without a date do not."""
    kinds = (is_text, is_number, pa.types.is_boolean, pa.types.is_temporal, pa.types.is_null)
    return any(is_kind(type_) for is_kind in kinds) and not (pa.types.is_time(type_) or pa.types.is_interval(type_))


def is_by_index(type_: pa.DataType) -> bool:
    """Whether cells of this type are numbers by index, as svmlight has them."""
    return pa.types.is_map(type_) and pa.types.is_integer(type_.key_type) and is_number(type_.item_type)


def is_number(type_: pa.DataType) -> bool:
    """Whether cells of this type are numbers."""
    return pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_)


def documents(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Free text as it stands; missing becomes empty."""
    column = plain(column)
    column = column if is_text(column.type) else texts(column)
    return pc.fill_null(column, "") if column.null_count else column  # a scalar of Arrow's loads pandas


def texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column as text, one spelling a value; null where missing.

    Text is trimmed; whole numbers are written without a point, whatever their type; booleans are ``True``, ``False``.
    """
    column = plain(column)
    kind = column.type
    if is_text(kind):
        trimmed = pc.utf8_trim_whitespace(column)
        missing = pc.is_in(trimmed, value_set=pa.array(MISSING, kind))
        return _where(pc.invert(missing), trimmed) if pc.any(missing).as_py() else trimmed
    if pa.types.is_boolean(kind):
        return pc.if_else(column, "True", "False")
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        number = column.cast(pa.float64())
        number = _where(pc.is_finite(number), number)
        small = pc.and_(pc.equal(number, pc.trunc(number)), pc.less(pc.abs(number), 2.0**63))
        whole = pc.if_else(small, number, 0.0).cast(pa.int64()).cast(pa.string())
        return pc.if_else(small, whole, number.cast(pa.string()))
    return column.cast(pa.string())


def levels(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column as levels of a category: `texts`, and ``3.0`` is 3, as pandas writes whole numbers beside gaps."""
    text = texts(column).cast(pa.string())
    if not pc.any(pc.ends_with(text, ".0")).as_py():
        return text
    return pc.replace_substring_regex(text, r"^([+-]?\d+)\.0$", r"\1")


def numbers(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """The column as float64, NaN where missing; and the positions of cells that hold something else (NaN as well)."""
    column = plain(column)
    kind = column.type
    nothing = np.empty(0, dtype=np.int64)
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan), nothing
    if pa.types.is_duration(kind):
        seconds = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}[kind.unit]
        return numbers(column.cast(pa.int64()))[0] * seconds, nothing
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    elif not is_number(kind):
        return parse(texts(column))
    return _to_numpy(column.cast(pa.float64(), safe=False)), nothing


def parse(text: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """What `numbers` does with text that `texts` has trimmed."""
    try:
        return _to_numpy(text.cast(pa.float64())), np.empty(0, dtype=np.int64)
    except pa.ArrowInvalid:
        good = pc.and_(pc.match_substring_regex(text, _NUMBER), pc.match_substring_regex(text, r"\d|(?i:inf)"))
        bad = np.flatnonzero(pc.fill_null(pc.invert(good), False).to_numpy())
        bare = pc.replace_substring_regex(_where(good, text), _ORNAMENT, "")
        return _to_numpy(bare.cast(pa.float64())), bad


def _to_numpy(column: pa.ChunkedArray) -> np.ndarray:
    return np.array(pc.fill_null(column, np.nan).to_numpy(), dtype=np.float64)


def date_format(column: pa.ChunkedArray) -> str | None:
    """The format under which every value of a column is a date, or None."""
    column = plain(column)
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return "iso"
    if not is_readable(column.type):
        return None
    present = texts(column).drop_null()
    for name in _DATE_FORMATS if len(present) else ():
        if len(present) == len(dates(present, name)[0].drop_null()):
            return name
    return None


def dates(column: pa.ChunkedArray, format: str) -> tuple[pa.ChunkedArray, np.ndarray]:
    """The column as timestamps by the wall clock, null where missing; and the positions of cells that are no dates.

    A time of day may follow the date. An offset (``Z``, ``+02:00``) is converted to UTC; a column with a time zone, to
    the clock there.
    """
    column = plain(column)
    kind = column.type
    nothing = np.empty(0, dtype=np.int64)
    if pa.types.is_timestamp(kind):
        clock = pc.local_timestamp(column) if kind.tz else column
        return clock.cast(pa.timestamp("us"), safe=False), nothing
    if pa.types.is_date(kind):
        return column.cast(pa.timestamp("us"), safe=False), nothing
    text = texts(column).cast(pa.string())
    if format == "iso":
        parsed = _iso(_where(pc.match_substring_regex(text, _ISO), text))
    else:
        text = _where(pc.match_substring_regex(text, r"\d{4}"), text)  # strptime would take 24 for the year 24
        forms = (format, f"{format} %H:%M:%S", f"{format} %H:%M")
        parsed = pc.coalesce(*(pc.strptime(text, form, "us", error_is_null=True) for form in forms))
    bad = pc.and_(pc.is_valid(texts(column)), pc.is_null(parsed))
    return parsed, np.flatnonzero(bad.to_numpy())


def _iso(text: pa.ChunkedArray) -> pa.ChunkedArray:
    text = pc.replace_substring_regex(text, r"(\.\d{6})\d+", r"\1")  # Arrow takes microseconds at most here
    try:
        return _instants(text)
    except pa.ArrowInvalid:  # the shape of a date, but no such day (2023-02-30), which strptime would move to March
        day = pc.utf8_slice_codeunits(text, 0, 10)
        again = pc.strftime(pc.strptime(day, "%Y-%m-%d", "s", error_is_null=True), "%Y-%m-%d")
        return _instants(_where(pc.equal(day, again), text))


def _instants(text: pa.ChunkedArray) -> pa.ChunkedArray:
    zoned = pc.match_substring_regex(text, _ZONE)
    local = _where(pc.invert(zoned), text).cast(pa.timestamp("us"))
    utc = _where(zoned, text).cast(pa.timestamp("us", "UTC"))
    return pc.coalesce(local, utc.cast(pa.timestamp("us")))


def _where(condition: pa.ChunkedArray, column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(condition, column, pa.scalar(None, column.type))


def has_clock(column: pa.ChunkedArray) -> bool:
    """Whether some of these timestamps have a time of day."""
    return bool(pc.any(pc.not_equal(column, pc.floor_temporal(column, unit="day"))).as_py())
