"""Fits of one shape side by side over one X: what they ask of it is gathered, and each read of X answers all of them.

A read of a sparse X is slow because its values are far apart in the other array; eight numbers lie in one cache line
and one register, so eight fits cost hardly more than one. The fits know nothing of each other: each has a thread, and
a design whose products wait for those of the others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from crossent.blocks import MAX_PIECES, in_order, run, split_by_weight
from crossent.columns import Columns
from crossent.design import Design, Middle, SparseDesign
from crossent.jit import kernel
from crossent.sparse import place, places

Array = NDArray[np.float64]
T = TypeVar("T")

LANES = 8  # numbers in a cache line
FAR = 4  # times as many columns as rows, from which reading them in order beats looking them up
SUMS = 4  # sums over all rows that are kept apart there


class Abreast:
    """Designs over one X, a lane for each fit.

    Results are the same bits whichever fits ask at the same time: every lane is a sum of its own.

    Parameters
    ----------
    whole : Design
        Whose ``threads`` share the work of each read.
    fits : int
    n_classes : int
    """

    def __init__(self, whole: Design, fits: int, n_classes: int):
        self.whole = whole
        self.each = 1 if n_classes == 2 else n_classes
        blocks = -(-fits * self.each // LANES)
        products = _SparseProducts(whole) if isinstance(whole, SparseDesign) else whole
        self._products = {"dot": products.dot, "tdot": products.tdot, "squares": products.squares}
        lengths = {"dot": whole.width, "tdot": whole.n, "squares": whole.n}
        self._given = {kind: np.zeros((blocks, length, LANES)) for kind, length in lengths.items()}
        self._found: dict[str, dict[int, Array]] = {kind: {} for kind in lengths}
        self._asked: dict[int, str] = {}
        self._running = 0
        self._abandoned = False
        self._turn = threading.Condition()
        self.designs = [_Lane(self, number) for number in range(fits)]

    def run(self, tasks: Sequence[Callable[[], T]]) -> list[T]:
        """Call the tasks, each the user of one lane, in threads of their own; return their results in order."""
        self._running, self._abandoned = len(tasks), False
        with ThreadPoolExecutor(len(tasks), thread_name_prefix="crossent-lane") as pool:
            futures = [pool.submit(self._take_part, task) for task in tasks]
            try:
                return [future.result() for future in futures]
            except BaseException:
                with self._turn:
                    self._abandon()
                raise

    def product(self, lane: int, kind: str, v: Array) -> Array:
        """Return a lane's product, once all the fits that still run have asked for theirs."""
        columns = [divmod(lane * self.each + k, LANES) for k in range(self.each)]
        parts = v.reshape(len(v), self.each)
        for k, (block, slot) in enumerate(columns):
            self._given[kind][block, :, slot] = parts[:, k]
        with self._turn:
            self._asked[lane] = kind
            self._serve_if_all_asked()
            self._turn.wait_for(lambda: lane not in self._asked or self._abandoned)
            if self._abandoned:
                raise RuntimeError("abandoned: a fit beside this one was interrupted, or failed")
            found = self._found[kind]
        out = np.empty((len(found[columns[0][0]]), self.each))
        for k, (block, slot) in enumerate(columns):
            out[:, k] = found[block][:, slot]
        return out.reshape(-1, *v.shape[1:])

    def _take_part(self, task: Callable[[], T]) -> T:
        try:
            return task()
        finally:
            with self._turn:
                self._running -= 1
                self._serve_if_all_asked()

    def _serve_if_all_asked(self) -> None:
        if len(self._asked) < self._running or not self._asked:
            return
        try:
            for kind, product in self._products.items():
                lanes = [lane for lane, asked in self._asked.items() if asked == kind]
                blocks = {(lane * self.each + k) // LANES for lane in lanes for k in range(self.each)}
                self._found[kind] = {block: product(self._given[kind][block]) for block in sorted(blocks)}
        except BaseException:
            self._abandon()
            raise
        self._asked.clear()
        self._turn.notify_all()

    def _abandon(self) -> None:
        self._abandoned = True
        self._asked.clear()
        self._turn.notify_all()


class _Lane(Design):
    """The design of one fit: its products are made together with the others'."""

    def __init__(self, abreast: Abreast, number: int):
        whole = abreast.whole
        super().__init__((whole.n, whole.columns), whole.values, whole.intercept, 1)
        self._abreast, self._number = abreast, number
        self.by_rows = whole.pieces

    @property
    def pieces(self) -> Sequence[slice]:
        return self.by_rows

    @property
    def gram_work(self) -> float:
        return self._abreast.whole.gram_work

    def dot(self, v: Array) -> Array:
        return self._abreast.product(self._number, "dot", v)

    def tdot(self, r: Array) -> Array:
        return self._abreast.product(self._number, "tdot", r)

    def squares(self, h: Array) -> Array:
        return self._abreast.product(self._number, "squares", h)

    def sandwich(self, v: Array, middle: Middle) -> tuple[Array, float]:
        t = self.dot(v)
        total = sum(middle(rows, t[rows]) or 0.0 for rows in self.pieces)
        return self.tdot(t), total

    def gram(self, h: Array) -> Array:
        return self._abreast.whole.gram(h)

    def scaled_columns(self, chosen: NDArray[np.intp], scale: Array) -> Columns:
        return self._abreast.whole.scaled_columns(chosen, scale)

    def some_rows(self, chosen: NDArray[np.intp]) -> Design:
        return self._abreast.whole.some_rows(chosen)

    def compressed_rows(self) -> Columns:
        return self._abreast.whole.compressed_rows()


class _SparseProducts:
    """X @ V and X.T @ R for V and R of eight columns; by rows or by columns of X, whichever stays near the cache."""

    def __init__(self, design: SparseDesign):
        self.design = design
        self.wide = design.columns > FAR * design.n
        self.long = design.n > FAR * design.columns
        self.by_row = design.rows
        self.by_column = design.by_column if not self.long else None

    def dot(self, V: Array) -> Array:
        """Return X @ V, of shape (n, 8)."""
        product = (
            self._scattered(self.by_column, V, self.design.n) if self.wide else self._gathered(self.by_row, V, False)
        )
        return product + V[-1] if self.design.intercept else product

    def tdot(self, R: Array) -> Array:
        """Return X.T @ R, of shape (width, 8)."""
        return self._transposed(R, squared=False)

    def squares(self, H: Array) -> Array:
        """Return (X * X).T @ H, of shape (width, 8)."""
        return self._transposed(H, squared=True)

    def _transposed(self, R: Array, squared: bool) -> Array:
        if self.long:
            product = self._scattered(self.by_row, R, self.design.columns, squared)
        else:
            product = self._gathered(self.by_column, R, squared)
        return np.vstack([product, R.sum(axis=0)]) if self.design.intercept else product

    def _gathered(self, X: Any, V: Array, squared: bool) -> Array:
        """Return each compressed row's (or column's) product with V."""
        out = np.empty((len(X.indptr) - 1, LANES))

        def piece(p: slice) -> None:
            _gather(X.indptr[p.start : p.stop + 1], X.indices, X.data, V, out[p], squared)

        pieces = split_by_weight(X.indptr, MAX_PIECES)
        run([lambda p=p: piece(p) for p in pieces], self.design.threads)  # type: ignore[misc]
        return out

    def _scattered(self, X: Any, V: Array, length: int, squared: bool = False) -> Array:
        """Return the sum over compressed columns (or rows) of each times its row of V."""

        def piece(p: slice) -> Array:
            out = np.zeros((length, LANES))
            _scatter(X.indptr[p.start : p.stop + 1], X.indices, X.data, V[p], out, squared)
            return out

        pieces = split_by_weight(X.indptr, SUMS)
        return in_order(run([lambda p=p: piece(p) for p in pieces], self.design.threads))  # type: ignore[misc]


@kernel
def _gather(indptr, indices, data, V, out, squared):
    """Write the product of compressed row (or column) i with V into out[i]; of its entries' squares if asked."""
    total = np.empty(LANES)
    for i in range(out.shape[0]):
        total[:] = 0.0
        for e in places(indptr, i):
            x = data[e]
            x = x * x if squared else x
            j = place(indices, e)
            for k in range(LANES):
                total[k] += x * V[j, k]
        for k in range(LANES):
            out[i, k] = total[k]


@kernel
def _scatter(indptr, indices, data, V, out, squared):
    """Add to out the sum of compressed column (or row) j times V[j]; of its entries' squares if asked."""
    for j in range(V.shape[0]):
        for e in places(indptr, j):
            x = data[e]
            x = x * x if squared else x
            i = place(indices, e)
            for k in range(LANES):
                out[i, k] += x * V[j, k]
