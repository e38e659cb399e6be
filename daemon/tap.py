"""A daemon's socket, followed on a thread of its own, and asked for what the pages want."""

import json
import logging
import os
import select
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from digitd.daemon.attached import Attachment
from digitd.daemon.errors import SinkError
from digitd.daemon.follower import Follower
from digitd.daemon.ledger import Ledger
from digitd.daemon.received import Received, received

MOST_ASKED = 16
"""So many requests may wait; those to a daemon that has gone are forgotten."""

CAME = ("there", "back")
"""What a Follower tells when all is well."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outlook:
    """Who is told what, on the tap's thread."""

    share: Callable[[Received], None]
    """What comes."""
    miss: Callable[[str], None]
    """What did not come, or that the stream has started anew."""
    tell: Callable[[str], None]
    """What is wrong with the daemon, or nothing any more."""
    end: Callable[[str], None]
    """Why nothing will come any more."""


class _Closing(Exception):  # noqa: N818 - no error: it ends the thread from where it waits
    """Nothing more is wanted."""


class Tap:
    """Follows one socket through the daemon's restarts."""

    def __init__(self, attachment: Attachment) -> None:
        self._attachment, self._path = attachment, attachment.path
        self._bell, self._rung = os.pipe()
        os.set_blocking(self._rung, False)
        self._lock = threading.Lock()  # guards what follows
        self._asked: list[dict[str, Any]] = []
        self._looks = self._closing = False
        self._client: socket.socket | None = None

    def open(self, outlook: Outlook) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._follow, args=(outlook,), name="tap", daemon=True)
        self._thread.start()

    def look(self, *, wanted: bool) -> None:
        """Have glimpses sent, or no longer."""
        with self._lock:
            if wanted == self._looks:
                return
            self._looks = wanted
        self.ask({"glimpses": wanted})

    def ask(self, request: dict[str, Any]) -> None:
        """Send the daemon that is there a request."""
        with self._lock:
            self._asked = [*self._asked, request][-MOST_ASKED:]
        self._ring()

    def close(self) -> None:
        """End, at once."""
        with self._lock:
            self._closing = True
        self._ring()
        self._thread.join()
        os.close(self._rung)
        os.close(self._bell)

    def _ring(self) -> None:
        try:
            os.write(self._rung, b"!")
        except BlockingIOError:  # it has been rung often enough
            return

    def _follow(self, outlook: Outlook) -> None:
        def tell(what: str) -> None:
            outlook.tell("" if what in CAME else f"{self._path}: {what}")

        ledger, follower = Ledger(), Follower(self._path, once=False, wait=self._wait, tell=tell)
        try:
            for line in follower.lines():
                event = received(line)
                for what in ledger.enter(event, waited=follower.waited):
                    outlook.miss(what)
                outlook.share(event)
        except SinkError as error:
            outlook.end(str(error))
            logger.error("no live view any more: %s", error)
        except _Closing:
            return

    def _last_words(self) -> str:
        """Of a daemon of our own that has ended: nobody starts it anew."""
        process, log = self._attachment.process, self._attachment.log
        if process is None or log is None or process.poll() is None:
            return ""
        words = log.read_text(errors="replace").strip().rpartition("\n")[2].removeprefix("digitd: error: ")
        return f"the daemon of this view has ended: {words or f'status {process.returncode}'}"

    def _wait(self, client: socket.socket | None, for_s: float | None) -> None:
        """Wait for the daemon or for a bell, and send it what it is asked for.

        Raises:
            OSError: it has gone.
            SinkError: it was our own, and has ended.
            _Closing: nothing more is wanted.
        """
        if client is None and (words := self._last_words()):
            raise SinkError(words)
        self._speak(client)
        poll = select.poll()
        poll.register(self._bell, select.POLLIN)
        if client is not None:
            poll.register(client, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poll.poll(None if for_s is None else for_s * 1000)}
            if self._bell in ready:
                os.read(self._bell, 4096)
                self._speak(client)
            if client is None or ready != {self._bell}:
                return

    def _speak(self, client: socket.socket | None) -> None:
        with self._lock:
            if self._closing:
                raise _Closing
            if client is None:
                return
            asked, self._asked = self._asked, []
            if client is not self._client:  # a daemon that is started anew knows nothing of us
                self._client = client
                asked = [{"glimpses": True}] * self._looks
        for request in asked:
            client.sendall(json.dumps(request).encode() + b"\n")
