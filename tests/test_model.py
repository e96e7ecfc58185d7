"""Promises of a fitted model: it scores any source of rows alike, its explanations add up to the margin that predicts,
its measures are scikit-learn's, and what it was trained from is told.
"""

import json
import math

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss, roc_auc_score

import crossent
from crossent.errors import CrossentError, DataWarning
from crossent.metrics import calibration_error, evaluate, losses
from crossent.scoring import probabilities

WORDS = ["good", "bad", "fine", "awful", "great", "film", "plot", "end", "cast", "slow"]


def rows_of_everything(n: int, classes: int, seed: int = 0) -> dict[str, list]:
    """Numbers with gaps, categories, dates and text, and a target that depends on all of them."""
    rng = np.random.default_rng(seed)
    age, job = rng.normal(40, 12, n), rng.choice(["clerk", "nurse", "student"], n)
    month = rng.integers(1, 13, n)
    text = [" ".join(rng.choice(WORDS, 12)) for _ in range(n)]
    z = (age - 40) / 12 + (job == "nurse") + (month > 6) + np.array([t.count("good") - t.count("bad") for t in text])
    target = np.digitize(z + rng.logistic(size=n), np.quantile(z, np.arange(1, classes) / classes))
    return {
        "age": [None if rng.random() < 0.1 else float(a) for a in age],
        "job": job.tolist(),
        "when": [f"2026-{m:02}-{rng.integers(1, 29):02}" for m in month],
        "words": text,
        "grade": [f"g{t}" for t in target],
    }


@pytest.fixture(scope="module", params=[2, 3], ids=["two classes", "three classes"])
def trained(request):
    rows = rows_of_everything(600, request.param)
    return crossent.train(rows, "grade", text="words"), rows


def test_every_source_scores_alike(trained, tmp_path):
    model, rows = trained
    frame = pd.DataFrame(rows)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    frame.to_parquet(tmp_path / "rows.parquet")
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in pa.table(rows).to_pylist()))
    expected = model.predict_proba(rows)
    files = [str(tmp_path / f"rows.{ending}") for ending in ("csv", "parquet", "jsonl")]
    for source in (frame, pl.DataFrame(rows), pa.table(rows), pa.table(rows).to_reader(), *files):
        np.testing.assert_allclose(model.predict_proba(source), expected, rtol=0, atol=1e-12)


def test_every_library_of_tables_trains_the_same_model():
    """Polars gives Arrow views of its text, also in categoricals, which Arrow neither filters nor joins."""
    rows = rows_of_everything(200, 2)
    rows["grade"][3] = None
    frame = pl.DataFrame(rows | {"bytes": [b"x"] * 200}).with_columns(pl.col("job").cast(pl.Categorical))
    sources = (rows, pd.DataFrame(rows), frame, pl.concat([frame[:99], frame[99:]]))
    with pytest.warns(DataWarning, match="missing in 1 of 200 rows"):
        models = [crossent.train(source, "grade") for source in sources]
    for model in models[1:]:
        np.testing.assert_allclose(model.predict_proba(frame), models[0].predict_proba(rows), rtol=0, atol=1e-9)


def test_probabilities_and_predictions_agree(trained):
    model, rows = trained
    p = model.predict_proba(rows)
    np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-15)
    assert model.predict(rows).tolist() == [model.classes[k] for k in p.argmax(axis=1)]


def test_an_explanation_adds_up_to_the_margin_that_predicts(trained):
    model, rows = trained
    table = pa.table(rows)
    z = model.margins(table)
    p = model.predict_proba(table)
    for i in range(0, len(table), 29):
        for label in model.classes:
            found = model.explain(table.slice(i, 1), label=label)
            k = model.classes.index(found.label)
            assert found.z == pytest.approx(z[i] if z.ndim == 1 else z[i, k], rel=1e-12)
            assert math.fsum([found.bias, *(t.product for t in found.terms)]) == pytest.approx(found.z, rel=1e-12)
            assert all(t.product == t.weight * t.value for t in found.terms)
            assert [abs(t.product) for t in found.terms] == sorted((abs(t.product) for t in found.terms), reverse=True)
            assert list(found.probabilities.values()) == pytest.approx(p[i].tolist(), abs=1e-12)
            assert found.prediction == model.classes[p[i].argmax()]


def test_an_explanation_shows_numbers_on_their_own_scale(trained):
    model, _ = trained
    found = model.explain({"age": 61.5, "words": "good film"})
    assert next(term for term in found.terms if term.name == "age").given == pytest.approx(61.5)
    assert found.missing == ["job", "when"]
    assert {"words:good", "words:film"} <= {term.name for term in found.terms}
    assert model.explain("good film").missing == ["age", "job", "when"]


def test_the_words_of_a_text_share_what_its_terms_add_to_z(trained):
    model, _ = trained
    text = "Good film! GOOD plot, ... unheard-of awful"
    found = model.explain({"age": 61.5, "words": text})
    [shown] = found.texts
    assert (shown.column, shown.text) == ("words", text)
    assert [span.token for span in shown.spans] == ["Good", "film", "GOOD", "plot", "unheard", "of", "awful"]
    assert all(text[span.start : span.end] == span.token for span in shown.spans)
    product = {term.name: term.product for term in found.terms}
    goods = product["words:good"] / 2 + (product.get("words:good film", 0) + product.get("words:film good", 0)) / 2
    assert shown.spans[0].contribution == pytest.approx(product["words:good"] / 2 + product["words:good film"] / 2)
    assert shown.spans[0].contribution != pytest.approx(goods)  # the pairs of the other good are not its own
    of_text = [product for name, product in product.items() if name.startswith("words:")]
    assert math.fsum(span.contribution for span in shown.spans) == pytest.approx(math.fsum(of_text))
    assert model.explain({"age": 61.5}).texts == []


def test_weights_are_those_of_the_features_by_class(trained):
    model, _ = trained
    for k, (label, found) in enumerate(model.weights(top=None).items()):
        names = model.encoder.feature_names
        own = model.coef[k] if len(model.coef) > 1 else model.coef[0] * (1 if k else -1)
        assert {weight.name for weight in found} == {n for n, w in zip(names, own, strict=True) if w > 0}
        assert [weight.encoded for weight in found] == sorted((w for w in own if w > 0), reverse=True), label


def test_measures_are_scikit_learns(trained):
    model, rows = trained
    found = model.evaluate(rows)
    p, y = model.predict_proba(rows), np.array([model.classes.index(label) for label in rows["grade"]])
    assert found.accuracy == accuracy_score(y, p.argmax(axis=1))
    assert found.log_loss == pytest.approx(log_loss(y, p), rel=1e-12)
    scores = {"y_score": p[:, 1]} if p.shape[1] == 2 else {"y_score": p, "multi_class": "ovr", "average": "macro"}
    assert found.auc == pytest.approx(roc_auc_score(y, **scores), rel=1e-12)
    assert found.confusion == confusion_matrix(y, p.argmax(axis=1)).tolist()
    assert found.base_accuracy == np.bincount(y).max() / len(y)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 4), st.integers(0, 2**32 - 1))
def test_calibration_error_is_zero_for_what_comes_true_as_often_as_said(classes, seed):
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(20, [1 / classes] * classes)
    p = np.tile(counts / 20, (20, 1))
    y = np.repeat(np.arange(classes), counts)
    assert calibration_error(p, y) == pytest.approx(0, abs=1e-12)
    certain = np.eye(classes)[np.zeros(20, dtype=int)]
    assert calibration_error(certain, y) == pytest.approx((1 - p[0, 0] + p[0, 1:].sum()) / classes)


def test_margins_of_any_size_are_measured():
    z, y = np.array([-1e4, 1e4, 1e4, -1e4]), np.array([0, 1, 0, 1])
    found = evaluate(z, y, ["no", "yes"])
    assert found.log_loss == 5000.0
    assert found.accuracy == 0.5
    assert evaluate(z[:1], y[:1], ["no", "yes"]).auc is None
    assert losses(np.array([[1e4, 0.0, -1e4]]), np.array([2])) == [2e4]
    assert probabilities(np.array([0.0])).tolist() == [[0.5, 0.5]]


def test_the_optimum_is_scikit_learns():
    rows = rows_of_everything(400, 2)
    del rows["words"]
    model = crossent.train(rows, "grade", C=1.0, test=0, tol=1e-12)
    X = model.encoder.transform(pa.table(rows))
    theirs = LogisticRegression(tol=1e-10, max_iter=1000).fit(X, rows["grade"])
    np.testing.assert_allclose(model.coef, theirs.coef_, atol=1e-5)
    np.testing.assert_allclose(model.intercept, theirs.intercept_, atol=1e-5)


def test_a_row_may_come_from_any_library(trained):
    model, rows = trained
    frame = pd.DataFrame(rows)
    expected = model.explain({name: values[7] for name, values in rows.items()})
    for row in (frame[7:8], frame.iloc[7], pl.DataFrame(rows)[7:8], pa.table(rows)[7:8]):
        assert model.explain(row).z == pytest.approx(expected.z, abs=1e-12)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({}, "none of the model's columns"),
        ({"unknown": 1}, "none of the model's columns"),
        (pa.table({"age": [1.0, 2.0]}), "one row is explained at a time; got 2"),
        (pd.DataFrame({"age": [1.0, 2.0]}), "one row is explained at a time; got 2"),
        (None, "a source of type NoneType is not read"),
        ({"age": object()}, "the table: cannot be read: .*object"),
    ],
)
def test_what_is_no_row_is_told(trained, row, said):
    with pytest.raises(CrossentError, match=said):
        trained[0].explain(row)


def test_a_class_that_is_none_is_told(trained):
    with pytest.raises(CrossentError, match="class 'g9' is none of the model's: g0, g1"):
        trained[0].explain("good film", label="g9")


def test_rows_without_the_target_are_no_evaluation(trained):
    model, rows = trained
    with pytest.raises(CrossentError, match="no column 'grade'"):
        model.evaluate({name: values for name, values in rows.items() if name != "grade"})
    with (
        pytest.warns(crossent.errors.DataWarning, match="missing in 600 of 600 rows"),
        pytest.raises(CrossentError, match="nothing to evaluate"),
    ):
        model.evaluate(rows | {"grade": [None] * 600})
