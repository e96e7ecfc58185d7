"""What counts as arrived: the referee's gap where there is an objective, agreement with the reference elsewhere."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.objective import Problem, judge
from benchmarks.task import Data, Task

GAP_JOBS = ("fit", "whole fit", "path")
PATH_POINTS = 12  # points of a path that the referee looks at, first and last among them

Answer = dict[str, np.ndarray]


def gap_of(task: Task, data: Data, answer: Answer) -> dict[str, float]:
    """Relative gap and what goes with it, for the jobs that have an objective; the largest one along a path."""
    if task.job == "path":
        return {"gap": _path_gap(task, data, answer["coef"])}
    intercept = task.intercept or task.job == "whole fit"
    verdict = judge(
        Problem(data.X, data.y, task.C, task.l1_ratio, intercept, task.n_classes),
        answer["coef"],
        answer.get("intercept", 0.0),
    )
    facts = {"gap": verdict.relative_gap, "objective": verdict.objective, "bound": verdict.bound}
    if task.l1_ratio > 0:
        facts["nonzeros"] = verdict.nonzeros
    if "claimed_gap" in answer:
        facts["claimed_gap"] = float(answer["claimed_gap"])
    return facts


def _path_gap(task: Task, data: Data, coef: np.ndarray) -> float:
    Cs = data.path(**task.options)
    if len(coef) < len(Cs):
        return np.inf  # it stopped on the way
    worst = 0.0
    for k in np.unique(np.linspace(0, len(Cs) - 1, PATH_POINTS).astype(int)):
        worst = max(worst, judge(Problem(data.X, data.y, Cs[k], 1.0), coef[k]).relative_gap)
    return worst


def compare(task: Task, answer: Answer, reference: Answer | None) -> dict[str, Any]:
    """Facts of a job without an objective; ``agrees`` is False where it must agree with the reference and does not."""
    facts: dict[str, Any] = {}
    if task.job == "vectorize":
        facts["megabytes"] = float(answer["bytes"]) / 1e6
        if reference is not None:
            same = all(np.array_equal(answer[part], reference[part]) for part in ("indices", "indptr"))
            off = _largest_relative(answer["data"], reference["data"]) if same else np.inf
            facts |= {"same_structure": same, "largest_difference": off, "agrees": same and off < 1e-6}
    elif task.job in ("predict", "predict text", "gradient"):
        part = "gradient" if task.job == "gradient" else "probability"
        if reference is not None:
            off = float(np.max(np.abs(answer[part] - reference[part])))
            facts |= {"largest_difference": off, "agrees": off < 1e-9}
    elif task.job == "train file":
        facts |= _test_scores(answer["probability"], answer["y"])
    elif task.job == "cross-validate":
        facts["chosen_C"] = float(np.ravel(answer["C"])[0])
        if reference is not None:
            off = float(np.max(np.abs(answer["scores"] - reference["scores"])))
            same = bool(np.isclose(facts["chosen_C"], np.ravel(reference["C"])[0]))
            facts |= {"largest_difference": off, "agrees": same and off <= 1e-4}
    elif task.job == "cold start":
        facts["agrees"] = int(answer["lines"]) >= 10
    else:
        facts |= {name: float(value) for name, value in answer.items() if np.ndim(value) == 0}
    return facts


def write_choice(answer: Answer, seconds: float, file: Path) -> None:
    """The names and weights that a path's chosen point keeps, largest first, with the time the path took."""
    order = np.argsort(-np.abs(answer["weights"]))
    head = f"# {len(order)} weights at C = {float(answer['C']):.4g}, the least BIC of the path; {seconds:.2f} s\n"
    lines = (f'"{answer["names"][k]}",{answer["weights"][k]:.6f}\n' for k in order)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(head + "name,weight\n" + "".join(lines), encoding="utf-8")


def _largest_relative(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.max(np.abs(a - b) / np.maximum(np.abs(b), 1e-300))) if len(a) else 0.0


def _test_scores(p: np.ndarray, y: np.ndarray) -> dict[str, float]:
    floor = np.finfo(float).eps
    p = np.clip(p, floor, 1 - floor)
    return {
        "test_log_loss": float(-np.mean(np.where(y == 1, np.log(p), np.log1p(-p)))),
        "test_accuracy": float(np.mean((p > 0.5) == (y == 1))),
    }


def read(path: Path) -> Answer:
    """An answer's arrays."""
    with np.load(path, allow_pickle=False) as file:
        return dict(file)
