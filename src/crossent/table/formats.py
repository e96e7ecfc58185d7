"""One function a file format: a stream of bytes in, Arrow record batches out.

Delimited text comes out as text in every column: what a column means is decided once, by the schema, from all of it.
"""

import csv
import io
import itertools
import json
import re
import warnings
from collections.abc import Collection, Iterator, Sequence
from pathlib import PurePath
from typing import Any

import pyarrow as pa

from crossent.errors import CrossentError, DataWarning
from crossent.table.streams import CHUNK, Pieces, Utf8, first_line
from crossent.table.values import MISSING

FORMATS = ("csv", "tsv", "jsonl", "parquet", "arrow", "svmlight")
_EXTENSIONS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".svm": "svmlight",
    ".svmlight": "svmlight",
    ".libsvm": "svmlight",
}
_COMPRESSED = {".gz", ".bz2", ".zst", ".zstd"}
_SVMLIGHT = re.compile(rb"\s*[-+]?[\d.]+(\s+\d+:[-+\d.eE]+)+\s*(#.*)?$")
BLOCK = 16 << 20  # bytes parsed at a time, at most; a row must fit in one block


def sniff(name: str, stream: io.BufferedReader) -> str:
    """The format, by the name's extension; without a telling one, by the first bytes."""
    suffixes = [suffix.lower() for suffix in PurePath(name).suffixes]
    while suffixes and suffixes[-1] in _COMPRESSED:
        suffixes.pop()
    if suffixes and suffixes[-1] in _EXTENSIONS:
        return _EXTENSIONS[suffixes[-1]]
    head = stream.peek(CHUNK)
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        return "arrow"
    if head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
        return "jsonl"
    lines = [line for line in head.splitlines() if line and not line.startswith(b"#")]
    if lines and _SVMLIGHT.match(lines[0]):
        return "svmlight"
    return "tsv" if lines and b"\t" in lines[0] else "csv"


def unique_names(names: Sequence[str], where: str) -> list[str]:
    """Column names made unique (``x``, ``x.2``) and never empty (``column3``); a warning says which were changed."""
    originals, taken, out, changed = set(names), set(), [], []
    for position, name in enumerate(names, 1):
        stem = new = name or f"column{position}"
        copy = 1
        while new in taken or (new != name and new in originals):
            copy += 1
            new = f"{stem}.{copy}"
        if name and new != name:
            changed.append(f"{name!r} is now {new!r}")
        taken.add(new)
        out.append(new)
    if changed:
        warnings.warn(f"{where}: duplicate column names: {', '.join(changed)}", DataWarning, stacklevel=2)
    return out


# ---------------------------------------------------------------------------------------------- delimited text


def delimited(
    stream: io.BufferedReader,
    name: str,
    *,
    tabs: bool,
    columns: Sequence[str] | None,
    header: bool | None,
    expected: Sequence[str] = (),
) -> Iterator[pa.RecordBatch]:
    """CSV (any of ``, ; | tab``) with quotes, or tab-separated without quoting: batches of text columns."""
    from pyarrow import csv as arrow_csv

    raw = Utf8(stream, name)
    text = raw.buffered()
    start = text.peek(CHUNK)
    head = start.decode("utf-8", "ignore")
    if not head.strip():
        raise CrossentError(f"{name}: is empty; a table needs a header and rows")
    delimiter = "\t" if tabs else _delimiter(head)
    quote = False if delimiter == "\t" else '"'
    rows = _head_rows(head, delimiter, quoted=bool(quote), cut=len(start) > CHUNK // 2)
    if not rows:
        raise CrossentError(f"{name}: its first row does not end; look for a quotation mark that never closes")
    has_header = _has_header(rows, [*(columns or ()), *expected]) if header is None else header
    if has_header:
        names = unique_names([field.strip().strip('"') for field in rows[0]], name)
    else:
        names = [f"column{i}" for i in range(1, len(rows[0]) + 1)]
        if header is None:
            named = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
            message = f"{name}: no header (its first row is like the rows below); columns are {named}"
            warnings.warn(message, DataWarning, stacklevel=2)
    pieces = Pieces(text, quoted=bool(quote))
    try:
        reader = arrow_csv.open_csv(
            pieces,
            read_options=arrow_csv.ReadOptions(
                column_names=names, skip_rows_after_names=int(has_header), block_size=BLOCK, use_threads=False
            ),
            parse_options=arrow_csv.ParseOptions(delimiter=delimiter, quote_char=quote, newlines_in_values=bool(quote)),
            convert_options=arrow_csv.ConvertOptions(
                column_types={n: pa.string() for n in names},
                strings_can_be_null=False,
                include_columns=present(columns, names, name),
            ),
        )
        last = None
        for batch in reader:
            last = batch if batch.num_rows else last
            yield batch
        if last is None:
            yield no_rows(reader.schema)
    except pa.ArrowInvalid as error:
        first = "header" if has_header else "first row"
        raise CrossentError(f"{name}: {_csv_message(str(error), len(names), first)}") from None
    finally:
        raw.leave()
    if quote and pieces.quotes % 2 and last is not None and any(str(c[-1]).endswith("\n") for c in last.columns):
        raise CrossentError(f"{name}: a quotation mark opens in the last row and never closes; close or double it")
    raw.tell_latin1()


def _delimiter(head: str) -> str:
    line = (re.sub(r'"[^"]*"', "", head.lstrip("\r\n")).splitlines() or [""])[0]
    return max(",;\t|", key=line.count)


def _head_rows(head: str, delimiter: str, *, quoted: bool, cut: bool) -> list[list[str]]:
    """Up to 1,000 first rows, for looking only; if the text is cut short the last row of several is left out."""
    rows: list[list[str]] = []
    lines = io.StringIO(head, newline="")
    try:
        for row in csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE):
            if row:
                rows.append(row)
            if len(rows) == 1000:
                break
    except csv.Error:  # a field longer than the module takes: the rows before it will do
        pass
    return rows[:-1] if cut and len(rows) > 1 else rows


def _has_header(rows: list[list[str]], expected: Collection[str]) -> bool:
    """Tell whether the first row is names: one that is expected, or words above numbers.

    Else a first row whose values come again below it, in their own columns, is data (classes always come again). Not
    when all come again together (two files with headers, joined), and not when it counts 0, 1, 2 as pandas does.
    """
    first, rest = [field.strip() for field in rows[0]], [row for row in rows[1:] if len(row) == len(rows[0])]
    if any(field in expected for field in first):
        return True
    if [field for field in first if field] in ([str(i) for i in range(len(first) - k)] for k in (0, 1)):
        return True
    below = [[row[j].strip() for row in rest] for j in range(len(first))]
    if any(_names_numbers(name, cells) for name, cells in zip(first, below, strict=True)):
        return True
    again = [bool(value) and value in cells for value, cells in zip(first, below, strict=True)]
    return not any(again) or first in [[field.strip() for field in row] for row in rest]


def _names_numbers(name: str, cells: list[str]) -> bool:
    """Tell whether a word stands above numbers only, two or more."""
    given = [cell for cell in cells if cell not in MISSING]
    return name not in MISSING and not _is_number(name) and len(given) > 1 and all(map(_is_number, given))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _csv_message(message: str, width: int, first: str) -> str:
    ragged = re.match(r"CSV parse error: (?:Row #(\d+): )?Expected (\d+) columns, got (\d+): (.*)", message, re.DOTALL)
    if ragged:
        row, _, got, text = ragged.groups()
        where = f"row {int(row):,}" if row else "a row"
        shown = text if len(text) <= 60 else text[:57] + "..."
        columns = "column" if got == "1" else "columns"
        return f"{where} has {got} {columns}, the {first} has {width}: {shown!r}; mend the row, or quote its fields"
    if "straddling" in message:
        return f"a row is longer than {BLOCK >> 20} MB; look for a quotation mark that never closes"
    return f"cannot be read as delimited text: {message.splitlines()[0]}"


def present(columns: Sequence[str] | None, names: Sequence[str], where: str) -> list[str]:
    """The wanted columns, all of them if None; an error names those that are not there."""
    if columns is None:
        return list(names)
    missing = [column for column in columns if column not in names]
    if missing:
        listed = ", ".join(map(repr, missing))
        shown = ", ".join(map(repr, names[:10])) + (", ..." if len(names) > 10 else "")
        raise CrossentError(f"{where}: no column {listed}; it has {shown}")
    return list(columns)


# ---------------------------------------------------------------------------------------------------- JSON lines


def json_lines(stream: io.BufferedReader, name: str, *, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
    """One JSON object a line; a key that an object lacks is missing there.

    Arrow chooses types block by block, so batches may differ in types and in columns; they say so in their metadata.
    """
    from pyarrow import json as arrow_json

    raw = Utf8(stream, name)
    text = raw.buffered()
    done = 0
    while block := text.read(BLOCK):
        block += text.readline()
        if not block.strip():
            continue
        if not done and block.lstrip().startswith(b"["):
            raise CrossentError(f"{name}: holds one JSON array; write one object a line, e.g. with: jq -c '.[]'")
        try:
            options = arrow_json.ReadOptions(use_threads=False, block_size=len(block) + 1)
            table = arrow_json.read_json(io.BytesIO(block), read_options=options)
        except pa.ArrowInvalid as error:
            raise CrossentError(f"{name}: {_json_blame(block, done) or first_line(error)}") from None
        if columns and not done:
            present(columns, table.column_names, name)
        done += block.count(b"\n")
        for column in [column for column in columns or () if column not in table.column_names]:
            table = table.append_column(column, pa.nulls(table.num_rows))
        table = table if columns is None else table.select(columns)
        yield from table.replace_schema_metadata({"format": "jsonl"}).combine_chunks().to_batches()
    if not done:
        raise CrossentError(f"{name}: is empty; JSON lines hold one object a line")
    raw.tell_latin1()


def _json_blame(block: bytes, before: int) -> str | None:
    """Which line is not an object, or changes a key's type, and how: Arrow counts rows within a block only."""
    kinds: dict[str, str] = {}
    words = {str: "text", bool: "true/false", int: "a number", float: "a number", list: "a list", dict: "an object"}
    for number, line in enumerate(block.splitlines(), before + 1):
        if not line.strip():
            continue
        try:
            item = json.loads(line)
        except ValueError as error:
            return f"line {number:,} is not JSON ({first_line(error)}): {line[:60].decode('utf-8', 'replace')!r}"
        if not isinstance(item, dict):
            return f'line {number:,} holds {words.get(type(item), "null")}, not an object such as {{"text": ...}}'
        for key, value in item.items():
            if value is not None and kinds.setdefault(key, words[type(value)]) != words[type(value)]:
                return f"line {number:,}: {key!r} is {words[type(value)]} here and {kinds[key]} before; make them alike"
    return None


# ------------------------------------------------------------------------------------------------ binary formats


def parquet(stream: Any, name: str, *, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
    """Parquet, a batch at a time, only the wanted columns."""
    from pyarrow import parquet as pq

    try:
        file = pq.ParquetFile(_seekable(stream))
        wanted = None if columns is None else present(columns, file.schema_arrow.names, name)
        schema = file.schema_arrow
        yield no_rows(schema if wanted is None else pa.schema([schema.field(column) for column in wanted]))
        yield from file.iter_batches(columns=wanted)
    except (pa.ArrowException, OSError) as error:
        raise CrossentError(f"{name}: cannot be read as Parquet: {first_line(error)}") from None


def arrow(stream: Any, name: str, *, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
    """Arrow's file format (Feather) or its stream format."""
    try:
        if stream.peek(8).startswith(b"ARROW1"):
            file = pa.ipc.open_file(_seekable(stream))
            schema, batches = file.schema, (file.get_batch(i) for i in range(file.num_record_batches))
        else:
            schema, batches = (reader := pa.ipc.open_stream(stream)).schema, iter(reader)
        wanted = present(columns, schema.names, name)
        for batch in itertools.chain([no_rows(schema)], batches):
            yield batch.select(wanted)
    except (pa.ArrowException, OSError) as error:
        raise CrossentError(f"{name}: cannot be read as Arrow: {first_line(error)}") from None


def _seekable(stream: Any) -> Any:
    return stream if stream.seekable() else pa.BufferReader(stream.read())


def no_rows(schema: pa.Schema) -> pa.RecordBatch:
    """So that a file without rows still tells its columns."""
    return pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)


def svmlight(stream: Any, name: str, *, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
    """``label index:value ...``: columns ``label`` and ``x``, an Arrow map of each row's numbers by index."""
    import numpy as np
    from sklearn.datasets import load_svmlight_file

    try:
        X, y = load_svmlight_file(stream, zero_based=True)
    except ValueError as error:
        raise CrossentError(f"{name}: cannot be read as svmlight: {first_line(error)}") from None
    if not len(y):
        raise CrossentError(f"{name}: is empty; svmlight holds 'label index:value ...' a line")
    labels = y.astype(np.int64) if np.array_equal(y, np.trunc(y)) else y
    x = pa.MapArray.from_arrays(X.indptr.astype(np.int32), X.indices.astype(np.int32), X.data)
    table = pa.table({"label": labels, "x": x})
    yield from table.select(present(columns, table.column_names, name)).to_batches()
