"""What was measured on the validation part -> the two operating points."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from digitd.daemon.bundle import Mode

MISSED_SHARE: dict[Mode, float] = {"always": 0.02, "entry": 0.005}
"""So many of the validation speakers' right digits a threshold may reject."""


def operating_points(right_confidences: Sequence[float]) -> dict[Mode, float]:
    """The threshold of each mode, rounded down, so that what was accepted still is."""
    return {
        mode: float(np.floor(np.quantile(right_confidences, share) * 1e4) / 1e4) for mode, share in MISSED_SHARE.items()
    }


@dataclass(frozen=True)
class Limits:
    """How many false digits the operating points of a network that hears a stream may give on the validation part."""

    max_false_per_hour: float = 15.0
    """Of `always`, on running speech and on noise."""
    max_words: float = 0.0125
    """Of `always`: share of single other words that give a digit."""
    max_words_entry: float = 0.08
    """Of `entry`."""
