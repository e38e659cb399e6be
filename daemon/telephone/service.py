"""Listens wherever calls come in, until it is told to stop."""

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack, closing
from functools import partial

from digitd.daemon.errors import ConfigError
from digitd.daemon.listening import listener, printed
from digitd.daemon.stopping import on_signal
from digitd.daemon.telephone.address import LARGEST_PORT, Address, datagrams
from digitd.daemon.telephone.audiosocket_server import AudioSocketServer
from digitd.daemon.telephone.exchange import Exchange
from digitd.daemon.telephone.rtp_port import RtcpPort, RtpPort
from digitd.daemon.telephone.speaker import RtpSettings

TICK_S = 0.02
"""A packet's length."""
BUFFERED_BYTES = 1 << 20
"""Of a port: what comes while the process is kept waiting."""

logger = logging.getLogger(__name__)


class Service:
    """Every address of one exchange; they are opened inside `async with`, and all calls end after it."""

    def __init__(self, exchange: Exchange) -> None:
        self.addresses: list[str] = []
        """What is listened on."""
        self._exchange, self._ports, self._stack = exchange, list[RtpPort](), AsyncExitStack()

    async def __aenter__(self) -> "Service":
        await self._stack.__aenter__()
        self._stack.push_async_callback(self._exchange.close)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def answer(self, address: Address, places: int, *, one_string: bool) -> None:
        """Answer Asterisk at an address.

        Raises:
            SinkError: it cannot be listened on.
        """
        server = AudioSocketServer(self._exchange, places, one_string=one_string)
        self._stack.push_async_callback(server.close)
        for port in address.ports:
            listening = listener(address.host, port, "--audiosocket")
            self._stack.callback((await asyncio.start_server(server.receive, sock=listening)).close)
            self.addresses.append(f"AudioSocket {printed(*listening.getsockname()[:2])}")

    async def hear(self, address: Address, settings: RtpSettings) -> None:
        """Hear RTP at the first, third, ... port of an address, and its RTCP at the port after each.

        Raises:
            ConfigError: there are no such ports.
            SinkError: one of them cannot be had.
        """
        loop, ports = asyncio.get_running_loop(), address.ports[::2]
        if ports[0] == 0 or ports[-1] >= LARGEST_PORT:
            raise ConfigError(f"RTP at port {ports[0]} to {ports[-1]}: they lie from 1 to {LARGEST_PORT - 1}")
        for port in ports:
            rtp = RtpPort(port, self._exchange, settings)
            for number, protocol in ((port, rtp), (port + 1, RtcpPort(rtp))):
                heard = datagrams(address.host, number)
                heard.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFERED_BYTES)
                transport, _ = await loop.create_datagram_endpoint(partial(_given, protocol), sock=heard)
                self._stack.callback(transport.close)
            self._stack.enter_context(closing(rtp))
            self._ports.append(rtp)
        self.addresses.append(f"RTP {printed(address.host, ports[0])}-{ports[-1] + 1}")

    async def run(self, begun: Callable[[], None]) -> None:
        """Serve until SIGINT or SIGTERM, or until nobody wants to hear of it; `begun` is called once calls may come."""
        over = self._exchange.over
        on_signal(over.set)
        logger.info("hears %s", ", ".join(self.addresses))
        begun()
        async with asyncio.TaskGroup() as tasks:  # what ends the ticking ends the service
            ticking = tasks.create_task(self._tick())
            await over.wait()
            ticking.cancel()

    async def _tick(self) -> None:
        """What time alone brings."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(TICK_S)
            for port in self._ports:
                port.tick(loop.time())


def _given(protocol: asyncio.DatagramProtocol) -> asyncio.DatagramProtocol:
    """For where a factory is asked for."""
    return protocol
