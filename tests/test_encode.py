"""Promise: the design matrix says what the table says: every feature has a name and, taken back to its own scale, the
value that the cell had; the same cells give the same bits after saving, in any source's types and in any pieces."""

import datetime
import decimal
import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy import sparse

from crossent.errors import CrossentError, DataWarning
from crossent.table import Encoder, Schema, read, read_table

DATA = Path(__file__).parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the real data sets are not beside the project")


def dense(X):
    return X.toarray() if sparse.issparse(X) else X


def encode(columns, **kinds):
    table = pa.table(columns)
    encoder, X = Encoder.fit_transform(table, Schema.guess(table, **kinds))
    return encoder, dense(X)


def saved(encoder):
    """The encoder after a journey through a file: text and raw bytes."""
    arrays = {k: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape) for k, a in encoder.to_arrays().items()}
    return Encoder.from_saved(json.loads(json.dumps(encoder.to_json())), arrays)


def assert_same_bits(A, B):
    assert type(A) is type(B)
    assert A.shape == B.shape
    for part in ("data", "indices", "indptr") if sparse.issparse(A) else (None,):
        a, b = (A, B) if part is None else (getattr(A, part), getattr(B, part))
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


# ------------------------------------------------------------------------------------------------- each kind


@settings(deadline=None, max_examples=80)
@given(
    npst.arrays(
        np.float64, st.integers(1, 30), elements=st.floats(-1e300, 1e300, allow_subnormal=False) | st.just(np.nan)
    )
)
def test_numbers_are_standardised_and_come_back(x):
    encoder, X = encode({"x": x, "y": x}, number=["x"], drop=["y"])
    missing = np.isnan(x)
    assert encoder.feature_names == (["x", "x is missing"] if missing.any() else ["x"])
    assert np.isfinite(X).all()
    assert not X[missing, 0].any()
    if missing.any():
        assert X[:, 1].tolist() == missing.tolist()
    back = encoder.center[0] + encoder.scale[0] * X[~missing, 0]
    top = np.abs(x[~missing]).max(initial=0.0)
    np.testing.assert_allclose(back, x[~missing], rtol=0, atol=4e-16 * top)
    spread = X[~missing, 0]
    if spread.any():
        assert abs(spread.mean()) < 1e-6 * max(1.0, top / encoder.scale[0] * 1e-9)
        assert spread.std() == pytest.approx(1.0, abs=1e-6)


LEVELS = st.one_of(st.none(), st.sampled_from(["a", "b", "c", "long level", "é", "7"]))


@settings(deadline=None, max_examples=80)
@given(st.lists(LEVELS, min_size=1, max_size=40), st.lists(LEVELS | st.just("new"), max_size=10))
def test_categories_have_a_place_for_missing_rare_and_new(cells, later):
    counts = {level: cells.count(level) for level in cells}
    often = [level for level in sorted({c for c in cells if c}, key=str) if counts[level] >= 2]
    rare = any(counts[level] < 2 for level in counts if level is not None)
    places = {f"x={level}": True for level in often} | {"x is rare": rare, "x is missing": None in cells}
    expected = {name for name, there in places.items() if there}
    if not expected:
        return
    encoder, X = encode({"x": pa.array(cells, pa.string())}, category=["x"])
    assert set(encoder.feature_names) == expected
    for rows, found in ((cells, X), (later, dense(encoder.transform(pa.table({"x": pa.array(later, pa.string())}))))):
        for cell, row in zip(rows, found, strict=True):
            place = "x is missing" if cell is None else f"x={cell}" if cell in often else "x is rare"
            assert [n for n, v in zip(encoder.feature_names, row, strict=True) if v] == [place] * (place in expected)
            assert row.sum() == (place in expected)


def test_dates_become_year_month_weekday_and_hour():
    days = [datetime.datetime(2023, 12, 31, 23), datetime.datetime(2024, 2, 29, 7), None] * 2
    encoder, X = encode({"when": days})
    assert encoder.feature_names == [
        "when.year", "when is missing", "when.month=2", "when.month=12", "when.weekday=Sunday", "when.weekday=Thursday",
        "when.hour=7", "when.hour=23",
    ]  # fmt: skip
    back = encoder.center + encoder.scale * X
    assert back[:3].tolist() == [
        [2023, 0, 0, 1, 1, 0, 0, 1],
        [2024, 0, 1, 0, 0, 1, 1, 0],
        [2023.5, 1, 0, 0, 0, 0, 0, 0],
    ]
    plain, _ = encode({"when": [d and d.date() for d in days]})
    assert not any("hour" in name for name in plain.feature_names)


DATES = [
    ["2024-02-29", "2023-12-31"],
    ["2024-02-29T00:00:00", "2023-12-31 00:00"],
    ["2024-02-29T02:00+02:00", "2023-12-31"],
    ["2/29/2024", "12/31/2023"],
    ["29/2/2024", "31/12/2023"],
    ["29.02.2024", "31.12.2023"],
    ["2024/02/29", "2023/12/31"],
]


@pytest.mark.parametrize("cells", DATES)
def test_dates_are_read_as_they_are_written(cells):
    expected, X = encode({"when": [datetime.date(2024, 2, 29), datetime.date(2023, 12, 31)] * 2})
    encoder, Y = encode({"when": cells * 2}, date=["when"])
    assert encoder.feature_names == expected.feature_names
    assert_same_bits(Y, X)


def test_a_day_that_is_none_is_missing_and_said():
    table = pa.table({"when": ["2024-01-31T10:00", "2023-05-05", "2024-07-01"] * 2})
    encoder = Encoder.fit(table, Schema.guess(table))
    with pytest.warns(DataWarning, match=r"'when': 1 cell holds no date \(first: '2023-02-30' in data row 2\)"):
        X = dense(encoder.transform(pa.table({"when": ["2024-01-31T10:00", "2023-02-30"]})))
    assert X[0].sum() > 2
    assert not X[1].any()


def test_text_becomes_words_and_pairs():
    texts = ["a terrible movie", "a terrible movie indeed", "lovely", None, "lovely lovely film"]
    table = pa.table({"text": texts, "n": [1.0, 2.0, 3.0, 4.0, 6.0]})
    encoder, X = Encoder.fit_transform(table, Schema.guess(table, text=["text"]))
    assert sparse.issparse(X)
    words = [name for name in encoder.feature_names if name.startswith("text:")]
    assert words == ["text:lovely", "text:movie", "text:terrible", "text:terrible movie"]
    block = X.toarray()[:, [encoder.feature_names.index(word) for word in words]]
    np.testing.assert_allclose(np.linalg.norm(block, axis=1), [1, 1, 1, 0, 1])


def test_a_few_texts_without_a_common_word_still_have_words():
    encoder, _ = encode({"text": ["good film", "bad movie"]})
    assert "text:good film" in encoder.feature_names


def test_sparse_numbers_keep_their_index_and_value():
    table = read_table(io.BytesIO(b"1 3:1.5 700000:2\n0 1:0.25\n0\n"), format="svmlight")
    encoder, X = Encoder.fit_transform(table, Schema.guess(table, target="label"))
    assert encoder.feature_names == ["x[1]", "x[3]", "x[700000]"]
    assert X.toarray().tolist() == [[0, 1.5, 2], [0.25, 0, 0], [0, 0, 0]]
    later = read_table(io.BytesIO(b"1 2:9 3:4\n"), format="svmlight")
    assert encoder.transform(later).toarray().tolist() == [[0, 4, 0]]


# -------------------------------------------------------------------------------------------------- together

CELLS = {
    "number": st.floats(-1e6, 1e6) | st.none(),
    "category": st.sampled_from(["red", "green", "blue", None]),
    "text": st.lists(st.sampled_from(["the", "good", "bad", "movie", "film", "☕", "naïve"]), max_size=6).map(" ".join),
    "date": st.datetimes(datetime.datetime(1990, 1, 1), datetime.datetime(2030, 1, 1)) | st.none(),
}


@st.composite
def tables(draw):
    rows = draw(st.integers(2, 12))
    columns, kinds = {"always": ["left", "right"] + ["left"] * (rows - 2)}, {"category": ["always"]}
    for i, kind in enumerate(draw(st.lists(st.sampled_from(sorted(CELLS)), max_size=5))):
        cells = draw(st.lists(CELLS[kind], min_size=rows, max_size=rows))
        wordless = kind == "text" and not any(re.search(r"\w\w", cell) for cell in cells)
        if wordless or (kind == "date" and not any(cells)):
            continue  # no word at all, or no date, is an error of its own
        columns[f"{kind}{i}"] = cells
        kinds.setdefault(kind, []).append(f"{kind}{i}")
    return columns, kinds


@settings(deadline=None, max_examples=40)
@given(tables(), st.data())
def test_same_cells_same_bits(generated, data):
    columns, kinds = generated
    table = pa.table(columns)
    encoder, first = Encoder.fit_transform(table, Schema.guess(table, **kinds))
    X = encoder.transform(table)
    assert X.dtype == np.float64
    assert X.shape == (len(table), len(encoder.feature_names))
    assert len(set(encoder.feature_names)) == X.shape[1] == encoder.n_features
    some = np.random.default_rng(0).permutation(X.shape[1])[: X.shape[1] // 2]
    assert encoder.names_of(some) == [encoder.feature_names[j] for j in some]
    assert_same_bits(first, X)
    again = saved(encoder)
    assert_same_bits(again.transform(table), X)
    assert again.feature_names == encoder.feature_names
    assert (again.center.tobytes(), again.scale.tobytes()) == (encoder.center.tobytes(), encoder.scale.tobytes())
    cut = data.draw(st.integers(0, len(table)))
    pieces = [dense(encoder.transform(piece)) for piece in (table.slice(0, cut), table.slice(cut))]
    assert_same_bits(np.vstack(pieces), dense(X))
    frames = [pl.DataFrame(columns, strict=False), pd.DataFrame(columns)]
    others = [table.append_column("extra", pa.nulls(len(table))).select([*table.column_names[::-1], "extra"])]
    for other in others + [read_table(frame) for frame in frames]:
        assert_same_bits(encoder.transform(other), X)


@settings(deadline=None, max_examples=40)
@given(tables(), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_weights_on_their_own_scale_give_the_same_margins(generated, classes, seed):
    columns, kinds = generated
    encoder, X = encode(columns, **kinds)
    random = np.random.default_rng(seed)
    coef, intercept = random.normal(size=(classes, X.shape[1])), random.normal(size=classes)
    own, shift = encoder.unscale(coef, intercept)
    values = encoder.center + encoder.scale * X
    size = 1 + np.abs(values) @ np.abs(own.T) + np.abs(shift)
    assert (np.abs(values @ own.T + shift - (X @ coef.T + intercept)) <= 1e-13 * size).all()


def test_csv_text_and_typed_columns_are_one(tmp_path):
    frame = pd.DataFrame({"n": [1.5, None, 3.0, 4.0], "c": [3.0, 4.0, None, 3.0], "b": [True, False, True, True]})
    frame["d"] = pd.to_datetime(["2024-01-05", "2023-01-05", None, "2024-01-05"])
    frame.to_csv(tmp_path / "frame.csv", index=False)
    frame.to_parquet(tmp_path / "frame.parquet")
    frame.to_json(tmp_path / "frame.jsonl", orient="records", lines=True, date_format="iso")
    table = read_table(frame)
    encoder, X = Encoder.fit_transform(table, Schema.guess(table, category=["c"], number=["n"]))
    assert {"c=3", "c is rare", "c is missing", "b=True", "n is missing", "d.year"} <= set(encoder.feature_names)
    for name in ("frame.csv", "frame.parquet", "frame.jsonl"):
        assert_same_bits(encoder.transform(read_table(tmp_path / name)), X)


def test_no_rows_give_a_matrix_without_rows():
    table = pa.table({"text": ["a word", "another word"], "n": [1.0, 2.0]})
    for kinds in ({}, {"drop": ["text"]}):
        encoder = Encoder.fit(table, Schema.guess(table, **kinds))
        assert encoder.transform(table.slice(0, 0)).shape == (0, len(encoder.feature_names))


def test_many_levels_stay_sparse_and_few_numbers_dense():
    random = np.random.default_rng(0)
    numbers = {f"n{i}": random.normal(size=300) for i in range(4)}
    _, X = Encoder.fit_transform(pa.table(numbers), Schema.guess(pa.table(numbers)))
    assert isinstance(X, np.ndarray)
    assert X.flags.c_contiguous
    table = pa.table(numbers | {"c": [f"level{i % 100}" for i in range(300)]})
    encoder, X = Encoder.fit_transform(table, Schema.guess(table))
    assert sparse.issparse(X)
    assert X.nnz <= 300 * 5
    assert encoder.is_sparse


N = 24
DAY = datetime.datetime(2020, 1, 1)
HOURS = [DAY + datetime.timedelta(hours=5 * i) for i in range(N)]
TYPED = {
    "number": [
        pa.array([decimal.Decimal(i) / 4 for i in range(N)]),
        pa.array(np.arange(N) / 7, pa.float32()),
        pa.array([datetime.timedelta(seconds=i * i) for i in range(N)]),
        pa.array([2**63 + i * i for i in range(N)], pa.uint64()),
    ],
    "date": [
        pa.array(HOURS, pa.timestamp("ns", "America/New_York")),
        pa.array(HOURS, pa.timestamp("s")),
        pa.array(HOURS, pa.date64()),
        pa.array([f"{hour}.000000000+0000" for hour in HOURS]),
    ],
    "category": [
        pa.array([f"level{i % 3}" for i in range(N)], kind)
        for kind in (pa.string_view(), pa.large_string(), pa.dictionary(pa.int8(), pa.large_string()))
    ],
    "sparse": [pa.array([[(i, 2)] if i % 2 else None for i in range(N)], pa.map_(pa.int64(), pa.int32()))],
    "left out": [
        pa.nulls(N),
        pa.array([datetime.time(i) for i in range(N)]),
        pa.array([b"ab", b"cd"] * 12),
        pa.array([b"ab", b"cd"] * 12, pa.binary(2)),
        pa.array([[i] for i in range(N)]),
        pa.array([{"a": i} for i in range(N)]),
        pa.array([[("a", 1)]] * N, pa.map_(pa.string(), pa.int64())),
        pa.array([None] * N, pa.dictionary(pa.int8(), pa.string())),
    ],
}


@pytest.mark.filterwarnings("ignore:.*taken as missing:crossent.errors.DataWarning")
@pytest.mark.parametrize(("kind", "cells"), [(kind, cells) for kind, many in TYPED.items() for cells in many])
def test_every_arrow_type_is_used_or_refused_in_one_line(kind, cells):
    table = pa.table({"x": cells, "n": np.random.default_rng(0).normal(size=N)})
    schema = Schema.guess(table)
    assert schema.columns[0].kind == kind
    encoder, X = Encoder.fit_transform(table, schema)
    assert_same_bits(dense(encoder.transform(table.slice(3, 5))), dense(X)[3:8].copy())
    for wish in ("number", "category", "text", "date"):
        said = refusal(table, **{wish: ["x"]})
        assert said == "" or ("'x'" in said and "\n" not in said)


def refusal(table, **kinds):
    """What is said against using the columns as these kinds; nothing if they can be."""
    try:
        Encoder.fit(table, Schema.guess(table, **kinds))
    except CrossentError as error:
        return str(error)
    return ""


# ------------------------------------------------------------------------------------------------- bad input


def test_bad_columns_get_one_line():
    table = pa.table({"n": [1.0, 2.0, 4.0], "c": ["a", "b", "a"]})
    encoder = Encoder.fit(table, Schema.guess(table))
    assert encoder.inputs == ["n", "c"]
    cases = [
        (pa.table({"c": ["a"], "m": [1]}), r"the table lacks 'n'; it has 'c', 'm'"),
        (
            pa.table({"n": ["x", "y"], "c": ["a", "b"]}),
            r"'n' should hold numbers and holds none \(first: 'x' in data row 1\)",
        ),
        (pa.table({"n": [1.0, np.inf], "c": ["a", "b"]}), r"'n' has infinite values \(1, the first in data row 2\)"),
    ]
    for bad, message in cases:
        with pytest.raises(CrossentError, match=message) as caught:
            encoder.transform(bad)
        assert "\n" not in str(caught.value)
    with pytest.warns(DataWarning, match=r"'n': 1 cell holds no number \(first: 'x' in data row 1\); taken as missing"):
        assert dense(encoder.transform(pa.table({"n": ["x", "2"], "c": ["a", "b"]})))[0, 0] == 0
    with pytest.raises(CrossentError, match=r"no column is left to learn from"):
        encode({"y": [0, 1], "k": [1, 1]}, target="y")
    with pytest.raises(CrossentError, match=r"'t' is text without a single word"):
        encode({"t": ["...", "?!"]}, text=["t"])
    with pytest.raises(CrossentError, match=r"the table lacks 'n'"):
        Encoder.fit(table.select(["c"]), Schema.guess(table))


def test_a_damaged_encoder_gets_one_line():
    table = pa.table({"n": [1.0, 2.0, 4.0], "c": ["a", "b", "a"], "t": ["one word", "two words", "one"]})
    encoder = Encoder.fit(table, Schema.guess(table, text=["t"]))
    meta, arrays = encoder.to_json(), encoder.to_arrays()
    for key, array in arrays.items():
        broken = [{k: a for k, a in arrays.items() if k != key}]
        if key.endswith(("bytes", "ends")):
            broken.append(arrays | {key: array[:-1]})
            broken.append(arrays | {key: array[::-1] + np.uint8(130)})
        for damaged in broken:
            with pytest.raises(CrossentError, match="damaged"):
                Encoder.from_saved(meta, damaged)
    for damaged_meta in ({}, {"columns": [{"kind": "number"}]}, {"columns": [{"kind": "spell", "name": "n"}]}):
        with pytest.raises(CrossentError, match="damaged"):
            Encoder.from_saved(damaged_meta, arrays)


# ------------------------------------------------------------------------------------------------- real data

REAL = {
    "table/adult-test.csv": "income",
    "table/telco_churn.csv": "Churn",
    "table/amazon_employee.csv": "action",
    "statistics/openintro_email.csv": "spam",
    "statistics/carData_TitanicSurvival.csv": "survived",
    "text/trec6.train.jsonl.gz": "label",
    "text/sms_spam.tsv": "column1",
    "sparse/a9a.test.svm": "label",
}


@needs_data
@pytest.mark.filterwarnings("ignore:.*no header:crossent.errors.DataWarning")
@pytest.mark.parametrize("name", REAL)
def test_real_tables_keep_their_bits(name):
    table = read_table(DATA / name)
    encoder = Encoder.fit(table, Schema.guess(table, target=REAL[name]))
    X = encoder.transform(table)
    assert len(set(encoder.feature_names)) == X.shape[1]
    assert np.isfinite(X.data if sparse.issparse(X) else X).all()
    pieces = [saved(encoder).transform(batch) for batch in read(DATA / name)]
    assert_same_bits(sparse.vstack(pieces, format="csr") if sparse.issparse(X) else np.vstack(pieces), X)
