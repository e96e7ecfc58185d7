"""What counts as arrived: the referee's gap where there is an objective, agreement with the reference elsewhere."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.objective import ROUNDING, Problem, judge, objective
from benchmarks.task import Data, Task

GAP_JOBS = ("fit", "whole fit", "path")
PATH_POINTS = 12  # points of a path that the referee looks at, first and last among them

Answer = dict[str, np.ndarray]


def gap_of(
    task: Task, data: Data, answer: Answer, best: np.ndarray | None, prove: bool = True
) -> tuple[dict[str, float], np.ndarray | None]:
    """Relative gap below the best bounds known, the largest along a path, and what goes with it; the best bounds now.

    ``best`` are the bounds known before. With ``prove`` the weights' own bounds are derived too and the better kept.
    ValueError for weights of another problem, and for an objective below a proved bound: one of the two is wrong.
    """
    points = _points(task, data, answer)
    if points is None:
        return {"gap": np.inf}, best
    facts = {}
    if prove or best is None:
        verdicts = [judge(*point) for point in points]
        values, own = np.array([v.objective for v in verdicts]), np.array([v.bound for v in verdicts])
        best = own if best is None else np.maximum(best, own)
    else:
        values = np.array([objective(*point) for point in points])
    if np.any(below := values < best - ROUNDING * np.abs(best)):
        k = int(np.argmax(below))
        raise ValueError(f"an objective of {values[k]:.12g} is below the proved bound {best[k]:.12g}")
    with np.errstate(invalid="ignore"):  # infinite weights: no number, which counts as an infinite gap
        gaps = np.maximum(values - best, 0.0) / np.maximum(values, np.finfo(float).tiny)
    facts["gap"] = float(np.max(np.where(np.isnan(gaps), np.inf, gaps)))
    if task.job != "path":
        facts |= {"objective": float(values[0]), "bound": float(best[0])}
        if task.l1_ratio > 0:
            facts["nonzeros"] = int(np.count_nonzero(answer["coef"]))
    if "claimed_gap" in answer:
        facts["claimed_gap"] = float(answer["claimed_gap"])
    return facts, best


def _points(task: Task, data: Data, answer: Answer) -> list[tuple[Problem, np.ndarray, np.ndarray | float]] | None:
    """The problems and weights to judge: one, or some of a path; None when the path stopped on the way."""
    if task.job != "path":
        intercept = task.intercept or task.job == "whole fit"
        problem = Problem(data.X, data.y, task.C, task.l1_ratio, intercept, task.n_classes)
        return [(problem, answer["coef"], answer.get("intercept", 0.0))]
    Cs = data.path(**task.options)
    if len(answer["coef"]) < len(Cs):
        return None
    looked_at = np.unique(np.linspace(0, len(Cs) - 1, PATH_POINTS).astype(int))
    return [(Problem(data.X, data.y, Cs[k], 1.0), answer["coef"][k], 0.0) for k in looked_at]


def compare(task: Task, answer: Answer, reference: Answer | None) -> dict[str, Any]:
    """Facts of a job without an objective; ``agrees`` is False where it must agree with the reference and does not."""
    facts: dict[str, Any] = {}
    if task.job == "vectorize":
        facts["megabytes"] = float(answer["bytes"]) / 1e6
        if reference is not None:
            same = all(np.array_equal(answer[part], reference[part]) for part in ("indices", "indptr"))
            off = _largest(answer["data"], reference["data"], np.maximum(np.abs(reference["data"]), 1e-300))
            off = off if same else np.inf
            facts |= {"same_structure": same, "largest_difference": off, "agrees": same and off < 1e-6}
    elif task.job in ("predict", "predict text", "gradient"):
        part = "gradient" if task.job == "gradient" else "probability"
        if reference is not None:
            off = _largest(answer[part], reference[part])
            facts |= {"largest_difference": off, "agrees": off < 1e-9}
    elif task.job == "train file":
        facts |= _test_scores(answer["probability"], answer["y"])
    elif task.job == "cross-validate":
        facts["chosen_C"] = float(np.ravel(answer["C"])[0])
        if reference is not None:
            off = _largest(answer["scores"], reference["scores"])
            same = bool(np.isclose(facts["chosen_C"], np.ravel(reference["C"])[0]))
            facts |= {"largest_difference": off, "agrees": same and off <= 1e-4}
    elif task.job == "cold start":
        facts["agrees"] = int(answer["lines"]) >= 10
    else:
        facts |= {name: float(value) for name, value in answer.items() if np.ndim(value) == 0}
    return facts


def write_choice(answer: Answer, seconds: float, file: Path) -> None:
    """The names and weights that a path's chosen points keep, by BIC and by AIC, with the time the path took."""
    weights, by_aic, names = answer["weights"], answer["weights_by_aic"], answer["names"]
    head = (
        f"# BIC is least at C = {float(answer['C']):.4g}: {np.count_nonzero(weights)} weights that carry a penalty; "
        f"AIC keeps {np.count_nonzero(by_aic)}; {seconds:.2f} s\n"
    )
    lines = (f'"{names[k]}",{weights[k]:.6f},{by_aic[k]:.6f}\n' for k in np.argsort(-np.abs(by_aic)))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(head + "name,weight_by_bic,weight_by_aic\n" + "".join(lines), encoding="utf-8")


def _largest(a: np.ndarray, b: np.ndarray, unit: np.ndarray | float = 1.0) -> float:
    """The largest difference in ``unit``; infinite between arrays of different shapes."""
    return float(np.max(np.abs(a - b) / unit, initial=0.0)) if np.shape(a) == np.shape(b) else np.inf


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
