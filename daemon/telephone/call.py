"""One caller: his sound goes to the daemon, and what the daemon heard comes back."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from digitd.daemon.client.call import arecognise
from digitd.daemon.client.news import Unknown
from digitd.daemon.errors import SinkError
from digitd.daemon.events import Event
from digitd.daemon.mode import Mode

MAX_WAITING_PIECES = 250
"""Five seconds of a telephone's packets: the daemon hears faster than people speak, or is not there."""
PATIENCE_S = 10.0
"""So long a caller who was heard waits for a daemon that is started again."""
RETRY_S = 0.25

Tell = Callable[[Event | Unknown], None]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Line:
    """What all calls have in common."""

    path: Path
    """The daemon's audio socket."""
    mode: Mode
    """They are heard in."""


class Call:
    """A stream of s16le samples, one channel.

    Args:
        name: of the stream.
        rate_hz: of its samples.
        line: to the daemon.
        tell: is called with each event.
    """

    def __init__(self, name: str, rate_hz: int, line: Line, tell: Tell) -> None:
        self.name = name
        self._rate_hz, self._line, self._tell = rate_hz, line, tell
        self._waiting: asyncio.Queue[bytes | None] = asyncio.Queue(MAX_WAITING_PIECES)
        self._ended = self._away = False

    async def hear(self, pcm: bytes) -> None:
        """Take in some sound, as soon as there is room."""
        if not (self._ended or self._away):
            await self._waiting.put(pcm)

    def overhear(self, pcm: bytes) -> bool:
        """Take in some sound; False where there is no room, which should never be."""
        if not (self._ended or self._away):
            if self._waiting.full():
                return False
            self._waiting.put_nowait(pcm)
        return True

    def end(self) -> None:
        """No more sound comes; what was said is decided."""
        self._ended = True
        if not self._waiting.full():  # who waits for more is woken
            self._waiting.put_nowait(None)

    async def run(self) -> None:
        """Have it heard, to its end.

        Raises:
            SinkError: the daemon is not there or refuses; in the middle of a call, it has not come back in time.
        """
        was_heard, patient_until_s, loop = False, 0.0, asyncio.get_running_loop()
        while True:
            try:
                async with aclosing(self._events()) as events:
                    async for event in events:
                        was_heard = True
                        self._tell(event)
                return
            except SinkError as error:
                if self._ended or not was_heard or (self._away and loop.time() > patient_until_s):
                    raise
                if not self._away:  # it may have told nothing for long before it went
                    patient_until_s = loop.time() + PATIENCE_S
                    logger.warning("%s: %s; it waits", self.name, error)
                self._forget()
            await asyncio.sleep(RETRY_S)

    def _events(self) -> AsyncGenerator[Event | Unknown, None]:
        return arecognise(
            self._pieces(), self._line.path, rate_hz=self._rate_hz, stream=self.name, mode=self._line.mode
        )

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        """What is said from now on."""
        self._away = False
        while not (self._ended and self._waiting.empty()):
            piece = await self._waiting.get()
            if piece is not None:
                yield piece

    def _forget(self) -> None:
        """Nobody hears: what was said meanwhile would come far too late."""
        self._away = True
        while not self._waiting.empty():
            self._waiting.get_nowait()
