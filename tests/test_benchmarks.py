"""The proving ground keeps its promises: a referee whose bounds bound, rules that are fair, failures that are shown."""

import json
import math
from pathlib import Path

import mpmath
import numpy as np
import pytest
from benchmarks import datasets
from benchmarks.__main__ import main
from benchmarks.judges import compare
from benchmarks.measure import Row, Rules
from benchmarks.objective import Problem, judge, largest_useful_penalty
from benchmarks.process import LateError, Library
from benchmarks.results import pictures, ratios, store, table
from benchmarks.rivals import LIBRARIES
from benchmarks.roofline import bandwidth, pass_bytes
from benchmarks.rows import GOALS, ROWS
from benchmarks.task import Task
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax
from sklearn.linear_model import LogisticRegression

RULES = Rules(threads=1, rounds=2, finer=1, cap=2.0, search_cap=5.0)


def problems():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 6)) * np.geomspace(0.5, 2, 6)
    for K in (2, 3):
        y = (X[:, :K] + rng.standard_normal((60, K))).argmax(axis=1)
        for C in (0.1, 10.0):
            for l1_ratio in (0.0, 0.4, 1.0):
                for intercept in (False, True):
                    yield Problem(sparse.csr_matrix(X) if intercept else X, y, C, l1_ratio, intercept, K)


def optimum(problem):
    """L-BFGS-B on the positive and negative parts of the weights: slow, simple, nobody's code but scipy's."""
    rows, columns = (1 if problem.n_classes == 2 else problem.n_classes), problem.X.shape[1]
    X, label, a = np.asarray(problem.X @ np.eye(columns)), problem.one_hot, problem.l1_ratio

    def value_and_gradient(v):
        up, down, b = v[: rows * columns], v[rows * columns : 2 * rows * columns], v[2 * rows * columns :]
        w = up - down
        Z = np.zeros_like(label)
        Z[:, problem.free] = X @ w.reshape(rows, columns).T + b
        loss = problem.C * np.sum(logsumexp(Z, axis=1) - np.sum(label * Z, axis=1))
        r = problem.C * (softmax(Z, axis=1) - label)[:, problem.free]
        g = (r.T @ X).ravel() + (1 - a) * w
        value = loss + a * np.sum(up + down) + 0.5 * (1 - a) * w @ w
        return value, np.concatenate([g + a, -g + a, r.sum(axis=0) * problem.intercept])

    bounds = [(0, None)] * (2 * rows * columns) + [(None, None)] * rows
    if a == 0:  # without L1 the parts are not held apart
        bounds = [(None, None)] * (rows * columns) + [(0, 0)] * (rows * columns) + [(None, None)] * rows
    options = {"maxiter": 5000, "maxfun": 10_000, "ftol": 1e-15, "gtol": 1e-9}
    v = minimize(
        value_and_gradient, np.zeros(len(bounds)), jac=True, method="L-BFGS-B", bounds=bounds, options=options
    ).x
    up, down, b = np.split(v, [rows * columns, 2 * rows * columns])
    return (up - down).reshape(rows, columns), b


def points(problem):
    """Weights of every quality: zero, random of several sizes, and near the optimum."""
    rng = np.random.default_rng(1)
    rows, columns = (1 if problem.n_classes == 2 else problem.n_classes), problem.X.shape[1]
    yield np.zeros((rows, columns)), np.zeros(rows)
    for size in (1e-3, 0.1, 1.0, 30.0):
        yield size * rng.standard_normal((rows, columns)), size * rng.standard_normal(rows) * problem.intercept
    yield optimum(problem)


@pytest.mark.parametrize("problem", list(problems()), ids=str)
def test_bound_of_any_weights_is_below_objective_of_any_other(problem):
    verdicts = [judge(problem, *point) for point in points(problem)]
    least = min(verdict.objective for verdict in verdicts)
    for verdict in verdicts:
        assert verdict.gap >= 0
        assert verdict.bound <= least * (1 + 1e-12)
    assert verdicts[-1].relative_gap < 1e-5


def test_l2_gap_is_half_the_squared_gradient():
    rng = np.random.default_rng(2)
    X, y, w = rng.standard_normal((50, 4)), rng.integers(0, 2, 50), rng.standard_normal(4)
    gradient = 3.0 * X.T @ (1 / (1 + np.exp(-X @ w)) - y) + w
    assert judge(Problem(X, y, C=3.0), w).gap == pytest.approx(0.5 * gradient @ gradient, rel=1e-12)


@pytest.mark.parametrize("z", [0.0, 1.0, 40.0, 800.0, 1e4, 1e150])
def test_loss_keeps_its_digits_at_any_margin(z):
    problem = Problem(np.array([[1.0], [-1.0]]), np.array([1, 0]), C=1.0)
    with mpmath.workdps(50):
        expected = float(2 * mpmath.log1p(mpmath.exp(-mpmath.mpf(z))))
        wrong = float(2 * mpmath.log1p(mpmath.exp(mpmath.mpf(min(z, 1e4)))))
    penalty = 0.5 * z * z
    if z < 1e100:
        assert judge(problem, [z]).objective - penalty == pytest.approx(expected, abs=1e-15 * (1 + penalty))
        assert judge(problem, [-z]).objective - penalty == pytest.approx(wrong, abs=1e-15 * (1 + penalty), rel=1e-12)
    free = Problem(problem.X, problem.y, C=math.inf)
    assert judge(free, [z]).objective == pytest.approx(expected, rel=1e-12)
    for intercept in (False, True):
        assert not np.isnan(judge(Problem(problem.X, problem.y, 1.0, 1.0, intercept), [z], 1e4 * intercept).gap)


def test_unpenalised_bound():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((400, 5))
    y = (X[:, 0] + rng.logistic(size=400) > 0.3).astype(int)
    problem = Problem(X, y, C=math.inf, intercept=True)
    model = LogisticRegression(C=np.inf, tol=1e-10, solver="newton-cholesky").fit(X, y)
    best = judge(problem, model.coef_, model.intercept_)
    assert best.relative_gap < 1e-12
    for shift in (1e-3, 1e-2, 0.1):
        near = judge(problem, model.coef_ + shift, model.intercept_)
        assert best.objective - 1e-9 <= near.objective <= near.bound + near.gap + 1e-9
        assert near.bound <= best.objective * (1 + 1e-12)
        assert near.gap < 2 * (near.objective - best.objective)
    assert judge(problem, model.coef_ * 1e3, model.intercept_).gap == np.inf


def test_first_point_of_a_path_is_where_l1_leaves_zero():
    rng = np.random.default_rng(4)
    X, y = rng.standard_normal((50, 6)), rng.integers(0, 2, 50)
    for intercept in (False, True):
        C = largest_useful_penalty(Problem(X, y, l1_ratio=1.0, intercept=intercept))
        log_odds = np.log(y.mean() / (1 - y.mean())) if intercept else 0.0
        assert judge(Problem(X, y, C, 1.0, intercept), np.zeros(6), log_odds).relative_gap < 1e-12
        assert judge(Problem(X, y, 1.01 * C, 1.0, intercept), np.zeros(6), log_odds).relative_gap > 1e-6


class Fake(Library):
    """A library without a process: its accuracy and its time are functions of the setting."""

    def __init__(self, module, weights, seconds=lambda setting: 0.1, lies=None):
        super().__init__(module, None, 1, Path())
        self.entrants, self.weights, self.cost, self.lies = [f"fit/{module}"], weights, seconds, lies
        self.asked = []

    def ask(self, seconds, **request):
        if request["do"] == "load":
            return {"refuses": self.lies} if self.lies else {"convert_s": 0.5, "ladder": [10.0**-k for k in range(15)]}
        if request["do"] == "run":
            setting = request["setting"]
            self.asked.append(setting)
            if self.cost(setting) > seconds:
                raise LateError
            np.savez(request["answer"], coef=self.weights(setting))
            return {"seconds": self.cost(setting), "peak_mb": 10.0, "extra_mb": 1.0}
        return {}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CROSSENT_BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def measured(cache):
    """A row of five libraries: ours, an exact one, one that is slow, one that never arrives, one that refuses."""
    folder = datasets.folder("small")
    X, y = datasets.read(folder)
    best = LogisticRegression(fit_intercept=False, tol=1e-12, solver="newton-cholesky").fit(X, y).coef_
    libraries = [
        Fake("ours", lambda setting: best * (1 + setting), lambda setting: 0.1),
        Fake("good", lambda setting: best * (1 + setting), lambda setting: 0.3 - 0.01 * math.log10(setting)),
        Fake("slow", lambda setting: best * (1 + setting), lambda setting: 0.01 / setting),
        Fake("blunt", lambda setting: best * (1 + max(setting, 0.01))),
        Fake("other", lambda setting: best, lies="has no such penalty"),
    ]
    task = Task("fit", "small", gap=1e-6)
    entries = Row(task, folder, libraries, RULES, cache, lambda line: None).measure()
    record = {"group": "L2", "task": task.as_dict(), "commit": "c", "date": "d", "load": 0.0, "took_s": 1.0}
    record |= {"shape": datasets.describe(folder), "entries": [entry.as_dict() for entry in entries]}
    return {entry.name: entry for entry in entries}, record, Problem(X, y), best


def test_the_loosest_setting_that_arrives_is_timed(measured):
    entries, _, problem, best = measured
    for name in ("ours", "good"):
        entry = entries[name]
        assert entry.arrived
        assert max(entry.gaps) <= 1e-6
        assert len(entry.seconds) == RULES.rounds
        assert judge(problem, best * (1 + entry.setting * 10)).relative_gap > 1e-6
    # The decade is halved, so what is timed is never a whole decade too tight.
    assert judge(problem, best * (1 + entries["good"].setting * 10**0.5)).relative_gap > 1e-6


def test_losers_are_shown_with_gap_and_reason(measured):
    entries, record, _, _ = measured
    assert not entries["blunt"].arrived
    assert entries["blunt"].as_dict()["gap"] > 1e-6
    assert "tightest" in entries["blunt"].reason
    assert not entries["slow"].arrived
    assert "stopped" in entries["slow"].reason
    assert entries["other"].reason == "has no such penalty"
    assert "blunt never at gap" in table._rows({"rows": {"row": record}})
    assert "slow never" in table._rows({"rows": {"row": record}})


def test_ratio_is_against_the_fastest_rival_that_arrived(measured):
    entries, record, _, _ = measured
    assert ratios.ratio(record) == pytest.approx(entries["good"].median / entries["ours"].median)
    assert ratios.ratio(record, "good") == ratios.ratio(record)
    assert ratios.ratio(record, "blunt") is None


def test_our_failure_is_a_failure(measured, tmp_path):
    _, record, _, _ = measured
    for entry in record["entries"]:
        if entry["ours"]:
            entry |= {"arrived": False, "reason": "ValueError: broken", "median_s": None}
    results = {
        "version": 1, "machine": {"processor": "p", "cores": 1, "system": "s", "python": "3"}, "rules": vars(RULES),
        "versions": {}, "absent": {"celer": "No module named 'celer'"}, "rows": {"L2 small": record},
    }  # fmt: skip
    store.save(results, tmp_path)
    table.write(results, tmp_path)
    pictures.draw(results, tmp_path)
    page = (tmp_path / "README.md").read_text()
    assert "**failed**: ValueError: broken" in page
    assert "1 failed | no |" in page
    assert "No module named 'celer'" in page
    assert (tmp_path / "gap-L2.png").exists()
    assert json.loads((tmp_path / "results.json").read_text())["rows"]["L2 small"]["entries"]


@pytest.mark.parametrize("module", [name for name, env in LIBRARIES.items() if env is None and name != "plain"])
def test_every_installed_library_reaches_the_gap_it_is_said_to_reach(module, cache):
    library = Library(module, None, 1, cache / "log")
    library.open()
    if library.absent:
        pytest.skip(f"{module}: {library.absent}")
    folder = datasets.folder("small")
    try:
        for task in (
            Task("fit", "small"),
            Task("fit", "small", l1_ratio=1.0, gap=1e-5),
            Task("fit", "small", C=np.inf),
        ):
            for entry in Row(task, folder, [library], RULES, cache, lambda line: None).measure():
                if entry.arrived:
                    assert 0 <= max(entry.gaps) <= task.gap
                    assert entry.memory["peak_mb"] > 0
                else:
                    assert entry.reason
                    assert module != "ours", entry.reason
    finally:
        library.close()


def test_jobs_without_an_objective_must_agree_with_the_reference():
    answer = {"data": np.ones(3), "indices": np.arange(3), "indptr": np.array([0, 3]), "bytes": np.array(100)}
    task = Task("vectorize", "reviews-files")
    assert compare(task, answer, answer)["agrees"]
    assert not compare(task, {**answer, "indices": np.array([0, 1, 3])}, answer)["agrees"]
    scores = {"C": np.array([1.0]), "scores": np.zeros(10)}
    task = Task("cross-validate", "adult")
    assert compare(task, scores, scores)["agrees"]
    assert not compare(task, {**scores, "scores": np.full(10, 2e-4)}, scores)["agrees"]
    assert not compare(task, {**scores, "C": np.array([10.0])}, scores)["agrees"]


def test_rows_are_named_once_and_every_goal_has_rows():
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert {goal.group for goal in GOALS} <= {row.group for row in ROWS}
    assert {row.task.data for row in ROWS} <= set(datasets.BUILDERS)


def test_roofline_counts_bytes_and_measures_speed():
    X, y = np.zeros((10, 3)), np.zeros(10)
    assert pass_bytes(X, y) == 10 * 3 * 8 + 10 * 8
    assert pass_bytes(sparse.csr_matrix(np.eye(4)), y[:4]) == 4 * (8 + 4) + 5 * 4 + 4 * 8
    assert all(0.01 < speed < 1e5 for speed in bandwidth(2, size=2**22, repeats=1).values())


def test_command_lists_rows_and_refuses_unknown_tags(capsys):
    assert main(["--list", "--only", "text+l2"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert listed
    assert all("reviews" in line or "clickbait" in line or "polarity" in line for line in listed)
    assert main(["--only", "nonsense"]) == 2
    assert "nonsense" in capsys.readouterr().err
