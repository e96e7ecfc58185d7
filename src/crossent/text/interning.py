"""Numbers for symbols and n-grams: two open-addressing tables that compiled code fills and reads.

A symbol (a word, a character) is found by a 64-bit key: its own bytes when there are at most eight, else a hash and
a comparison of the bytes. An n-gram of two or more symbols is a pair (code of its first n - 1 symbols, number of its
last symbol), found by that pair: no n-gram's bytes are ever hashed or stored. A code is a symbol's number, or an
n-gram's number plus ``DEEP``.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from crossent.jit import kernel, part, step
from crossent.text.raw import PADDING, borrowed, load64, store64

DEEP = 1 << 31
MISSING = -1
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: multiplicative hashing (Knuth 6.4)
_LONG = np.uint64(0xFFFFFFFF)
_ONE = np.int64(1)
LEARN, FIND = np.bool_(True), np.bool_(False)  # typed, as every caller gives it: a literal would be compiled once more
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


@part
def _low_bytes(word, n):
    """Return the first n of a word's eight bytes, 1 <= n <= 8."""
    return word & (_ALL >> np.uint64(64 - 8 * n))


@step
def _key(data, start, end):
    n = end - start
    if n <= 8:
        return _low_bytes(load64(data, start), n) if n > 0 else np.uint64(0)
    key = np.uint64(n)
    for i in range(start, end - 8, 8):
        key = (key ^ load64(data, i)) * _SPREAD
        key ^= key >> np.uint64(29)
    return (key ^ load64(data, end - 8)) * _SPREAD


@step
def _home(key, slots):
    """Return the slot where the search for a key starts: the high bits of its product."""
    folded = (key ^ key >> np.uint64(32)) * _SPREAD
    return np.int64(folded >> np.uint64(32)) & (len(slots) // 2 - 1)


@step
def _same(symbols, s, data, start, n):
    """Tell whether symbol s is the n > 8 bytes at start."""
    base = symbols.offsets[s]
    if symbols.offsets[s + 1] - base != n:
        return False
    for k in range(0, n - 8, 8):
        if load64(symbols.data, base + k) != load64(data, start + k):
            return False
    return load64(symbols.data, base + n - 8) == load64(data, start + n - 8)


@step
def intern(symbols, data, start, end, learn):
    """Return the number of the symbol data[start:end]; if it is new, a new one with ``learn``, else MISSING."""
    slots = symbols.slots
    n = end - start
    key = _key(data, start, end)
    length = min(np.uint64(n), _LONG)
    slot = _home(key, slots)
    while True:
        entry = slots[2 * slot + 1]
        if entry == 0:
            break
        if slots[2 * slot] == key and entry >> np.uint64(32) == length:
            s = np.int64(entry & _LONG) - 1
            if n <= 8 or _same(symbols, s, data, start, n):
                return s
        slot = (slot + 1) & (len(slots) // 2 - 1)
    if not learn:
        return np.int64(MISSING)
    s = symbols.used[0]
    symbols.used[0] = s + 1
    base = symbols.offsets[s]
    for k in range(0, n, 8):  # what it writes past its end, the next symbol overwrites
        store64(symbols.data, base + k, load64(data, start + k))
    symbols.offsets[s + 1] = base + n
    slots[2 * slot] = key
    slots[2 * slot + 1] = length << np.uint64(32) | np.uint64(s + 1)
    return s


@part
def pair_home(slots, prefix, last):
    """Return the slot where the search for a pair starts."""
    return _home(np.uint64(prefix) << np.uint64(32) | np.uint64(last), slots)


@step
def pair(ngrams, slot, prefix, last, depth, learn):
    """Return the code of the n-gram (prefix, last), searched from its home slot; a new one with ``learn``."""
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


@part
def symbols_lack(symbols, more, more_bytes):
    """Tell whether the table may have no room for so many symbols of so many bytes in all."""
    n = symbols.used[0]
    full = n + more >= len(symbols.offsets) or 4 * (n + more) > len(symbols.slots)
    return full or symbols.offsets[n] + more_bytes + PADDING > len(symbols.data)


@part
def ngrams_lack(ngrams, more):
    """Tell whether the table may have no room for so many n-grams. It is kept at most two thirds full."""
    n = ngrams.used[0]
    return n + more > len(ngrams.prefix) or 3 * (n + more) > len(ngrams.slots)


# Tables grow in NumPy, not in the kernels: NumPy asks for huge pages, without which a look-up misses the TLB too.


def larger_symbols(symbols: Symbols, more: int = 1, more_bytes: int = 1) -> Symbols:
    """Return the table with room for more: at least twice what it held."""
    n = int(symbols.used[0])
    end = int(symbols.offsets[n])
    room = max(2 * n, n + more)
    data = _extended(symbols.data, end, max(2 * end, end + more_bytes) + PADDING)
    offsets = _extended(symbols.offsets, n + 1, room + 1)
    return Symbols(_larger_slots(symbols.slots, 4 * room), data, offsets, symbols.used)


def larger_ngrams(ngrams: Ngrams, more: int = 1) -> Ngrams:
    """Return the table with room for more: at least twice what it held."""
    n = int(ngrams.used[0])
    room = max(2 * n, n + more)
    prefix, last, depth = (_extended(column, n, room) for column in (ngrams.prefix, ngrams.last, ngrams.depth))
    return Ngrams(_larger_slots(ngrams.slots, 3 * room), prefix, last, depth, ngrams.used)


def _extended(array: NDArray[Any], used: int, room: int) -> NDArray[Any]:
    result = np.empty(max(room, len(array)), array.dtype)
    result[:used] = array[:used]
    return result


def _larger_slots(slots: NDArray[np.uint64], at_least: int) -> NDArray[np.uint64]:
    size = len(slots)
    while size < at_least:
        size *= 2
    if size == len(slots):
        return slots
    grown = np.zeros(size, np.uint64)
    _rehash(slots, grown)
    return grown


@kernel
def _rehash(slots, grown):
    """Enter all that is in the slots into larger ones."""
    mask = len(grown) // 2 - 1
    for k in range(0, len(slots), 2):
        if slots[k + 1]:
            slot = _home(slots[k], grown)
            while grown[2 * slot + 1]:
                slot = (slot + 1) & mask
            grown[2 * slot] = slots[k]
            grown[2 * slot + 1] = slots[k + 1]


def symbols_of(data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> Symbols:
    """Return the table of the distinct strings data[offsets[k] : offsets[k + 1]], numbered in their order."""
    return numbered_symbols(data, offsets)[0]


def numbered_symbols(data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> tuple[Symbols, NDArray[np.int64]]:
    """Return the table of the distinct strings, and the number of each string in it."""
    symbols = larger_symbols(empty_symbols(), len(offsets), len(data))
    return symbols, _intern_all(np.append(data, np.zeros(PADDING, np.uint8)), offsets, symbols)


def ngrams_of(prefix: NDArray[np.uint32], last: NDArray[np.uint32]) -> Ngrams:
    """Return the table of these distinct n-grams, numbered in their order."""
    ngrams = larger_ngrams(empty_ngrams(), len(prefix))
    _pair_all(prefix, last, ngrams)
    return ngrams


@kernel
def _intern_all(data, offsets, symbols):
    symbols = borrowed(symbols)
    numbers = np.empty(len(offsets) - 1, np.int64)
    for k in range(len(numbers)):
        numbers[k] = intern(symbols, data, offsets[k], offsets[k + 1], LEARN)
    return numbers


@kernel
def _pair_all(prefix, last, ngrams):
    ngrams = borrowed(ngrams)
    for k in range(len(prefix)):
        first, second = np.int64(prefix[k]), np.int64(last[k])
        pair(ngrams, pair_home(ngrams.slots, first, second), first, second, _ONE, LEARN)
