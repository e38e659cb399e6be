"""The events of a daemon, for a program that waits for them."""

import os
import select
import socket
import threading
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from digitd.daemon.client import web
from digitd.daemon.client.news import News, Reading
from digitd.daemon.client.place import placed
from digitd.daemon.errors import SinkError
from digitd.daemon.follower import Follower
from digitd.daemon.outage import Outage

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection


class _Stopped(Exception):  # noqa: N818 - no error: it ends the waiting
    """Nothing more is wanted."""


class Events(Iterator[News]):
    """Iterates over what a daemon tells, for ever: through its restarts, until `stop`.

    Args:
        where: `unix:PATH`, a path, ws://HOST:PORT/events, wss://...; None: where `digitd watch` looks.
        token: lets in to a WebSocket; may stand in its address (`?token=`) too.
        ca_file: certificates that vouch for a wss:// server which the system does not know.
        once: whether the daemon's end is the end, and one that is not there an error.

    Raises:
        DigitdError: no such place can be, what comes is no event, or we are refused; also from the iteration.
    """

    def __init__(
        self, where: str | Path | None = None, *, token: str = "", ca_file: str | Path = "", once: bool = False
    ) -> None:
        self._place, self._once = placed(where, token, ca_file), once
        self._stopped = threading.Event()
        self._connection: ClientConnection | None = None
        self._heard, self._bell = os.pipe()
        os.set_blocking(self._bell, False)
        self._news = self._followed() if self._place.url == "" else self._listened()

    def __next__(self) -> News:
        try:
            return next(self._news)
        except _Stopped:
            raise StopIteration from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._news.close()
        self._hang_up()

    def __del__(self) -> None:
        with suppress(AttributeError):  # of one that was never made
            self._hang_up()

    def stop(self) -> None:
        """End the iteration, at once; from any thread, or a signal handler."""
        self._stopped.set()
        with suppress(OSError):  # rung often enough, or hung up
            os.write(self._bell, b"!")
        if self._connection is not None:
            with suppress(OSError):
                self._connection.socket.shutdown(socket.SHUT_RDWR)

    def _hang_up(self) -> None:
        heard, bell, self._heard, self._bell = self._heard, self._bell, -1, -1
        for end in (heard, bell):
            if end >= 0:
                os.close(end)

    def _followed(self) -> Generator[News, None, None]:
        """Of a UNIX socket."""
        reading = Reading(str(self._place))
        follower = Follower(self._place.path, once=self._once, wait=self._wait, tell=lambda _: None)
        for step in follower.steps():
            if isinstance(step, bytes):
                yield from reading.news(step, waited=follower.waited)
            else:
                yield step

    def _listened(self) -> Generator[News, None, None]:
        """Of a WebSocket."""
        reading, outage = Reading(str(self._place)), Outage()
        while not self._stopped.is_set():
            try:
                for line in web.lines(self._place, self._hold):
                    if back := outage.hear():
                        yield back
                    yield from reading.news(line, waited=outage.waited)
                trouble = "gone"
            except ConnectionError as error:
                trouble = str(error)
                if self._once and not trouble == "gone":
                    raise SinkError(f"{self._place}: {trouble}") from error
            if self._once or self._stopped.is_set():
                return
            away, pause_s = outage.lose(trouble)
            if away:
                yield away
            self._wait(None, pause_s)  # not `_stopped.wait`: a signal handler that stops us may find its lock held

    def _hold(self, connection: "ClientConnection") -> None:
        self._connection = connection
        if self._stopped.is_set():
            raise _Stopped

    def _wait(self, client: socket.socket | None, for_s: float | None) -> None:
        """See Follower."""
        poll = select.poll()
        poll.register(self._heard, select.POLLIN)
        if client is not None:
            poll.register(client, select.POLLIN)
        poll.poll(None if for_s is None else for_s * 1000)
        if self._stopped.is_set():
            raise _Stopped


def events(where: str | Path | None = None, *, token: str = "", ca_file: str | Path = "", once: bool = False) -> Events:
    """What a daemon tells, for ever; see Events.

    Raises:
        DigitdError: as Events.
    """
    return Events(where, token=token, ca_file=ca_file, once=once)
