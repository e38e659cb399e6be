"""A daemon in a room that is made of samples."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

import numpy as np
from tests.daemon.conftest import Daemon

from digitd.daemon.audio import Samples

RATE_HZ = 16000
BLOCK_SAMPLES = 1600


class Room:
    """What a daemon hears of one: quiet, and now and then something else; ten times as fast as any room."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._quiet = np.random.default_rng(1).normal(0, 0.0005, BLOCK_SAMPLES).astype(np.float32)
        self._waiting: deque[Samples] = deque()
        self._left = Event()
        self._thread = Thread(target=self._sound)
        self._thread.start()

    def say(self, samples: Samples) -> None:
        """Have it heard next."""
        self._waiting.extend(np.split(samples, range(BLOCK_SAMPLES, len(samples), BLOCK_SAMPLES)))

    def leave(self) -> None:
        """No sound comes any more."""
        self._left.set()
        self._thread.join()

    def _sound(self) -> None:
        with suppress(BrokenPipeError):
            while not self._left.wait(BLOCK_SAMPLES / RATE_HZ / 10):
                self._daemon.feed(self._waiting.popleft() if self._waiting else self._quiet)


@contextmanager
def listening(socket_path: Path, *flags: str) -> Iterator[tuple[Daemon, Room]]:
    """A daemon in a room."""
    daemon = Daemon("--sink", f"unix:{socket_path}", *flags)
    daemon.until(type="ready")
    room = Room(daemon)
    try:
        yield daemon, room
    finally:
        room.leave()
        daemon.close()
