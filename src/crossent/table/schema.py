"""The columns of a table and what each is for: guessed, printed, set by the user, saved with the model."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from crossent.arrow import plain
from crossent.errors import CrossentError
from crossent.table import guess as guessing
from crossent.table import values

KINDS = ("number", "category", "text", "date", "sparse", "target", "left out")


@dataclass(frozen=True)
class Column:
    """One column: its kind (one of `KINDS`), a note on what was found or why it is left out, a date's format."""

    name: str
    kind: str
    note: str = ""
    format: str | None = None


@dataclass(frozen=True)
class Schema:
    """The columns of a table, in its order, each with its kind.

    Attributes
    ----------
    columns : tuple of Column
    """

    columns: tuple[Column, ...]

    @classmethod
    def guess(
        cls,
        table: pa.Table,
        *,
        target: str | None = None,
        text: Sequence[str] = (),
        category: Sequence[str] = (),
        number: Sequence[str] = (),
        date: Sequence[str] = (),
        drop: Sequence[str] = (),
    ) -> "Schema":
        """Guess each column's kind from its values; the kinds given are taken as they are.

        Parameters
        ----------
        table : pyarrow.Table
            All rows, or enough of them: one pass over each column.
        target : str, optional
            The column to predict.
        text, category, number, date, drop : lists of column names
            Kinds set by the user; ``drop`` leaves columns out.

        Raises
        ------
        CrossentError
            A name that is no column, or one that is given two kinds.
        """
        kinds = {"text": text, "category": category, "number": number, "date": date, "left out": drop}
        given: dict[str, str] = {}
        for kind, names in [("target", [target] if target else []), *kinds.items()]:
            if not isinstance(names, Iterable | None):
                raise CrossentError(f"{_option(kind)} is {names!r}; give the name of a column, or several")
            for name in [names] if isinstance(names, str) else names or ():
                require_column(name, table.column_names, "the target" if kind == "target" else _option(kind))
                if given.setdefault(name, kind) != kind:
                    raise CrossentError(f"column {name!r} is given as {_option(given[name])} and as {_option(kind)}")
        columns = [_column(name, table[name], given.get(name)) for name in table.column_names]
        return cls(tuple(_with_leak(column, table, target) if target else column for column in columns))

    @property
    def target(self) -> str | None:
        """The target's name."""
        return next((column.name for column in self.columns if column.kind == "target"), None)

    @property
    def used(self) -> list[Column]:
        """The columns that become features, in the table's order."""
        return [column for column in self.columns if column.kind not in ("target", "left out")]

    def require(self, names: Iterable[str]) -> None:
        """Raise CrossentError naming the used columns that are not among `names`."""
        names = list(names)
        lacking = [column.name for column in self.used if column.name not in names]
        if lacking:
            raise CrossentError(f"the table lacks {listed(lacking)}; it has {listed(names)}")

    def describe(self) -> list[str]:
        """One line a column: name, kind, what was found."""
        wide = max((len(column.name) for column in self.columns), default=0)
        return [f"{column.name:<{wide}}  {column.kind:<8}  {column.note}".rstrip() for column in self.columns]

    def to_json(self) -> dict[str, Any]:
        """JSON-able, for the model file."""
        return {"columns": [asdict(column) for column in self.columns]}

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> "Schema":
        """From `to_json`; CrossentError if it is damaged."""
        try:
            columns = tuple(Column(**column) for column in saved["columns"])
        except (KeyError, TypeError) as error:
            raise CrossentError(f"the saved schema is damaged: {error}") from None
        strange = [column.kind for column in columns if column.kind not in KINDS]
        if strange:
            raise CrossentError(f"the saved schema has a column of unknown kind {strange[0]!r}")
        return cls(columns)


def _column(name: str, column: pa.ChunkedArray, kind: str | None) -> Column:
    if kind is None:
        found = guessing.guess(name, column)
        return Column(name, found.kind, found.note, found.format)
    if kind == "date":
        form = values.date_format(column)
        if form is None:
            raise CrossentError(f"column {name!r} holds no dates that are understood; write them as 2026-11-22")
        return Column(name, kind, "as asked", form)
    return Column(name, kind, "" if kind == "target" else "as asked")


def _with_leak(column: Column, table: pa.Table, target: str) -> Column:
    """Say it in the note if a category with few levels decides the class in every row: often the target in disguise."""
    classes = plain(table[target])
    if column.kind != "category" or not values.is_readable(classes.type) or pc.count_distinct(classes).as_py() < 2:
        return column
    pairs = pa.table({"level": values.levels(table[column.name]), "class": classes})
    held = pairs.group_by("level").aggregate([("class", "count_distinct")])["class_count_distinct"]
    if len(held) > len(table) / 10 or pc.max(held).as_py() != 1:
        return column
    return replace(column, note=f"{column.note}; decides the target in every row: drop it if it is known only later")


def _option(kind: str) -> str:
    return "drop" if kind == "left out" else kind


def require_column(name: str, names: Sequence[str], what: str) -> None:
    """Raise CrossentError, with the nearest name, if `name` is not among `names`."""
    if name not in names:
        spelled = {known.casefold(): known for known in reversed(names)}
        near = [spelled[match] for match in difflib.get_close_matches(str(name).casefold(), spelled, 1)]
        hint = f"; did you mean {near[0]!r}?" if near else f"; the table has {listed(names)}"
        raise CrossentError(f"no column {name!r} ({what}){hint}")


def listed(names: Sequence[str]) -> str:
    """Names in quotes, the first ten."""
    return ", ".join(map(repr, list(names)[:10])) + (", ..." if len(names) > 10 else "")
