"""Streams that come in over WebSockets: each goes to the daemon's audio socket, its events come back."""

import asyncio
import dataclasses
import json
import logging
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from digitd.daemon.callers.greeting import greeted, refused
from digitd.daemon.errors import ConfigError
from digitd.daemon.events import End
from digitd.daemon.follower import MAX_LINE_BYTES, nobody
from digitd.daemon.web.farewell import dismiss, reason

END_S = 3.0
"""When the gateway ends, or a speaker has gone, the daemon has so long to decide what was said: it may be stopped."""
NOT_THERE = "the daemon is not there; try again later"
HUNG_UP = "the daemon hung up before the end of the stream; begin it anew"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Closing:
    """How a connection ends."""

    code: CloseCode
    why: str


class Relay:
    """Carries streams to one daemon.

    Args:
        path: of its audio socket.
        patience_s: who sends nothing for so long, or takes nothing, has left; a muted microphone sends zeros.
    """

    def __init__(self, path: Path, patience_s: float) -> None:
        self._path, self._patience_s = path, patience_s
        self._feeding: set[asyncio.Task[Closing]] = set()
        self._over = asyncio.Event()
        self._over.set()

    async def carry(self, connection: ServerConnection) -> None:
        """One stream, from its greeting to its end."""
        try:
            line = _greeting(await self._next(connection))
            reader, writer = await asyncio.open_unix_connection(str(self._path), limit=MAX_LINE_BYTES)
        except ConfigError as error:
            await _refuse(connection, CloseCode.POLICY_VIOLATION, str(error))
        except TimeoutError:
            await _refuse(connection, CloseCode.POLICY_VIOLATION, self._silence())
        except ConnectionClosed:
            return
        except OSError as error:
            logger.warning("%s", nobody(self._path, error))
            await _refuse(connection, CloseCode.TRY_AGAIN_LATER, NOT_THERE)
        else:
            writer.write(line)
            await self._converse(connection, reader, writer)

    async def finish(self) -> None:
        """End all streams; what is open is decided and told, if that takes no longer than END_S."""
        for feeding in self._feeding:
            feeding.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(END_S):
                await self._over.wait()

    async def _converse(
        self, connection: ServerConnection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        feeding = asyncio.create_task(self._feed(connection, writer))
        self._feeding.add(feeding)
        self._over.clear()
        deserting = asyncio.create_task(_desert(connection, writer))
        try:
            last = await self._tell(connection, reader)
            await self._part(connection, last, feeding)
        except ConnectionClosed as closed:
            logger.info("a speaker left: %a", str(closed))  # he may have given any reason
        except TimeoutError:
            logger.warning("a speaker took none of his events for %g s and is dropped", self._patience_s)
            connection.transport.abort()
        finally:
            feeding.cancel()
            deserting.cancel()
            writer.close()
            self._feeding.discard(feeding)
            if not self._feeding:
                self._over.set()

    async def _feed(self, connection: ServerConnection, writer: asyncio.StreamWriter) -> Closing:
        """Hand samples on until nothing more comes, for whatever reason; the daemon then decides what is open."""
        try:
            while isinstance(message := await self._next(connection), bytes):
                writer.write(message)
                await writer.drain()
            if _is_end(message):
                return Closing(CloseCode.NORMAL_CLOSURE, "the end")
            return Closing(CloseCode.POLICY_VIOLATION, 'no samples and no {"end":true}; the stream was ended')
        except TimeoutError:
            return Closing(CloseCode.POLICY_VIOLATION, self._silence())
        except ConnectionClosed:
            return Closing(CloseCode.NORMAL_CLOSURE, "gone")
        except OSError:  # the daemon has hung up, which the reading tells
            return Closing(CloseCode.TRY_AGAIN_LATER, HUNG_UP)
        except asyncio.CancelledError:
            return Closing(CloseCode.GOING_AWAY, "the gateway or the daemon has ended the stream")
        finally:
            with suppress(OSError):
                writer.write_eof()

    async def _tell(self, connection: ServerConnection, reader: asyncio.StreamReader) -> bytes:
        """Hand lines on until the daemon hangs up; the last of them.

        Raises:
            ConnectionClosed: there is nobody any more.
            TimeoutError: or he takes none.
        """
        last = b""
        while (line := await _line(reader)).endswith(b"\n"):
            last = line[:-1]
            async with asyncio.timeout(self._patience_s):
                await connection.send(last, text=True)
        return last

    async def _part(self, connection: ServerConnection, last: bytes, feeding: "asyncio.Task[Closing]") -> None:
        """Close as it has come to its end: with `end`, a refusal of the daemon's, or one of ours."""
        kind = json.loads(last or b'{"type":""}')["type"]
        if kind == End.type:
            feeding.cancel()
            closing = await feeding
            await connection.close(closing.code, reason(closing.why))
        elif kind == "refused":
            await connection.close(CloseCode.TRY_AGAIN_LATER, reason(json.loads(last)["reason"]))
        else:
            await _refuse(connection, CloseCode.TRY_AGAIN_LATER, HUNG_UP)

    async def _next(self, connection: ServerConnection) -> str | bytes:
        async with asyncio.timeout(self._patience_s):
            return await connection.recv()

    def _silence(self) -> str:
        return f"nothing came for {self._patience_s:g} s; who is muted sends zeros"


def _greeting(message: str | bytes) -> bytes:
    """The line of a greeting.

    Raises:
        ConfigError: it is none.
    """
    if isinstance(message, bytes):
        raise ConfigError('samples before a greeting; begin with a text message like {"rate_hz":16000}')
    given = dataclasses.asdict(greeted(message.encode()))
    return json.dumps({key: value for key, value in given.items() if value}).encode() + b"\n"


async def _line(reader: asyncio.StreamReader) -> bytes:
    """The daemon's next; nothing where it was killed, or cannot take one more."""
    try:
        return await reader.readline()
    except OSError:
        return b""


async def _desert(connection: ServerConnection, writer: asyncio.StreamWriter) -> None:
    """Leave the daemon, once nobody is there any more whom it could tell."""
    await connection.wait_closed()
    await asyncio.sleep(END_S)
    writer.transport.abort()


def _is_end(message: str) -> bool:
    try:
        return bool(json.loads(message) == {"end": True})
    except (ValueError, RecursionError):
        return False


async def _refuse(connection: ServerConnection, code: CloseCode, why: str) -> None:
    await dismiss(connection, code, why, refused(why))
