"""Counting in a few documents without compiled code, which takes longer to load than they to be counted."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from crossent.text.matrix import Counted
from crossent.text.shares import Words
from crossent.text.vocabulary import Vocabulary


def look_up(documents: Iterable[str], words: Words, vocabulary: Vocabulary) -> Counted:
    """Count the words and pairs that a vocabulary of such holds: what :func:`crossent.text.matrix.look_up` returns."""
    text, edges = vocabulary.data.tobytes(), vocabulary.offsets.tolist()
    numbers = {text[start:end]: s for s, (start, end) in enumerate(pairwise(edges))}
    keys = vocabulary.prefix.astype(np.int64) << 32 | vocabulary.last
    order = np.argsort(keys, kind="stable")  # quick where they are in order, as those that were learned are
    columns, counts, lengths = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)], []
    for document in documents:
        codes = np.array([numbers.get(word.encode(), -1) for _, _, word in words.find(document)], np.int64)
        known = codes[codes >= 0]
        pairs = (codes[:-1] << 32 | codes[1:])[(codes[:-1] >= 0) & (codes[1:] >= 0)]
        first = np.searchsorted(keys, pairs, "left", order)
        held = np.searchsorted(keys, pairs, "right", order) > first
        mine = np.append(vocabulary.symbol_columns[known], vocabulary.ngram_columns[order[first[held]]])
        distinct, repeats = np.unique(mine[mine >= 0], return_counts=True)
        columns.append(distinct)
        counts.append(repeats.astype(np.int32))
        lengths.append(len(distinct))
    rows = np.concatenate(columns), np.concatenate(counts), np.array(lengths, np.int32)
    return Counted([rows], len(lengths), vocabulary.n_columns, np.zeros(0, np.int32))
