"""Promise: each column's kind is guessed as a person would, said in a line, and set by the user where he says so; the
target's classes are the user's own values, and a target that holds no classes is refused in one line."""

import datetime
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossent.errors import CrossentError, DataWarning
from crossent.table import Schema, classes_of, codes_of, read_table, values, with_target

DATA = Path(__file__).parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the real data sets are not beside the project")


def kinds(table, **given):
    return {column.name: column.kind for column in Schema.guess(table, **given).columns}


def kind(cells, name="x"):
    """The kind, which must not depend on whether the cells come typed or as the text of a CSV file."""
    found = kinds(pa.table({name: cells}))[name]
    if not any(isinstance(cell, bytes | list | dict) for cell in cells):
        text = pd.DataFrame({name: cells}).to_csv(index=False).encode()
        assert kinds(read_table(io.BytesIO(text), header=True))[name] == found
    return found


RANDOM = np.random.default_rng(0)
N = 400
REVIEWS = [f"{a} movie {i} {b}" for i in range(N // 4) for a in ("good", "bad") for b in ("indeed", "really")]
CASES = {
    "number": [
        RANDOM.normal(size=N),
        RANDOM.integers(18, 90, N),
        RANDOM.poisson(3, N),
        np.round(np.exp(RANDOM.normal(10, 1, N))).astype(int),  # amounts
        RANDOM.integers(1, 60, 10_000) * 500,  # amounts in steps
        np.where(RANDOM.random(10_000) < 0.9, 0, RANDOM.integers(1, 100_000, 10_000)),  # mostly zero
        [1.5, None, 2.5, 4.0] * 9,
        RANDOM.integers(0, 2, N),
        [-1e300, 1e300, 0.5],
    ],
    "category": [
        RANDOM.choice(["red", "green", "blue"], N),
        RANDOM.choice(["in one week", "more than one week", "never in my life"], N),
        RANDOM.choice(RANDOM.integers(100_000, 999_999, 200), 4000),  # codes
        [True, False] * 9,
        [f"0{i % 50:02d}" for i in range(N)],  # leading zeros
        ["yes", None] * 9,
        [f"user{i % 150}" for i in range(N)],
    ],
    "text": [
        REVIEWS,
        ["good film", "bad film", "great fun", "so dull", "the best"],
        ["素晴らしい映画", "最悪だった", "また見たい"],
    ],
    "date": [
        [datetime.date(2024, 1, 1) + datetime.timedelta(days=i) for i in range(40)],
        [datetime.datetime(2024, 1, 1, 5, 30) + datetime.timedelta(hours=7 * i) for i in range(40)],
        [f"{1 + i % 12}/{1 + i % 28}/2023" for i in range(40)],
        [f"{1 + i % 28}.{1 + i % 12}.2023" for i in range(40)],
        ["2024-03-01T10:00:00Z", "2024-03-02T11:30:00+02:00", None],
    ],
    "left out": [
        np.arange(N),
        np.arange(N)[::-1] + 1000,
        [f"{i:08x}-7" for i in range(N)],
        ["same"] * N,
        [3.25] * N,
        [None] * N,
        [[1, 2]] * 4,
        [b"ab", b"cd"],
    ],
}


@pytest.mark.parametrize(("expected", "cells"), [(k, list(v)) for k, many in CASES.items() for v in many])
def test_kinds_are_those_a_person_would_give(expected, cells):
    assert kind(cells) == expected


def test_names_of_identifiers_and_codes_are_understood():
    ids = RANDOM.permutation(10**6)[:N].tolist()
    for name in ("id", "user_id", "customerID", "CustomerId", "row_names", "Unnamed: 0"):
        assert kind(ids, name) == "left out"
        assert kind([f"note {i} of this person" for i in ids], name) == "left out"
    assert kind(RANDOM.integers(1, 40, N).tolist(), "store_id") == "category"
    assert kind(RANDOM.integers(10_000, 10_400, N).tolist(), "zip_code") == "category"
    for name in ("paid", "humid", "width", "monkey"):
        assert kind(ids, name) == "number"


def test_stray_words_in_a_column_of_numbers_are_missing_numbers():
    cells = [str(i / 8) for i in range(200)] + ["unknown", "", "?"]
    column = Schema.guess(pa.table({"x": cells})).columns[0]
    assert (column.kind, column.note) == ("number", "0 to 24.875; no number in 1; 2 missing")
    assert kind(["$1,200.50", "$80", "12%", None]) == "number"


def test_a_decimal_comma_is_no_thousands_separator_and_it_is_said():
    for cells in ([f"0,{i:05}" for i in range(N)], [f"{i % 9},{i % 5}" for i in range(N)], ["12,3456", "7,25"]):
        column = Schema.guess(pa.table({"x": cells})).columns[0]
        assert column.kind != "number"
        assert column.note.endswith("looks like numbers with a decimal comma: write them with a point")
    x, bad = values.numbers(pa.chunked_array([["1,234", "1,234.5", "0,123", "1,2345", "12,345,678"]]))
    assert (x[[0, 1, 4]].tolist(), bad.tolist()) == ([1234.0, 1234.5, 12345678.0], [2, 3])


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_the_type_a_library_gives_is_respected(frame):
    data = frame({"c": ["1", "2", "1", None, "2"], "n": [1.0, 2.5, 3.0, 2.5, None], "y": [0, 1, 0, 1, 1]})
    if frame is pd.DataFrame:
        data = data.assign(c=data["c"].map(int, na_action="ignore").astype("category"))
    else:
        data = data.with_columns(pl.col("c").cast(pl.Categorical))
    assert kinds(read_table(data), target="y") == {"c": "category", "n": "number", "y": "target"}
    assert values.texts(read_table(data)["c"]).to_pylist() == ["1", "2", "1", None, "2"]


def test_text_that_a_writer_stored_as_a_dictionary_is_text_and_an_index_that_was_saved_is_none():
    texts = [f"{review} number {k}" for k in range(9) for review in REVIEWS]
    data = pd.DataFrame({"t": pd.Categorical(texts), "y": [0, 1] * (len(texts) // 2) + [0] * (len(texts) % 2)})
    data = pa.Table.from_pandas(data.sample(frac=1.0, random_state=0), preserve_index=True)
    assert kinds(data, target="y") == {"t": "text", "y": "target", "__index_level_0__": "left out"}


def test_what_the_user_says_stands():
    table = pa.table(
        {"a": ["1", "2", "3"], "b": ["x y", "y z", "z x"], "c": [1, 1, 1], "d": ["2024-01-02"] * 3, "y": [0, 1, 0]}
    )
    given = {"category": ["a", "c"], "text": ["d"], "drop": ["b"]}
    assert kinds(table, target="y", **given) == {
        "a": "category", "b": "left out", "c": "category", "d": "text", "y": "target",
    }  # fmt: skip
    assert kinds(table, number="c", date="d", text=[], target="y")["c"] == "number"


def test_the_schema_survives_json_and_prints_a_line_a_column():
    table = pa.table({"when": ["1/31/2024", "2/1/2024"], "y": [0, 1], "text": ["a b", "c d"], "k": [1, 1]})
    schema = Schema.guess(table, target="y")
    assert Schema.from_json(json.loads(json.dumps(schema.to_json()))) == schema
    assert schema.describe() == [
        "when  date      2024-01-31 to 2024-02-01",
        "y     target",
        "text  text      2 words a row, 2 different",
        "k     left out  constant: '1'",
    ]
    assert schema.target == "y"
    assert [column.name for column in schema.used] == ["when", "text"]


def test_a_category_that_is_the_target_in_disguise_is_pointed_out():
    y = [i % 3 for i in range(60)]
    table = pa.table({"fine": [f"{label}:{i // 30}" for i, label in enumerate(y)], "other": ["a", "b"] * 30, "y": y})
    notes = {column.name: column.note for column in Schema.guess(table, target="y").columns}
    assert "decides the target in every row" in notes["fine"]
    assert "decides" not in notes["other"]


def test_wrong_names_get_one_line():
    table = pa.table({"text": ["a"], "label": [1]})
    for said, message in [
        ({"target": "lable"}, r"no column 'lable' \(the target\); did you mean 'label'"),
        ({"target": "LABEL"}, r"no column 'LABEL' \(the target\); did you mean 'label'"),
        ({"target": "z"}, r"no column 'z' .*; the table has 'text', 'label'"),
        ({"drop": ["textt"]}, r"no column 'textt' \(drop\); did you mean 'text'"),
        ({"text": ["text"], "number": ["text"]}, r"'text' is given as text and as number"),
        ({"date": ["text"]}, r"holds no dates that are understood"),
    ]:
        with pytest.raises(CrossentError, match=message):
            Schema.guess(table, **said)
    for broken in ({}, {"columns": [{"name": "a"}]}, {"columns": [{"name": "a", "kind": "spell"}]}, {"columns": 3}):
        with pytest.raises(CrossentError, match="schema"):
            Schema.from_json(broken)


CLASSES = [
    (["b", "a", None, "b"], ["a", "b"]),
    (["1", "0", "", "1"], [0, 1]),
    (["-1", "+1", "?"], [-1, 1]),
    (["01", "02", "01"], ["01", "02"]),
    (["1.5", "2.5"], [1.5, 2.5]),
    ([10, 9, None, 10], [9, 10]),
    ([1.0, 0.0, None], [0.0, 1.0]),
    ([True, False, None], [False, True]),
    (["high", "3"], ["3", "high"]),
]


@pytest.mark.parametrize(("cells", "classes"), CLASSES)
def test_classes_are_the_users_values_with_their_type(cells, classes):
    table = pa.table({"y": cells})
    found = classes_of(table, "y")
    assert found == classes
    assert [type(a) for a in found] == [type(b) for b in classes]
    codes = codes_of(table, "y", found)
    for value, code in zip(cells, codes, strict=True):
        assert code == -1 if value in (None, "", "?") else str(found[code]).lstrip("+") == str(value).lstrip("+")
    missing = int((codes < 0).sum())
    if missing:
        with pytest.warns(DataWarning, match=f"missing in {missing} of {len(cells)} rows; they are left out"):
            table = with_target(table, "y")
    assert codes_of(table, "y", found).tolist() == [c for c in codes if c >= 0]


def test_classes_are_met_again_in_another_type():
    for classes, columns in [
        ([0, 1], ([0, 1], ["0", "1"], [0.0, 1.0], ["+0", "1.0"], [False, True])),
        ([0.0, 1.0], ([0, 1], ["0", "1.00"])),
        ([False, True], ([False, True], ["False", "True"], ["false", "TRUE"])),
        (["0", "a"], (["0", " a "],)),
    ]:
        for column in columns:
            if column != [False, True] or isinstance(classes[0], bool):
                assert codes_of(pa.table({"y": column}), "y", classes).tolist() == [0, 1]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.one_of(st.none(), st.integers(-3, 3)), min_size=1, max_size=30))
def test_codes_and_classes_are_each_others_inverse(cells):
    table = pa.table({"y": pa.array(cells, pa.int64())})
    if len({v for v in cells if v is not None}) < 2:
        with pytest.raises(CrossentError, match=r"one class only|no values"):
            classes_of(table, "y")
        return
    classes = classes_of(table, "y")
    assert [None if c < 0 else classes[c] for c in codes_of(table, "y", classes)] == cells


def test_targets_that_hold_no_classes_get_one_line():
    for cells, message in [
        (["a", "a", None], r"one class only, 'a'"),
        ([None, None], r"no values"),
        ([1.0, 1.0], r"one class only, 1.0"),
        (RANDOM.normal(size=100), r"100 distinct values in 100 rows.*looks like regression"),
        ([f"id{i}" for i in range(50)], r"looks like text or an identifier"),
        ([[1], [2]], r"values of type list"),
    ]:
        with pytest.raises(CrossentError, match=message) as caught:
            classes_of(pa.table({"y": cells}), "y")
        assert "\n" not in str(caught.value)
    with pytest.raises(CrossentError, match=r"'c' in data row 2 is none of the classes 'a', 'b'"):
        codes_of(pa.table({"y": ["a", "c"]}), "y", ["a", "b"])
    with pytest.raises(CrossentError, match=r"no column 'z' \(the target\)"):
        codes_of(pa.table({"y": ["a", "c"]}), "z", ["a", "b"])


# What a person who knows the set would say, where the rules could go wrong; all other columns are checked by count.
REAL = {
    "table/adult-train.csv": ("income", {"number": 6, "category": 8}, {"fnlwgt": "number", "capital_gain": "number"}),
    "table/amazon_employee.csv": ("action", {"category": 9}, {}),
    "table/bank_marketing.csv": ("subscribe", {"number": 7, "category": 9}, {"balance": "number", "day": "number"}),
    "table/telco_churn.csv": (
        "Churn",
        {"number": 4, "category": 15, "left out": 1},
        {"customerID": "left out", "TotalCharges": "number"},
    ),
    "text/clickbait.jsonl.gz": ("label", {"text": 1}, {}),
    "text/airline_tweets.jsonl.gz": ("label", {"text": 1, "category": 1}, {"airline": "category"}),
    "text/20newsgroups.train.jsonl.gz": ("label", {"text": 1, "left out": 1}, {"id": "left out"}),
    "text/trec6.train.jsonl.gz": ("label", {"text": 1, "category": 1}, {"fine": "category"}),
    "text/sms_spam.tsv": ("column1", {"text": 1}, {}),
    "sparse/a9a.svm": ("label", {"sparse": 1}, {}),
    "statistics/carData_TitanicSurvival.csv": (
        "survived",
        {"number": 1, "category": 2, "left out": 1},
        {"rownames": "left out"},
    ),
    "statistics/openintro_email.csv": (
        "spam",
        {"number": 17, "category": 2, "date": 1, "left out": 1},
        {"time": "date"},
    ),
    "statistics/ucla_binary.csv": ("admit", {"number": 3}, {}),
}


@needs_data
@pytest.mark.filterwarnings("ignore:.*no header:crossent.errors.DataWarning")
@pytest.mark.parametrize("name", REAL)
def test_real_tables_are_understood(name):
    target, counts, named = REAL[name]
    found = kinds(read_table(DATA / name), target=target)
    assert {k: v for k, v in found.items() if k in named} == named
    assert {k: list(found.values()).count(k) for k in set(found.values())} == counts | {"target": 1}
