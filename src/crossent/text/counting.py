"""From documents to the codes of their n-grams, by tables that grow (fitting) or stay as they are (transforming)."""

from typing import Any

import numpy as np

from crossent.jit import kernel, part, step
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
    symbols_lack,
)
from crossent.text.raw import borrowed
from crossent.text.tokens import BATCH, Analysis, is_ngram, ngram, scratch_for, split, with_room


def code(block: Block, analysis: Analysis, symbols: Symbols, ngrams: Ngrams) -> tuple[list[Any], Symbols, Ngrams]:
    """Return the codes of the documents' n-grams, as (codes, ends of documents) of some documents after others.

    The tables grow as needed. A document for which they prove too small is begun again.
    """
    data, offsets = block
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
        n = split(data, offsets[d], offsets[d + 1], analysis, analysis.stops, scratch)
        for length in range(1, min(n, analysis.max_n) + 1):
            stream = with_room(stream, used, n)
            for first in range(0, n, BATCH):
                last = min(n, first + BATCH)
                size = scratch.starts[last] - scratch.starts[first]
                if learn and length == 1 and symbols_lack(symbols, last - first, size):
                    lack[0], lack[1] = last - first, size
                elif learn and length > 1 and ngrams_lack(ngrams, last - first):
                    lack[2] = last - first
                if lack[0] or lack[2]:
                    used = ends[d - 1] if d > 0 else np.int64(0)
                    return stream[:used].copy(), ends[:d].copy(), lack
                if length == 1:
                    _number(
                        symbols,
                        scratch.numbers,
                        scratch.codes,
                        first,
                        last,
                        analysis.mode,
                        scratch.out,
                        scratch.starts,
                        learn,
                    )
                else:
                    _extend(ngrams, scratch, first, last, length, analysis.min_n, scratch.room, learn)
                if learn and length > 1 and length < analysis.min_n:
                    _mark(ngrams.depth, scratch.codes, first, last, length, analysis.mode, analysis.min_n, scratch.room)
                used = _append(
                    stream, used, scratch.codes, first, last, length, analysis.mode, analysis.min_n, scratch.room
                )
        ends[d] = used
    return stream[:used].copy(), ends, lack


@part
def _number(symbols, numbers, codes, first, last, mode, out, starts, learn):
    """Write the number, which is the code, of each symbol."""
    symbols, numbers, codes = borrowed(symbols), borrowed(numbers), borrowed(codes)
    out, starts = borrowed(out), borrowed(starts)
    for i in range(first, last):
        start, end = ngram(starts, mode, i, np.int64(1))
        number = intern(symbols, out, start, end, learn)
        numbers[i] = number
        codes[i] = number


@part
def _extend(ngrams, scratch, first, last, length, min_n, room, learn):
    """Make each code of an n-gram of length - 1 symbols the code of the n-gram with one symbol more."""
    ngrams, scratch, room = borrowed(ngrams), borrowed(scratch), borrowed(room)
    numbers, codes, homes = scratch.numbers, scratch.codes, scratch.homes
    for i in range(first, last):
        if room[i] >= length:
            homes[i - first] = pair_home(ngrams.slots, codes[i], numbers[i + length - 1])
            scratch.fetched[i - first] = ngrams.slots[2 * homes[i - first]]
    depth = length if length >= min_n else -length
    for i in range(first, last):
        if codes[i] != MISSING and room[i] >= length:
            number = numbers[i + length - 1]
            if number == MISSING:
                codes[i] = MISSING
            else:
                codes[i] = pair(ngrams, homes[i - first], codes[i], number, depth, learn)


@step
def _append(stream, used, codes, first, last, length, mode, min_n, room):
    """Append the codes of the n-grams that are features; return how many are used."""
    stream, codes, room = borrowed(stream), borrowed(codes), borrowed(room)
    for i in range(first, last):
        if codes[i] != MISSING and is_ngram(room, mode, min_n, i, length):
            stream[used] = codes[i]
            used += 1
    return used


@part
def _mark(depth, codes, first, last, length, mode, min_n, room):
    """Make features of short words, which are shorter than n-grams that are features."""
    for i in range(first, last):
        if is_ngram(room, mode, min_n, i, length):
            depth[codes[i] - DEEP] = length
