"""Serves the page and its two sockets, on loopback alone, until it is told to stop."""

import asyncio
import logging
import socket
from collections.abc import Callable
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from digitd.daemon.errors import ConfigError
from digitd.daemon.listening import listener, printed
from digitd.daemon.stopping import on_signal
from digitd.daemon.web.booth import Booth
from digitd.daemon.web.gate import Gate, asked_for
from digitd.daemon.web.live import Live
from digitd.daemon.web.page import Pages, plain, redirection

HOSTS = {"127.0.0.1": "127.0.0.1", "localhost": "127.0.0.1", "::1": "::1", "[::1]": "::1"}
"""What may be asked for -> the address that is listened on."""
PAGE, LIVE, SPEAK = "/", "/live", "/speak"
MAX_MESSAGE_BYTES = 256 * 1024
"""More than half a second at the highest rate."""
MAX_WAITING_MESSAGES = 8
"""Of one connection; then its sender has to wait."""
OPEN_S = 5.0
CLOSE_S = 1.0

logger = logging.getLogger(__name__)
transport_logger = logging.getLogger(f"{__name__}.transport")
transport_logger.setLevel(logging.WARNING)  # at `debug` it would write down what it is asked for, and the token with it


def bound(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        ConfigError: other machines could reach it, or there is no such port.
        SinkError: it cannot be had.
    """
    if host not in HOSTS:
        raise ConfigError(
            f"--host {host}: not loopback; whoever reached it there could listen in, unencrypted. Keep to 127.0.0.1, "
            "and come from another machine through `ssh -L`"
        )
    if not 0 <= port <= 65535:
        raise ConfigError(f"--port {port}: no port; it lies from 0 (any that is free) to 65535")
    return listener(HOSTS[host], port, "--port")


def address(listening: socket.socket) -> str:
    """Of the page, without what lets in."""
    return f"http://{printed(*listening.getsockname()[:2])}/"


class WebServer:
    """Lets in whom the gate does, and hands sockets to those who know what to do with them."""

    def __init__(self, gate: Gate, booth: Booth, live: Live) -> None:
        self._gate, self._booth, self._live = gate, booth, live
        self._pages = Pages()

    async def run(self, listener: socket.socket, begun: Callable[[], None]) -> None:
        """Serve until SIGINT or SIGTERM; `begun` is called once somebody may come."""
        stop = asyncio.Event()
        on_signal(stop.set)
        with self._live.followed(asyncio.get_running_loop()):  # for longer than the pages are there
            async with serve(
                self._converse,
                sock=listener,
                process_request=self._answer,
                server_header=None,
                compression=None,
                open_timeout=OPEN_S,
                close_timeout=CLOSE_S,
                max_size=MAX_MESSAGE_BYTES,
                max_queue=MAX_WAITING_MESSAGES,
                logger=transport_logger,
            ):
                begun()
                await stop.wait()

    def _answer(self, _connection: ServerConnection, request: Request) -> Response | None:
        """A page or a refusal; None lets a socket be opened."""
        path = asked_for(request)
        refusal = self._gate.misled(request)
        if not refusal and path == PAGE and self._gate.takes_ticket(request):
            return redirection(f"{PAGE}?{self._gate.query}")
        refusal = self._gate.refusal(request, socket=path in (LIVE, SPEAK))
        if refusal:
            logger.info("refused: %s", refusal.reason)
            if path == PAGE and refusal.status == HTTPStatus.FORBIDDEN:
                return self._pages.refused(refusal.status)
            return plain(refusal.status, refusal.reason)
        if path == PAGE:
            return self._pages.page(request.headers["Host"])
        if path in (LIVE, SPEAK):
            return None
        return plain(HTTPStatus.NOT_FOUND, "there is one page here, /")

    async def _converse(self, connection: ServerConnection) -> None:
        assert connection.request is not None, "it has asked for a socket"  # noqa: S101 - the handshake is over
        if asked_for(connection.request) == SPEAK:
            await self._booth.admit(connection)
        else:
            await self._live.show(connection)
