"""Numbers for symbols and n-grams: two open-addressing tables that compiled code fills and reads.

A symbol (a word, a character) is found by a 128-bit key: its own bytes and their number when there are at most 15,
else a hash and a comparison of the bytes. An n-gram of two or more symbols is a pair (code of its first n - 1 symbols,
number of its last symbol), found by that pair: no n-gram's bytes are ever hashed or stored. A code is a symbol's
number, or an n-gram's number plus ``DEEP``.

A slot holds a number plus one, or 0 when free; the keys lie in the order of the numbers. Frequent terms are met early,
so their keys lie together, and the caches hold what most look-ups need.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from crossent.jit import kernel, part, step
from crossent.text.raw import PADDING, borrowed, load64, store64

DEEP = 1 << 31
MISSING = -1
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: multiplicative hashing (Knuth 6.4)
_INLINE = 15  # bytes that a key holds, beside their number
_LONG = np.uint64(0xFF) << np.uint64(56)  # in place of that number: the key is a hash
_ONE = np.int64(1)
LEARN, FIND = np.bool_(True), np.bool_(False)  # typed, as every caller gives it: a literal would be compiled once more
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_NONE = np.uint64(0)


class Symbols(NamedTuple):
    """Symbol s is ``data[offsets[s] : offsets[s + 1]]``; its key is ``keys[2 * s : 2 * s + 2]``."""

    slots: NDArray[np.uint32]
    keys: NDArray[np.uint64]
    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    used: NDArray[np.int64]  # (number of symbols,)


class Ngrams(NamedTuple):
    """N-gram m is prefix << 32 | last, of ``depth[m]`` symbols; the depth of one that is no feature is negative."""

    slots: NDArray[np.uint32]
    keys: NDArray[np.uint64]
    depth: NDArray[np.int32]
    used: NDArray[np.int64]  # (number of n-grams,)

    def halves(self) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """Return the prefix and the last symbol of each n-gram."""
        halves = self.keys[: self.used[0]].view(np.uint32)
        return halves[1::2], halves[::2]


def empty_symbols() -> Symbols:
    """Return a table without symbols."""
    slots, keys = np.zeros(64, np.uint32), np.zeros(64, np.uint64)
    return Symbols(slots, keys, np.zeros(256, np.uint8), np.zeros(33, np.int64), np.zeros(1, np.int64))


def empty_ngrams() -> Ngrams:
    """Return a table without n-grams."""
    return Ngrams(np.zeros(64, np.uint32), np.zeros(32, np.uint64), np.zeros(32, np.int32), np.zeros(1, np.int64))


@step
def low_bytes(word, n):
    """Return the first n of a word's eight bytes; none when n < 0, all when n > 8."""
    half = np.uint64(4 * (8 - min(max(n, 0), 8)))  # half a shift: a whole one may be 64, which is undefined
    return word & ((_ALL >> half) >> half)


@step
def _key(data, start, end):
    n = end - start
    if n <= _INLINE:
        high = low_bytes(load64(data, start + 8), n - 8) | np.uint64(n) << np.uint64(56)
        return low_bytes(load64(data, start), n), high
    key = np.uint64(n)
    for i in range(start, end - 8, 8):
        key = (key ^ load64(data, i)) * _SPREAD
        key ^= key >> np.uint64(29)
    return key, load64(data, end - 8) | _LONG


@step
def _home(low, high, slots):
    """Return the slot where the search for a key starts: the high bits of a product."""
    key = low ^ high * _SPREAD
    folded = (key ^ key >> np.uint64(32)) * _SPREAD
    return np.int64(folded >> np.uint64(32)) & (len(slots) - 1)


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
    slots, keys = symbols.slots, symbols.keys
    n = end - start
    low, high = _key(data, start, end)
    slot = _home(low, high, slots)
    while True:
        s = np.int64(slots[slot]) - 1
        if s < 0:
            break
        if keys[2 * s] == low and keys[2 * s + 1] == high and (n <= _INLINE or _same(symbols, s, data, start, n)):
            return s
        slot = (slot + 1) & (len(slots) - 1)
    if not learn:
        return np.int64(MISSING)
    s = symbols.used[0]
    symbols.used[0] = s + 1
    base = symbols.offsets[s]
    for k in range(0, n, 8):  # what it writes past its end, the next symbol overwrites
        store64(symbols.data, base + k, load64(data, start + k))
    symbols.offsets[s + 1] = base + n
    keys[2 * s] = low
    keys[2 * s + 1] = high
    slots[slot] = s + 1
    return s


@part
def pair_key(prefix, last):
    """Return the key of the n-gram (prefix, last)."""
    return np.uint64(prefix) << np.uint64(32) | np.uint64(last)


@part
def pair_home(slots, key):
    """Return the slot where the search for a pair's key starts."""
    return _home(key, _NONE, slots)


@step
def pair(ngrams, slot, key, depth, learn):
    """Return the code of the n-gram with this key, searched from its home slot; a new one with ``learn``."""
    slots, keys = ngrams.slots, ngrams.keys
    while True:
        m = np.int64(slots[slot]) - 1
        if m < 0:
            break
        if keys[m] == key:
            return m + DEEP
        slot = (slot + 1) & (len(slots) - 1)
    if not learn:
        return np.int64(MISSING)
    m = ngrams.used[0]
    ngrams.used[0] = m + 1
    keys[m] = key
    ngrams.depth[m] = depth
    slots[slot] = m + 1
    return m + DEEP


@part
def symbols_lack(symbols, more, more_bytes):
    """Tell whether the table may have no room for so many symbols of so many bytes in all."""
    n = symbols.used[0]
    full = n + more >= len(symbols.offsets) or 3 * (n + more) > 2 * len(symbols.slots)
    return full or symbols.offsets[n] + more_bytes + PADDING > len(symbols.data)


@part
def ngrams_lack(ngrams, more):
    """Tell whether the table may have no room for so many n-grams. It is kept at most two thirds full."""
    n = ngrams.used[0]
    return n + more > len(ngrams.keys) or 3 * (n + more) > 2 * len(ngrams.slots)


# Tables grow in NumPy, not in the kernels: NumPy asks for huge pages, without which a look-up misses the TLB too.


def larger_symbols(symbols: Symbols, more: int = 1, more_bytes: int = 1) -> Symbols:
    """Return the table with room for more: at least twice what it held."""
    n = int(symbols.used[0])
    end = int(symbols.offsets[n])
    room = max(2 * n, n + more)
    data = _extended(symbols.data, end, max(2 * end, end + more_bytes) + PADDING)
    offsets = _extended(symbols.offsets, n + 1, room + 1)
    keys = _extended(symbols.keys, 2 * n, 2 * room)
    slots = symbols.slots
    if 2 * len(slots) < 3 * room:
        slots = np.zeros(1 << (3 * room // 2).bit_length(), np.uint32)
        _enter(keys[: 2 * n], 2, slots)
    return Symbols(slots, keys, data, offsets, symbols.used)


def larger_ngrams(ngrams: Ngrams, more: int = 1) -> Ngrams:
    """Return the table with room for more: at least twice what it held."""
    n = int(ngrams.used[0])
    room = max(2 * n, n + more)
    keys, depth = _extended(ngrams.keys, n, room), _extended(ngrams.depth, n, room)
    slots = ngrams.slots
    if 2 * len(slots) < 3 * room:
        slots = np.zeros(1 << (3 * room // 2).bit_length(), np.uint32)
        _enter(keys[:n], 1, slots)
    return Ngrams(slots, keys, depth, ngrams.used)


def _extended(array: NDArray[Any], used: int, room: int) -> NDArray[Any]:
    result = np.empty(max(room, len(array)), array.dtype)
    result[:used] = array[:used]
    return result


@kernel
def _enter(keys, size, slots):
    """Enter the numbers of distinct keys of one or two words into slots."""
    for k in range(len(keys) // size):
        slot = _home(keys[size * k], keys[2 * k + 1] if size == 2 else _NONE, slots)
        while slots[slot]:
            slot = (slot + 1) & (len(slots) - 1)
        slots[slot] = k + 1


def symbols_of(data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> Symbols:
    """Return the table of the distinct strings data[offsets[k] : offsets[k + 1]], numbered in their order."""
    if len(offsets) == 1:  # no stop words, as is common: nothing to compile for
        return empty_symbols()
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
        key = pair_key(np.int64(prefix[k]), np.int64(last[k]))
        pair(ngrams, pair_home(ngrams.slots, key), key, _ONE, LEARN)
