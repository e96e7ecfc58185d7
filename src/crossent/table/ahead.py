"""A source read on one thread while the others split what is there already into words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from crossent.blocks import cores, each
from crossent.table import guess as guessing
from crossent.table.read import joined, read
from crossent.table.texts import Text
from crossent.table.values import documents, is_text

if TYPE_CHECKING:
    from crossent.text.corpus import Corpus
    from crossent.text.documents import Block

LOOKED_AT = 200  # rows that tell which columns are likely to be text: a mistake costs time and changes nothing


def read_ahead(
    source: Any, *, target: str, text: Sequence[str] | str = (), **kinds: Sequence[str] | str
) -> tuple[pa.Table, dict[str, Corpus]]:
    """All rows of a source, and its texts, as they will be needed, by column: one read of the source.

    Parameters
    ----------
    source
        As in `read_table`.
    target, text, **kinds
        As in `Schema.guess`: columns of text by what is said of them, else by their first rows.
    """
    batches: list[pa.RecordBatch] = []
    corpora: dict[str, Corpus] = {}
    numbers: dict[str, int] = {}
    others = {target, *chain.from_iterable(_names(names) for names in kinds.values())}

    def blocks() -> Iterator[tuple[Corpus, int, Block]]:
        from crossent.text.documents import blocks

        known = False
        for batch in read(source, expected=[target]):
            batches.append(batch)
            if not known and len(batch):
                known = True
                corpora.update((name, Text.corpus()) for name in _likely(batch, _names(text), others))
            for name, corpus in list(corpora.items()):
                if not is_text(batch[name].type):  # JSON may change its mind
                    del corpora[name]
                    continue
                for block in blocks(documents(batch[name]), str, None, True):
                    number = numbers[name] = numbers.get(name, -1) + 1
                    yield corpus, number, block

    waiting = blocks()
    first = list(islice(waiting, 2))
    each(chain(first, waiting), lambda task: task[0].read(*task[1:]), cores() if len(first) > 1 else 1)
    return joined(batches), corpora


def _likely(batch: pa.RecordBatch, asked: Sequence[str], others: set[str]) -> list[str]:
    """Tell which columns are text: those asked for, and of the rest those whose first rows look like it."""
    head = pa.Table.from_batches([batch.slice(0, LOOKED_AT)])
    texts = [name for name in head.column_names if is_text(head[name].type)]
    return [
        name
        for name in texts
        if name in asked or (name not in others and guessing.guess(name, head[name]).kind == "text")
    ]


def _names(names: Any) -> list[str]:
    """The names of columns that a user gave; what are none, `Schema.guess` tells."""
    return [names] if isinstance(names, str) else list(names) if isinstance(names, Iterable) else []
