"""One caller: his samples as a source, and the events of his stream sent back to him."""

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from threading import Event as Flag

import numpy as np

from digitd.daemon.audio import Block, from_pcm16
from digitd.daemon.callers.greeting import Greeting, refused
from digitd.daemon.errors import AudioError
from digitd.daemon.events import End, Event
from digitd.daemon.request import MAX_LINE_BYTES

READ_BYTES = 65536
MAX_WAITING_BYTES = 256 * 1024
"""A caller who leaves more events unread is told nothing more, and his stream ends."""


class Caller:
    """A connection that never holds anybody up: nothing here waits.

    It is a source once its greeting is known; its events go back until he leaves.
    """

    live = True
    waiting_s = 0.0
    patience_s = 0.0
    rests = False

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(0)
        self._connection = connection
        self._came = b""  # and was not taken
        self._unsent = b""
        self._greeting = Greeting()
        self._over = False  # nothing more comes
        self._gone = False  # and nothing more can be sent
        self.name = ""
        self.left_s: float | None = None
        """When he was told all that there is to tell, by the monotonic clock."""

    def first_line(self) -> bytes | None:
        """The line that all begins with, without its end; None where it has not come yet."""
        self._take()
        line, found, rest = self._came.partition(b"\n")
        if found or len(self._came) > MAX_LINE_BYTES or self._over:
            self._came = rest
            return line
        return None

    def begin(self, greeting: Greeting, name: str) -> None:
        """From here on it is a source."""
        self._greeting, self.name = greeting, name

    @property
    def rate_hz(self) -> int:
        """Of his frames."""
        return self._greeting.rate_hz

    def blocks(self, stop: Flag) -> Iterator[Block]:
        """Whole frames that have come, or an empty block; until he sends no more.

        Raises:
            AudioError: he ends within a frame.
        """
        channels = self._greeting.channels
        frame_bytes = 2 * channels
        nothing = Block(np.zeros((0, channels), np.float32))
        while not stop.is_set():
            self._take()
            whole = len(self._came) - len(self._came) % frame_bytes
            raw, self._came = self._came[:whole], self._came[whole:]
            if raw:
                yield Block(from_pcm16(raw, channels))
            elif self._over:
                break
            else:
                yield nothing
        if self._came and not stop.is_set():
            raise AudioError(
                f"stream {self.name} ended {len(self._came)} bytes into a frame of {frame_bytes}; send whole s16le "
                f"frames of {channels} channel(s)"
            )

    def publish(self, event: Event) -> None:
        """Send him an event of his, as soon as he reads."""
        self.send(event.to_json().encode() + b"\n")
        if isinstance(event.body, End):
            self.left_s = time.monotonic()

    def refuse(self, reason: str) -> None:
        """Tell him why he is not heard."""
        self.send(refused(reason))
        self.left_s = time.monotonic()

    def send(self, line: bytes) -> None:
        """Queue a line; who leaves too much unread has left."""
        if self._gone:
            return
        self._unsent += line
        self.flush()
        if len(self._unsent) > MAX_WAITING_BYTES:
            self._leave()

    def flush(self) -> bool:
        """Send what he can take now; whether nothing is left."""
        try:
            while self._unsent:
                self._unsent = self._unsent[self._connection.send(self._unsent) :]
        except BlockingIOError:
            return False
        except OSError:
            self._leave()
        return True

    def close(self) -> None:
        """Hang up. What he has sent is read first: else he would be told of a broken connection, not of an end."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RD)
            while self._connection.recv(READ_BYTES):
                pass
        self._connection.close()

    def _take(self) -> None:
        if self._over:
            return
        try:
            read = self._connection.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self._leave()
            return
        self._came += read
        self._over = not read

    def _leave(self) -> None:
        self._over = self._gone = True
        self._unsent = b""
