"""Many streams of continuous speech at once, each in real time, their pieces evenly spread over time."""

import select
import time
from collections.abc import Callable
from pathlib import Path

from digitd.export.bench.line import PIECE_BYTES, PIECE_S, Line

ANSWERED_WITHIN_S = 20.0


class Load:
    """Drives all lines from one thread."""

    def __init__(self, path: Path, speech: bytes) -> None:
        self._path = path
        self._speech = speech[: len(speech) // PIECE_BYTES * PIECE_BYTES]
        self._lines: dict[int, Line] = {}
        self._poll = select.epoll()
        self.refusal = ""
        """The first one."""
        self.late_s: list[float] = []
        """How much later than it was due each piece went out, since this was last emptied: the load's own fault."""

    @property
    def n_streams(self) -> int:
        """That are heard."""
        return sum(line.accepted for line in self._lines.values())

    @property
    def jammed(self) -> bool:
        """Whether a stream cannot be sent in real time any more."""
        return any(line.jammed for line in self._lines.values())

    def grow(self, n_streams: int) -> None:
        """Call until so many are heard or one is refused; those that are heard go on meanwhile."""
        while len(self._lines) < n_streams:
            number = len(self._lines)
            line = Line(self._path, f"line-{number}", self._speech, number * 97)
            self._lines[line.socket.fileno()] = line
            self._poll.register(line.socket, select.EPOLLIN)
        self.go_on(ANSWERED_WITHIN_S, until=lambda: self.n_streams >= n_streams or bool(self.refusal))

    def go_on(self, for_s: float, until: Callable[[], bool] = lambda: False) -> None:
        """Send and receive for so long."""
        began_s = time.perf_counter()
        for number in range(round(for_s / PIECE_S)):
            begins_s = began_s + number * PIECE_S
            lines = list(self._lines.values())
            for n, line in enumerate(lines):
                due_s = begins_s + n / len(lines) * PIECE_S
                self._receive_until(due_s)
                if line.accepted:
                    self.late_s.append(time.perf_counter() - due_s)
                line.send()
            self._receive_until(begins_s + PIECE_S)
            if until() or self.jammed:
                return

    def taken_delays_s(self) -> list[float]:
        """Of all events since the last call."""
        found = [delay_s for line in self._lines.values() for delay_s in line.delays_s]
        for line in self._lines.values():
            line.delays_s.clear()
        return found

    def _receive_until(self, due_s: float) -> None:
        """What comes back, until it is time for the next piece; once at least."""
        while True:
            left_s = due_s - time.perf_counter()
            for descriptor, _ in self._poll.poll(max(0.0, left_s)):
                if not self._lines[descriptor].receive():
                    self._drop(descriptor)
            if due_s <= time.perf_counter():
                return

    def _drop(self, descriptor: int) -> None:
        line = self._lines.pop(descriptor)
        self.refusal = self.refusal or line.refusal
        self._poll.unregister(descriptor)
        line.close()

    def close(self) -> None:
        """Hang up everywhere."""
        for line in self._lines.values():
            line.close()
        self._poll.close()
