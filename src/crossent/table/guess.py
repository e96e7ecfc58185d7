"""What kind of column this is, judged by its values. Each rule says in its note why it decided so.

The user can overrule every one of them; the rules are for the person who has not looked at the file yet.
"""

import re
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crossent.table import values

_SAMPLE = 10_000  # rows looked at for the shape of text; counts of distinct values use all rows
_MOSTLY = 0.95  # share of cells that must be numbers for a column of text to be one: the rest is unreadable, so missing
_WORD = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]|[^\s\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]+"
_ID_NAME = re.compile(r"(^|[_\W])(id|uuid|guid|key|index|row_?names?|row_?(nr|num|number)?)$|[a-z]I[dD]$|^Unnamed: 0$|^column1$", re.I)
_ID_CAMEL = re.compile(r"[a-z]I[dD]$")


class Guess(NamedTuple):
    """A kind, why, and for a date its format."""

    kind: str
    note: str
    format: str | None = None


def guess(name: str, column: pa.ChunkedArray) -> Guess:
    """The kind of a column that is not the target."""
    column = values.plain(column)
    kind = column.type
    if pa.types.is_map(kind) and pa.types.is_integer(kind.key_type):
        return Guess("sparse", "numbers by index")
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_time(kind):
        return Guess("left out", f"values of type {kind} are not read")
    text = values.texts(column)
    present = text.drop_null()
    missing = text.null_count
    if not len(present):
        return Guess("left out", "no values")
    distinct = pc.count_distinct(present).as_py()
    if distinct == 1 and not missing:
        return Guess("left out", f"constant: {_short(present[0].as_py())}")
    found = _kind(name, column, text, present, distinct)
    return found._replace(note=f"{found.note}; {missing:,} missing" if missing else found.note)


def _kind(name: str, column: pa.ChunkedArray, text: pa.ChunkedArray, present: pa.ChunkedArray, distinct: int) -> Guess:
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return Guess("date", _range(*_ends(values.dates(column, "iso")[0])), "iso")
    if pa.types.is_boolean(kind) or distinct == 1:
        return Guess("category", _levels(distinct))
    number = _as_number(name, column, present, distinct)
    if number:
        return number
    form = values.date_format(text) if len(present) and _date_like(present) else None
    if form:
        return Guess("date", _range(*_ends(values.dates(text, form)[0])), form)
    return _words(name, present, distinct)


def _as_number(name: str, column: pa.ChunkedArray, present: pa.ChunkedArray, distinct: int) -> Guess | None:
    """Numbers, unless they are identifiers or codes. None if the column does not hold numbers."""
    if values.is_text(column.type):
        head, bad = values.numbers(present.slice(0, 1000))
        if len(bad) > (1 - _MOSTLY) * len(head):
            return None
        if pc.any(pc.match_substring_regex(present, r"^[+-]?0\d")).as_py():
            return _identifier_or(Guess("category", f"{_levels(distinct)}, codes with leading zeros"), name, present, distinct)
        x, bad = values.numbers(present)
        if len(bad) > (1 - _MOSTLY) * len(x):
            return None
        x = np.delete(x, bad)
        unread = f"; {len(bad):,} cells hold no number" if len(bad) else ""
    elif pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        x, unread = values.numbers(column)[0], ""
        x = x[~np.isnan(x)]
    elif pa.types.is_duration(column.type):
        return Guess("number", "seconds")
    else:
        return None
    whole = bool(np.all(x == np.trunc(x))) and bool(np.isfinite(x).all())
    if whole and distinct == len(x) > 2 and np.ptp(x) == len(x) - 1 and len(x) >= 20:
        return Guess("left out", "identifier: it counts the rows")
    if whole and _names_id(name):
        return _identifier_or(Guess("category", f"{_levels(distinct)}, by its name"), name, present, distinct)
    if whole and _codes(x):
        return Guess("category", f"{_levels(distinct)}: integers that come again but leave most values between unused")
    return Guess("number", f"{_range(_plain(x.min()), _plain(x.max()))}{unread}")


def _identifier_or(otherwise: Guess, name: str, present: pa.ChunkedArray, distinct: int) -> Guess:
    if distinct > 0.9 * len(present):
        return Guess("left out", f"identifier: {_differ(distinct, len(present))}")
    return otherwise


def _codes(x: np.ndarray) -> bool:
    """Whether whole numbers are codes of categories rather than amounts or counts.

    A measured quantity that is drawn three times as often as it has values would hit nearly every value in its bulk, on
    the lattice on which it is recorded (ones, tens, hundreds). Codes come again as often and leave most unused.
    """
    found, counts = np.unique(x, return_counts=True)
    if len(found) < 20 or len(x) < 3 * len(found):
        return False
    unit = 1
    for step in (5, 10, 50, 100, 500, 1000, 5000, 10000):
        rest = np.unique(np.mod(found, step), return_counts=True)[1]
        if rest.max() >= 0.5 * len(found) and len(found) >= 2 * len(rest):
            unit = step
    low, high = np.quantile(x, [0.1, 0.9], method="inverted_cdf")
    inside = np.count_nonzero((found >= low) & (found <= high))
    return inside < 0.2 * ((high - low) / unit + 1)


def _words(name: str, present: pa.ChunkedArray, distinct: int) -> Guess:
    """Category, text or identifier: by how often values come again, and how many words they have."""
    step = max(1, len(present) // _SAMPLE)
    sample = present.take(pa.array(np.arange(0, len(present), step)))
    words = pc.mean(pc.count_substring_regex(sample, _WORD)).as_py()
    repeats = distinct <= 0.5 * len(present)
    told = f"{words:.0f} words a row, {distinct:,} different"
    if _names_id(name) and distinct > 0.9 * len(present):
        return Guess("left out", f"identifier: {_differ(distinct, len(present))}")
    if words > 10 and distinct > 50:
        return Guess("text", told)
    if repeats:
        return Guess("category", _levels(distinct))
    if words >= 1.5:
        return Guess("text", told)
    return _identifier_or(Guess("category", _levels(distinct)), name, present, distinct)


def _date_like(present: pa.ChunkedArray) -> bool:
    return bool(pc.all(pc.match_substring_regex(present.slice(0, 100), r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}")).as_py())


def _names_id(name: str) -> bool:
    return bool(_ID_NAME.search(name) or _ID_CAMEL.search(name))


def _levels(distinct: int) -> str:
    return f"{distinct:,} level" + "s" * (distinct != 1)


def _differ(distinct: int, rows: int) -> str:
    return "every value differs" if distinct == rows else f"{distinct:,} of {rows:,} values differ"


def _ends(when: pa.ChunkedArray) -> tuple[str, str]:
    ends = pc.min_max(when)
    return str(ends["min"])[:10], str(ends["max"])[:10]


def _range(low: str, high: str) -> str:
    return f"{low} to {high}"


def _plain(number: float) -> str:
    return f"{number:,.0f}" if number == np.trunc(number) and abs(number) < 1e15 else f"{number:,.6g}"


def _short(value: str) -> str:
    return repr(value if len(value) <= 40 else value[:37] + "...")
