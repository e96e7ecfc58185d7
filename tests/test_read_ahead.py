"""The promise of `read_ahead`: texts are split while the source is read, and nothing but the time tells.

Whatever the threads, the blocks, and what the first rows made one think of a column: the same table, encoder and
matrices, to the bit, as from a table in memory and scikit-learn's way, which fits on one part and transforms the other.
"""

import json

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse

import crossent
from crossent.table import Encoder, Schema, ahead, read_ahead, read_table
from crossent.text import TfidfVectorizer


def texts(n, seed=0):
    rng = np.random.default_rng(seed)
    words = np.array([f"w{k}" + "é" * (k % 3) for k in range(400)])
    return [" ".join(words[rng.integers(0, 1 + 399 * rng.random(), 12)]) if k % 11 else "" for k in range(n)]


def csv_file(folder, columns):
    path = folder / "rows.csv"
    rows = zip(*columns.values(), strict=True)
    path.write_text(",".join(columns) + "\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))
    return str(path)


def same(ours, expected):
    (encoder, *matrices), (other, *others) = ours, expected
    assert encoder.to_json() == other.to_json()
    arrays, theirs = encoder.to_arrays(), other.to_arrays()
    assert arrays.keys() == theirs.keys()
    assert all(np.array_equal(arrays[name], theirs[name]) for name in theirs)
    for X, Y in zip(map(sparse.csr_matrix, matrices), map(sparse.csr_matrix, others), strict=True):
        assert X.shape == Y.shape
        for part in ("data", "indices", "indptr"):
            assert getattr(X, part).tobytes() == getattr(Y, part).tobytes()


def apart(table, held_out, words=None, rows=None, **kinds):
    return Encoder.fit_apart(table, Schema.guess(table, target="y", **kinds), held_out, rows, words)


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr("crossent.table.formats.BLOCK", 5000)
    monkeypatch.setattr("crossent.text.documents.BLOCK_BYTES", 1000)


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_any_number_of_threads_gives_what_fit_and_transform_give(threads, small_blocks, monkeypatch, tmp_path):
    n = 900
    columns = {"a": texts(n), "n": range(n), "b": texts(n, 1), "y": [k % 2 for k in range(n)]}
    source = csv_file(tmp_path, columns)
    monkeypatch.setattr(ahead, "cores", lambda: threads)
    table, words = read_ahead(source, target="y")
    assert words.keys() == {"a", "b"}
    assert table.equals(read_table(source))
    held_out = np.random.default_rng(0).random(n) < 0.3
    encoder, X, X_held_out = apart(table, held_out, words, number=["n"])
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    learned = vectorizer.fit_transform(np.array(columns["a"])[~held_out].tolist())
    held = vectorizer.transform(np.array(columns["a"])[held_out].tolist())
    width = learned.shape[1]
    assert encoder.feature_names[:width] == [f"a:{term}" for term in vectorizer.get_feature_names_out()]
    assert (X[:, :width] != learned).nnz == (X_held_out[:, :width] != held).nnz == 0
    same((encoder, X, X_held_out), apart(table, held_out, number=["n"]))


def test_rows_without_a_target_are_read_and_play_no_part(small_blocks, tmp_path):
    n = 400
    y = ["" if k % 7 == 3 else k % 2 for k in range(n)]
    source = csv_file(tmp_path, {"a": texts(n), "y": y})
    table, words = read_ahead(source, target="y")
    rows = np.array([k for k in range(n) if y[k] != ""])
    table, held_out = table.take(pa.array(rows)), np.arange(len(rows)) % 4 == 1
    same(apart(table, held_out, words, rows), apart(table, held_out))


SENTENCES, CITIES = texts(400), ["New York", "Los Angeles", "San Jose", "El Paso"] * 100


@pytest.mark.parametrize(
    ("cells", "kind", "begun"),
    [
        (SENTENCES[:205] + CITIES * 5, "category", True),
        (CITIES[:205] + SENTENCES * 5, "text", False),
        (SENTENCES, "text", True),
        (CITIES, "category", False),
    ],
    ids=["like text at first", "like levels at first", "text", "levels"],
)
def test_a_mistake_about_a_column_changes_nothing(cells, kind, begun, small_blocks, tmp_path):
    source = csv_file(tmp_path, {"a": cells, "x": range(len(cells)), "y": [k % 2 for k in range(len(cells))]})
    table, words = read_ahead(source, target="y", number="x")
    assert Schema.guess(table, target="y").columns[0].kind == kind
    assert ("a" in words) == begun
    held_out = np.arange(len(cells)) % 5 == 0
    same(apart(table, held_out, words, number="x"), apart(table, held_out, number="x"))


def test_a_column_of_json_that_changes_its_mind(small_blocks, tmp_path):
    cells = [*texts(300), *[None] * 300, *texts(300, 2)]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"a": cell, "y": k % 2}) + "\n" for k, cell in enumerate(cells)))
    table, words = read_ahead(str(path), target="y")
    held_out = np.arange(len(cells)) % 5 == 0
    same(apart(table, held_out, words), apart(pa.table({"a": cells, "y": table["y"]}), held_out))


def test_kinds_that_are_asked_for_are_obeyed(tmp_path):
    source = csv_file(tmp_path, {"a": texts(100), "b": ["one"] * 50 + ["two"] * 50, "y": [k % 2 for k in range(100)]})
    assert read_ahead(source, target="y", category=["a"], text="b")[1].keys() == {"b"}
    assert not read_ahead(source, target="a")[1]


def test_a_damaged_source_is_told_while_its_beginning_is_split(small_blocks, tmp_path):
    source = csv_file(tmp_path, {"a": texts(900), "y": [k % 2 for k in range(900)]})
    with open(source, "a") as file:
        file.write("one,too,many\n")
    with pytest.raises(crossent.CrossentError, match="has 3 columns, the header has 2"):
        read_ahead(source, target="y")


def test_a_training_run_is_the_same_from_a_file_and_from_memory(small_blocks, tmp_path):
    columns = {"a": texts(600), "y": [k % 2 for k in range(600)]}
    from_file = crossent.train(csv_file(tmp_path, columns), "y", C=1.0)
    from_memory = crossent.train({"a": columns["a"], "y": columns["y"]}, "y", C=1.0)
    assert np.array_equal(from_file.coef, from_memory.coef)
    assert from_file.test == from_memory.test
    assert from_memory.test is not None
    held_out = crossent.training.split(np.array(columns["y"]), 0.2)
    rows = pa.table(columns).filter(pa.array(held_out))
    assert from_file.evaluate(rows) == from_file.test
