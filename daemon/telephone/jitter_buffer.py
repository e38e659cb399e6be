"""Packets as they come -> one speaker's samples in order, silence where they are missing.

Nothing here looks at a clock or a socket: whoever owns the buffer tells the time.
"""

import bisect
import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from digitd.daemon.telephone.g711 import RATE_HZ, Samples

LONGEST_GAP_SAMPLES = 5 * RATE_HZ
"""So much missing sound is silence; what comes after more is another stream."""
LEAP_SAMPLES = RATE_HZ // 4
"""A packet that is so much ahead of the clock must be followed by another like it: one alone may be damaged."""
NEAR_PACKETS = 3
"""So near in sequence is `another like it`."""
LONGEST_DEPTH_S = 1.0
"""No packet is waited for any longer, however unsteadily they come."""
LATE_PIECES = 5
"""After so many in a row that come later still, the way has become longer, and the clock is set anew."""
MEMORY_S = 8.0
"""The quickest and the slowest packet of so long tell when sound is due: clocks differ, and ways change."""
FIRST_PIECES = 2
"""A stream has begun with so many; a lost datagram is none (RFC 3550, A.1)."""
MAX_WAITING_PIECES = 1000
"""More do not lie within a gap, if each holds 5 ms."""


@dataclass(frozen=True)
class Piece:
    """A packet's sound."""

    sequence: int
    timestamp: int
    samples: Samples
    marker: bool = False


@dataclass
class Counts:
    """What became of the packets that are not heard."""

    late: int = 0
    """Too late for their place, or in it already."""
    stray: int = 0
    """Far from all others."""


@dataclass(order=True)
class _Placed:
    """A piece with its place in the stream, in samples; unlike timestamps, places do not wrap."""

    place: int
    piece: Piece = field(compare=False)


class _Least:
    """The least value of the last MEMORY_S."""

    def __init__(self) -> None:
        self._kept: deque[tuple[float, float]] = deque()  # of each value: none after it is less

    def note(self, value: float, now_s: float) -> None:
        """Take one in."""
        while self._kept and self._kept[-1][1] >= value:
            self._kept.pop()
        self._kept.append((now_s, value))
        while self._kept[0][0] < now_s - MEMORY_S:
            self._kept.popleft()

    @property
    def value(self) -> float:
        """It."""
        return self._kept[0][1] if self._kept else math.inf

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()


class JitterBuffer:
    """Gives sound at once where it is in order; where a packet is missing, `depth_s` after it was due.

    A greater depth thus costs time only where something is missing, and at the end of what is said. It grows by itself
    where packets come later than that. One that is late is heard still, unless something after it was: the stream is
    then longer by the silence that stands before it.

    Args:
        depth_s: how much later than the quickest a packet may be, at the least.
    """

    def __init__(self, depth_s: float) -> None:
        self.counts = Counts()
        self.successor: JitterBuffer | None = None
        """Of another stream, which has begun in place of this one; it holds what has come of it."""
        self._depth_s = depth_s
        self._first_s: float | None = None
        self._opening = True
        self._zero_timestamp = 0
        self._next = 0  # the place of the next sample to give
        self._heard = -LONGEST_GAP_SAMPLES  # after the last place that was more than silence
        self._waiting: list[_Placed] = []
        self._quickest, self._slowest = _Least(), _Least()  # when place 0 came, or would have; minus that
        self._n_late = 0
        self._stray: tuple[Piece, float] | None = None

    def push(self, piece: Piece, now_s: float) -> None:
        """Take in what has come."""
        if self._first_s is None:
            self._first_s, self._zero_timestamp = now_s, piece.timestamp
        place = self._place(piece.timestamp)
        is_ahead = place > (now_s - self._quickest.value) * RATE_HZ + LEAP_SAMPLES and self._quickest.value < math.inf
        if abs(place - self._next) <= LONGEST_GAP_SAMPLES and not is_ahead:
            self._put(place, piece, now_s)
        elif self._stray is None or not _are_near(self._stray[0], piece):
            self.counts.stray += self._stray is not None
            self._stray = piece, now_s
        else:
            self._follow(self._stray, piece, now_s)

    def pull(self, now_s: float) -> list[Samples]:
        """The samples that are to be had now."""
        if not self._open(now_s):
            return []
        depth_s = max(self._depth_s, min(-self._slowest.value - self._quickest.value, LONGEST_DEPTH_S))
        return self._take(math.floor((now_s - self._quickest.value - depth_s) * RATE_HZ))

    def finish(self) -> list[Samples]:
        """All that still waits: no more comes."""
        return self._take(self._waiting[-1].place) if self._waiting and self._open(math.inf) else []

    def _open(self, now_s: float) -> bool:
        """Whether the stream has begun; its first packet may have been overtaken."""
        if self._opening and self._first_s is not None and len(self._waiting) >= FIRST_PIECES:
            self._opening = now_s < self._first_s + self._depth_s
            self._next = self._waiting[0].place
        return not self._opening

    def _take(self, due: int) -> list[Samples]:
        """What is in order, and silence for what is missing before `due`."""
        taken: list[Samples] = []
        due = min(due, self._next + LONGEST_GAP_SAMPLES)
        while True:
            if self._waiting and self._waiting[0].place <= self._next:
                first = self._waiting.pop(0)
                samples = first.piece.samples[self._next - first.place :]
                self._heard = self._next + len(samples)
            else:
                until = min(due, self._waiting[0].place) if self._waiting else due
                if until <= self._next:
                    return taken
                samples = np.zeros(until - self._next, np.int16)
            self._next += len(samples)
            taken.append(samples)

    def _put(self, place: int, piece: Piece, now_s: float) -> None:
        """Let it wait for its turn, unless that is over."""
        came_s = now_s - place / RATE_HZ
        if place < self._next and not self._opening:
            if not self._is_welcome(place, piece, came_s - self._quickest.value):
                self.counts.late += 1
                return
        else:
            self._n_late = 0
        self._quickest.note(came_s, now_s)
        self._slowest.note(-came_s, now_s)
        at = bisect.bisect_left(self._waiting, place, key=lambda placed: placed.place)
        if len(self._waiting) >= MAX_WAITING_PIECES or (at < len(self._waiting) and self._waiting[at].place == place):
            self.counts.late += 1
        else:
            self._waiting.insert(at, _Placed(place, piece))

    def _is_welcome(self, place: int, piece: Piece, lag_s: float) -> bool:
        """Whether what is late is heard still; where its place is taken by silence alone, we go back there."""
        if place < self._heard:
            return self._next < place + len(piece.samples)
        if lag_s > LONGEST_DEPTH_S:
            self._n_late += 1
            if not piece.marker and self._n_late <= LATE_PIECES:
                return False
            self._quickest.clear()
            self._slowest.clear()
        self._n_late, self._next = 0, place
        return True

    def _follow(self, stray: tuple[Piece, float], piece: Piece, now_s: float) -> None:
        """Two that are far from all others, and near to each other: the sender has leapt."""
        self._stray = None
        if abs(self._place(piece.timestamp) - self._next) <= LONGEST_GAP_SAMPLES:
            for each, came_s in (stray, (piece, now_s)):
                self._put(self._place(each.timestamp), each, came_s)
            return
        self.successor = JitterBuffer(self._depth_s)
        self.successor.push(*stray)
        self.successor.push(piece, now_s)

    def _place(self, timestamp: int) -> int:
        """The place next to where we are that has this timestamp."""
        ahead = (timestamp - self._zero_timestamp - self._next) & 0xFFFFFFFF
        return self._next + (ahead if ahead < 1 << 31 else ahead - (1 << 32))


def _are_near(one: Piece, other: Piece) -> bool:
    """Whether two packets follow one another, in either order."""
    ahead = (other.sequence - one.sequence) & 0xFFFF
    in_time = (other.timestamp - one.timestamp + RATE_HZ) & 0xFFFFFFFF
    return min(ahead, 0x10000 - ahead) in range(1, NEAR_PACKETS + 1) and in_time <= 2 * RATE_HZ
