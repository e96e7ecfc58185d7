"""From the tables of several workers to one sorted vocabulary, whatever worker saw which document."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossent import blocks as pool
from crossent.text.interning import DEEP, Ngrams, Symbols, numbered_symbols
from crossent.text.ranking import add_at, place_after, rank_pairs, rank_strings
from crossent.text.vocabulary import Vocabulary

Array = NDArray[Any]

_NONE = np.zeros(0, np.int32)


@dataclass
class _Level:
    """The distinct n-grams of one length n, in order."""

    prefix: Array  # rank of the first n - 1 symbols among the n-grams of that length
    last: Array  # rank of the last symbol
    feature: Array  # whether it is one
    documents: Array  # how many hold it
    columns: Array  # filled by _number


def merge(
    tables: Sequence[tuple[Symbols, Ngrams]],
    documents: Sequence[tuple[Array, Array]] | None,
    bounds: tuple[float, float],
    min_n: int,
    joined: bool,
    threads: int = 1,
) -> tuple[Vocabulary, list[Any], Array]:
    """Return the sorted vocabulary of what the tables hold, and so many documents; of all when ``documents`` is None.

    And for each table the columns of its symbols and of its n-grams, -1 where they have none; and how many documents
    hold each column, where ``documents`` tells for each table how many hold each symbol and each n-gram.
    """
    data, offsets, sizes = _all_symbols(tables)
    numbered = np.arange(len(offsets) - 1)
    if len(tables) > 1:  # most symbols are in every table: finding them again is faster than sorting them
        distinct, numbered = numbered_symbols(data, offsets)
        offsets = distinct.offsets[: distinct.used[0] + 1]
        data = distinct.data[: offsets[-1]]
    rank, first = rank_strings(data, offsets)
    symbol_ranks = np.split(rank.astype(np.uint32)[numbered], np.cumsum(sizes)[:-1])
    levels = [_Level(first, first, np.full(len(first), min_n == 1), _NONE, first)]
    if documents is not None:
        levels[0].documents = _summed(symbol_ranks, [of for of, _ in documents], len(first))
    depths = [ngrams.depth[: ngrams.used[0]] for _, ngrams in tables]
    longest = max((int(np.abs(depth).max(initial=1)) for depth in depths), default=1)
    ngram_ranks = [np.empty(len(depth), np.uint32) for depth in depths]  # each among the n-grams of its length
    places: list[list[Any]] = []
    for length in range(2, longest + 1):
        where = [slice(None) if longest == 2 else np.flatnonzero(np.abs(depth) == length) for depth in depths]
        prefix_ranks = symbol_ranks if length == 2 else ngram_ranks
        level, ranks = _next_level(tables, where, symbol_ranks, prefix_ranks, length == 2, threads)
        if documents is not None:
            level.documents = _summed(
                ranks, [of[k] for (_, of), k in zip(documents, where, strict=True)], len(level.last)
            )
        for mine, k, rank in zip(ngram_ranks, where, ranks, strict=True):
            mine[k] = rank
        levels.append(level)
        places.append(where)
    sizes = [len(level.last) for level in levels]
    kept: list[Any] = [slice(None)] * len(levels)
    if documents is not None:
        levels, kept = _prune(levels, *bounds)
    n_columns = _number(levels)
    columns_at = [np.full(size, -1, np.int32) for size in sizes]
    for level, at, own in zip(levels, kept, columns_at, strict=True):
        own[at] = level.columns

    def columns_of(w: int) -> tuple[Array, Array]:
        ngram_columns = np.empty(len(depths[w]), np.int32)
        for own, where in zip(columns_at[1:], places, strict=True):
            ngram_columns[where[w]] = own[ngram_ranks[w][where[w]]]
        return columns_at[0][symbol_ranks[w]], ngram_columns

    columns = pool.run([partial(columns_of, w) for w in range(len(tables))], threads)
    in_documents = np.empty(0 if documents is None else n_columns, np.int32)
    for level in levels if len(in_documents) else []:
        in_documents[level.columns[level.feature]] = level.documents[level.feature]
    return _vocabulary(data, offsets, levels, n_columns, joined), columns, in_documents


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
    ranks = np.split(rank, np.cumsum([len(prefix) for prefix in prefixes])[:-1])
    feature = np.full(len(first), all(featured.all() for featured in features))
    if not feature.all():
        for mine, featured in zip(ranks, features, strict=True):
            feature[mine[featured]] = True
    return _Level(first, second, feature, first, first), ranks


def _summed(ranks: Sequence[Array], numbers: Sequence[Array], size: int) -> Array:
    """Return the sum over the tables of their numbers by rank."""
    totals = np.zeros(size, np.int32)
    for places, mine in zip(ranks, numbers, strict=True):
        add_at(places, mine, totals)
    return totals


def _prune(levels: list[_Level], least: float, most: float) -> tuple[list[_Level], list[Array]]:
    """Let nothing be a feature that fewer documents hold, or more; return what is one, or needed to spell one.

    And for each level the ranks of what is left.
    """
    for level in levels:
        level.feature &= (level.documents >= least) & (level.documents <= most)
    needed = [level.feature.copy() for level in levels]
    kept = [np.flatnonzero(needed[-1])]
    for k in range(len(levels) - 1, 0, -1):
        needed[k - 1][levels[k].prefix[kept[0]]] = True
        needed[0][levels[k].last[kept[0]]] = True
        kept.insert(0, np.flatnonzero(needed[k - 1]))
    numbers = [np.cumsum(mask, dtype=np.uint32) - np.uint32(1) for mask in needed[:-1]]
    pruned = []
    for k, (level, places) in enumerate(zip(levels, kept, strict=True)):
        prefix, last = level.prefix[places], level.last[places]
        if k:
            prefix, last = numbers[k - 1][prefix], numbers[0][last]
        pruned.append(_Level(prefix, last, level.feature[places], level.documents[places], places))
    return pruned, kept


def _number(levels: list[_Level]) -> int:
    """Give every feature its column: a term comes before the terms it begins, those in the order of what follows."""
    sizes = [level.feature.astype(np.int64) for level in levels]  # how many terms begin with it, itself among them
    for k in range(len(levels) - 1, 0, -1):
        add_at(levels[k].prefix, sizes[k], sizes[k - 1])
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
