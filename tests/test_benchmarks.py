"""The benchmarks keep their promises: rules that are fair, failures that are shown."""

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from benchmarks import busy, datasets, kept
from benchmarks.judges import compare, gap_of
from benchmarks.measure import expected, measure
from benchmarks.objective import Problem, judge
from benchmarks.process import LateError, Library
from benchmarks.race import Race, Rules
from benchmarks.results import pictures, ratios, store, table
from benchmarks.rivals import LIBRARIES, scikit
from benchmarks.rows import Goal
from benchmarks.search import find
from benchmarks.task import Data, Task
from sklearn.linear_model import LogisticRegression

RULES = Rules(threads=1, rounds=2, finer=1, cap=2.0, search_cap=5.0)


class Fake(Library):
    """A library without a process: its accuracy and its time are functions of the setting."""

    ladder = tuple(10.0**-k for k in range(15))

    def __init__(self, module, weights, seconds=lambda setting: 0.1, lies=None):
        super().__init__(module, None, 1, Path())
        self.entrants, self.weights, self.cost, self.lies = [f"fit/{module}"], weights, seconds, lies
        self.asked = []

    def answer(self, setting):
        return {"coef": self.weights(setting)}

    def ask(self, seconds, **request):
        if request["do"] == "load":
            return {"refuses": self.lies} if self.lies else {"convert_s": 0.5, "ladder": self.ladder}
        if request["do"] == "run":
            setting = request["setting"]
            self.asked.append(setting)
            if self.cost(setting) > seconds:
                raise LateError
            np.savez(request["answer"], **self.answer(setting))
            cost = self.cost(setting)
            return {"seconds": cost, "busy_s": cost, "memory": {"peak_mb": 10.0, "extra_mb": 1.0}}
        return {}


class Fixed(Fake):
    """One that has no setting, and always gives the same arrays."""

    ladder = (None,)

    def __init__(self, module, name, job, seconds=0.1, **answer):
        super().__init__(module, None, lambda setting: seconds)
        self.entrants, self.arrays = [f"{job}/{name}"], answer

    def answer(self, setting):
        return self.arrays


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CROSSENT_BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def small(cache):
    """A task, the folder of its data and its optimum."""
    folder = datasets.folder("small")
    X, y = datasets.read(folder)
    best = LogisticRegression(fit_intercept=False, tol=1e-12, solver="newton-cholesky").fit(X, y).coef_
    return Task("fit", "small", gap=1e-6), folder, best


def race(small, libraries, redo=()):
    """Search and time."""
    task, folder, _ = small
    row = Race(task, folder, libraries, RULES, folder.parent, lambda line: None)
    find(row, set(redo))
    return {entry.name: entry for entry in measure(row)}


@pytest.fixture
def measured(small):
    """A row of libraries: ours, an exact one, slow ones, one that never arrives, one that refuses."""
    task, folder, best = small
    libraries = [
        Fake("ours", lambda setting: best * (1 + setting), lambda setting: 0.1),
        Fake("far", lambda setting: best * (1 + setting), lambda setting: 1.0),
        Fake("good", lambda setting: best * (1 + setting), lambda setting: 0.3 - 0.01 * math.log10(setting)),
        Fake("slow", lambda setting: best * (1 + setting), lambda setting: 0.01 / setting),
        Fake("blunt", lambda setting: best * (1 + max(setting, 0.01))),
        Fake("other", lambda setting: best, lies="has no such penalty"),
    ]
    entries = race(small, libraries)
    record = {"group": "L2", "task": task.as_dict(), "commit": "c", "date": "d", "load": 0.0, "took_s": 1.0}
    record |= {"shape": datasets.describe(folder), "entries": [entry.as_dict() for entry in entries.values()]}
    return entries, record, Problem(*datasets.read(folder)), best


def test_the_loosest_setting_that_arrives_is_timed(measured):
    entries, _, problem, best = measured
    for name in ("ours", "good"):
        entry = entries[name]
        assert entry.arrived
        assert max(entry.gaps) <= 1e-6
        assert entry.seconds == [entry.library.cost(entry.setting)] * RULES.rounds
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


def test_who_is_far_behind_is_shown_with_the_time_of_the_search(measured):
    entries, record, _, _ = measured
    assert entries["far"].arrived
    assert not entries["far"].seconds
    assert "far about 1 CPU s in the search" in table._rows({"rows": {"row": record}})


def test_what_is_short_is_timed_however_far_behind_the_search_saw_it(small):
    _, _, best = small
    found = race(small, [Fake(name, lambda setting: best, lambda setting, s=s: s) for name, s in
                         (("ours", 0.001), ("quick", 0.001), ("coarse", 0.03))])  # fmt: skip
    assert found["coarse"].seconds


RIGHT = {
    "gradient": {"gradient": np.ones(3)},
    "predict": {"probability": np.full(4, 0.5)},
    "predict text": {"probability": np.full(4, 0.5)},
    "cross-validate": {"C": np.array([1.0]), "scores": np.zeros(10)},
    "vectorize": {
        "data": np.ones(3), "indices": np.arange(3), "indptr": np.array([0, 3]), "bytes": np.array(100),
    },
    "cold start": {"lines": np.array(10)},
}  # fmt: skip


@pytest.mark.parametrize("job", RIGHT)
def test_a_wrong_answer_has_not_arrived(job, small):
    _, folder, _ = small
    reference = "numpy" if job == "gradient" else "scikit-learn"
    right = RIGHT[job]
    part = next(iter(right))
    for wrong in (0 * right[part], np.full(right[part].shape, np.nan), np.zeros(0)):
        libraries = [
            Fixed("ours", "crossent", job, **right | {part: wrong}),
            Fixed("other", "other", job, 0.001, **right | {part: wrong}),
            Fixed("scikit", reference, job, 0.2, **right),
        ]
        found = race((Task(job, "small"), folder, None), libraries)
        for name in ("crossent", "other"):
            assert not found[name].arrived
            assert re.search("not (the reference's|an) answer", found[name].reason)
            assert found[name].as_dict()["median_s"] is None
        assert found[reference].arrived
        libraries[0] = Fixed("ours", "crossent", job, **right)
        found = race((Task(job, "small"), folder, None), libraries)
        assert found["crossent"].seconds, found["crossent"].reason
        assert found[reference].seconds  # and a wrong one makes nobody late


def test_a_whole_fit_is_no_looser_than_the_row_or_the_reference(small):
    _, folder, _ = small
    task = Task("whole fit", "small", gap=1e-6)
    X, y = datasets.read(folder)
    model = LogisticRegression(tol=1e-12, solver="newton-cholesky").fit(X, y)
    for factor, reference, arrives in ((1, 1.01, True), (1.001, 1.01, True), (1.01, 1, False), (0, 1.01, False)):
        libraries = [
            Fixed("ours", "crossent", "whole fit", coef=factor * model.coef_, intercept=model.intercept_),
            Fixed("scikit", "scikit-learn", "whole fit", coef=reference * model.coef_, intercept=model.intercept_),
        ]
        found = race((task, folder, None), libraries)
        assert found["crossent"].arrived == arrives, factor
        assert arrives or "stops at a gap" in found["crossent"].reason
        assert found["scikit-learn"].arrived


def test_every_solver_of_scikit_learn_takes_part():
    try:
        LogisticRegression(solver="none").fit([[0.0], [1.0]], [0, 1])
    except ValueError as error:
        solvers = set(re.findall(r"'([\w-]+)'", str(error).split("{")[1].split("}")[0]))
    assert "lbfgs" in solvers
    assert solvers == set(scikit.PENALTIES)


def test_a_worker_has_as_many_cores_as_threads(cache):
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this system does not hold a process to its cores")
    library = Library("plain", None, 1, cache / "log")
    library.open()
    try:
        assert len(os.sched_getaffinity(library._process.pid)) == 1
    finally:
        library.close()


def test_a_search_is_kept_until_something_that_it_depends_on_changes(small, monkeypatch):
    _, _, best = small

    def libraries():
        exact, blunt = (lambda setting: best * (1 + setting)), (lambda setting: best * (1 + max(setting, 0.01)))
        return [Fake("ours", exact), Fake("good", exact), Fake("blunt", blunt)]

    first = race(small, libraries())
    ours, good, blunt = again = libraries()
    second = race(small, again)
    assert {name: entry.setting for name, entry in second.items()} == {n: e.setting for n, e in first.items()}
    # The warm-up at the loosest setting, the check, and the rounds; who never arrives is not asked again.
    for library in (ours, good):
        assert library.asked == [1.0] + [first[library.module].setting] * (1 + RULES.rounds)
    assert blunt.asked == []
    assert second["blunt"].as_dict()["gap"] == pytest.approx(first["blunt"].as_dict()["gap"])

    monkeypatch.setattr("benchmarks.race.source", lambda: "another source")
    ours, good, blunt = again = libraries()
    blunt.versions = {"blunt": "2.0"}
    assert race(small, again, redo=["good"])["ours"].setting == first["ours"].setting
    tight, loose = first["ours"].setting, first["ours"].setting * 10**0.5
    assert ours.asked == pytest.approx([1.0, tight, loose, 1.0, tight] + [tight] * RULES.rounds)
    assert good.asked[:3] == blunt.asked[:3] == [1.0, 1.0, 0.1]


def test_a_kept_setting_that_no_longer_arrives_is_tightened(small):
    _, _, best = small
    race(small, [Fake("ours", lambda setting: best * (1 + setting))])
    worse = Fake("ours", lambda setting: best * (1 + 30 * setting))
    entry = race(small, [worse])["ours"]
    assert entry.arrived
    assert max(entry.gaps) <= 1e-6
    assert race(small, [Fake("ours", worse.weights)])["ours"].setting == entry.setting


def test_the_expected_time_is_that_of_what_is_kept(small):
    task, folder, best = small
    libraries = [Fake("good", lambda setting: best * (1 + setting), lambda setting: 0.4)]
    race(small, libraries)
    row = Race(task, folder, libraries, RULES, folder.parent, lambda line: None)
    assert expected(row) < 3
    row.recall()
    assert 3 <= expected(row) <= 5


def test_everybody_is_judged_by_the_best_bound(small):
    task, folder, best = small
    data, exact = Data(folder), judge(Problem(*datasets.read(folder)), best)
    answer = {"coef": best * 1.01}
    alone, own = gap_of(task, data, answer, None)
    beside, bounds = gap_of(task, data, answer, np.array([exact.bound]))
    assert own[0] < bounds[0] == exact.bound
    assert beside["gap"] == pytest.approx(1 - exact.bound / alone["objective"])
    assert beside["gap"] < alone["gap"]
    assert gap_of(task, data, answer, bounds, prove=False)[0]["gap"] == beside["gap"]
    assert gap_of(task, data, {"coef": best * np.nan}, bounds)[0]["gap"] == np.inf
    # Kept for whoever comes later, and never given up for a poorer one.
    race(small, [Fake("ours", lambda setting: best)])
    race(small, [Fake("poor", lambda setting: best * 1.1)])
    assert kept.Kept(task, folder, RULES.threads).bounds() == pytest.approx([exact.bound], rel=1e-12)


def test_an_objective_below_a_proved_bound_is_an_alarm(small):
    task, folder, best = small
    right = judge(Problem(*datasets.read(folder)), best)
    kept.Kept(task, folder, RULES.threads).keep_bounds(np.array([right.objective * (1 + 1e-9)]))
    entry = race(small, [Fake("ours", lambda setting: best)])["ours"]
    assert not entry.arrived
    assert "below the proved bound" in entry.reason


def test_weights_of_another_problem_do_not_arrive(small):
    _, _, best = small
    entry = race(small, [Fake("ours", lambda setting: best[:, 1:])])["ours"]
    assert not entry.arrived
    assert "asks for 1 rows of 20" in entry.reason


def test_waiting_is_not_working(cache):
    """A process is late by the seconds that its busiest thread worked: one that sleeps has not begun to be."""
    if busy.work() is None:
        pytest.skip("this system does not tell the CPU time of threads")
    script = """
import time
from benchmarks import busy
before = busy.work()
time.sleep(0.3)
print(busy.busiest(before, busy.work(), 1))
end = time.thread_time() + 0.3
while time.thread_time() < end:
    pass
print(busy.busiest(before, busy.work(), 1))
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    idle, then = map(float, told.stdout.split())
    assert idle < 0.1
    assert then == pytest.approx(idle + 0.3, abs=0.1)


def test_ratio_is_against_the_fastest_rival_that_arrived(measured):
    entries, record, _, _ = measured
    assert ratios.ratio(record) == pytest.approx(entries["good"].time / entries["ours"].time)
    assert ratios.ratio(record, "good") == ratios.ratio(record)
    assert ratios.ratio(record, "blunt") is None


def test_a_goal_without_a_rival_is_not_reached(measured):
    _, record, _, _ = measured
    ours = [entry for entry in record["entries"] if entry["ours"]]
    blunt = [entry for entry in record["entries"] if entry["name"] == "blunt"]
    refused = [entry for entry in record["entries"] if entry["name"] == "other"]
    for goal in (Goal("L2", 3.0), Goal("L2", 3.0, against="blunt")):
        for others, reached in (([], "no"), (refused, "no"), (blunt, "yes")):
            line = table._goal({"row": {**record, "entries": ours + others}}, goal)
            assert line.endswith(f"| {reached} |"), line


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
    assert all(path.exists() for path in pictures.draw(results, tmp_path))
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
            for entry in race((task, folder, None), [library]).values():
                if entry.arrived:
                    assert 0 <= entry.as_dict()["gap"] <= task.gap
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
