"""From codes to the rows of a sparse matrix: columns sorted, counts summed, values weighed and normalised."""

import numpy as np

from crossent.jit import kernel, part, rounded_kernel, step
from crossent.text.interning import DEEP
from crossent.text.raw import borrowed

_FEW = 16  # keys that insertion sorts fastest
_ALIKE = 100  # keys that begin alike, at most, for insertion to sort them
_MAX_DIGIT = 12  # bits; the counts of a digit's values stay in the first-level cache
NO_NORM, L1, L2 = 0, 1, 2


@kernel
def count_columns(stream, ends, wanted, symbol_columns, ngram_columns, n_columns, hashed, in_documents):
    """Return the columns of each wanted row in order, their counts, and how many there are.

    ``stream`` holds codes, whose columns the two arrays tell (-1: none), or, when ``hashed``, signed columns. Where
    ``in_documents`` has room, the rows that hold each column are added to it.
    """
    longest = start = np.int64(0)
    for end in ends:
        longest = max(longest, end - start)
        start = end
    keys, other = np.empty(longest, np.uint32), np.empty(longest, np.uint32)
    places = np.empty(1 << _MAX_DIGIT, np.uint32)
    columns, counts = np.empty(len(stream), np.int32), np.empty(len(stream), np.int32)
    lengths = np.empty(len(ends), np.int32)
    rows = np.int64(0)
    bits = 1
    while n_columns >> bits:
        bits += 1
    start = used = np.int64(0)
    for d in range(len(ends)):
        row = borrowed(stream)[start : ends[d]]
        start = ends[d]
        if not wanted[d]:
            continue
        n = np.int64(0)
        for i in range(len(row)):
            code = np.int64(row[i])
            if hashed:
                keys[n] = code
                n += 1
            else:
                column = symbol_columns[code] if code < DEEP else ngram_columns[code - DEEP]
                if column >= 0:
                    keys[n] = column
                    n += 1
        first = used
        ordered = _sorted(keys, other, places, n, bits + hashed)
        used = _count_runs(ordered, n, hashed, columns, counts, used)
        lengths[rows] = used - first
        rows += 1
        if len(in_documents):
            for i in range(first, used):
                in_documents[np.uint32(columns[i])] += 1
    return columns[:used].copy(), counts[:used].copy(), lengths[:rows].copy()


@kernel
def count_documents(stream, ends, wanted, n_symbols, seen, found):
    """Add to ``found[k, 1]`` the wanted documents that hold code k; those of n-grams follow those of symbols.

    ``found[k, 0]`` is the last document in which it was, counted from 1 over all streams: ``seen`` were before this.
    """
    start = np.int64(0)
    for d in range(len(ends)):
        row = borrowed(stream)[start : ends[d]]
        start = ends[d]
        if not wanted[d]:
            continue
        this = np.int32(seen + d + 1)
        for i in range(len(row)):
            code = np.int64(row[i])
            k = np.uint64(code if code < DEEP else code - DEEP + n_symbols)
            found[k, 1] += np.int32(found[k, 0] != this)
            found[k, 0] = this


@part
def _count_runs(keys, n, hashed, columns, counts, used):
    """Append each distinct column and its (signed) count; return how many are used."""
    keys, columns, counts = borrowed(keys), borrowed(columns), borrowed(counts)
    previous, run = np.int64(-1), np.int32(0)
    for i in range(n):  # without a branch: whether a column repeats cannot be predicted
        column = np.int64(keys[i] >> np.uint32(hashed))
        repeats = np.int32(column == previous)
        run = run * repeats + np.int32(1) - np.int32(2) * np.int32(keys[i] & np.uint32(hashed))
        used += 1 - repeats
        columns[np.uint64(used - 1)] = column
        counts[np.uint64(used - 1)] = run
        previous = column
    return used


@part
def _sorted(keys, other, places, n, bits):
    """Sort the first n keys of so many bits; return the array, of the two, that holds them.

    One pass puts keys that begin alike together, and insertion finishes; unless many do, then as many passes as needed.
    """
    keys, other, places = borrowed(keys), borrowed(other), borrowed(places)
    if n <= _FEW:
        return _insertion_sorted(keys, n)
    digit = 1
    while n >> digit and digit < _MAX_DIGIT - 1:
        digit += 1
    digit = min(digit + 1, bits)
    if _starts(keys, places, n, bits - digit, digit) <= _ALIKE:
        _scatter(keys, other, places, n, bits - digit, digit)
        return _insertion_sorted(other, n)
    passes = (bits + digit - 1) // digit
    for p in range(passes):
        _starts(keys, places, n, p * digit, digit)
        _scatter(keys, other, places, n, p * digit, digit)
        keys, other = other, keys
    return keys


@step
def _insertion_sorted(keys, n):
    for i in range(1, n):
        key = keys[i]
        j = i
        while j > 0 and keys[j - 1] > key:
            keys[j] = keys[j - 1]
            j -= 1
        keys[j] = key
    return keys


@step
def _starts(keys, places, n, shift, digit):
    """Write where the keys with each value of a digit belong; return how many have the most frequent one."""
    size = 1 << digit
    for k in range(size):
        places[k] = 0
    for i in range(n):
        places[_digit(keys[i], shift, size)] += np.uint32(1)
    place = most = np.uint32(0)
    for k in range(size):
        count = places[k]
        places[k] = place
        place += count
        most = max(most, count)
    return np.int64(most)


@step
def _scatter(keys, other, places, n, shift, digit):
    for i in range(n):
        k = _digit(keys[i], shift, 1 << digit)
        other[places[k]] = keys[i]
        places[k] += np.uint32(1)


@step
def _digit(key, shift, size):
    """Return a digit of a key: unsigned, as all indices are here, so that none is looked at for being negative."""
    return (key >> np.uint32(shift)) & np.uint32(size - 1)


@rounded_kernel
def weigh(columns, counts, lengths, of_count, idf, norm, out_columns, out):
    """Write a block of rows into its place: value = of_count[count] * idf[column], each row divided by its norm.

    ``of_count`` and ``idf`` may be empty, for the count itself and for 1. The order of the operations is
    scikit-learn's, so the values are its own, bit for bit.
    """
    start = 0
    for n in lengths:
        total = np.float64(0.0)  # also where this is not compiled, and the values are of four bytes
        of, times, row = columns[start : start + n], counts[start : start + n], out[start : start + n]
        row_columns = out_columns[start : start + n]
        for i in range(n):
            row_columns[i] = of[i]
            value = of_count[np.uint32(times[i])] if len(of_count) else out.dtype.type(times[i])
            if len(idf):
                value *= idf[np.uint32(of[i])]
            row[i] = value
            if norm == L1:
                total += abs(value)
            elif norm == L2:
                total += value * value
        if norm != NO_NORM and total != 0.0:
            if norm == L2:
                total = np.sqrt(total)
            for i in range(n):
                row[i] /= total
        start += n


@kernel
def keep_columns(columns, counts, lengths, renumbered):
    """Return rows without the columns that ``renumbered`` maps to -1."""
    kept_columns, kept_counts, kept = np.empty_like(columns), np.empty_like(counts), np.zeros_like(lengths)
    start = used = 0
    for d in range(len(lengths)):
        for i in range(start, start + lengths[d]):
            column = renumbered[columns[i]]
            if column >= 0:
                kept_columns[used] = column
                kept_counts[used] = counts[i]
                used += 1
                kept[d] += 1
        start += lengths[d]
    return kept_columns[:used].copy(), kept_counts[:used].copy(), kept
