"""What kind of column this is, judged by its values. Each rule says in its note what it found.

The user can overrule every one of them; the rules are for whoever has not looked at the file yet.
"""

import re
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crossent.arrow import plain
from crossent.table import values

# Rows looked at for the shape of text, and bytes in so many rows at least; distinct values are counted over all rows.
_SAMPLE, _BYTES, _ROWS = 10_000, 1 << 20, 1000
_MOSTLY = 0.95  # share of cells that must be numbers for a column of text to be one; the others are then missing
_LATTICE = (5, 10, 50, 100, 500, 1000, 5000, 10_000)  # what amounts are rounded to
# Scripts without spaces: a character counts as a word.
_WORD = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]|[^\s\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]+"
_ID_NAME = re.compile(
    r"(^|[_\W])(?i:id|uuid|guid|key|index|row_?names?|row_?number)$|[a-z]I[dD]$|^Unnamed: 0$|^__index_level_\d+__$"
)
_CODE_NAME = re.compile(r"(?i)(^|[_\W])(code|zip|(zip|post|postal)_?code)$")


class Guess(NamedTuple):
    """A kind, what was found, and for a date its format."""

    kind: str
    note: str
    format: str | None = None


def guess(name: str, column: pa.ChunkedArray) -> Guess:
    """The kind of a column that is not the target. A few passes over its values."""
    declared = pa.types.is_dictionary(column.type)  # a categorical of pandas or polars, an enumeration of a database
    column = plain(column)
    kind = column.type
    if values.is_by_index(kind):
        return Guess("sparse", "numbers by index")
    if not values.is_readable(kind):
        return Guess("left out", f"values of type {kind} are not read")
    text = values.texts(column)
    present = text.drop_null()
    if not len(present):
        return Guess("left out", "no values")
    found = _declared(name, column, present) if declared else _kind(name, column, present)
    if found.kind == "left out" or not text.null_count:
        return found
    return found._replace(note=f"{found.note}; {text.null_count:,} missing")


def _kind(name: str, column: pa.ChunkedArray, present: pa.ChunkedArray) -> Guess:
    first = present[0]
    if pc.all(pc.equal(present, first)).as_py():
        return _one_value(first.as_py(), len(column) - len(present))
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _date(column, "iso")
    if pa.types.is_boolean(kind):
        return Guess("category", _levels(2))
    if not values.is_text(kind):
        return _number(name, values.numbers(column)[0], present, 0)
    bad = len(values.parse(present.slice(0, 1000))[1])
    if bad <= (1 - _MOSTLY) * min(len(present), 1000):
        x, unreadable = values.parse(present)
        if len(unreadable) <= (1 - _MOSTLY) * len(x):
            return _number(name, x, present, len(unreadable))
    form = values.date_format(present) if _like_dates(present) else None
    return _date(present, form) if form else _with_comma(_words(name, present), present)


def _with_comma(found: Guess, present: pa.ChunkedArray) -> Guess:
    """Say it in the note if these are numbers with a decimal comma, which are not read as numbers."""
    if pc.mean(pc.match_substring_regex(present, r"^[+-]?\d+(,\d+)?$")).as_py() < _MOSTLY:
        return found
    return found._replace(note=f"{found.note}; looks like numbers with a decimal comma: write them with a point")


def _one_value(value: str, missing: int) -> Guess:
    """One value and gaps: which of the two is all that the column tells. Without gaps it tells nothing."""
    return Guess("category", _levels(1)) if missing else Guess("left out", f"constant: {_short(value)}")


def _declared(name: str, column: pa.ChunkedArray, present: pa.ChunkedArray) -> Guess:
    """A category; but text where nearly every value differs and has words: some writers make categories of all text."""
    distinct = pc.count_distinct(present).as_py()
    identifier = _identifier(distinct, len(present), 0.9)
    if identifier and values.is_text(column.type):
        return _words(name, present)
    return identifier or Guess("category", _levels(distinct))


def _number(name: str, x: np.ndarray, present: pa.ChunkedArray, unreadable: int) -> Guess:
    x = x[np.isfinite(x)]
    if not len(x):
        return Guess("left out", "no finite numbers")
    told = f"{_plain(x.min())} to {_plain(x.max())}"
    found = Guess("number", f"{told}; no number in {unreadable:,}" if unreadable else told)
    return (_no_number(name, x, present) if np.array_equal(x, np.trunc(x)) else None) or found


def _no_number(name: str, x: np.ndarray, present: pa.ChunkedArray) -> Guess | None:
    """Whether whole numbers are an identifier or codes of categories; None if they are numbers."""
    found = np.unique(x)
    rows, distinct, codes = len(present), len(found), None
    if distinct == rows >= 20 and np.ptp(x) == rows - 1:
        return Guess("left out", "identifier: it counts the rows")
    if _ID_NAME.search(name) and (identifier := _identifier(distinct, rows, 0.5)):
        return identifier
    if _ID_NAME.search(name) or _CODE_NAME.search(name):
        codes = "codes by the column's name"
    elif values.is_text(present.type) and pc.any(pc.match_substring_regex(present, r"^0\d")).as_py():
        codes = "codes with leading zeros"
    elif _are_codes(x, found):
        codes = "integer codes"
    if codes is None:
        return None
    return _identifier(distinct, rows, 0.9) or Guess("category", f"{_levels(distinct)}, {codes}")


def _are_codes(x: np.ndarray, found: np.ndarray) -> bool:
    """Whether whole numbers are codes of categories rather than amounts or counts.

    A measured quantity that was drawn three times as often as it has values hits nearly every value in its bulk, on
    the lattice on which it is recorded (ones, tens, hundreds). Codes come again as often and leave most unused.
    """
    if len(found) < 20 or len(x) < 3 * len(found):
        return False
    unit = 1
    for step in _LATTICE:
        rests = np.unique(np.mod(found, step), return_counts=True)[1]
        if rests.max() >= 0.5 * len(found) and len(found) >= 2 * len(rests):
            unit = step
    low, high = np.quantile(x, [0.1, 0.9], method="inverted_cdf")
    used = np.count_nonzero((found >= low) & (found <= high))
    return bool(used < 0.2 * ((high - low) / unit + 1))


def _words(name: str, present: pa.ChunkedArray) -> Guess:
    """Category, text or identifier: by how often values come again, and how many words they have."""
    rows, distinct = len(present), pc.count_distinct(present).as_py()
    if _ID_NAME.search(name) and (identifier := _identifier(distinct, rows, 0.5)):
        return identifier
    step = max(rows // _SAMPLE, min(pc.sum(pc.binary_length(present)).as_py() // _BYTES, rows // _ROWS), 1)
    sample = present.take(pa.array(np.arange(0, rows, step)))
    words = pc.mean(pc.count_substring_regex(sample, _WORD)).as_py()
    comes_again = distinct <= 0.5 * rows
    if (words > 10 and distinct > 50) or (words >= 1.5 and not comes_again):
        return Guess("text", f"{words:,.0f} words a row, {distinct:,} different")
    return (None if comes_again else _identifier(distinct, rows, 0.9)) or Guess("category", _levels(distinct))


def _identifier(distinct: int, rows: int, share: float) -> Guess | None:
    if distinct <= share * rows:
        return None
    told = "every value differs" if distinct == rows else f"{distinct:,} of {rows:,} values differ"
    return Guess("left out", f"identifier: {told}")


def _date(column: pa.ChunkedArray, format: str) -> Guess:
    ends = pc.min_max(values.dates(column, format)[0])
    return Guess("date", f"{str(ends['min'])[:10]} to {str(ends['max'])[:10]}", format)


def _like_dates(present: pa.ChunkedArray) -> bool:
    return bool(pc.all(pc.match_substring_regex(present.slice(0, 100), r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}")).as_py())


def _levels(distinct: int) -> str:
    return f"{distinct:,} level" + "s" * (distinct != 1)


def _plain(number: float) -> str:
    return f"{number:,.0f}" if number == np.trunc(number) and abs(number) < 1e15 else f"{number:,.6g}"


def _short(value: str) -> str:
    return repr(value if len(value) <= 40 else value[:37] + "...")
