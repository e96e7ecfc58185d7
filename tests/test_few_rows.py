"""Promises of scoring a few rows in a process that has compiled nothing: neither numba nor pandas is loaded, and the
numbers are those of compiled code.
"""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crossent
from crossent.equations import sigmoid
from crossent.jit import LITTLE, is_loaded, uncompiled
from crossent.margins import probabilities_into
from crossent.text import TfidfVectorizer, few, matrix
from crossent.text.documents import blocks
from crossent.text.shares import Words
from crossent.text.tfidf import SavedTfidf
from crossent.text.vocabulary import Vocabulary
from test_model import rows_of_everything

WORDS = ["good", "bad", "Film", "plot", "İstanbul", "ΟΔΟΣ", "όδος", "é", "a_b", "42", "straße", "x", "...", "zz"]
WORDS += ["\N{MATHEMATICAL SCRIPT CAPITAL X}y", "\u200d", "\0", "\ud800"]
PREDICT = """
import sys
from crossent.cli import main
sys.argv = ["crossent", "predict", *sys.argv[1:]]
main_ended = None
try:
    main()
except SystemExit as ended:
    main_ended = ended.code
print(main_ended or 0, *({"numba", "pandas", "sklearn"} & set(sys.modules)), file=sys.stderr)
"""


@pytest.mark.parametrize("classes", [2, 3])
def test_a_few_rows_are_scored_without_numba_and_alike(tmp_path, classes):
    rows = rows_of_everything(300, classes)
    columns = {"number": ["age"], "text": ["words"]}
    model = crossent.train(rows, "grade", drop=["job", "when"], **columns)
    model.save(tmp_path / "m")
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["age", "words"])
        writer.writerows(zip(rows["age"][:10], rows["words"][:10], strict=True))
    words = [sys.executable, "-c", PREDICT, tmp_path / "m", tmp_path / "rows.csv", "-o", tmp_path / "out.jsonl"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] in ("0", "0 pandas")  # a number that is missing loads pandas
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    p = [[row[f"probability_{label}"] for label in model.classes] for row in found]
    assert is_loaded()
    np.testing.assert_allclose(p, model.predict_proba(tmp_path / "rows.csv"), rtol=1e-12)
    assert [row["prediction"] for row in found] == model.predict(tmp_path / "rows.csv").tolist()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join), min_size=1, max_size=5), st.booleans())
def test_words_are_counted_as_by_the_kernels(documents, shuffled):
    fitted = TfidfVectorizer(ngram_range=(1, 2)).fit(["good bad film", " ".join(WORDS), "film plot plot όδος"])
    arrays = fitted.to_arrays()
    vocabulary = Vocabulary.from_arrays(arrays)
    if shuffled:
        terms = fitted.vocabulary_
        order = np.random.default_rng(0).permutation(list(terms))
        vocabulary = Vocabulary.of(order, [terms[term] for term in order], joined=True)
    analysis = SavedTfidf.from_arrays(arrays)._analysis
    expected = matrix.look_up(blocks(documents, str, None, True), analysis, vocabulary, 1)
    decoded = [text.encode("utf-8", "surrogatepass").decode("utf-8", "replace") for text in documents]
    found = few.look_up(decoded, Words(), vocabulary)
    for ours, theirs in zip(found.rows[0], expected.rows[0], strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def test_a_kernel_is_the_function_that_it_is_written_as():
    script = """
import sys, numpy as np
from crossent.jit import uncompiled
from crossent.margins import probabilities_into
z = np.linspace(-800.0, 800.0, 33)
p = np.empty((33, 2))
uncompiled(probabilities_into, 33)(z, p)
assert "numba" not in sys.modules
print(p[:, 1].tolist())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    np.testing.assert_allclose(json.loads(done.stdout), sigmoid(np.linspace(-800.0, 800.0, 33)), rtol=1e-15, atol=0)
    assert uncompiled(probabilities_into, LITTLE) is probabilities_into  # compiled by now
