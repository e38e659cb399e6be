"""Where in the stream the word lies that a network has just reported."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

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
REPORTED_S = 0.14
"""Where the sound goes on, the word ended about so long ago,"""
REPORTED_LOW_S, REPORTED_HIGH_S = 0.06, 0.24
"""where between these it is softest,"""
SOFTER_DB_PER_S = 40.0
"""and a place so much nearer to REPORTED_S counts as so much softer."""


PAUSE_S = 0.14
"""So long it must be soft for a pause,"""
PAUSE_BELOW_DB = 18.0
"""so far below the loudest of the word,"""
PAUSE_ABOVE_FLOOR_DB = 4.0
"""or no more than this above the background."""
PAUSE_FROM_S, PAUSE_TO_S = -0.25, 0.15
"""A pause after a word begins between these, of when it is reported.

Such a pause follows 99 % of 145 isolated digits of strangers and 97 % of 31 last digits of strings, but three in ten
of 88 sounds in running speech that were taken for digits."""


class WordSpan:
    """Remembers the last 2 * LOOK_BACK_S."""

    def __init__(self, rate_hz: int) -> None:
        self._hop_samples = rate_hz * HOP_MS // 1000
        self._most_hops = 2 * _hops(LOOK_BACK_S)
        self._pieces: deque[Samples] = deque()
        self._first_sample, self._end_sample = 0, 0  # of the pieces
        self._soft_dbfs = 0.0

    def push(self, samples: Samples) -> None:
        """Take in float32 [n_samples]. Levels are computed only where a word is asked for: that is rare."""
        self._pieces.append(samples)
        self._end_sample += len(samples)
        most = (self._most_hops + 1) * self._hop_samples
        while self._end_sample - self._first_sample - len(self._pieces[0]) >= most:
            self._first_sample += len(self._pieces.popleft())

    def before(self, at_s: float) -> tuple[float, float]:
        """Begin and end, in seconds since the stream began, of the word that ended before `at_s`."""
        origin, levels_dbfs = self._levels()
        last = min(max(_hops(at_s) - origin, 1), len(levels_dbfs))
        first = max(0, last - _hops(LOOK_BACK_S))
        recent = levels_dbfs[first:last]
        if not len(recent):
            return at_s, at_s
        peak = float(recent[-_hops(LATEST_END_S + LOOK_BACK_S / 2) :].max())
        background = _background(levels_dbfs[:last])  # what came later is no matter of how much is heard at a time
        floor = min(background + ABOVE_FLOOR_DB, peak - BELOW_PEAK_DB)
        self._soft_dbfs = max(peak - PAUSE_BELOW_DB, background + PAUSE_ABOVE_FLOOR_DB)
        loud = np.flatnonzero(recent > max(peak - WORD_RANGE_DB, floor))
        end = max(int(loud[-1]) + 1, len(recent) - _hops(LATEST_END_S))
        if end >= len(recent) - _hops(REPORTED_LOW_S):
            end = _softest(recent)
        start = end
        for hop in loud[loud < end][::-1]:
            if start - hop > _hops(CLOSURE_S):
                break
            start = min(start, int(hop))
        return (origin + first + start) * HOP_MS / 1000, (origin + first + end) * HOP_MS / 1000

    def pauses_after(self, at_s: float) -> bool | None:
        """Whether a pause follows the word that was asked for last, at `at_s`; None while that is not known."""
        origin, levels_dbfs = self._levels()
        begin, end = (_hops(at_s + from_s) - origin for from_s in (PAUSE_FROM_S, PAUSE_TO_S + PAUSE_S))
        soft = levels_dbfs[max(0, begin) : end] <= self._soft_dbfs
        run = 0
        for is_soft in soft:
            run = run + 1 if is_soft else 0
            if run >= _hops(PAUSE_S):
                return True
        return None if end > len(levels_dbfs) else False

    def _levels(self) -> tuple[int, NDArray[np.float32]]:
        """Number of the first hop, and float32 [n_hops], the levels in dBFS."""
        first_hop = -(-self._first_sample // self._hop_samples)
        skipped = first_hop * self._hop_samples - self._first_sample
        samples = np.concatenate(self._pieces)[skipped:] if self._pieces else np.zeros(0, np.float32)
        n_hops = len(samples) // self._hop_samples
        kept = min(n_hops, self._most_hops)
        hops = samples[: n_hops * self._hop_samples].reshape(-1, self._hop_samples)[n_hops - kept :]
        levels_dbfs = 10 * np.log10(np.maximum((hops**2).mean(axis=1), 10 ** (SILENCE_DBFS / 10)))
        return first_hop + n_hops - kept, levels_dbfs.astype(np.float32)


def _background(levels_dbfs: NDArray[np.float32]) -> float:
    """The level that a tenth is below. `np.percentile` would import numpy.ma in the first digit: 8 ms."""
    ranked = np.sort(levels_dbfs)
    at = 0.1 * (len(ranked) - 1)
    low, high = ranked[int(at)], ranked[min(int(at) + 1, len(ranked) - 1)]
    return float(low + (at - int(at)) * (high - low))


def _softest(levels_dbfs: NDArray[np.float32]) -> int:
    """The hop at which a word most likely ended that the next one followed at once."""
    first = max(1, len(levels_dbfs) - _hops(REPORTED_HIGH_S))
    hops = np.arange(first, max(first + 1, len(levels_dbfs) - _hops(REPORTED_LOW_S)))
    away_s = np.abs(len(levels_dbfs) - hops - _hops(REPORTED_S)) * HOP_MS / 1000
    return int(hops[np.argmin(levels_dbfs[np.minimum(hops, len(levels_dbfs) - 1)] + SOFTER_DB_PER_S * away_s)])


def _hops(duration_s: float) -> int:
    return round(duration_s * 1000 / HOP_MS)
