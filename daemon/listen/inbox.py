"""What a tap's thread hands in, until the view takes it."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from digitd.daemon.received import NO_SEQ, Received
from digitd.daemon.tap import Outlook

MOST_LETTERS = 5000
"""Older ones are forgotten, and told as missing, where a view is frozen for long."""

Kind = Literal["came", "missed", "trouble", "end"]


@dataclass(frozen=True)
class Letter:
    """One thing that was handed in."""

    kind: Kind
    text: str = ""
    received: Received | None = None
    """Of what came."""

    @property
    def is_glimpse(self) -> bool:
        """Whether nothing is lost where it is not shown."""
        return self.received is not None and self.received.seq == NO_SEQ


class Inbox:
    """Takes what comes on one thread, wakes the view once, and is emptied on another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards what follows
        self._letters: deque[Letter] = deque(maxlen=MOST_LETTERS)
        self._forgotten = 0
        self._wake: Callable[[], object] | None = None
        self._awake = True

    @property
    def outlook(self) -> Outlook:
        """For the tap."""
        return Outlook(
            share=lambda received: self._put(Letter("came", received=received)),
            miss=lambda what: self._put(Letter("missed", what)),
            tell=lambda what: self._put(Letter("trouble", what)),
            end=lambda why: self._put(Letter("end", why)),
        )

    def open(self, wake: Callable[[], object]) -> None:
        """From now on `wake` is called, on the tap's thread, when there is something to take."""
        with self._lock:
            self._wake, self._awake = wake, False
            waiting = bool(self._letters)
        if waiting:
            self._ring()

    def take(self) -> list[Letter]:
        """All that waits, the oldest first."""
        with self._lock:
            letters, forgotten = list(self._letters), self._forgotten
            self._letters.clear()
            self._awake, self._forgotten = False, 0
        return [Letter("missed", f"{forgotten} lines were forgotten while frozen")] * bool(forgotten) + letters

    def _put(self, letter: Letter) -> None:
        with self._lock:
            self._forgotten += len(self._letters) == MOST_LETTERS
            self._letters.append(letter)
        self._ring()

    def _ring(self) -> None:
        with self._lock:
            wake, self._awake = (None if self._awake else self._wake), True
        if wake is not None:
            wake()
