"""Any source of rows as Arrow record batches: files, several files, standard input, tables in memory."""

import glob
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from crossent.errors import CrossentError
from crossent.table import formats
from crossent.table.streams import first_line, open_bytes


def read(
    source: Any,
    *,
    columns: Sequence[str] | None = None,
    format: str | None = None,
    header: bool | None = None,
    expected: Sequence[str] = (),
) -> Iterator[pa.RecordBatch]:
    """Rows of a source, as Arrow record batches, one read of the source.

    Parameters
    ----------
    source : path, glob, ``"-"``, binary file object, or a table
        A path, a pattern with ``*``, a list of paths, or ``"-"`` for standard input: CSV, TSV, JSON lines, Parquet,
        Arrow/Feather or svmlight, plain or compressed (gzip, bzip2, zstandard: told by the first bytes). Or a table:
        pandas, polars, Arrow, anything with ``__arrow_c_stream__`` (a DuckDB result), a mapping of columns, a list of
        mappings.
    columns : names, optional
        Only these, in this order. All by default.
    format : {"csv", "tsv", "jsonl", "parquet", "arrow", "svmlight"}, optional
        By default told from the file's extension, else from its first bytes.
    header : bool, optional
        Whether delimited text begins with names. By default looked at; without names columns are ``column1``, ...
    expected : names
        A first row of delimited text that holds one of these begins with names.

    Yields
    ------
    pyarrow.RecordBatch
        Always at least one (it may hold no rows), with the same unique column names in the same order. Delimited text
        is text in every column. From JSON lines types may differ from batch to batch, and columns may be added.

    Raises
    ------
    CrossentError
        A source that is not there or cannot be understood, a ragged row (with its number), files whose columns differ.
    """
    if format is not None and format not in formats.FORMATS:
        raise CrossentError(f"format {format!r} is not one of {', '.join(formats.FORMATS)}")
    names: list[str] = []
    for part in _parts(source):
        for batch in _file(part, columns, format, header, expected) if _is_file(part) else _memory(part, columns):
            yield _aligned(_without_views(batch), names, part)


def read_table(
    source: Any,
    *,
    columns: Sequence[str] | None = None,
    format: str | None = None,
    header: bool | None = None,
    expected: Sequence[str] = (),
) -> pa.Table:
    """All rows of a source as one Arrow table; parameters as `read`."""
    if isinstance(source, pa.Table) and columns is None and _is_ready(source):
        return source
    return joined(read(source, columns=columns, format=format, header=header, expected=expected))


def joined(batches: Iterable[pa.RecordBatch]) -> pa.Table:
    """One table of batches as `read` gives them."""
    tables = [pa.Table.from_batches([batch]) for batch in batches]
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise CrossentError(f"the parts of the table do not fit together: {first_line(error)}") from None


def _parts(source: Any) -> Iterable[Any]:
    """The files or tables that a source stands for."""
    if isinstance(source, str | os.PathLike):
        name = os.fspath(source)
        if any(mark in name for mark in "*?[") and not os.path.exists(name):
            found = sorted(glob.glob(name, recursive=True))
            if not found:
                raise CrossentError(f"{name}: no file matches this pattern")
            return found
        return [name]
    if isinstance(source, list | tuple) and source and all(isinstance(s, str | os.PathLike) for s in source):
        return [part for one in source for part in _parts(one)]
    return [source]


def _is_file(part: Any) -> bool:
    return isinstance(part, str) or hasattr(part, "readinto") or (hasattr(part, "read") and not hasattr(part, "schema"))


def _file(
    part: Any, columns: Sequence[str] | None, format: str | None, header: bool | None, expected: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    with open_bytes(part) as (name, stream):
        format = format or formats.sniff(name, stream)
        if format in ("csv", "tsv"):
            tabs = format == "tsv"
            yield from formats.delimited(stream, name, tabs=tabs, columns=columns, header=header, expected=expected)
        elif format == "jsonl":
            yield from formats.json_lines(stream, name, columns=columns)
        else:
            reader = {"parquet": formats.parquet, "arrow": formats.arrow, "svmlight": formats.svmlight}[format]
            for batch in reader(stream, name, columns=columns):
                names = formats.unique_names(batch.schema.names, name)
                yield batch if names == batch.schema.names else batch.rename_columns(names)


def _memory(source: Any, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
    where = "the table"
    try:
        reader = _as_reader(source, where)
        names = formats.unique_names(reader.schema.names, where)
        wanted = formats.present(columns, names, where)
        for batch in itertools.chain([formats.no_rows(reader.schema)], reader):
            yield batch.rename_columns(names).select(wanted)
    except UnicodeEncodeError as error:  # half of a UTF-16 pair, as a wrong decoding leaves it
        held = error.object[max(0, error.start - 10) : error.end]
        raise CrossentError(f"{where}: {held!r} holds a lone surrogate, which is no text; replace it") from None
    except (pa.ArrowException, TypeError, OverflowError) as error:
        raise CrossentError(f"{where}: cannot be read: {first_line(error)}") from None


def _as_reader(source: Any, where: str) -> pa.RecordBatchReader:
    if type(source).__module__.partition(".")[0] == "pandas" and hasattr(source, "columns"):
        names = formats.unique_names([str(name) for name in source.columns], where)
        return pa.Table.from_pandas(source.set_axis(names, axis=1), preserve_index=False).to_reader()
    if hasattr(source, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(source)
    if hasattr(source, "__arrow_c_array__"):
        return pa.table(source).to_reader()
    if isinstance(source, Mapping):
        return pa.table(dict(source)).to_reader()
    if isinstance(source, list | tuple) and source and all(isinstance(row, Mapping) for row in source):
        return pa.Table.from_pylist(list(source)).to_reader()
    wanted = "a path, a pandas, polars or Arrow table, a mapping of columns, or a list of mappings"
    raise CrossentError(f"a source of type {type(source).__name__} is not read; give {wanted}")


_OF_VIEW = {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}


def _is_ready(table: pa.Table) -> bool:
    return len(set(table.column_names)) == table.num_columns and table.schema == _schema_without_views(table.schema)


def _schema_without_views(schema: pa.Schema) -> pa.Schema:
    """The schema with text and bytes as Arrow can filter and join them; views, as polars has them, it cannot."""

    def ordinary(kind: pa.DataType) -> pa.DataType:
        if pa.types.is_dictionary(kind):
            return pa.dictionary(kind.index_type, ordinary(kind.value_type), kind.ordered)
        return _OF_VIEW.get(kind, kind)

    return pa.schema([field.with_type(ordinary(field.type)) for field in schema], schema.metadata)


def _without_views(batch: pa.RecordBatch) -> pa.RecordBatch:
    schema = _schema_without_views(batch.schema)
    if schema == batch.schema:
        return batch
    cells = [_cast(column, field.type) for column, field in zip(batch.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(cells, schema=schema)


def _cast(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if not pa.types.is_dictionary(kind):
        return column.cast(kind)
    levels = column.dictionary.cast(kind.value_type)
    return pa.DictionaryArray.from_arrays(column.indices, levels, ordered=kind.ordered)


def _aligned(batch: pa.RecordBatch, names: list[str], part: Any) -> pa.RecordBatch:
    """The batch with the columns seen so far, in their order; `names` grows by what the first batch or JSON brings."""
    own = batch.schema.names
    if own == names:
        return batch
    lenient = not names or _is_json(batch)
    lacking, extra = [n for n in names if n not in own], [n for n in own if n not in names]
    if (lacking or extra) and not lenient:
        pairs = (("lacks", lacking), ("also has", extra))
        told = " and ".join(f"{verb} {', '.join(map(repr, which))}" for verb, which in pairs if which)
        raise CrossentError(f"{part}: its columns are not those of the files before: it {told}")
    names += extra
    for name in lacking:
        batch = batch.append_column(name, pa.nulls(batch.num_rows))
    return batch.select(names)


def _is_json(batch: pa.RecordBatch) -> bool:
    return (batch.schema.metadata or {}).get(b"format") == b"jsonl"
