"""What was measured on the validation part -> the two operating points."""

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression

from digitd.daemon.confidence import SUREST, Calibration
from digitd.daemon.mode import Mode

MISSED_SHARE: dict[Mode, float] = {"always": 0.02, "entry": 0.005}
"""So many of the validation speakers' right digits a threshold may reject."""


def operating_points(right_confidences: Sequence[float]) -> dict[Mode, float]:
    """The threshold of each mode, rounded down, so that what was accepted still is."""
    return {
        mode: float(np.floor(np.quantile(right_confidences, share) * 1e4) / 1e4) for mode, share in MISSED_SHARE.items()
    }


def line(shares: Sequence[float], right: Sequence[bool]) -> Calibration:
    """From mean posteriors of digits and whether they are right; where all are, or none, posteriors are left alone."""
    if len(set(right)) < 2:
        return Calibration()
    clipped = np.clip(shares, 1 - SUREST, SUREST)
    odds = np.log(clipped / (1 - clipped))[:, np.newaxis]
    found = LogisticRegression(C=1e3).fit(odds, np.array(right))
    return Calibration(round(max(0.0, float(found.coef_[0, 0])), 4), round(float(found.intercept_[0]), 4))
