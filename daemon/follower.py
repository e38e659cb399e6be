"""Follows a daemon's socket through its restarts."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from digitd.daemon.errors import SinkError
from digitd.daemon.outage import FIRST_PAUSE_S, LONGEST_PAUSE_S, Away, Back, Outage

__all__ = ["FIRST_PAUSE_S", "LONGEST_PAUSE_S", "MAX_LINE_BYTES", "Follower", "Wait", "connected", "nobody"]

MAX_LINE_BYTES = 1024 * 1024

Wait = Callable[[socket.socket | None, float | None], None]
"""Returns when a socket can be read, or after so many seconds."""


class Follower:
    """Hands on the lines of a socket for ever; when the daemon goes away, the next one is waited for.

    Args:
        path: of the socket.
        once: whether its end is the end.
        wait: whatever else the caller looks at meanwhile, and may leave for.
        tell: takes one line when the daemon goes and one when it is back.
    """

    def __init__(self, path: Path, *, once: bool, wait: Wait, tell: Callable[[str], None]) -> None:
        self._path, self._once = path, once
        self._wait, self._tell = wait, tell
        self._outage = Outage()

    @property
    def waited(self) -> bool:
        """Whether the daemon has ever been away."""
        return self._outage.waited

    def lines(self) -> Iterator[bytes]:
        """The lines, without their ends; one that breaks off is none.

        Raises:
            SinkError: there can be no such socket, or what comes is no lines; with `once`, nobody answers.
        """
        for step in self.steps():
            if isinstance(step, bytes):
                yield step
            else:
                self._tell(str(step))

    def steps(self) -> Iterator[bytes | Away | Back]:
        """The same, with what is told in its place among the lines.

        Raises:
            SinkError: as `lines`.
        """
        while True:
            try:
                yield from self._connection()
                trouble = "gone"
            except OSError as error:
                if self._once or error.errno is None:  # of a path that is too long there is only a text
                    raise nobody(self._path, error) from error
                trouble = f"nobody answers ({error.strerror})"
            if self._once:
                return
            away, pause_s = self._outage.lose(trouble)
            if away:
                yield away
            self._wait(None, pause_s)

    def _connection(self) -> Iterator[bytes | Back]:
        """The lines of one connection. Only a line tells that it is back: systemd listens for one that is down."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(0)  # where too many knock, it is for later
            client.connect(str(self._path))
            for line in self._received(client):
                if back := self._outage.hear():
                    yield back
                yield line

    def _received(self, client: socket.socket) -> Iterator[bytes]:
        begun = b""
        while True:
            self._wait(client, None)
            try:
                sent = client.recv(65536)
            except ConnectionResetError:  # by one that was killed, or has dropped a reader that did not read
                return
            if not sent:
                return
            *whole, begun = (begun + sent).split(b"\n")
            yield from whole
            if len(begun) > MAX_LINE_BYTES:
                raise SinkError(f"{self._path}: {begun[:20]!r}... has no end; is it `digitd run` that is there?")


@contextmanager
def connected(path: Path) -> Iterator[socket.socket]:
    """A connection to the daemon.

    Raises:
        SinkError: nobody answers.
    """
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except OSError as error:
            raise nobody(path, error) from error
        yield client


def nobody(path: Path, error: OSError) -> SinkError:
    """What tells that there is no daemon."""
    return SinkError(f"{path}: nobody answers ({error.strerror or error}); is `digitd run` using it?")
