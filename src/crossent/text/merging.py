"""From the tables of several workers to one sorted vocabulary, whatever worker saw which document."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossent.text.interning import DEEP, Ngrams, Symbols
from crossent.text.ranking import rank_pairs, rank_strings
from crossent.text.vocabulary import Vocabulary

Array = NDArray[Any]


@dataclass
class _Level:
    """The distinct n-grams of one length n, in order."""

    prefix: Array  # rank of the first n - 1 symbols among the n-grams of that length
    last: Array  # rank of the last symbol
    feature: Array  # whether it is one
    columns: Array  # filled by _number


def merge(tables: Sequence[tuple[Symbols, Ngrams]], min_n: int, joined: bool) -> tuple[Vocabulary, list[Any]]:
    """Return the sorted vocabulary of all tables, and for each table the columns of its symbols and of its n-grams."""
    data, offsets, sizes = _all_symbols(tables)
    rank, first = rank_strings(data, offsets)
    cuts = np.cumsum(sizes)[:-1]
    symbol_ranks = np.split(rank, cuts)
    levels = [_Level(first, first, np.full(len(first), min_n == 1), first)]
    depths = [np.abs(ngrams.depth[: ngrams.used[0]]) for _, ngrams in tables]
    ngram_ranks = [np.empty(len(depth), np.int64) for depth in depths]
    at: list[list[Array]] = []
    for length in range(2, 1 + max((int(depth.max(initial=1)) for depth in depths), default=1)):
        where = [np.flatnonzero(depth == length) for depth in depths]
        ranks = symbol_ranks if length == 2 else ngram_ranks
        levels.append(_next_level(tables, where, symbol_ranks, ranks, ngram_ranks, length == 2, len(first)))
        at.append(where)
    n_columns = _number(levels)
    columns = []
    for w, symbol_rank in enumerate(symbol_ranks):
        ngram_columns = np.empty(len(depths[w]), np.int32)
        for level, where in zip(levels[1:], at, strict=True):
            ngram_columns[where[w]] = level.columns[ngram_ranks[w][where[w]]]
        columns.append((levels[0].columns[symbol_rank], ngram_columns))
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
    where: list[Array],
    symbol_ranks: list[Array],
    prefix_ranks: list[Array],
    ngram_ranks: list[Array],
    of_symbols: bool,
    n_symbols: int,
) -> _Level:
    """Rank the n-grams at ``where`` of each table, whose prefixes are ranked; write their ranks into ngram_ranks."""
    base = 0 if of_symbols else DEEP
    prefix = np.concatenate([r[t.prefix[k] - base] for (_, t), k, r in zip(tables, where, prefix_ranks, strict=True)])
    last = np.concatenate([r[t.last[k]] for (_, t), k, r in zip(tables, where, symbol_ranks, strict=True)])
    rank, which = rank_pairs(prefix, last, n_symbols)
    feature = np.zeros(len(which), bool)
    start = 0
    for (_, t), k, ranks in zip(tables, where, ngram_ranks, strict=True):
        ranks[k] = mine = rank[start : start + len(k)]
        feature[mine[t.depth[k] > 0]] = True
        start += len(k)
    return _Level(prefix[which], last[which], feature, feature)


def _number(levels: list[_Level]) -> int:
    """Give every feature its column: a term comes before the terms it begins, those in the order of what follows."""
    after: Array = np.zeros(len(levels[-1].feature), np.int64)  # features that the n-gram begins, itself left out
    sizes: list[Array] = []
    for level, parent in zip(levels[:0:-1], levels[-2::-1], strict=True):
        sizes.append(after + level.feature)
        ends = np.cumsum(np.bincount(level.prefix, minlength=len(parent.feature)))
        running = np.append(0, np.cumsum(sizes[-1]))
        after = np.diff(running[np.append(0, ends)])
    sizes.append(after + levels[0].feature)
    sizes.reverse()
    place = np.cumsum(sizes[0]) - sizes[0]
    levels[0].columns = np.where(levels[0].feature, place, -1).astype(np.int32)
    for level, parent, size in zip(levels[1:], levels, sizes[1:], strict=False):
        first_child = np.append(True, level.prefix[1:] != level.prefix[:-1])
        running = np.cumsum(size) - size
        siblings = running - running[np.maximum.accumulate(np.where(first_child, np.arange(len(size)), 0))]
        place = (place + parent.feature)[level.prefix] + siblings
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
