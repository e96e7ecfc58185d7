"""How fast this machine moves memory, and how many bytes a gradient pass must move.

The arrays are far larger than the last cache level would hold; the threads each take a share. Bytes are those the
program asks for: a copy reads and writes, an addition reads two and writes one, a read reads. (Hardware may move
more, reading a line before it is overwritten.) The limit is the best of the three.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

BYTES = 3 * 2**29  # each array, 1.5 GiB


def bandwidth(threads: int, size: int = BYTES, repeats: int = 3) -> dict[str, float]:
    """GB/s of copy, add and read over arrays of ``size`` bytes by ``threads`` threads; the best of ``repeats``."""
    n = size // 8
    a, b, c = np.ones(n), np.ones(n), np.ones(n)
    cuts = np.linspace(0, n, threads + 1).astype(int)
    shares = [slice(low, high) for low, high in pairwise(cuts)]
    block = 2**16

    def read(share: slice) -> float:
        # One thread a share: a BLAS dot would start its own.
        return sum(
            float(np.add.reduce(a[i : min(i + block, share.stop)])) for i in range(share.start, share.stop, block)
        )

    jobs = {
        "copy": (2, lambda share: np.copyto(b[share], a[share])),
        "add": (3, lambda share: np.add(a[share], b[share], out=c[share])),
        "read": (1, read),
    }
    speeds = {}
    with ThreadPoolExecutor(threads) as pool:
        for name, (arrays, job) in jobs.items():
            best = np.inf
            for _ in range(repeats):
                start = time.perf_counter()
                list(pool.map(job, shares))
                best = min(best, time.perf_counter() - start)
            speeds[name] = arrays * size / best / 1e9
    return speeds


def pass_bytes(X, y) -> int:
    """Bytes one gradient pass must move: X once (values, and for CSR the column numbers and row ends), y once."""
    from scipy import sparse

    if sparse.issparse(X):
        return X.data.nbytes + X.indices.nbytes + X.indptr.nbytes + 8 * len(y)
    return X.nbytes + 8 * len(y)


def share(moved: int, seconds: float, limit: float) -> dict[str, float | str]:
    """Facts of a pass that moved so many bytes; no share where it is above the measured limit of ``limit`` GB/s."""
    speed = moved / seconds / 1e9
    facts: dict[str, float | str] = {"megabytes": moved / 1e6, "gb_per_s": speed}
    if speed > limit:
        return facts | {"error": f"faster than memory ({limit:.3g} GB/s): X is in a cache, or the limit was disturbed"}
    return facts | {"bandwidth_share": speed / limit}
