"""Confidences of words that were heard right -> the two operating points."""

from collections.abc import Sequence

import numpy as np

from digitd.daemon.bundle import Mode

MISSED_SHARE: dict[Mode, float] = {"always": 0.02, "entry": 0.005}
"""So many of the validation speakers' right digits a threshold may reject."""


def operating_points(right_confidences: Sequence[float]) -> dict[Mode, float]:
    """The threshold of each mode, rounded down, so that what was accepted still is."""
    return {
        mode: float(np.floor(np.quantile(right_confidences, share) * 1e4) / 1e4) for mode, share in MISSED_SHARE.items()
    }
