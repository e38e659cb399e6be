"""A share of few trials, with the interval that it tells of."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np

Z95 = NormalDist().inv_cdf(0.975)
N_EXCHANGES = 20_000


@dataclass(frozen=True)
class Share:
    """So many of so many."""

    right: int
    total: int

    @property
    def interval(self) -> tuple[float, float]:
        """Where the true share lies, 19 times in 20 (Wilson, 1927); all of it where nothing was tried."""
        if not self.total:
            return 0.0, 1.0
        n, share = self.total, self.right / self.total
        middle = (share + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
        half = Z95 / (1 + Z95**2 / n) * sqrt(share * (1 - share) / n + Z95**2 / (4 * n**2))
        return max(0.0, middle - half), min(1.0, middle + half)

    def __str__(self) -> str:
        """`18 of 20: 90 % (70-97 %)`."""
        low, high = self.interval
        return f"{self.right} of {self.total}: {self.right / max(1, self.total):.0%} ({100 * low:.0f}-{high:.0%})"


def by_chance(gains: Sequence[float]) -> float:
    """How likely a sum of such gains, or a larger one, is where each might as well have been a loss.

    Fisher's test by exchange of signs (1935): it asks for no distribution, and large gains weigh more.
    """
    found = np.array(gains)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (N_EXCHANGES, len(found)))
    as_large = int((signs @ found >= found.sum() - 1e-12).sum())
    return (as_large + 1) / (N_EXCHANGES + 1)
