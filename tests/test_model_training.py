"""Promises of `crossent.train`: the test part is scikit-learn's split and has no say in anything that is learned,
stages and steps are told, an interruption keeps the best weights, and what is asked wrongly is told in one line.
"""

import numpy as np
import pyarrow as pa
import pytest
from scipy.special import softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, train_test_split

import crossent
from crossent.certificate import Outcome
from crossent.errors import CrossentError, DataWarning
from crossent.fit import Progress, fit, take_step
from crossent.table import Schema
from crossent.training import split
from crossent.tuning import LEAST, MOST, START, TIE, Candidate
from test_model import rows_of_everything


def numbers(n=400, classes=2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3)) * [1e-3, 1.0, 1e3]
    y = np.digitize(X @ [1e3, 1.0, 1e-3] + rng.logistic(size=n), np.linspace(-1, 1, classes + 1)[1:-1])
    return {"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "y": y}


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
@pytest.mark.parametrize("seed", [0, 7])
def test_the_split_is_scikit_learns(share, seed):
    y = np.random.default_rng(seed).integers(0, 3, 100)
    theirs = train_test_split(np.arange(100), test_size=share, stratify=y, random_state=seed)[1]
    assert np.flatnonzero(split(y, share, seed)).tolist() == sorted(theirs.tolist())


def test_the_test_part_has_no_say():
    """Whatever stands in the rows held out, the weights, the vocabulary and C are the same."""
    rows = rows_of_everything(300, 2)
    labels = np.array([int(grade[1]) for grade in rows["grade"]])
    held_out = np.flatnonzero(split(labels, 0.2, 3))
    other = {name: list(values) for name, values in rows.items()}
    for i in held_out:
        other["age"][i], other["words"][i] = 1000.0, "unheard of"
        other["job"][i] = "clerk"
    asked = {"text": "words", "number": "age", "seed": 3, "C": [0.1, 1.0, 10.0]}
    one, two = crossent.train(rows, "grade", **asked), crossent.train(other, "grade", **asked)
    assert one.encoder.feature_names == two.encoder.feature_names
    assert (one.coef == two.coef).all()
    assert one.metadata["search"] == two.metadata["search"]
    assert one.test.log_loss < two.test.log_loss


def test_of_several_strengths_the_best_in_cross_validation_is_taken():
    rows = numbers()
    model = crossent.train(rows, "y", C=(100.0, 1e-4, 0.5))
    tried = model.metadata["search"]
    assert [one["C"] for one in tried] == [1e-4, 0.5, 100.0]
    assert model.metadata["settings"]["C"] == min(tried, key=lambda one: one["log_loss"])["C"]
    alone = crossent.train(rows, "y", C=model.metadata["settings"]["C"])
    np.testing.assert_allclose(model.coef, alone.coef, rtol=1e-3)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_the_curve_is_that_of_fits_to_each_fold(classes, l1_ratio):
    rows = numbers(classes=classes)
    model = crossent.train(rows, "y", C=[0.1, 10.0], l1_ratio=l1_ratio, test=0, seed=4)
    X = model.encoder.transform(pa.table({name: rows[name] for name in "abc"}))
    for one in model.metadata["search"]:
        losses = []
        for train, test in StratifiedKFold(5, shuffle=True, random_state=4).split(X, rows["y"]):
            alone = fit(X[train], rows["y"][train], n_classes=classes, C=one["C"], l1_ratio=l1_ratio)
            z = X[test] @ alone.coef.T + alone.intercept
            z = np.hstack([0 * z, z]) if classes == 2 else z
            losses.append(log_loss(rows["y"][test], softmax(z, axis=1)))
        np.testing.assert_allclose(one["folds"], losses, atol=1e-3)
        np.testing.assert_allclose(one["log_loss"], np.mean(one["folds"]))
        np.testing.assert_allclose(one["standard_error"], np.std(one["folds"], ddof=1) / np.sqrt(5))


@pytest.mark.parametrize(("noise", "edge"), [(0.02, "upper"), (10.0, "none"), (1e6, "lower")])
def test_the_grid_goes_on_until_the_best_is_not_at_its_edge(noise, edge):
    """Little noise asks for a large C, nothing but noise for a small one."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(400, 20))
    rows = {f"x{j}": X[:, j] for j in range(20)} | {"y": X[:, 0] + noise * 0.1 * rng.logistic(size=400) > 0}
    model = crossent.train(rows, "y", test=0)
    search, chosen = model.metadata["search"], model.metadata["settings"]["C"]
    tried = [one["C"] for one in search]
    assert tried == sorted(set(tried))
    assert set(START) <= set(tried)
    least = min(one["log_loss"] for one in search)
    assert chosen == min(one["C"] for one in search if one["log_loss"] <= (1 + TIE) * least)
    assert tried[0] < chosen < tried[-1] or chosen in {LEAST, MOST}
    assert (tried[0] < START[0]) == (edge == "lower")
    assert (tried[-1] > START[-1]) == (edge == "upper")


def test_one_standard_error_takes_the_simplest_within_it():
    rows = numbers()
    search = crossent.train(rows, "y").metadata["search"]
    best = min(search, key=lambda one: one["log_loss"])
    within = [one["C"] for one in search if one["log_loss"] <= best["log_loss"] + best["standard_error"]]
    assert crossent.train(rows, "y", selection="1se").metadata["settings"]["C"] == min(within) < best["C"]


def test_values_that_tie_leave_the_smallest():
    """Few levels, many rows: past some C the penalty is nothing, and all larger ones do alike."""
    rng = np.random.default_rng(0)
    level = rng.integers(0, 4, 5000)
    rows = {"level": ["abcd"[k] for k in level], "y": rng.random(5000) < 0.2 * (level + 0.5)}
    search = (model := crossent.train(rows, "y")).metadata["search"]
    chosen, losses = model.metadata["settings"]["C"], {one["C"]: one["log_loss"] for one in search}
    assert chosen < max(losses) <= 10.0 * START[-1]
    assert losses[chosen] <= (1 + TIE) * min(losses.values())


def test_one_standard_error_goes_on_downwards_while_the_smallest_is_taken():
    rng = np.random.default_rng(2)
    rows = {f"x{j}": rng.normal(size=300) for j in range(5)} | {"y": rng.random(300) < 0.5}
    model = crossent.train(rows, "y", selection="1se")
    tried = [one["C"] for one in model.metadata["search"]]
    assert model.metadata["settings"]["C"] > tried[0] or tried[0] == LEAST


def test_a_rare_class_has_fewer_folds_and_a_single_row_is_told():
    rows = {"x": np.arange(30.0) % 7, "y": [0] * 27 + [1] * 3}
    assert {len(one["folds"]) for one in crossent.train(rows, "y", test=0).metadata["search"]} == {3}
    rows["y"] = [0] * 29 + [1]
    with pytest.raises(CrossentError, match="class 1 has 1 row to train on, too few to choose C"):
        crossent.train(rows, "y", test=0)
    crossent.train(rows, "y", test=0, C=1.0)


def test_settings_come_as_numpy_has_them():
    rows = numbers()
    asked = {"C": np.array([0.1, 1.0]), "max_iter": np.int64(50), "seed": np.int32(3), "tol": np.float32(1e-4)}
    model = crossent.train(rows, "y", text=None, **asked)
    assert [one["C"] for one in model.metadata["search"]] == [0.1, 1.0]


@pytest.mark.parametrize("weights", ["balanced", {0: 3.0}, {0: 0.5, 1: 2.0}], ids=str)
def test_class_weights_are_scikit_learns(weights):
    rows = numbers()
    model = crossent.train(rows, "y", C=1.0, class_weight=weights, test=0, tol=1e-12)
    X = model.encoder.transform(pa.table({name: rows[name] for name in "abc"}))
    theirs = LogisticRegression(class_weight=weights, tol=1e-10).fit(X, rows["y"])
    np.testing.assert_allclose(model.coef, theirs.coef_, atol=1e-5)


def test_what_happened_is_told():
    told = []
    model = crossent.train(numbers(), "y", C=[0.1, 1.0], watch=lambda stage, what: told.append((stage, what)))
    stages = [stage for stage, what in told if what is None]
    assert stages == ["reading", "encoding", "choosing C", "fitting", "testing"]
    assert list(model.metadata["seconds"]) == stages
    assert [what for stage, what in told if stage == "reading"][1] == model.schema
    tried = [what for stage, what in told if stage == "choosing C" and what is not None]
    assert [one.as_dict() for one in tried] == model.metadata["search"]
    steps = [what for stage, what in told if stage == "fitting" and what is not None]
    assert all(isinstance(step, Progress) for step in steps)
    assert steps[-1].objective == model.certificate.objective
    assert isinstance(model.schema, Schema)
    assert model.metadata["rows"] == {"read": 400, "used": 400, "train": 320, "test": 80}


def interrupting(stage, after):
    """A watcher that presses Ctrl-C at the news of a stage that follows so many."""
    news = []

    def watch(now, what):
        if now == stage and isinstance(what, Progress | Candidate):
            news.append(what)
            if len(news) > after:
                raise KeyboardInterrupt

    return watch


@pytest.mark.parametrize("stage", ["fitting", "choosing C"])
@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_an_interruption_keeps_the_best_weights_and_says_so(stage, l1_ratio, tmp_path):
    C = None if stage == "choosing C" else 1.0
    model = crossent.train(numbers(), "y", C=C, l1_ratio=l1_ratio, tol=1e-14, watch=interrupting(stage, 1))
    if stage == "choosing C":
        search = model.metadata["search"]
        assert len(search) == 2
        assert model.metadata["settings"]["C"] == min(search, key=lambda one: one["log_loss"])["C"]
    assert model.metadata["interrupted"]
    assert model.certificate.outcome == Outcome.INTERRUPTED.value
    assert not model.certificate.converged
    assert np.abs(model.coef).max() > 0
    assert model.test.accuracy > 0.6
    model.save(tmp_path / "m")
    assert crossent.load(tmp_path / "m").metadata["interrupted"]


def test_an_interruption_before_there_are_weights_is_one():
    def watch(stage, what):
        if stage == "encoding":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crossent.train(numbers(), "y", watch=watch)


def test_an_interruption_inside_a_fold_ends_the_search(monkeypatch):
    """The loop keeps a fit's weights where Ctrl-C reaches it; the search must not go on as if nothing had been."""
    reached = []

    def interrupted(objective, point, step):
        reached.append(objective)
        if len(reached) == 30:
            raise KeyboardInterrupt
        return take_step(objective, point, step)

    monkeypatch.setattr("crossent.fit.take_step", interrupted)
    model = crossent.train(numbers(), "y", n_jobs=1)
    assert model.metadata["interrupted"]
    assert 0 < len(model.metadata["search"]) < len(START)


def test_an_interruption_while_testing_keeps_the_weights():
    def watch(stage, what):
        if stage == "testing":
            raise KeyboardInterrupt

    assert crossent.train(numbers(), "y", watch=watch).test is None


def test_a_fit_that_did_not_arrive_warns():
    with pytest.warns(ConvergenceWarning, match=r"stopped at max_iter.*gap reached .*, asked 1e-06, .*raise max_iter"):
        model = crossent.train(numbers(), "y", C=1.0, max_iter=1)
    assert not model.certificate.converged


def test_rows_without_a_target_are_left_out_and_counted():
    rows = {name: values.tolist() for name, values in numbers().items()}
    rows["y"][3] = rows["y"][5] = None
    with pytest.warns(DataWarning, match="missing in 2 of 400 rows"):
        model = crossent.train(rows, "y")
    assert model.metadata["rows"]["used"] == 398


def test_a_cell_is_named_by_its_row_in_the_source(tmp_path, monkeypatch):
    """Not by its row in the training part, in the rows that hold the target, or in a batch."""
    monkeypatch.setattr("crossent.table.formats.BLOCK", 200)
    labels = ["", "", *("yes" if i % 3 else "no" for i in range(98))]

    def write(cell):
        cells = [cell if i == 90 else i / 8 for i in range(100)]
        rows = "".join(f"{x},{i % 7},{y}\n" for i, (x, y) in enumerate(zip(cells, labels, strict=True)))
        (tmp_path / "rows.csv").write_text("x,other,y\n" + rows)
        return str(tmp_path / "rows.csv")

    for seed in range(2):
        with pytest.raises(CrossentError, match="data row 91"), pytest.warns(DataWarning, match="missing"):
            crossent.train(write("inf"), "y", number="x", seed=seed)
    with pytest.warns(DataWarning, match="missing in 2"):
        model = crossent.train(write(1.0), "y", number="x")
    with pytest.raises(CrossentError, match="data row 91"):
        model.predict(write("inf"))
    with pytest.warns(DataWarning, match="'a' in data row 91"):
        model.predict(write("a"))
    labels[90] = "maybe"
    with pytest.raises(CrossentError, match="'maybe' in data row 91"), pytest.warns(DataWarning, match="missing"):
        model.evaluate(write(1.0))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"C": 0}, "C is 0; give a positive number"),
        ({"C": "strong"}, "C is 'strong'; give a positive number"),
        ({"C": [None]}, "C is None; give a positive number"),
        ({"selection": "2se"}, "selection is '2se'; give 'best' or '1se'"),
        ({"C": [1.0, "a"]}, "C is 'a'; give a positive number"),
        ({"l1_ratio": None}, "l1_ratio is None; give a number"),
        ({"test": "some"}, "test is 'some'; give a share"),
        ({"tol": None}, "tol is None; give a positive"),
        ({"max_iter": 1.5}, "max_iter is 1.5; give a whole"),
        ({"seed": None}, "seed is None; give a whole"),
        ({"n_jobs": "all"}, "n_jobs is 'all'; give a whole"),
        ({"text": 3}, "text is 3; give the name of a column"),
        ({"target": ["y"]}, r"target is \['y'\]; give the name of a column"),
        ({"class_weight": {0: "a"}}, "the weight of class 0 is 'a'; give a number"),
        ({"C": [1.0, float("nan")]}, "C is nan; give a positive"),
        ({"C": []}, r"C is \[\]; give one value or several"),
        ({"l1_ratio": 1.5}, "l1_ratio is 1.5; give a number from 0 to 1"),
        ({"test": 1.0}, "test is 1.0; give a share"),
        ({"tol": 0.0}, "tol is 0.0; give a positive"),
        ({"max_iter": 0}, "max_iter is 0; give a whole"),
        ({"seed": -1}, "seed is -1; give a whole"),
        ({"class_weight": "even"}, "class_weight is 'even'; give 'balanced'"),
        ({"class_weight": {7: 1.0}}, "class_weight names 7, which is none of the classes"),
        ({"class_weight": {0: -1.0}}, "not negative"),
        ({"test": 0.001}, "1 of 400 rows to test with 2 classes"),
        ({"text": "nothing"}, "no column 'nothing'"),
        ({"drop": ["a", "b", "c"]}, "no column is left to learn from"),
        ({"target": "z"}, r"no column 'z' \(the target\)"),
    ],
)
def test_what_is_asked_wrongly_is_told_in_one_line(asked, said):
    with pytest.raises(CrossentError, match=said) as told:
        crossent.train(numbers(), **{"target": "y", **asked})
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([1] * 9, "one class only"),
        ([0] * 8 + [1], "class 1 has one row only"),
    ],
)
def test_targets_that_cannot_be_learned_are_told(labels, said):
    with pytest.raises(CrossentError, match=said):
        crossent.train({"x": [float(i) for i in range(9)], "y": pa.array(labels, pa.int64())}, "y")
