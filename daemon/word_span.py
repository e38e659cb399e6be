"""Where in the stream the word lies that a network has just reported."""

import numpy as np

from digitd.daemon.audio import Samples
from digitd.daemon.vad import SILENCE_DBFS

HOP_MS = 10
LOOK_BACK_S = 1.2
"""No digit lasts longer."""
LATEST_END_S = 0.45
"""A word that is reported ended at most so long ago."""
WORD_RANGE_DB = 30.0
"""Hops within this range of the word's loudest belong to it,"""
ABOVE_FLOOR_DB = 6.0
"""where they stand out of the background by this,"""
BELOW_PEAK_DB = 10.0
"""or, in loud noise, are within this range of the loudest."""
CLOSURE_S = 0.15
""" "six" and "eight" are silent in the middle for so long at most."""


class WordSpan:
    """Remembers how loud the last 2 * LOOK_BACK_S were."""

    def __init__(self, rate_hz: int) -> None:
        self._hop_samples = rate_hz * HOP_MS // 1000
        self._waiting = np.zeros(0, np.float32)
        self._levels_dbfs = np.zeros(0, np.float32)
        self._n_hops = 0

    def push(self, samples: Samples) -> None:
        """Take in float32 [n_samples]."""
        waiting = np.concatenate([self._waiting, samples])
        whole = len(waiting) // self._hop_samples * self._hop_samples
        power = (waiting[:whole].reshape(-1, self._hop_samples) ** 2).mean(axis=1)
        levels_dbfs = 10 * np.log10(np.maximum(power, 10 ** (SILENCE_DBFS / 10)))
        self._waiting, self._n_hops = waiting[whole:], self._n_hops + len(levels_dbfs)
        most = 2 * _hops(LOOK_BACK_S) + len(levels_dbfs)
        self._levels_dbfs = np.concatenate([self._levels_dbfs, levels_dbfs])[-most:].astype(np.float32)

    def before(self, at_s: float) -> tuple[float, float]:
        """Begin and end, in seconds since the stream began, of the word that ended before `at_s`."""
        first_kept = self._n_hops - len(self._levels_dbfs)
        last = min(max(_hops(at_s) - first_kept, 1), len(self._levels_dbfs))
        first = max(0, last - _hops(LOOK_BACK_S))
        levels_dbfs = self._levels_dbfs[first:last]
        if not len(levels_dbfs):
            return at_s, at_s
        peak = float(levels_dbfs[-_hops(LATEST_END_S + LOOK_BACK_S / 2) :].max())
        floor = min(float(np.percentile(self._levels_dbfs, 10)) + ABOVE_FLOOR_DB, peak - BELOW_PEAK_DB)
        loud = np.flatnonzero(levels_dbfs > max(peak - WORD_RANGE_DB, floor))
        end = max(int(loud[-1]) + 1, len(levels_dbfs) - _hops(LATEST_END_S))
        start = end
        for hop in loud[::-1]:
            if start - hop > _hops(CLOSURE_S):
                break
            start = min(start, int(hop))
        origin = first_kept + first
        return (origin + start) * HOP_MS / 1000, (origin + end) * HOP_MS / 1000


def _hops(duration_s: float) -> int:
    return round(duration_s * 1000 / HOP_MS)
