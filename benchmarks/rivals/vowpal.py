"""Vowpal Wabbit: three passes over a file in its own format, written beforehand."""

import re
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.task import Data, Fixed, Task

PACKAGES = ("vowpalwabbit",)


def _line(text: str) -> str:
    """Lower-case words as scikit-learn's default pattern finds them; none of VW's own signs survives."""
    return " ".join(re.findall(r"\b\w\w+\b", text.lower()))


class TrainFile(Fixed):
    name, job = "vowpal wabbit", "train file"

    def prepare(self, task: Task, data: Data, threads: int):
        folder = Path(tempfile.mkdtemp())
        with open(folder / "train.vw", "w", encoding="utf-8") as file:
            file.writelines(f"{2 * label - 1} |t {_line(text)}\n" for text, label in data.table("train"))
        return folder, data, task

    def run(self, ready, setting):
        from vowpalwabbit import Workspace

        folder, _, task = ready
        Workspace(
            f"-d {folder}/train.vw --cache_file {folder}/train.cache -k --passes 3 --ngram {task.options['ngrams']} "
            f"-b 22 --loss_function logistic -f {folder}/model --quiet"
        ).finish()
        return folder / "model"

    def answer(self, ready, result):
        from vowpalwabbit import Workspace

        scorer = Workspace(f"-t -i {result} --link logistic --quiet")
        texts, labels = zip(*ready[1].table("test"), strict=True)
        scores = [scorer.predict(f"|t {_line(text)}") for text in texts]
        return {"probability": np.array(scores), "y": np.array(labels)}


def entrants() -> list[Fixed]:
    import vowpalwabbit  # noqa: F401

    return [TrainFile()]
