"""The one referee. It knows nothing of Crossent: numpy and scipy only."""

from benchmarks.objective.referee import ROUNDING, Problem, Verdict, judge, largest_useful_penalty, objective

__all__ = ["ROUNDING", "Problem", "Verdict", "judge", "largest_useful_penalty", "objective"]
