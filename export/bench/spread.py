"""What several runs of one measurement gave."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Spread:
    """The middle run and the outermost ones."""

    median: float
    low: float
    high: float
    runs: int

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """Of at least one run."""
        ranked = sorted(values)
        return cls(statistics.median(ranked), ranked[0], ranked[-1], len(ranked))

    def table(self) -> dict[str, float]:
        """As bench.json holds it."""
        return {"median": self.median, "low": self.low, "high": self.high, "runs": self.runs}

    def text(self, form: str = ".2f") -> str:
        """`0.24 (0.22-0.31)`; without the range where there was one run."""
        middle = format(self.median, form)
        return middle if self.runs == 1 else f"{middle} ({format(self.low, form)}-{format(self.high, form)})"


def quantiles(values: Iterable[float], *percents: int) -> dict[str, float]:
    """`{"p50": ..., "p99": ...}` of at least one value."""
    found = np.percentile(np.fromiter(values, np.float64), percents)
    return {f"p{percent}": float(value) for percent, value in zip(percents, found, strict=True)}
