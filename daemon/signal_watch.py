"""What is wrong with the sound itself: nothing but zeros comes, or it is louder than the input can take."""

import math
from collections import deque
from collections.abc import Iterator
from typing import Literal

from digitd.daemon.audio import Chunk
from digitd.daemon.vad import SILENCE_DBFS

Trouble = Literal["silent", "clipping"]

SILENT_S = 10.0
"""So long nothing but zeros: a muted or dead input. The quietest room makes some noise."""
CLIPPING_WINDOW_S = 1.0
CLIPPING_SHARE = 0.001
"""This share of the window at full scale: a digit shouted into the microphone has many times more, a click has less."""
CLEAR_S = 10.0
"""So long without, and it no longer clips."""


class SignalWatch:
    """Tells each trouble once when it begins, and `back` when it is over."""

    def __init__(self) -> None:
        self._sound_s = self._clipped_s = self._now_s = 0.0
        self._peak = 0.0
        self._silent = self._clipping = False
        self._shares: deque[tuple[float, float]] = deque()  # end of a chunk, share of it at full scale times its length

    def push(self, chunk: Chunk) -> Iterator[Trouble | Literal["back"]]:
        """What `chunk` changes; what channels have in common is looked at, so one of two may clip unseen."""
        length_s = max(0.0, chunk.taken_in_s - self._now_s - chunk.dropped_s)
        self._now_s = chunk.taken_in_s
        self._peak = max(self._peak, chunk.peak)
        if chunk.gap:
            self._sound_s = chunk.taken_in_s - length_s
        yield from self._watch_silence(chunk)
        yield from self._watch_clipping(chunk, length_s)

    @property
    def clipping(self) -> bool:
        """Whether it was too loud for the input within the last CLEAR_S."""
        return self._clipping

    def loudest_dbfs(self) -> float:
        """The loudest sample since this was last asked, at least SILENCE_DBFS."""
        peak, self._peak = self._peak, 0.0
        return max(SILENCE_DBFS, 20 * math.log10(peak)) if peak else SILENCE_DBFS

    def _watch_silence(self, chunk: Chunk) -> Iterator[Literal["silent", "back"]]:
        if chunk.peak > 0:
            self._sound_s = self._now_s
            if self._silent:
                self._silent = False
                yield "back"
        elif not self._silent and self._now_s - self._sound_s >= SILENT_S:
            self._silent = True
            yield "silent"

    def _watch_clipping(self, chunk: Chunk, length_s: float) -> Iterator[Literal["clipping", "back"]]:
        if chunk.full_scale_share:
            self._shares.append((self._now_s, chunk.full_scale_share * length_s))
        while self._shares and self._shares[0][0] <= self._now_s - CLIPPING_WINDOW_S:
            self._shares.popleft()
        if self._shares and sum(clipped_s for _, clipped_s in self._shares) >= CLIPPING_SHARE * CLIPPING_WINDOW_S:
            self._clipped_s = self._now_s
            if not self._clipping:
                self._clipping = True
                yield "clipping"
        elif self._clipping and self._now_s - self._clipped_s >= CLEAR_S:
            self._clipping = False
            yield "back"
