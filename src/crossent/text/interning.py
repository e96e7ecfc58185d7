"""Numbers for symbols and n-grams: two open-addressing tables that compiled code fills and reads.

A symbol (a word, a character) is found by a 64-bit key: its own bytes when there are at most eight, else a hash followed
by a comparison of the bytes. An n-gram of two or more symbols is a pair (code of its first n - 1 symbols, number of its
last symbol), found by that pair: no n-gram's bytes are ever hashed or stored. A code is a symbol's number, or an
n-gram's number plus ``DEEP``.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from crossent.jit import formula, kernel
from crossent.text.raw import PADDING, load64, store64

DEEP = 1 << 31
MISSING = -1
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: multiplicative hashing (Knuth 6.4)
_LONG = np.uint64(0xFFFFFFFF)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


class Symbols(NamedTuple):
    """Symbol s is ``data[offsets[s] : offsets[s + 1]]``; a slot is (key, length << 32 | s + 1), all zero when free."""

    slots: NDArray[np.uint64]
    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    used: NDArray[np.int64]  # (number of symbols,)


class Ngrams(NamedTuple):
    """N-gram m is (prefix[m], last[m]) of ``depth[m]`` symbols; the depth of one that is no feature is negative."""

    slots: NDArray[np.uint64]  # (prefix << 32 | last, m + 1)
    prefix: NDArray[np.uint32]
    last: NDArray[np.uint32]
    depth: NDArray[np.int32]
    used: NDArray[np.int64]  # (number of n-grams,)


def empty_symbols() -> Symbols:
    """Return a table without symbols."""
    return Symbols(np.zeros(128, np.uint64), np.zeros(256, np.uint8), np.zeros(33, np.int64), np.zeros(1, np.int64))


def empty_ngrams() -> Ngrams:
    """Return a table without n-grams."""
    numbers = np.zeros(32, np.uint32)
    return Ngrams(np.zeros(128, np.uint64), numbers, numbers.copy(), np.zeros(32, np.int32), np.zeros(1, np.int64))


@formula
def _low_bytes(word, n):
    """Return the first n of a word's eight bytes, 1 <= n <= 8."""
    return word & (_ALL >> np.uint64(64 - 8 * n))


@formula
def _key(data, start, end):
    n = end - start
    if n <= 8:
        return _low_bytes(load64(data, start), n) if n > 0 else np.uint64(0)
    key = np.uint64(n)
    for i in range(start, end - 8, 8):
        key = (key ^ load64(data, i)) * _SPREAD
        key ^= key >> np.uint64(29)
    return (key ^ load64(data, end - 8)) * _SPREAD


@formula
def _home(key, slots):
    """Return the slot where the search for a key starts: the high bits of its product."""
    folded = (key ^ key >> np.uint64(32)) * _SPREAD
    return np.int64(folded >> np.uint64(32)) & (len(slots) // 2 - 1)


@formula
def _search(symbols, key, data, start, end):
    """Return (number or MISSING, slot) of the symbol data[start:end]."""
    slots = symbols.slots
    n = end - start
    length = min(np.uint64(n), _LONG)
    slot = _home(key, slots)
    while True:
        entry = slots[2 * slot + 1]
        if entry == 0:
            return np.int64(MISSING), slot
        if slots[2 * slot] == key and entry >> np.uint64(32) == length:
            s = np.int64(entry & _LONG) - 1
            if n <= 8 or _same(symbols, s, data, start, n):
                return s, slot
        slot = (slot + 1) & (len(slots) // 2 - 1)


@formula
def _same(symbols, s, data, start, n):
    """Tell whether symbol s is the n > 8 bytes at start."""
    base = symbols.offsets[s]
    if symbols.offsets[s + 1] - base != n:
        return False
    for k in range(0, n - 8, 8):
        if load64(symbols.data, base + k) != load64(data, start + k):
            return False
    return load64(symbols.data, base + n - 8) == load64(data, start + n - 8)


@formula
def find(symbols, data, start, end):
    """Return the number of the symbol data[start:end], or MISSING."""
    return _search(symbols, _key(data, start, end), data, start, end)[0]


@formula
def intern(symbols, data, start, end):
    """Return the number of the symbol data[start:end], a new one if it is new. Its room has been reserved."""
    key = _key(data, start, end)
    s, slot = _search(symbols, key, data, start, end)
    if s >= 0:
        return s
    s = symbols.used[0]
    symbols.used[0] = s + 1
    base = symbols.offsets[s]
    for k in range(0, end - start, 8):  # its last bytes are overwritten by the next symbol
        store64(symbols.data, base + k, load64(data, start + k))
    symbols.offsets[s + 1] = base + end - start
    symbols.slots[2 * slot] = key
    symbols.slots[2 * slot + 1] = min(np.uint64(end - start), _LONG) << np.uint64(32) | np.uint64(s + 1)
    return s


@formula
def pair_home(ngrams, prefix, last):
    """Return the slot where the search for a pair starts."""
    return _home(np.uint64(prefix) << np.uint64(32) | np.uint64(last), ngrams.slots)


@formula
def pair(ngrams, slot, prefix, last, depth, learn):
    """Return the code of the n-gram (prefix, last), searched from its home slot; a new one if it is new and ``learn``."""
    slots = ngrams.slots
    key = np.uint64(prefix) << np.uint64(32) | np.uint64(last)
    while True:
        entry = slots[2 * slot + 1]
        if entry == 0:
            break
        if slots[2 * slot] == key:
            return np.int64(entry - np.uint64(1)) + DEEP
        slot = (slot + 1) & (len(slots) // 2 - 1)
    if not learn:
        return np.int64(MISSING)
    m = ngrams.used[0]
    ngrams.used[0] = m + 1
    ngrams.prefix[m] = prefix
    ngrams.last[m] = last
    ngrams.depth[m] = depth
    slots[2 * slot] = key
    slots[2 * slot + 1] = np.uint64(m + 1)
    return m + DEEP


@formula
def _copy(target, source, n):
    for k in range(n):  # a slice would make numba compile the text of its error message, for a second and a half
        target[k] = source[k]


@kernel
def symbols_with_room(symbols, more, more_bytes):
    """Return the table, larger if ``more`` symbols of ``more_bytes`` in all would fill it above one half."""
    n = symbols.used[0]
    slots, data, offsets = symbols.slots, symbols.data, symbols.offsets
    if offsets[n] + more_bytes + PADDING > len(data):
        data = np.empty(max(2 * len(data), offsets[n] + more_bytes + PADDING), np.uint8)
        _copy(data, symbols.data, offsets[n])
    if n + more >= len(offsets):
        offsets = np.empty(max(2 * len(offsets), n + more + 1), np.int64)
        _copy(offsets, symbols.offsets, n + 1)
    if 4 * (n + more) > len(slots):
        slots = _rehashed(slots, 4 * (n + more))
    return Symbols(slots, data, offsets, symbols.used)


@kernel
def ngrams_with_room(ngrams, more):
    """Return the table, larger if ``more`` n-grams would fill it above one half."""
    n = ngrams.used[0]
    slots, prefix, last, depth = ngrams.slots, ngrams.prefix, ngrams.last, ngrams.depth
    if n + more > len(prefix):
        room = max(2 * len(prefix), n + more)
        prefix, last, depth = np.empty(room, np.uint32), np.empty(room, np.uint32), np.empty(room, np.int32)
        _copy(prefix, ngrams.prefix, n)
        _copy(last, ngrams.last, n)
        _copy(depth, ngrams.depth, n)
    if 4 * (n + more) > len(slots):
        slots = _rehashed(slots, 4 * (n + more))
    return Ngrams(slots, prefix, last, depth, ngrams.used)


@formula
def _rehashed(slots, at_least):
    size = len(slots)
    while size < at_least:
        size *= 2
    grown = np.zeros(size, np.uint64)
    for k in range(0, len(slots), 2):
        if slots[k + 1]:
            slot = _home(slots[k], grown)
            while grown[2 * slot + 1]:
                slot = (slot + 1) & (size // 2 - 1)
            grown[2 * slot] = slots[k]
            grown[2 * slot + 1] = slots[k + 1]
    return grown


@kernel
def intern_all(data, offsets, symbols):
    """Return the table with the symbols data[offsets[k] : offsets[k + 1]] added. ``data`` is padded."""
    symbols = symbols_with_room(symbols, len(offsets) - 1, len(data))
    for k in range(len(offsets) - 1):
        intern(symbols, data, offsets[k], offsets[k + 1])
    return symbols


@kernel
def pair_all(prefix, last, ngrams):
    """Return the table with the n-grams (prefix[k], last[k]) added."""
    ngrams = ngrams_with_room(ngrams, len(prefix))
    for k in range(len(prefix)):
        pair(ngrams, pair_home(ngrams, prefix[k], last[k]), prefix[k], last[k], 1, True)
    return ngrams
