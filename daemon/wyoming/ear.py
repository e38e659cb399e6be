"""The daemon that hears for us, through its audio socket."""

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from itertools import count
from pathlib import Path

from digitd.daemon.client.call import arecognise
from digitd.daemon.client.news import Unknown
from digitd.daemon.errors import SinkError
from digitd.daemon.events import Event, Ready
from digitd.daemon.mode import Mode

ANSWER_S = 20.0
"""A daemon that neither takes sound nor tells anything for so long is away: it hears far faster than anyone speaks."""

OPEN_S = 3.0
"""A stream that the daemon will not hear is offered again for so long: it may be starting, or have room soon."""
OFFER_EVERY_S = 0.2

logger = logging.getLogger(__name__)


class Ear:
    """Hears streams, each under a name that no other process gives."""

    def __init__(self, path: Path, mode: Mode) -> None:
        self.path, self._mode = path, mode
        self._prefix, self._numbers = f"wyoming-{secrets.token_hex(2)}", count(1)
        self._model = ""

    async def hear(
        self, samples: AsyncIterable[bytes] | bytes, rate_hz: int, channels: int
    ) -> AsyncGenerator[Event | Unknown, None]:
        """The events of a stream of s16le, the last of them its `end`.

        Raises:
            SinkError: the daemon is away, has no room, or hangs up.
        """
        begun, until_s = False, asyncio.get_running_loop().time() + OPEN_S
        while True:
            try:
                async with aclosing(self._heard(samples, rate_hz, channels)) as events:
                    async for event in events:
                        begun = True
                        yield event
                return
            except SinkError:
                self._model = ""  # who answers next may have another
                if begun or asyncio.get_running_loop().time() > until_s:
                    raise
            await asyncio.sleep(OFFER_EVERY_S)

    async def _heard(
        self, samples: AsyncIterable[bytes] | bytes, rate_hz: int, channels: int
    ) -> AsyncGenerator[Event | Unknown, None]:
        """The same, offered once; no sample is taken before the daemon will hear it."""
        stream = f"{self._prefix}-{next(self._numbers)}"
        heard = arecognise(samples, self.path, rate_hz=rate_hz, channels=channels, stream=stream, mode=self._mode)
        try:
            async with aclosing(heard) as events:
                async for event in events:
                    if isinstance(event, Event) and isinstance(event.body, Ready):
                        self._model = event.body.model
                    yield event
        except ValueError as error:  # half a line of a daemon that dies, or another program's
            raise SinkError(
                f"{self.path}: what answers there speaks no JSON; is it a daemon's audio socket?"
            ) from error

    async def look(self) -> None:
        """Ask for the model before anybody does; a daemon that is not there is told of on the log."""
        try:
            await self.model()
        except SinkError as error:
            logger.warning("%s; clients are told so until there is one", error)

    async def model(self) -> str:
        """The name of the daemon's bundle; it is asked for with a stream of no sound where it is not known yet.

        Raises:
            SinkError: the daemon is away, or does not answer.
        """
        if not self._model:
            try:
                async with asyncio.timeout(ANSWER_S):
                    _ = [event async for event in self.hear(b"", 16000, 1)]
            except TimeoutError as error:
                raise silent(self.path) from error
        return self._model


def silent(path: Path) -> SinkError:
    """What is wrong with a daemon that does not answer."""
    return SinkError(f"{path}: the daemon did not answer for {ANSWER_S:g} s; is it stopped, or the machine overloaded?")
