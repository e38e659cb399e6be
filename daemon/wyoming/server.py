"""Lets clients in, so many as there is room for, and sees them out in the end."""

import asyncio
import logging
import socket
from collections.abc import Callable

from digitd.daemon.stopping import on_signal
from digitd.daemon.wyoming.conversation import Conversation, Manner
from digitd.daemon.wyoming.ear import Ear
from digitd.daemon.wyoming.inbox import MAX_LINE_BYTES
from digitd.daemon.wyoming.limits import Limits
from digitd.daemon.wyoming.refusal import RefusedError

MOST_TURNED_AWAY = 32
"""So many are told at once that there is no room; more are cut off."""

logger = logging.getLogger(__name__)


class Server:
    """Holds one conversation with each client.

    Args:
        ear: who hears them.
        manner: how they are answered.
        limits: how many there may be, and how long they are waited for.
    """

    def __init__(self, ear: Ear, manner: Manner, limits: Limits) -> None:
        self._ear, self._manner, self._limits = ear, manner, limits
        self._taken: dict[asyncio.Task[None], Conversation] = {}
        self._turned_away: dict[asyncio.Task[None], Conversation] = {}

    async def run(self, listener: socket.socket, begun: Callable[[], None]) -> None:
        """Serve until SIGINT or SIGTERM; `begun` is called once clients may come."""
        stop = asyncio.Event()
        on_signal(stop.set)
        server = await asyncio.start_server(self._admit, sock=listener, limit=MAX_LINE_BYTES)
        looking = asyncio.create_task(self._ear.look(), name="look")
        begun()
        await stop.wait()
        looking.cancel()
        asyncio.get_running_loop().remove_reader(listener)
        await self._see_out()
        server.close()  # last: it would break one that has just been accepted (python/cpython#109564)

    async def _admit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = Conversation(reader, writer, self._ear, self._manner, self._limits, _who(writer))
        task = asyncio.current_task()
        assert task is not None, "it runs in one"  # noqa: S101 - asyncio began it
        has_room = len(self._taken) < self._limits.clients
        present = self._taken if has_room else self._turned_away
        if not has_room and len(present) >= MOST_TURNED_AWAY:
            writer.transport.abort()
            return
        present[task] = conversation
        try:
            await (conversation.run() if has_room else self._turn_away(conversation))
        except asyncio.CancelledError:  # by us, at the end; asyncio of Python 3.11 would log it
            writer.transport.abort()
        finally:
            del present[task]

    async def _turn_away(self, conversation: Conversation) -> None:
        why = f"{self._limits.clients} clients are here, which is all this service has room for; try again later"
        await conversation.refuse(RefusedError("full", why))
        conversation.writer.close()

    async def _see_out(self) -> None:
        """Let those who speak have their answer."""
        for conversation in self._taken.values():
            await conversation.stop()
        if self._taken:
            await asyncio.wait(list(self._taken), timeout=self._limits.close_s)
        left = [*self._taken, *self._turned_away]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


def _who(writer: asyncio.StreamWriter) -> str:
    """A client, for the log."""
    name = writer.get_extra_info("peername")
    return f"the client at {name[0]} port {name[1]}" if isinstance(name, tuple) else "a client"
