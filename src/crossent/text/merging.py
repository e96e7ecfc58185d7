"""From the tables of several workers to one sorted vocabulary, whatever worker saw which document."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossent import blocks as pool
from crossent.text.interning import DEEP, Ngrams, Symbols, numbered_symbols
from crossent.text.ranking import add_to_prefix, place_after, rank_pairs, rank_strings
from crossent.text.vocabulary import Vocabulary

Array = NDArray[Any]


@dataclass
class _Level:
    """The distinct n-grams of one length n, in order."""

    prefix: Array  # rank of the first n - 1 symbols among the n-grams of that length
    last: Array  # rank of the last symbol
    feature: Array  # whether it is one
    columns: Array  # filled by _number


def merge(
    tables: Sequence[tuple[Symbols, Ngrams]], min_n: int, joined: bool, threads: int = 1
) -> tuple[Vocabulary, list[Any]]:
    """Return the sorted vocabulary of all tables, and for each table the columns of its symbols and of its n-grams."""
    data, offsets, sizes = _all_symbols(tables)
    numbers = np.arange(len(offsets) - 1)
    if len(tables) > 1:  # most symbols are in every table: finding them again is faster than sorting them
        distinct, numbers = numbered_symbols(data, offsets)
        offsets = distinct.offsets[: distinct.used[0] + 1]
        data = distinct.data[: offsets[-1]]
    rank, first = rank_strings(data, offsets)
    symbol_ranks = np.split(rank.astype(np.uint32)[numbers], np.cumsum(sizes)[:-1])
    levels = [_Level(first, first, np.full(len(first), min_n == 1), first)]
    depths = [ngrams.depth[: ngrams.used[0]] for _, ngrams in tables]
    longest = max((int(np.abs(depth).max(initial=1)) for depth in depths), default=1)
    ngram_ranks = [np.empty(len(depth), np.uint32) for depth in depths]  # each among the n-grams of its length
    places: list[list[Any]] = []
    for length in range(2, longest + 1):
        where = [slice(None) if longest == 2 else np.flatnonzero(np.abs(depth) == length) for depth in depths]
        prefix_ranks = symbol_ranks if length == 2 else ngram_ranks
        level, ranks = _next_level(tables, where, symbol_ranks, prefix_ranks, length == 2, threads)
        for mine, k, rank in zip(ngram_ranks, where, ranks, strict=True):
            mine[k] = rank
        levels.append(level)
        places.append(where)
    n_columns = _number(levels)

    def columns_of(w: int) -> tuple[Array, Array]:
        ngram_columns = np.empty(len(depths[w]), np.int32)
        for level, where in zip(levels[1:], places, strict=True):
            ngram_columns[where[w]] = level.columns[ngram_ranks[w][where[w]]]
        return levels[0].columns[symbol_ranks[w]], ngram_columns

    columns = pool.run([partial(columns_of, w) for w in range(len(tables))], threads)
    return _vocabulary(data, offsets, levels, n_columns, joined), columns


def _all_symbols(tables: Sequence[tuple[Symbols, Ngrams]]) -> tuple[Array, Array, list[int]]:
    """Return the symbols of all tables as one list of strings, and how many are of each table."""
    sizes = [int(symbols.used[0]) for symbols, _ in tables]
    data, offsets, shift = [], [np.zeros(1, np.int64)], 0
    for (symbols, _), n in zip(tables, sizes, strict=True):
        end = int(symbols.offsets[n])
        data.append(symbols.data[:end])
        offsets.append(symbols.offsets[1 : n + 1] + shift)
        shift += end
    return np.concatenate(data), np.concatenate(offsets), sizes


def _next_level(
    tables: Sequence[tuple[Symbols, Ngrams]],
    where: list[Any],
    symbol_ranks: list[Array],
    prefix_ranks: list[Array],
    of_symbols: bool,
    threads: int,
) -> tuple[_Level, list[Array]]:
    """Rank the n-grams at ``where`` of each table, whose prefixes are ranked; return them, and ranks by table."""

    def ranked(w: int) -> tuple[Array, Array, Array]:
        ngrams, k = tables[w][1], where[w]
        n = ngrams.used[0]
        prefix, last = (half[k] for half in ngrams.halves())
        ranks = prefix_ranks[w][prefix if of_symbols else prefix - DEEP]
        return ranks, symbol_ranks[w][last], ngrams.depth[:n][k] > 0

    parts = pool.run([partial(ranked, w) for w in range(len(tables))], threads)
    prefixes, lasts, features = zip(*parts, strict=True)
    rank, first, second = rank_pairs(np.concatenate(prefixes), np.concatenate(lasts))
    feature = np.zeros(len(first), bool)
    ranks = np.split(rank, np.cumsum([len(prefix) for prefix in prefixes])[:-1])
    for mine, featured in zip(ranks, features, strict=True):
        feature[mine if featured.all() else mine[featured]] = True
    return _Level(first, second, feature, feature), ranks


def _number(levels: list[_Level]) -> int:
    """Give every feature its column: a term comes before the terms it begins, those in the order of what follows."""
    sizes = [level.feature.astype(np.int64) for level in levels]  # how many terms begin with it, itself among them
    for k in range(len(levels) - 1, 0, -1):
        add_to_prefix(levels[k].prefix, sizes[k], sizes[k - 1])
    place = np.cumsum(sizes[0]) - sizes[0]
    for k, level in enumerate(levels):
        if k:
            place = place_after(level.prefix, sizes[k], place + levels[k - 1].feature)
        level.columns = np.where(level.feature, place, -1).astype(np.int32)
    return int(sizes[0].sum())


def _vocabulary(data: Array, offsets: Array, levels: list[_Level], n_columns: int, joined: bool) -> Vocabulary:
    first = levels[0].prefix
    lengths = np.diff(offsets)[first]
    edges = np.append(0, np.cumsum(lengths))
    bytes_at = np.repeat(offsets[first] - edges[:-1], lengths) + np.arange(edges[-1])
    prefixes, base = [np.zeros(0, np.uint32)], 0
    for k, level in enumerate(levels[1:]):
        prefixes.append((level.prefix + (0 if k == 0 else DEEP + base - len(levels[k].prefix))).astype(np.uint32))
        base += len(level.prefix)
    return Vocabulary(
        data[bytes_at],
        edges,
        np.concatenate(prefixes),
        np.concatenate([np.zeros(0, np.uint32), *(level.last.astype(np.uint32) for level in levels[1:])]),
        levels[0].columns,
        np.concatenate([np.zeros(0, np.int32), *(level.columns for level in levels[1:])]),
        n_columns,
        joined,
    )
