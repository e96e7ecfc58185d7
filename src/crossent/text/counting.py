"""From documents to the codes of their n-grams, by tables that grow (fitting) or stay as they are (transforming)."""

from typing import Any

import numpy as np

from crossent.jit import kernel, part
from crossent.text.documents import Block
from crossent.text.interning import (
    DEEP,
    MISSING,
    Ngrams,
    Symbols,
    intern,
    larger_ngrams,
    larger_symbols,
    ngrams_lack,
    pair,
    pair_home,
    pair_key,
    symbols_lack,
)
from crossent.text.raw import borrowed
from crossent.text.tokens import BATCH, Analysis, is_ngram, ngram, plain, scratch_for, split, with_room

_ZERO, _ONE = np.int64(0), np.int64(1)  # typed: numba compiles what is called with a literal twice


def code(block: Block, analysis: Analysis, symbols: Symbols, ngrams: Ngrams) -> tuple[list[Any], Symbols, Ngrams]:
    """Return the codes of the documents' n-grams, as (codes, ends of documents) of some documents after others.

    The tables grow as needed. A document for which they prove too small is begun again.
    """
    data, offsets = plain(block, analysis)
    scratch = scratch_for(offsets, analysis.mode)
    pieces = []
    while True:
        codes, ends, lack = code_documents(data, offsets, analysis, symbols, ngrams, scratch, True)
        if len(ends):
            pieces.append((codes, ends))
        if not lack.any():
            return pieces, symbols, ngrams
        offsets = offsets[len(ends) :]
        if lack[0]:
            symbols = larger_symbols(symbols, *lack[:2].tolist())
        if lack[2]:
            ngrams = larger_ngrams(ngrams, int(lack[2]))


@kernel
def code_documents(data, offsets, analysis, symbols, ngrams, scratch, learn):
    """Return the code of every n-gram, document after document, where each document ends, and what was lacking.

    With ``learn`` new symbols and n-grams enter the tables, and the work ends before the first document for which there
    is no room: then ``(symbols, their bytes, n-grams)`` is what must be added. Without, n-grams not held are left out.
    """
    stream = np.empty(1024 + (offsets[-1] - offsets[0]) // 4, np.uint32)
    ends = np.empty(len(offsets) - 1, np.int64)
    lack = np.zeros(3, np.int64)
    used = np.int64(0)
    for d in range(len(ends)):
        n = split(data, offsets[d], offsets[d + 1], analysis, analysis.unicode, analysis.stops, scratch)
        for length in range(1, min(n, analysis.max_n) + 1):
            stream = with_room(stream, used, n)
            for first in range(0, n, BATCH):
                m = min(n - first, BATCH)
                size = scratch.starts[first + m] - scratch.starts[first]
                if learn and length == 1 and symbols_lack(symbols, m, size):
                    lack[0], lack[1] = m, size
                elif learn and length > 1 and ngrams_lack(ngrams, m):
                    lack[2] = m
                if lack[0] or lack[2]:
                    used = ends[d - 1] if d > 0 else np.int64(0)
                    return stream[:used].copy(), ends[:d].copy(), lack
                if length == 1:
                    _number(symbols, scratch, first, m, analysis.mode, learn)
                else:
                    _extend(ngrams, scratch, first, m, length, analysis.min_n, learn)
                if learn and length > 1 and length < analysis.min_n:
                    _mark(ngrams.depth, scratch, first, first + m, length, analysis)
                used = _append(stream, used, scratch, first, m, length, analysis, learn)
        ends[d] = used
    return stream[:used].copy(), ends, lack


# A batch is a slice, indexed from 0: an index that may be negative for all the compiler knows takes longer.


@part
def _number(symbols, scratch, first, m, mode, learn):
    """Write the number, which is the code, of each symbol of a batch."""
    symbols, scratch = borrowed(symbols), borrowed(scratch)
    starts, numbers, codes = scratch.starts[first:], scratch.numbers[first:], scratch.codes[first:]
    for i in range(m):
        start, end = ngram(starts, mode, i, _ONE)
        numbers[i] = intern(symbols, scratch.out, start, end, learn)
    for i in range(m):
        codes[i] = numbers[i]


@part
def _extend(ngrams, scratch, first, m, length, min_n, learn):
    """Make each code of an n-gram of length - 1 symbols the code of the n-gram with one symbol more.

    First all slots are read, then the keys they lead to, then both are compared: the cache misses overlap.
    """
    ngrams, scratch = borrowed(ngrams), borrowed(scratch)
    codes, last, room = scratch.codes[first:], scratch.numbers[first + length - 1 :], scratch.room[first:]
    homes, fetched = scratch.homes, scratch.fetched
    for i in range(m):
        if room[i] >= length:
            homes[i] = pair_home(ngrams.slots, pair_key(codes[i], last[i]))
            fetched[i] = ngrams.slots[homes[i]]
    for i in range(m):
        if room[i] >= length:
            fetched[i] = ngrams.keys[max(fetched[i] - 1, 0)]
    depth = length if length >= min_n else -length
    for i in range(m):
        if codes[i] != MISSING and room[i] >= length:
            if last[i] == MISSING:
                codes[i] = MISSING
            else:
                codes[i] = pair(ngrams, homes[i], pair_key(codes[i], last[i]), depth, learn)


@part
def _append(stream, used, scratch, first, m, length, analysis, learn):
    """Append the codes of the n-grams that are features; return how many are used."""
    stream, codes, room = borrowed(stream)[used:], borrowed(scratch.codes)[first:], borrowed(scratch.room)
    mode, min_n = analysis.mode, analysis.min_n
    if learn and length == 1 and min_n == 1:  # every symbol: no decision slows it down
        for i in range(m):
            stream[i] = codes[i]
        return used + m
    kept = _ZERO
    for i in range(m):
        if codes[i] != MISSING and is_ngram(room, mode, min_n, first + i, length):
            stream[kept] = codes[i]
            kept += 1
    return used + kept


@part
def _mark(depth, scratch, first, last, length, analysis):
    """Make features of short words, which are shorter than n-grams that are features."""
    for i in range(first, last):
        if is_ngram(scratch.room, analysis.mode, analysis.min_n, i, length):
            depth[scratch.codes[i] - DEEP] = length
