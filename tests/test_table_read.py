"""Promise: the same rows come out of every format, compression and table library, and bad input gets one clear line."""

import bz2
import gzip
import io
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import feather
from pyarrow import parquet as pq

from crossent.errors import CrossentError, DataWarning
from crossent.table import read, read_table, streams

DATA = Path(__file__).parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the real data sets are not beside the project")

ROWS = {
    "text": ['He said "no"', "two\nlines", "comma, semicolon; tab", "naïve café ☕", ""],
    "age": ["31", "42", "", "7", "0"],
    "label": ["yes", "no", "yes", "no", "yes"],
}
TABLE = pa.table(ROWS)


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as out:
        out.write(data)
    return sink.getvalue().to_pybytes()


COMPRESSORS = {"": lambda data: data, ".gz": gzip.compress, ".bz2": bz2.compress, ".zst": zstd}


def as_csv(newline: str = "\n", sep: str = ",") -> bytes:
    return pd.DataFrame(ROWS).to_csv(index=False, lineterminator=newline, sep=sep).encode()


def as_bytes(format: str) -> bytes:
    sink = io.BytesIO()
    if format == "csv":
        return as_csv()
    if format == "jsonl":
        return "".join(json.dumps(row) + "\n" for row in TABLE.to_pylist()).encode()
    if format == "parquet":
        pq.write_table(TABLE, sink)
    elif format == "feather":
        feather.write_feather(TABLE, sink)
    else:
        with pa.ipc.new_stream(sink, TABLE.schema) as writer:
            writer.write_table(TABLE)
    return sink.getvalue()


@pytest.mark.parametrize("compression", COMPRESSORS)
@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet", "feather", "arrow"])
def test_every_format_and_compression_gives_the_same_rows(tmp_path, format, compression):
    data = COMPRESSORS[compression](as_bytes(format))
    named, nameless = tmp_path / f"rows.{format}{compression}", tmp_path / "rows"
    named.write_bytes(data)
    nameless.write_bytes(data)
    for source in (named, str(named), nameless, io.BytesIO(data)):
        assert read_table(source).to_pydict() == ROWS
    assert read_table(named, columns=["label", "age"]).to_pydict() == {"label": ROWS["label"], "age": ROWS["age"]}


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet", "arrow"])
def test_standard_input_is_told_by_its_first_bytes(monkeypatch, format):
    monkeypatch.setattr(sys, "stdin", type("Stdin", (), {"buffer": io.BytesIO(gzip.compress(as_bytes(format)))}))
    assert read_table("-").to_pydict() == ROWS


@pytest.mark.parametrize("sep", [",", ";", "|"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_csv_dialects(sep, mark):
    expected = read_table(io.BytesIO(as_csv()))
    for newline in ("\n", "\r\n"):
        found = read_table(io.BytesIO(mark + as_csv(newline, sep)))
        assert found.column_names == expected.column_names
        assert [t.replace("\r\n", "\n") for t in found["text"].to_pylist()] == expected["text"].to_pylist()


def test_utf16_is_read():
    text = as_csv().decode()
    assert read_table(io.BytesIO(text.encode("utf-16"))).to_pydict() == ROWS


def test_latin1_is_read_and_said():
    data = "text,label\ncafé crème,1\nplain,0\nnaïve,1\n".encode("latin-1")
    with pytest.warns(DataWarning, match="3 bytes are not UTF-8; read as Latin-1"):
        table = read_table(io.BytesIO(data))
    assert table["text"].to_pylist() == ["café crème", "plain", "naïve"]


def test_a_stray_byte_spoils_no_utf8():
    with pytest.warns(DataWarning, match="1 byte is not UTF-8"):
        table = read_table(io.BytesIO("text,label\ncafé ☕,1\n".encode() + b"na\xefve,0\n"))
    assert table["text"].to_pylist() == ["café ☕", "naïve"]


def test_libraries_of_tables_give_the_same_rows():
    sources = [
        pd.DataFrame(ROWS, index=[5, 6, 7, 8, 9]),
        pl.DataFrame(ROWS),
        TABLE,
        pa.RecordBatchReader.from_batches(TABLE.schema, TABLE.to_batches()),
        TABLE.to_batches()[0],
        ROWS,
        TABLE.to_pylist(),
    ]
    for source in sources:
        assert read_table(source).to_pydict() == ROWS


class Capsule:
    """All that is asked of a query result: Arrow's stream protocol."""

    def __arrow_c_stream__(self, requested_schema=None):
        return TABLE.__arrow_c_stream__(requested_schema)


def test_the_stream_protocol_is_enough():
    assert read_table(Capsule(), columns=["age"]).to_pydict() == {"age": ROWS["age"]}


def test_several_files_are_one_table(tmp_path):
    for i in range(3):
        pd.DataFrame({"b": [i], "a": ["x"]})[["a", "b"] if i else ["b", "a"]].to_csv(tmp_path / f"{i}.csv", index=False)
    for source in (str(tmp_path / "*.csv"), sorted(tmp_path.glob("*.csv"))):
        table = read_table(source)
        assert table.to_pydict() == {"b": ["0", "1", "2"], "a": ["x", "x", "x"]}


def test_batches_can_be_left_unfinished(tmp_path):
    path = tmp_path / "long.csv"
    path.write_bytes(b"a,b\n" + b"some words in a row,1\n" * 1_000_000)
    batches = read(path)
    assert next(batches).num_rows
    batches.close()


@pytest.mark.parametrize(("piece", "bare"), [(1, "x"), (7, "x"), (100, "x"), (5000, "x"), (5000, '5" long')])
def test_quoted_lines_are_one_cell_however_the_file_is_cut(piece, bare, monkeypatch):
    rng = np.random.default_rng(0)
    lines = ["", 'a "word"', "b,c"]
    cells = ["\n".join(lines[k] for k in rng.integers(0, 3, n)) for n in rng.integers(0, 300, 60)]
    quoted = ['"' + cell.replace('"', '""') + '"' for cell in cells]
    monkeypatch.setattr(streams, "PIECE", piece)
    table = read_table(io.BytesIO("".join(f"{cell},{bare}\n" for cell in ["text", *quoted]).encode()), header=True)
    assert table["text"].to_pylist() == cells
    assert table.num_columns == 2
    assert set(table[1].to_pylist()) == {bare}
    assert table["text"].num_chunks > 1


def test_json_keys_may_lack_and_come_later(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n\n{"b": "x"}\n{"a": null, "b": "y"}')
    assert read_table(path).to_pydict() == {"a": [1, None, None], "b": [None, "x", "y"]}


def test_json_types_agree_across_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("crossent.table.formats.BLOCK", 64)
    path = tmp_path / "rows.jsonl"
    rows = [{"a": i if i < 50 else i + 0.5, "b": "x"} | ({"c": True} if i > 60 else {}) for i in range(100)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = read_table(path)
    assert table["a"].to_pylist() == [row["a"] for row in rows]
    assert table["c"].to_pylist() == [row.get("c") for row in rows]


def test_names_are_made_unique_and_it_is_said():
    with pytest.warns(DataWarning, match="duplicate column names: 'a' is now 'a.3'"):
        table = read_table(io.BytesIO(b"a,a.2,a,,b\n1,2,3,4,5\n"))
    assert table.to_pydict() == {"a": ["1"], "a.2": ["2"], "a.3": ["3"], "column4": ["4"], "b": ["5"]}
    twice = pd.DataFrame([[1, 2]], columns=["x", "x"])
    with pytest.warns(DataWarning, match="'x' is now 'x.2'"):
        assert read_table(twice).column_names == ["x", "x.2"]


def test_a_file_without_header_is_noticed():
    data = b'ham\tGo until "jurong\nspam\tFree entry\nham\tOk lar\n'
    with pytest.warns(DataWarning, match="no header"):
        table = read_table(io.BytesIO(data), format="tsv")
    assert table.column_names == ["column1", "column2"]
    assert table["column2"].to_pylist() == ['Go until "jurong', "Free entry", "Ok lar"]
    assert read_table(io.BytesIO(data), format="tsv", header=True).column_names == ["ham", 'Go until "jurong']
    assert read_table(io.BytesIO(b"a,b\n1,2\n"), header=False).num_rows == 2


@pytest.mark.parametrize(
    "data",
    [
        b"a,b\n1,x\na,b\n2,y\n",
        b"0,1\n0,1\n1,0\n1,1\n",
        b",0,1\n0,5,0\n1,0,6\n",
        b"x,c\n1,a\n2.5,b\n?,c\n",  # a level is called as its column
    ],
)
def test_a_header_is_not_taken_for_data(data):
    assert len(read_table(io.BytesIO(data))) == data.count(b"\n") - 1


def test_names_that_are_expected_make_a_header():
    data = b"size,label\nsmall,label\nlarge,other\n"
    assert read_table(io.BytesIO(data), expected=["label"]).column_names == ["size", "label"]
    with pytest.warns(DataWarning, match="no header"):
        assert len(read_table(io.BytesIO(data))) == 3


def test_a_gap_in_the_first_row_of_numbers_is_no_name():
    with pytest.warns(DataWarning, match="no header"):
        assert len(read_table(io.BytesIO(b"?,a\n1,b\n2,a\n"))) == 3


def test_svmlight_is_a_label_and_numbers_by_index():
    table = read_table(io.BytesIO(b"+1 3:1.5 7:2\n-1 1:0.25 # a comment\n-1\n"), format="svmlight")
    assert table.to_pydict() == {"label": [1, -1, -1], "x": [[(3, 1.5), (7, 2.0)], [(1, 0.25)], []]}


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=8)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=1, max_size=8))
def test_whatever_a_csv_writer_quotes_is_read_back(rows):
    frame = pd.DataFrame(rows, columns=["first", "second", "third"])
    table = read_table(io.BytesIO(frame.to_csv(index=False, quoting=1).encode()), header=True)
    assert table.to_pylist() == frame.to_dict("records")


BAD = [
    ("rows.csv", b"a,b\n1,2\n3,4\n5\n6,7\n", r"row 4 has 1 column, the header has 2: '5'"),
    ("rows.csv", b'a,b\n1,2\n"3\n3",4\n5,6,7\n', r"row 4 has 3 columns, the header has 2: '5,6,7'"),
    ("rows.csv", b'a,b\n1,"2\n3,4\n', r"quotation mark .* never closes"),
    ("rows.csv", b"", r"is empty"),
    ("rows.csv", b"\n\n", r"is empty"),
    ("rows.csv", b"PK\x03\x04\x14\x00\x06\x00\x08\x00", r"is not text; if it is a spreadsheet, save it as CSV"),
    ("rows.jsonl", b"", r"is empty"),
    ("rows.jsonl", b'{"a": 1}\n{"a": \n', r"line 2 is not JSON"),
    ("rows.jsonl", b'{"a": 1}\n{"a": "x"}\n', r"line 2: 'a' is text here and a number before"),
    ("rows.jsonl", b'{"a": 1}\n[1]\n', r"line 2 holds a list, not an object"),
    ("rows.json", b'[{"a": 1}, {"a": 2}]', r"one JSON array; write one object a line"),
    ("rows.parquet", b"PAR1 and no more", r"cannot be read as Parquet"),
    ("rows.arrow", b"ARROW1 and no more", r"cannot be read as Arrow"),
    ("rows.arrow", b"nonsense", r"cannot be read as Arrow"),
    ("rows.svm", b"1 a:b\n", r"cannot be read as svmlight"),
    ("rows.svm", b"", r"is empty"),
    ("rows.csv.gz", gzip.compress(b"a,b\n1,2\n" * 1000, mtime=0)[:50], r"damaged or cut short|cannot be read"),
    (
        "rows.csv.gz",
        gzip.compress(np.random.default_rng(0).bytes(10**6).hex().encode(), mtime=0)[: 10**5],
        r"damaged or cut short",
    ),
]


@pytest.mark.filterwarnings("ignore::crossent.errors.DataWarning")
@pytest.mark.parametrize(("name", "data", "message"), BAD)
def test_bad_files_get_one_line(tmp_path, name, data, message):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(CrossentError, match=message) as caught:
        read_table(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_bad_sources_get_one_line(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    (tmp_path / "b.csv").write_text("a,c\n1,2\n")
    asked = [
        (tmp_path / "none.csv", "no such file"),
        (tmp_path, "is a folder"),
        (str(tmp_path / "*.tsv"), "no file matches"),
        (str(tmp_path / "*.csv"), "lacks 'b' and also has 'c'"),
        ("nothing://there/rows.csv", "cannot be opened"),
        (3, "type int is not read"),
        (io.StringIO("a,b\n1,2\n"), "binary mode"),
        (pd.DataFrame({"a": [1, "x"]}), "cannot be read"),
        (pl.Series("a", [1]), "cannot be read"),
        ([], "type list is not read"),
    ]
    for source, message in asked:
        with pytest.raises(CrossentError, match=message) as caught:
            read_table(source)
        assert "\n" not in str(caught.value)
    with pytest.raises(CrossentError, match=r"no column 'z'; it has 'a', 'b'"):
        read_table(tmp_path / "a.csv", columns=["z"])
    with pytest.raises(CrossentError, match="format 'xls' is not one of"):
        read_table(tmp_path / "a.csv", format="xls")


SHAPES = {
    "table/adult-train.csv": (32_561, 15),
    "table/amazon_employee.csv": (32_769, 10),
    "table/telco_churn.csv": (7_043, 21),
    "text/20newsgroups.train.jsonl.gz": (11_314, 3),
    "text/airline_tweets.jsonl.gz": (14_640, 3),
    "text/sms_spam.tsv": (5_574, 2),
    "sparse/a9a.svm": (32_561, 2),
    "sparse/ijcnn1.svm.bz2": (49_990, 2),
    "statistics/carData_TitanicSurvival.csv": (1_309, 5),
}


@needs_data
@pytest.mark.filterwarnings("ignore:.*no header:crossent.errors.DataWarning")
@pytest.mark.parametrize("name", SHAPES)
def test_real_files_have_their_published_shape(name):
    assert read_table(DATA / name).shape == SHAPES[name]


def test_a_read_broken_off_leaves_no_thread_that_calls_python_when_the_interpreter_ends(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n" + "1,some words\n" * 400_000)
    batches = read(str(path))
    next(batches)
    batches.close()
    streams._wait_for_arrow()
    assert not streams._left
