"""What one core can do at most: multiply matrices, and read memory that fits its cache."""

import time
from collections.abc import Callable

import numpy as np

SIZE = 512
"""Of the square matrices: large enough to be bound by arithmetic, small enough for a cache."""
READ_BYTES = 2**20
"""About a network's weights."""
REPEATS = 30


def measured() -> dict[str, float]:
    """Billions of operations and of bytes a second, the best of REPEATS."""
    generator = np.random.default_rng(0)
    a, b = (generator.standard_normal((SIZE, SIZE)).astype(np.float32) for _ in range(2))
    product = np.empty_like(a)
    data, vector = np.ones((READ_BYTES // 4 // 1024, 1024), np.float32), np.ones(1024, np.float32)
    return {
        "gflops": 2e-9 * SIZE**3 / min(_timed_s(lambda: np.matmul(a, b, out=product)) for _ in range(REPEATS)),
        "read_gb_per_s": 1e-9 * data.nbytes / min(_timed_s(lambda: data @ vector) for _ in range(REPEATS)),
    }


def _timed_s(work: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    work()
    return time.perf_counter() - began_s
