"""Serves the two sockets until it is told to stop."""

import asyncio
import logging
import signal
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from http import HTTPStatus
from weakref import WeakKeyDictionary

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from digitd.daemon.errors import ConfigError, SinkError
from digitd.daemon.gateway.broadcast import Broadcast
from digitd.daemon.gateway.door import BACKLOG
from digitd.daemon.gateway.gate import Gate
from digitd.daemon.gateway.relay import Relay
from digitd.daemon.gateway.tokens import Token
from digitd.daemon.stopping import on_signal
from digitd.daemon.web.gate import Refusal, asked_for
from digitd.daemon.web.page import plain

AUDIO, EVENTS = "/audio", "/events"
MAX_MESSAGE_BYTES = 256 * 1024
"""More than a second at the highest rate, mono."""
MAX_WAITING_MESSAGES = 4
"""Of one connection; then its sender has to wait."""
OPEN_S = 5.0
"""For the handshake of TLS, and again for that of the WebSocket."""
CLOSE_S = 1.0

logger = logging.getLogger(__name__)
transport_logger = logging.getLogger(f"{__name__}.transport")
transport_logger.setLevel(logging.WARNING)  # at `debug` it would write down what it is asked for, and the token with it


@dataclass(frozen=True)
class Services:
    """What there is to open."""

    relay: Relay | None
    """At AUDIO."""
    broadcast: Broadcast | None
    """At EVENTS."""

    @property
    def paths(self) -> tuple[str, ...]:
        """Of those that are there."""
        return tuple(each for each, service in ((AUDIO, self.relay), (EVENTS, self.broadcast)) if service)


class Gateway:
    """Lets in whom the gate does.

    Args:
        encryption: None: there is none.
        patience_s: who answers no ping for so long has left.
        reread: takes up tokens and certificate anew; raises ConfigError where they cannot be, and all stays as it is.
    """

    def __init__(
        self,
        services: Services,
        gate: Gate,
        encryption: ssl.SSLContext | None,
        patience_s: float,
        reread: Callable[[], None],
    ) -> None:
        self._services, self._gate, self._encryption = services, gate, encryption
        self._patience_s, self._reread = patience_s, reread
        self._tokens: WeakKeyDictionary[ServerConnection, Token] = WeakKeyDictionary()
        self._server: Server | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._stop, self._failure = asyncio.Event(), ""

    async def run(self, listener: socket.socket, begun: Callable[[], None]) -> None:
        """Serve until SIGINT or SIGTERM; `begun` is called once somebody may come. SIGHUP has files read again.

        Raises:
            SinkError: what the daemon tells is nothing that can be handed on.
        """
        loop = asyncio.get_running_loop()
        on_signal(self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        with ExitStack() as stack:
            if self._services.broadcast:
                stack.enter_context(self._services.broadcast.followed(loop, self._fail))
            async with self._served(listener) as self._server:
                begun()
                await self._stop.wait()
                if self._services.relay:
                    await self._services.relay.finish()
        if self._failure:
            raise SinkError(self._failure)

    def _served(self, listener: socket.socket) -> Server:
        return serve(
            self._converse,
            sock=listener,
            backlog=BACKLOG,
            ssl=self._encryption,
            ssl_handshake_timeout=OPEN_S if self._encryption else None,
            process_request=self._answer,
            server_header=None,
            compression=None,
            open_timeout=OPEN_S,
            close_timeout=CLOSE_S,
            ping_interval=self._patience_s,
            ping_timeout=self._patience_s,
            max_size=MAX_MESSAGE_BYTES,
            max_queue=MAX_WAITING_MESSAGES,
            logger=transport_logger,
        )

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """A refusal; None lets a socket be opened."""
        caller = self._gate.caller(request, connection.remote_address[0])
        looked = self._gate.look(request, caller, self._inside(), time.monotonic())
        if self._stop.is_set():
            looked = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "the gateway ends")
        if isinstance(looked, Token):
            self._tokens[connection] = looked
            return None
        logger.info("%a is refused: %s", caller, looked.reason)  # a proxy may have been told any name
        response = plain(looked.status, looked.reason)
        if looked.status == HTTPStatus.UNAUTHORIZED:
            response.headers["WWW-Authenticate"] = "Bearer"
        return response

    def _inside(self) -> list[Token]:
        return [self._tokens[each] for each in self._server.connections] if self._server else []

    async def _converse(self, connection: ServerConnection) -> None:
        assert connection.request is not None, "it has asked for a socket"  # noqa: S101 - the handshake is over
        logger.info("%r comes in to %s", self._tokens[connection].name, asked_for(connection.request))
        if asked_for(connection.request) == AUDIO and self._services.relay:
            await self._services.relay.carry(connection)
        elif self._services.broadcast:
            await self._services.broadcast.tell(connection)

    def _fail(self, why: str) -> None:
        self._failure = why
        self._stop.set()

    def _reload(self) -> None:
        """Take up what the files hold now; those whose token is gone have to go."""
        try:
            self._reread()
        except ConfigError as error:
            logger.error("all stays as it was: %s", error)
            return
        logger.warning("tokens and certificate were read again")
        valid = self._gate.tokens
        for connection in self._server.connections if self._server else ():
            if valid is not None and self._tokens[connection] not in valid:
                leaving = asyncio.create_task(
                    connection.close(CloseCode.POLICY_VIOLATION, "this token is no longer valid")
                )
                self._leaving.add(leaving)
                leaving.add_done_callback(self._leaving.discard)
