"""Columns by hash: MurmurHash3 of every n-gram's bytes, as scikit-learn's ``FeatureHasher`` takes it."""

import numpy as np

from crossent.jit import kernel, part, step
from crossent.text.raw import borrowed, load64
from crossent.text.tokens import is_ngram, ngram, split, with_room


@step
def _multiply(a, b):
    return (a * b) & np.uint64(0xFFFFFFFF)


@step
def _rotate(a, bits):
    return (a << np.uint64(bits) | a >> np.uint64(32 - bits)) & np.uint64(0xFFFFFFFF)


@step
def _scramble(block):
    return _multiply(_rotate(_multiply(block, np.uint64(0xCC9E2D51)), 15), np.uint64(0x1B873593))


@step
def murmurhash3(data, start, end):
    """Return MurmurHash3_x86_32 of data[start:end], seed 0, as a signed number (Appleby's public-domain algorithm)."""
    h = np.uint64(0)
    n = end - start
    whole = start + n // 4 * 4
    for i in range(start, whole, 4):
        h = _multiply(_rotate(h ^ _scramble(load64(data, i) & np.uint64(0xFFFFFFFF)), 13), np.uint64(5))
        h = (h + np.uint64(0xE6546B64)) & np.uint64(0xFFFFFFFF)
    rest = load64(data, whole) & ((np.uint64(1) << np.uint64(8 * (end - whole))) - np.uint64(1))
    h ^= _scramble(rest) ^ np.uint64(n)
    h = _multiply(h ^ h >> np.uint64(16), np.uint64(0x85EBCA6B))
    h = _multiply(h ^ h >> np.uint64(13), np.uint64(0xC2B2AE35))
    return np.int64(np.int32(h ^ h >> np.uint64(16)))


@step
def signed_column(h, n_features, alternate_sign):
    """Return 2 * column + 1 when the feature counts negative, 2 * column else. abs(-2**31) is itself here."""
    negative = 1 if alternate_sign and h < 0 else 0
    power_of_two = n_features & (n_features - 1) == 0
    column = abs(h) & (n_features - 1) if power_of_two else abs(h) % n_features  # a division takes longer than the hash
    return np.uint32(column * 2 + negative)


@kernel
def hash_documents(data, offsets, analysis, scratch, n_features, alternate_sign):
    """Return the signed column of every n-gram, document after document, and where each document ends."""
    stream = np.empty(1024 + (offsets[-1] - offsets[0]) // 4, np.uint32)
    ends = np.empty(len(offsets) - 1, np.int64)
    used = np.int64(0)
    for d in range(len(ends)):
        n = split(data, offsets[d], offsets[d + 1], analysis, analysis.unicode, analysis.stops, scratch)
        for length in range(1, min(n, analysis.max_n) + 1):
            stream = with_room(stream, used, n)
            used = _hash_ngrams(
                n, length, analysis.mode, analysis.min_n, scratch, n_features, alternate_sign, stream, used
            )
        ends[d] = used
    return stream[:used].copy(), ends


@part
def _hash_ngrams(n, length, mode, min_n, scratch, n_features, alternate_sign, stream, used):
    """Append the signed columns of all n-grams of one length; return how many are used."""
    out, starts, room = borrowed(scratch.out), borrowed(scratch.starts), borrowed(scratch.room)
    stream = borrowed(stream)
    for i in range(n):
        if is_ngram(room, mode, min_n, i, length):
            start, end = ngram(starts, mode, i, length)
            stream[used] = signed_column(murmurhash3(out, start, end), n_features, alternate_sign)
            used += 1
    return used


@kernel
def hash_strings(data, offsets, n_features):
    """Return the column of each string data[offsets[k] : offsets[k + 1]]. ``data`` is padded."""
    columns = np.empty(len(offsets) - 1, np.int64)
    for k in range(len(columns)):
        columns[k] = signed_column(murmurhash3(data, offsets[k], offsets[k + 1]), n_features, False) >> np.uint32(1)
    return columns
