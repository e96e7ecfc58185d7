"""From documents to the codes of their n-grams, by tables that grow (fitting) or stay as they are (transforming)."""

import numpy as np

from crossent.jit import formula, kernel
from crossent.text.interning import (
    DEEP,
    MISSING,
    find,
    intern,
    ngrams_with_room,
    pair,
    pair_home,
    symbols_with_room,
)
from crossent.text.tokens import is_short, ngram, scratch_for, split

_BATCH = 512  # look-ups whose table slots are fetched together: their cache misses overlap


@kernel
def code_documents(data, offsets, analysis, symbols, ngrams, learn):
    """Return the code of every n-gram, document after document, where each document ends, and the two tables.

    With ``learn`` the tables grow; without, n-grams they do not hold are left out.
    """
    scratch = scratch_for(offsets, analysis.mode)
    numbers = np.empty(len(scratch.starts), np.int64)
    codes = np.empty(len(scratch.starts), np.int64)
    homes = np.empty(_BATCH, np.int64)
    fetched = np.empty(_BATCH, np.uint64)
    stream = np.empty(1024 + (offsets[-1] - offsets[0]) // 4, np.uint32)
    ends = np.empty(len(offsets) - 1, np.int64)
    used = 0
    for d in range(len(ends)):
        n = split(data, offsets[d], offsets[d + 1], analysis, scratch)
        symbols = _number(scratch, n, analysis, symbols, learn, numbers)
        codes[:n] = numbers[:n]
        for length in range(1, analysis.max_n + 1):
            if length > n:
                break
            if used + n > len(stream):
                stream = np.concatenate((stream[:used], np.empty(used + n, np.uint32)))
            for first in range(0, n, _BATCH):
                last = min(n, first + _BATCH)
                if length > 1:
                    ngrams = _extend(
                        ngrams, numbers, codes, first, last, length, analysis, scratch, learn, homes, fetched
                    )
                for i in range(first, last):
                    code = codes[i]
                    if code == MISSING or scratch.room[i] < length:
                        continue
                    if length < analysis.min_n:
                        if not (scratch.room[i] == length and is_short(analysis, scratch, i)):
                            continue
                        if learn:
                            ngrams.depth[code - DEEP] = length
                    stream[used] = code
                    used += 1
        ends[d] = used
    return stream[:used].copy(), ends, symbols, ngrams


@formula
def _number(scratch, n, analysis, symbols, learn, numbers):
    """Write the number of each symbol of a document; return the table."""
    for first in range(0, n, _BATCH):
        last = min(n, first + _BATCH)
        if learn:
            symbols = symbols_with_room(symbols, last - first, scratch.starts[last] - scratch.starts[first])
        for i in range(first, last):
            start, end = ngram(analysis, scratch, i, 1)
            if learn:
                numbers[i] = intern(symbols, scratch.out, start, end)
            else:
                numbers[i] = find(symbols, scratch.out, start, end)
    return symbols


@formula
def _extend(ngrams, numbers, codes, first, last, length, analysis, scratch, learn, homes, fetched):
    """Make each code of n-grams of length - 1 symbols the code of the n-gram with one symbol more; return the table."""
    if learn:
        ngrams = ngrams_with_room(ngrams, last - first)
    for i in range(first, last):
        if scratch.room[i] >= length:
            homes[i - first] = pair_home(ngrams, codes[i], numbers[i + length - 1])
            fetched[i - first] = ngrams.slots[2 * homes[i - first]]
    depth = length if length >= analysis.min_n else -length
    for i in range(first, last):
        if codes[i] == MISSING or scratch.room[i] < length:
            continue
        number = numbers[i + length - 1]
        if number == MISSING:
            codes[i] = MISSING
        else:
            codes[i] = pair(ngrams, homes[i - first], codes[i], number, depth, learn)
    return ngrams
