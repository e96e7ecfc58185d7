"""The order of strings by their bytes, and of n-grams, which are never spelled out, by the ranks of their symbols.

UTF-8 keeps the order of code points, so sorted bytes are sorted strings. The order of n-grams is that of their tuples
of symbols' ranks, shorter first among equal beginnings. For characters that is plain. For words, joined by a blank:
where two n-grams first differ, either two words differ before both end, and the words' own order decides; or one word
is the beginning of the other, and the blank (or the end) after it meets a byte of the longer word: every ``\\w`` byte
is above the blank, so the shorter word's n-gram comes first, as the shorter word does.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossent.jit import kernel

Array = NDArray[Any]

_DEPTH = 4  # eight-byte words compared by sorting numbers, before Python compares what is still tied


@kernel
def _words_at(data, offsets, which, skip):
    """Return bytes skip to skip + 8 of each string, padded with zeros, as a number in the strings' order."""
    words = np.zeros(len(which), np.uint64)
    for k in range(len(which)):
        start = offsets[which[k]] + skip
        for i in range(min(8, offsets[which[k] + 1] - start)):
            words[k] |= np.uint64(data[start + i]) << np.uint64(56 - 8 * i)
    return words


def rank_strings(data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return (rank, first): each string's rank among the distinct strings, and where each distinct one occurs.

    The strings hold no zero byte, unless they are that byte alone.
    """
    lengths = np.diff(offsets)
    order = np.arange(len(lengths))
    group = np.zeros(len(order), np.int64)  # where, in the order, the strings start that are equal to this one so far
    tied = order.copy()  # the places in the order that are not settled
    for depth in range(_DEPTH + 1):
        which = order[tied]
        words = _words_at(data, offsets, which, 8 * depth) if depth < _DEPTH else _python_ranks(data, offsets, which)
        within = np.lexsort((words, group[tied])) if depth else np.argsort(words)
        words, groups = words[within], group[tied]
        order[tied] = which[within]
        new = np.ones(len(tied), bool)
        new[1:] = (words[1:] != words[:-1]) | (groups[1:] != groups[:-1])
        starts, run = np.flatnonzero(new), np.cumsum(new) - 1
        group[tied] = tied[starts[run]]
        longest = np.maximum.reduceat(lengths[order[tied]], starts) if len(tied) else starts
        tied = tied[((np.bincount(run) > 1) & (longest > 8 * (depth + 1)))[run]]
        if not len(tied):
            break
    new = np.ones(len(order), bool)
    new[1:] = group[1:] != group[:-1]
    rank = np.empty(len(order), np.int64)
    rank[order] = np.cumsum(new) - 1
    return rank, order[new]


def _python_ranks(data: NDArray[np.uint8], offsets: NDArray[np.int64], which: NDArray[Any]) -> NDArray[Any]:
    texts = [data[offsets[i] : offsets[i + 1]].tobytes() for i in which]
    ranks = {text: rank for rank, text in enumerate(sorted(set(texts)))}
    return np.array([ranks[text] for text in texts], np.uint64)


@kernel
def _packed(first, second, second_bits, place_bits):
    keys = np.empty(len(first), np.uint64)
    for k in range(len(first)):
        keys[k] = (np.uint64(first[k]) << np.uint64(second_bits) | np.uint64(second[k])) << np.uint64(place_bits)
        if place_bits:
            keys[k] |= np.uint64(k)
    return keys


@kernel
def _ranked(keys, order, second_bits, place_bits):
    """Return each place's rank, and the distinct pairs, from sorted keys; their places are in them, or in ``order``."""
    rank = np.empty(len(keys), np.uint32)
    first, second = np.empty(len(keys), np.uint32), np.empty(len(keys), np.uint32)
    used = np.int64(0)
    previous = np.uint64(0)
    for k in range(len(keys)):
        place = np.int64(keys[k] & ((np.uint64(1) << np.uint64(place_bits)) - np.uint64(1))) if place_bits else order[k]
        key = keys[k] >> np.uint64(place_bits)
        if k == 0 or key != previous:
            first[used] = key >> np.uint64(second_bits)
            second[used] = key & ((np.uint64(1) << np.uint64(second_bits)) - np.uint64(1))
            used += 1
            previous = key
        rank[place] = used - 1
    return rank, first[:used].copy(), second[:used].copy()


def rank_pairs(first: Array, second: Array) -> tuple[Array, Array, Array]:
    """Return (rank, first, second): each pair's rank among the distinct pairs of numbers, and those pairs, sorted."""
    first_bits, second_bits = (int(part.max(initial=0)).bit_length() for part in (first, second))
    place_bits = max(1, len(first) - 1).bit_length()
    if first_bits + second_bits + place_bits <= 64:  # sorting numbers is far faster than sorting their places
        keys = _packed(first, second, second_bits, place_bits)
        keys.sort()
        return _ranked(keys, np.zeros(0, np.int64), second_bits, place_bits)
    keys = _packed(first, second, second_bits, 0)
    order = np.argsort(keys)
    return _ranked(keys[order], order, second_bits, 0)


@kernel
def add_at(places, numbers, totals):
    """Add each number in its place."""
    for k in range(len(places)):
        totals[places[k]] += numbers[k]


@kernel
def place_after(prefix, sizes, places):
    """Return where each n-gram's terms begin, given where those of its prefix's extensions do."""
    result = np.empty(len(prefix), np.int64)
    for k in range(len(prefix)):
        result[k] = places[prefix[k]]
        places[prefix[k]] += sizes[k]
    return result
