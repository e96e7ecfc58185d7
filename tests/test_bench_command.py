"""The benchmarks' command: rows and goals, what it refuses, what it writes."""

import subprocess
import sys

import numpy as np
import pytest
from benchmarks import datasets, machine
from benchmarks.__main__ import main
from benchmarks.roofline import bandwidth, pass_bytes, share
from benchmarks.rows import GOALS, ROWS
from scipy import sparse


def test_rows_are_named_once_and_every_goal_has_rows():
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert {goal.group for goal in GOALS} <= {row.group for row in ROWS}
    assert {row.task.data for row in ROWS} <= set(datasets.BUILDERS)


def test_roofline_counts_bytes_and_measures_speed():
    X, y = np.zeros((10, 3)), np.zeros(10)
    assert pass_bytes(X, y) == 10 * 3 * 8 + 10 * 8
    assert pass_bytes(sparse.csr_matrix(np.eye(4)), y[:4]) == 4 * (8 + 4) + 5 * 4 + 4 * 8
    assert all(0.01 < speed < 1e5 for speed in bandwidth(2, size=2**22, repeats=1).values())


def test_no_share_of_the_limit_is_above_one():
    assert share(8 * 10**9, 1.0, 10.0)["bandwidth_share"] == 0.8
    assert "bandwidth_share" not in share(11 * 10**9, 1.0, 10.0)


def test_command_lists_rows_and_refuses_unknown_tags(capsys):
    assert main(["--list", "--only", "text+l2"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert listed
    assert all("reviews" in line or "clickbait" in line or "polarity" in line for line in listed)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("--only nonsense", "nonsense"),
        ("--only text,nonsense", "nonsense"),
        ("--rivals foo", "'foo'"),
        ("--search ours,foo", "'foo'"),
        ("--minutes -1", "-1"),
        ("--threads 0", "0"),
    ],
)
def test_what_would_be_passed_over_is_refused(arguments, told, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments.split())
    assert end.value.code == 2
    assert told in capsys.readouterr().err.splitlines()[-1]


def test_a_folder_that_cannot_be_used_is_refused_before_anything_is_measured(tmp_path, capsys):
    file, cut = tmp_path / "file", tmp_path / "cut"
    file.write_text("")
    cut.mkdir()
    (cut / "results.json").write_text('{"version": 1, "rows')
    for out in (file, file / "below", cut):
        assert main(["--only", "first", "--out", str(out)]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_reader_that_has_seen_enough_ends_the_list_in_silence():
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks", "--list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as listing:
        listing.stdout.close()
        assert listing.stderr.read() == b""
        assert listing.wait() == 0


def test_control_c_says_what_is_kept(tmp_path, monkeypatch, capsys):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setenv("CROSSENT_BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("benchmarks.search.find", stopped)
    assert main(["--only", "first", "--rivals", "plain", "--out", str(tmp_path / "out")]) == 130
    assert "0 rows are in" in capsys.readouterr().err.splitlines()[-1]


def test_absent_data_and_what_was_written_are_told(tmp_path, monkeypatch, capsys):
    def missing(*_):
        raise datasets.AbsentError("a9a.svm was not found")

    monkeypatch.setattr("benchmarks.datasets.folder", missing)
    assert main(["--only", "a9a+elastic", "--rivals", "plain", "--out", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "absent: a9a.svm was not found" in said
    assert said.splitlines()[-1].endswith(": README.md, results.json")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "results.json"]


def test_the_commit_says_whether_the_harness_differs_from_it(monkeypatch):
    asked = []
    monkeypatch.setattr("benchmarks.machine._git", lambda *words: asked.append(words) or "x")
    assert machine.commit() == "x+"
    assert {"src", "benchmarks"} <= set(asked[-1])
