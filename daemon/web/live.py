"""What a running daemon hears, for every page that looks on."""

import asyncio
import json
import logging
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from digitd.daemon.errors import ConfigError
from digitd.daemon.events import SCHEMA, Ready
from digitd.daemon.glimpse import Glimpse
from digitd.daemon.mode import Mode
from digitd.daemon.received import Received
from digitd.daemon.request import requested
from digitd.daemon.tap import Outlook, Tap
from digitd.daemon.web.farewell import dismiss

PAST_EVENTS = 100
"""So many are shown to a page that comes later."""
MAX_PAGES = 16
MAX_WAITING_LINES = 500
"""A page that leaves more unread is sent away, and comes back by itself."""
MAX_WAITING_GLIMPSES = 20
"""With more than so many lines unread, a page is shown no glimpse."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Welcome:
    """What a page is told first."""

    secret: bool
    """Whether digits are veiled until somebody asks to see them, and nothing of the past is kept."""
    mode: Mode
    """Of those who speak here."""


class Live:
    """Hands the daemon's lines to all pages; none of them holds up another.

    Args:
        tap: where the lines come from; None where there is no daemon.
        trouble: why there is none.
    """

    def __init__(self, tap: Tap | None, trouble: str, welcome: Welcome) -> None:
        self._tap, self._welcome = tap, welcome
        self._message, self._following = trouble, tap is not None
        self._ready = ""
        self._past: deque[str] = deque(maxlen=PAST_EVENTS)
        self._pages: dict[ServerConnection, asyncio.Queue[str]] = {}

    @contextmanager
    def followed(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """The daemon is followed inside."""
        if self._tap is None:
            yield
            return

        def share(event: Received) -> None:
            loop.call_soon_threadsafe(self._share, event)

        def miss(what: str) -> None:
            loop.call_soon_threadsafe(self._miss, what)

        def tell(what: str) -> None:
            loop.call_soon_threadsafe(self._tell, what)

        def end(why: str) -> None:
            loop.call_soon_threadsafe(self._end, why)

        self._tap.open(Outlook(share, miss, tell, end))
        try:
            yield
        finally:
            self._tap.close()

    async def show(self, connection: ServerConnection) -> None:
        """Keep one page up to date until it leaves."""
        if len(self._pages) >= MAX_PAGES:
            full = f"{MAX_PAGES} pages look on already, which is all there may be; close one"
            await dismiss(connection, CloseCode.TRY_AGAIN_LATER, full)
            return
        lines = self._pages[connection] = asyncio.Queue(MAX_WAITING_LINES)
        lines.put_nowait(self._first())
        self._look()
        try:
            await self._attend(connection, lines)
        except ConfigError as error:
            await dismiss(connection, CloseCode.POLICY_VIOLATION, str(error))
        except ConnectionClosed as closed:
            logger.info("a page left: %a", str(closed))
        finally:
            del self._pages[connection]
            self._look()

    async def _attend(self, connection: ServerConnection, lines: asyncio.Queue[str]) -> None:
        """Send what comes and heed what is asked for, until either has an end."""
        sending = asyncio.create_task(_send(connection, lines))
        try:
            async for message in connection:
                self._heed(message)
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError, ConnectionClosed):
                await sending

    def _heed(self, message: str | bytes) -> None:
        """Hand a mode on.

        Raises:
            ConfigError: it is something else.
        """
        mode = requested(message.encode() if isinstance(message, str) else message).mode
        if mode is None:
            raise ConfigError('a page may ask for a mode alone: send {"mode":"entry"} or {"mode":"always"}')
        if self._tap:
            self._tap.ask({"mode": mode})

    def _look(self) -> None:
        """Have glimpses sent for as long as there is somebody to see them."""
        if self._tap:
            self._tap.look(wanted=bool(self._pages))

    def _first(self) -> str:
        past = [json.loads(line) for line in (self._ready, *self._past) if line]
        told = {"secret": self._welcome.secret, "mode": self._welcome.mode, "past": past}
        return json.dumps({"v": SCHEMA, "type": "welcome", **told, **self._state()}, separators=(",", ":"))

    def _state(self) -> dict[str, Any]:
        return {"following": self._following, "message": self._message}

    def _miss(self, what: str) -> None:
        self._send(json.dumps({"v": SCHEMA, "type": "missed", "message": what}, separators=(",", ":")))

    def _tell(self, what: str) -> None:
        self._message = what
        self._send(json.dumps({"v": SCHEMA, "type": "daemon", **self._state()}, separators=(",", ":")))

    def _end(self, why: str) -> None:
        self._following = False
        self._tell(why)

    def _share(self, event: Received) -> None:
        if event.type == Ready.type:
            self._ready = event.line
        elif event.type != Glimpse.type and not self._welcome.secret:
            self._past.append(event.line)
        self._send(event.line, may_miss=event.type == Glimpse.type)

    def _send(self, line: str, *, may_miss: bool = False) -> None:
        for connection, lines in self._pages.items():
            if may_miss and lines.qsize() > MAX_WAITING_GLIMPSES:
                continue
            if lines.full():
                logger.warning("a page left %d lines unread and is sent away", lines.qsize())
                connection.transport.abort()
            else:
                lines.put_nowait(line)


async def _send(connection: ServerConnection, lines: asyncio.Queue[str]) -> None:
    while True:
        await connection.send(await lines.get())
