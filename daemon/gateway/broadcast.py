"""What a daemon tells, to all who listen; none of them holds up another."""

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from websockets.asyncio.server import ServerConnection, broadcast
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from digitd.daemon.attached import Attachment
from digitd.daemon.client.news import PRESENCE
from digitd.daemon.events import SCHEMA, End, Ready
from digitd.daemon.received import NO_SEQ, Received
from digitd.daemon.tap import Outlook, Tap
from digitd.daemon.web.farewell import dismiss

MAX_WAITING_BYTES = 256 * 1024
"""A listener who leaves more unread is dropped, as from the daemon's own socket."""

logger = logging.getLogger(__name__)


class Broadcast:
    """Hands on the lines of the daemon's socket as they are; who comes is first sent the latest `ready` of each stream.

    Args:
        path: of the socket.
    """

    def __init__(self, path: Path) -> None:
        self._tap = Tap(Attachment(path))
        self._away = ""
        self._ready: dict[str, str] = {}
        self._listeners: dict[ServerConnection, int] = {}  # each with how often it was told of the daemon

    @contextmanager
    def followed(self, loop: asyncio.AbstractEventLoop, failed: Callable[[str], None]) -> Iterator[None]:
        """The daemon is followed inside; `failed` is told why nothing will come any more, if that is so."""

        def share(event: Received) -> None:
            loop.call_soon_threadsafe(self._share, event)

        def tell(what: str) -> None:
            loop.call_soon_threadsafe(self._tell, what)

        def end(why: str) -> None:
            loop.call_soon_threadsafe(failed, why)

        self._tap.open(Outlook(share, lambda _: None, tell, end))  # listeners see by `seq` what is missing
        try:
            yield
        finally:
            self._tap.close()

    async def tell(self, connection: ServerConnection) -> None:
        """Keep one listener up to date until he leaves; he has nothing to say."""
        for line in self._ready.values():
            broadcast([connection], line)
        self._listeners[connection] = 0
        if self._away:
            self._inform(connection)
        try:
            async for _ in connection:
                await dismiss(connection, CloseCode.POLICY_VIOLATION, "events are told here, and nothing is heard")
        except ConnectionClosed as closed:
            logger.info("a listener left: %a", str(closed))  # he may have given any reason
        finally:
            del self._listeners[connection]

    def _tell(self, what: str) -> None:
        """The daemon has gone, or is back."""
        if what:
            logger.warning("%s", what)
            self._ready.clear()
        elif self._away:
            logger.warning("the daemon is back")
        self._away = what
        for connection in list(self._listeners):
            self._inform(connection)

    def _inform(self, connection: ServerConnection) -> None:
        told = {"v": SCHEMA, "type": PRESENCE, "stream": "", "seq": self._listeners[connection]}
        told |= {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "present": not self._away}
        self._listeners[connection] += 1
        self._send(connection, json.dumps(told, separators=(",", ":")))

    def _share(self, event: Received) -> None:
        if event.seq == NO_SEQ:  # a glimpse, which nobody has asked for
            return
        if event.type == Ready.type:
            self._ready[event.stream] = event.line
        elif event.type == End.type:
            self._ready.pop(event.stream, None)
        for connection in list(self._listeners):
            self._send(connection, event.line)

    def _send(self, connection: ServerConnection, line: str) -> None:
        if connection.transport.get_write_buffer_size() > MAX_WAITING_BYTES:
            logger.warning("a listener left more than %d bytes unread and is dropped", MAX_WAITING_BYTES)
            connection.transport.abort()
        else:
            broadcast([connection], line)
