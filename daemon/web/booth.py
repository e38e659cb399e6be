"""Where people speak into their browsers: each a connection, each a pipeline, over one network."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from digitd.daemon.errors import AudioError, ConfigError, DigitdError
from digitd.daemon.listener import Network
from digitd.daemon.mode import Mode
from digitd.daemon.pipeline import PipelineConfig
from digitd.daemon.web.farewell import dismiss
from digitd.daemon.web.microphone import Note, Opening, told
from digitd.daemon.web.speaker import Speaker

SILENT_S = 30.0
"""Who sends nothing for so long leaves his place to others; a muted microphone sends zeros."""

Result = TypeVar("Result")

logger = logging.getLogger(__name__)


class Booth:
    """Hears so many speakers at once as it has `places`; more are told to come back.

    The network runs in threads, so that nobody waits for another's; a connection is read no faster than it is heard.
    """

    def __init__(self, network: Network, config: PipelineConfig, mode: Mode, places: int) -> None:
        self._network, self._config, self._mode = network, config, mode
        self._places, self._taken = places, 0
        self._threads = ThreadPoolExecutor(places, "speaker")

    async def admit(self, connection: ServerConnection) -> None:
        """Hear one speaker to his end."""
        if self._taken >= self._places:
            full = f"{self._places} are speaking already, which is all this server hears at once; try again later"
            await dismiss(connection, CloseCode.TRY_AGAIN_LATER, full)
            return
        self._taken += 1
        try:
            await self._hear(connection)
        except TimeoutError:
            silent = f"nothing came for {SILENT_S:g} s; the place is for others now"
            await dismiss(connection, CloseCode.POLICY_VIOLATION, silent)
        except ConfigError as error:
            await dismiss(connection, CloseCode.POLICY_VIOLATION, str(error))
        except AudioError as error:
            await dismiss(connection, CloseCode.INVALID_DATA, str(error))
        except ConnectionClosed as closed:
            logger.info("a speaker left: %a", str(closed))  # he may have given any reason
        finally:
            self._taken -= 1

    def close(self) -> None:
        """Let the threads go, once nobody is heard any more."""
        self._threads.shutdown()

    async def _hear(self, connection: ServerConnection) -> None:
        """Raises ConfigError, AudioError, TimeoutError, ConnectionClosed where he does not come to a good end."""
        opening = told(Opening, await _next(connection))
        speaker = await self._in_thread(partial(Speaker, self._network, self._config, self._mode, opening))
        await connection.send(speaker.ready())
        while True:
            message = await _next(connection)
            if isinstance(message, bytes):
                await self._send(connection, *await self._in_thread(partial(speaker.hear, message)))
                continue
            note = told(Note, message)
            speaker.lose(note.lost_s)
            if note.mode:
                await connection.send(speaker.switch(note.mode))
            if note.end:
                await self._send(connection, *await self._in_thread(speaker.finish))
                await connection.close(CloseCode.NORMAL_CLOSURE, "the end")
                return

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def _send(self, connection: ServerConnection, lines: list[str], trouble: DigitdError | None) -> None:
        for line in lines:
            await connection.send(line)
        if trouble:
            raise trouble


async def _next(connection: ServerConnection) -> str | bytes:
    async with asyncio.timeout(SILENT_S):
        return await connection.recv()
