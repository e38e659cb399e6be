"""The events of one client: read by the library, each no larger than it may be and within its time."""

import asyncio
from typing import Any, cast

from wyoming.event import Event, async_read_event

from digitd.daemon.wyoming.refusal import RefusedError

MAX_EVENT_BYTES = 512 * 1024
"""Of an event's data, and of its payload: 16 s at 16 kHz. The protocol lets a client claim any length."""
MAX_LINE_BYTES = 64 * 1024
"""Of an event's first line."""
ON_ITS_WAY_S, LAST_S = 0.05, 0.5
"""Once the service ends, an event that has been sent may take so long to come, and all of them together."""


class Inbox:
    """Gives one event after the other until the client has sent its last, or nobody waits for more."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = _BoundedReader(reader)
        self._patience: asyncio.Timeout | None = None
        self._last_s = float("inf")

    async def next(self, within_s: float) -> Event | None:
        """The next event; None where no more will come.

        Raises:
            RefusedError: it is none, it is too large, or it does not come in time.
        """
        try:
            async with asyncio.timeout(self._within_s(within_s)) as self._patience:
                return await self._event()
        except TimeoutError:
            if self._last_s < float("inf"):
                return None
            raise RefusedError("timeout", f"no event came within {within_s:g} s; connect again to speak") from None
        finally:
            self._patience = None

    def close(self) -> None:
        """Let whoever waits for an event have those that have been sent already, and no more."""
        now_s = asyncio.get_running_loop().time()
        self._last_s = now_s + LAST_S
        if self._patience is not None and not self._patience.expired():
            self._patience.reschedule(now_s + ON_ITS_WAY_S)

    def _within_s(self, within_s: float) -> float:
        if self._last_s == float("inf"):
            return within_s
        return min(within_s, ON_ITS_WAY_S, self._last_s - asyncio.get_running_loop().time())

    async def _event(self) -> Event | None:
        try:
            event: Any = await async_read_event(cast(asyncio.StreamReader, self._reader))
        except (AttributeError, KeyError, TypeError, RecursionError) as error:  # JSON, but no event
            raise RefusedError("not-an-event", _NO_EVENT) from error
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        if event is None and self._reader.at_end:
            return None
        if event is None or not isinstance(event.type, str) or not isinstance(event.data, dict):
            raise RefusedError("not-an-event", _NO_EVENT)
        return cast(Event, event)


_NO_EVENT = 'what came is no event; send a line of JSON with a "type", then its data and payload, as Wyoming has it'


class _BoundedReader:
    """As much of a StreamReader as the library reads by; it takes nothing in that is longer than it may be."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self.at_end = False

    async def readline(self) -> bytes:
        try:
            line = await self._reader.readline()
        except ValueError as error:
            raise RefusedError("too-large", f"an event's first line has more than {MAX_LINE_BYTES} bytes") from error
        self.at_end = not line
        return line

    async def readexactly(self, n_bytes: int) -> bytes:
        if n_bytes > MAX_EVENT_BYTES:
            raise RefusedError("too-large", f"{n_bytes} bytes in one event; send at most {MAX_EVENT_BYTES}")
        return await self._reader.readexactly(n_bytes)
