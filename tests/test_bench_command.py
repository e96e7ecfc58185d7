"""The benchmarks' command: rows and goals, what it refuses, what it writes."""

import numpy as np
from benchmarks import datasets
from benchmarks.__main__ import main
from benchmarks.roofline import bandwidth, pass_bytes
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


def test_command_lists_rows_and_refuses_unknown_tags(capsys):
    assert main(["--list", "--only", "text+l2"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert listed
    assert all("reviews" in line or "clickbait" in line or "polarity" in line for line in listed)
    assert main(["--only", "nonsense"]) == 2
    assert "nonsense" in capsys.readouterr().err
