"""What of a quiet room may wait: waking up the daemon for a piece of it costs more than listening to it."""

from array import array
from collections import deque

PIECE_MS = 160
"""A quiet room is listened to in pieces of this length: no digit is as short."""
HELD_PIECES = 4
"""So many are handed over together, that is 0.64 s, unless one of them is louder."""
REMEMBERED_PIECES = 7
"""The middle of their peaks is the usual one."""
LOUDER = 1.5
"""A piece whose peak is so many times the usual one is no longer quiet."""
FAINT = 8
"""Of 32768: what is louder than usual by no more than this is quiet too; it may be a converter's last bits."""
EVERY = 4
"""One sample of so many is looked at."""


class Hush:
    """Tells of each piece of a quiet room whether it may wait."""

    def __init__(self) -> None:
        self._peaks: deque[int] = deque(maxlen=REMEMBERED_PIECES)
        self._held = 0

    def holds(self, raw: bytes) -> bool:
        """Whether the s16 piece may wait with those that were held before it."""
        samples = array("h", raw)[::EVERY]
        peak = max(max(samples), -min(samples))
        usual = sorted(self._peaks)[len(self._peaks) // 2] if self._peaks else 0
        self._peaks.append(peak)
        self._held = self._held + 1 if peak <= LOUDER * usual + FAINT else HELD_PIECES
        if self._held < HELD_PIECES:
            return True
        self._held = 0
        return False
