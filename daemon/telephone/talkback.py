"""What Asterisk is sent during a call: silence, and the end. It takes nothing else, keys neither."""

import asyncio
from contextlib import suppress

from digitd.daemon.telephone.audiosocket_frame import HANG_UP, RATES_HZ, Frame

KEEP_ALIVE_S = 1.0
"""Asterisk ends a call where nothing comes for 2 s, also while the caller's telephone sends nothing."""
MAX_UNREAD_BYTES = 65536
"""Who leaves more unread is sent no more silence."""
FAREWELL_S = 1.0


class Talkback:
    """Writes to one connection, and never waits for its reader."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._kind, self._answered_s = min(RATES_HZ), 0.0

    def answer(self, frame: Frame) -> None:
        """Send as much silence as there is sound in `frame`: it keeps the caller's line open, at his own pace."""
        self._kind, self._answered_s = frame.kind, asyncio.get_running_loop().time()
        self._send(Frame(frame.kind, bytes(len(frame.payload))))

    async def keep_alive(self) -> None:
        """Send silence for ever, while none is sent in answer."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(KEEP_ALIVE_S)
            if loop.time() - self._answered_s >= KEEP_ALIVE_S:
                self._send(Frame(self._kind, bytes(2 * RATES_HZ[self._kind] // 50)))

    async def hang_up(self) -> None:
        """Tell so, and close: the dialplan goes on."""
        self._send(Frame(HANG_UP))
        self._writer.close()
        with suppress(OSError):
            async with asyncio.timeout(FAREWELL_S):
                await self._writer.wait_closed()
        self._writer.transport.abort()

    def _send(self, frame: Frame) -> None:
        transport = self._writer.transport
        if not transport.is_closing() and transport.get_write_buffer_size() < MAX_UNREAD_BYTES:
            self._writer.write(bytes(frame))
