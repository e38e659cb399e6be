"""Serves metrics over HTTP, on a Unix socket or a loopback port; no client of it can hold up the stream."""

import logging
import os
import socket
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from pathlib import Path
from socketserver import BaseServer, TCPServer, ThreadingMixIn
from typing import Any

from digitd.daemon.errors import SinkError
from digitd.daemon.metrics import Metrics, MetricsConfig
from digitd.daemon.sinks.unix_socket import listen

MAX_CLIENTS = 16
"""Of a new one over that, the oldest is dropped: a scrape takes milliseconds, who is still there then is asleep."""
CLIENT_S = 5.0
"""A client that has not sent its request by then is dropped, as is one that does not read its answer for so long."""
MAX_REQUEST_BYTES = 16 * 1024
CLOSE_S = 0.3
RETRY_S = 0.1

logger = logging.getLogger(__name__)


class MetricsServer:
    """Answers scrapes, each on a thread of its own.

    Raises:
        SinkError: the path or the port cannot be had.
    """

    def __init__(self, config: MetricsConfig, metrics: Metrics) -> None:
        listener = _listener(config)
        self._path = config.address if isinstance(config.address, Path) else None
        self._inode = self._path.stat().st_ino if self._path else 0
        self.listen = config.listen if self._path else f"{config.listen.rpartition(':')[0]}:{listener.getsockname()[1]}"
        """As it was asked for, with the port that it got where any was."""
        self._server = _Server(listener, metrics)
        self._thread = threading.Thread(target=self._server.answer, name="metrics", daemon=True)
        self._thread.start()
        logger.info("metrics can be scraped at %s", self.listen)

    def close(self) -> None:
        """Drop all clients, within CLOSE_S, and remove the socket."""
        self._server.stop()
        self._thread.join()
        self._server.server_close()
        if self._path:
            with suppress(FileNotFoundError):
                if self._path.stat().st_ino == self._inode:  # else another process has taken the path since
                    self._path.unlink()


class _Server(ThreadingMixIn, TCPServer):
    """The library's handler on a socket that listens already, with a bound on how many may be there at once."""

    daemon_threads = True

    def __init__(self, listener: socket.socket, metrics: Metrics) -> None:
        handler = type("Handler", (_BoundedHandler, metrics.handler), {})
        BaseServer.__init__(self, "", handler)  # TCPServer's own would open a TCP socket, which a sandbox may forbid
        self.socket = listener
        self._stopping = threading.Event()
        self._clients: list[socket.socket] = []
        self._left = threading.Condition()  # guards `_clients`

    def answer(self) -> None:
        """Take clients until `stop`; unlike `serve_forever` it does not wake up to look for it."""
        while not self._stopping.is_set():
            self.handle_request()

    def stop(self) -> None:
        """End `answer`."""
        self._stopping.set()
        self.socket.shutdown(socket.SHUT_RDWR)  # wakes it

    def server_close(self) -> None:
        """Hang up on every client, and wait for them no longer than CLOSE_S."""
        with self._left:
            for client in self._clients:
                _hang_up(client)
            self._left.wait_for(lambda: not self._clients, CLOSE_S)
        super().server_close()

    def get_request(self) -> tuple[socket.socket, Any]:
        """The next client; where too many are there, the one that came first must go."""
        try:
            client, address = self.socket.accept()
        except OSError:  # no descriptor is free
            self._stopping.wait(RETRY_S)
            raise
        with self._left:
            self._clients.append(client)
            if len(self._clients) > MAX_CLIENTS:
                _hang_up(self._clients.pop(0))
        return client, address

    def close_request(self, request: Any) -> None:
        """Let a client go."""
        with self._left:
            if request in self._clients:
                self._clients.remove(request)
            self._left.notify_all()
        request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - what it overrides has them
        """Tell the log, in place of standard error."""
        error = sys.exception()
        level = logging.DEBUG if isinstance(error, OSError) else logging.WARNING  # a client that left is no trouble
        logger.log(level, "a scrape of the metrics failed: %r", error)


class _BoundedHandler(BaseHTTPRequestHandler):
    """Reads a request within CLIENT_S and MAX_REQUEST_BYTES, whatever is sent and however slowly."""

    def handle(self) -> None:
        """Answer one request."""
        self.rfile.close()
        self.rfile = BytesIO(_request(self.connection))
        super().handle()


def _request(client: socket.socket) -> bytes:
    """What it sends up to a blank line; more than MAX_REQUEST_BYTES is left unread.

    Raises:
        TimeoutError: there is none after CLIENT_S.
    """
    until_s = time.monotonic() + CLIENT_S
    sent = b""
    while b"\n\r\n" not in sent and b"\n\n" not in sent and len(sent) < MAX_REQUEST_BYTES:
        client.settimeout(max(until_s - time.monotonic(), 0.001))  # 0 would mean: for ever
        if not (more := client.recv(4096)):
            break
        sent += more
    client.settimeout(CLIENT_S)
    return sent


def _hang_up(client: socket.socket) -> None:
    """Wake the thread that waits for it, which closes it."""
    with suppress(OSError):  # it has left already
        client.shutdown(socket.SHUT_RDWR)


def _listener(config: MetricsConfig) -> socket.socket:
    address = config.address
    if isinstance(address, Path):
        listener = listen(address, config.group)
        address.chmod(0o660 if config.group else 0o600)
        return listener
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    try:
        return socket.create_server(address, family=family)
    except OSError as error:
        raise SinkError(
            f"metrics.listen = {config.listen!r}: it cannot listen there ({os.strerror(error.errno or 0)}); "
            "name a free port of this machine"
        ) from error
