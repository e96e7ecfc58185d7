"""fastText (package fasttext-wheel, the prebuilt one; an environment of its own, it wants numpy below 2)."""

import re
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.task import Data, Fixed, Task

PACKAGES = ("fasttext-wheel",)


def _line(text: str) -> str:
    return " ".join(re.findall(r"\b\w\w+\b", text.lower()))


class TrainFile(Fixed):
    name, job = "fastText", "train file"

    def prepare(self, task: Task, data: Data, threads: int):
        folder = Path(tempfile.mkdtemp())
        with open(folder / "train.txt", "w", encoding="utf-8") as file:
            file.writelines(f"__label__{label} {_line(text)}\n" for text, label in data.table("train"))
        return folder, data, task, threads

    def run(self, ready, setting):
        import fasttext

        folder, _, task, threads = ready
        model = fasttext.train_supervised(
            str(folder / "train.txt"), wordNgrams=task.options["ngrams"], thread=threads, verbose=0
        )
        model.save_model(str(folder / "model.bin"))
        return model

    def answer(self, ready, result):
        texts, labels = zip(*ready[1].table("test"), strict=True)
        names, scores = result.predict([_line(text) for text in texts], k=2)
        positive = [
            score[list(name).index("__label__1")] if "__label__1" in name else 0.0
            for name, score in zip(names, scores, strict=True)
        ]
        return {"probability": np.clip(positive, 0, 1), "y": np.array(labels)}


def entrants() -> list[Fixed]:
    import fasttext  # noqa: F401

    return [TrainFile()]
