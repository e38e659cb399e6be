"""A socket that streams come over: each caller is let in, or told why not."""

import itertools
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from digitd.daemon.callers.caller import Caller
from digitd.daemon.callers.greeting import Greeting, accepted, greeted
from digitd.daemon.callers.room import Room
from digitd.daemon.errors import ConfigError

GREETED_S = 5.0
"""Who says nothing for so long is turned away."""
MOST_WAITING = 32
"""So many connections at a time that have not greeted; others wait in the kernel's queue."""
FAREWELL_S = 1.0
"""So long the last events of a caller who reads slowly are kept for him."""


class Reception:
    """Never waits.

    Args:
        path: of the socket.
        group: may connect beside the owner.
        given: the listening socket, where the service manager has opened it.
        room: shared by all receptions of a daemon.

    Raises:
        SinkError: no socket can be made at `path`.
    """

    def __init__(self, path: Path, group: str, given: socket.socket | None, room: Room) -> None:
        from digitd.daemon.sinks.unix_socket import listen  # asyncio: not for those whom nobody calls

        self.path, self._room = path, room
        self._listener = given or listen(path, group)
        self._inode = None if given else path.stat().st_ino
        self._listener.settimeout(0)
        self._waiting: dict[Caller, float] = {}  # since when they have not greeted
        self._answered: list[Caller] = []  # who are heard, or still read why not
        self._numbers = itertools.count(1)

    def admit(self, taken: Callable[[], set[str]]) -> Iterator[tuple[Caller, Greeting]]:
        """Those who are let in now; `taken` are the names of all streams at this moment."""
        now_s = time.monotonic()
        self._see_off(now_s)
        self._answer(now_s)
        for caller, since_s in list(self._waiting.items()):
            if not self._room.is_open(now_s):
                return
            names = taken()
            line = caller.first_line()
            if line is None and now_s - since_s < GREETED_S:
                continue
            del self._waiting[caller]
            self._answered.append(caller)
            try:
                greeting = greeted(line or b"")
                name = self._name(greeting, names)
            except ConfigError as error:
                caller.refuse(str(error))
                continue
            if reason := self._room.refusal(len(names)):
                caller.refuse(reason)
                continue
            caller.begin(greeting, name)
            caller.send(accepted(name))
            yield caller, greeting

    def wait(self, timeout_s: float) -> None:
        """Until somebody calls."""
        select.select([self._listener], [], [], timeout_s)

    def close(self) -> None:
        """Hang up on all who wait, and remove the socket."""
        until_s = time.monotonic() + FAREWELL_S
        self._see_off(time.monotonic())
        while any(caller.left_s is not None for caller in self._answered) and time.monotonic() < until_s:
            time.sleep(0.01)
            self._see_off(time.monotonic())
        for caller in [*self._waiting, *self._answered]:
            caller.close()
        self._listener.close()
        with suppress(FileNotFoundError):
            if self._inode is not None and self.path.stat().st_ino == self._inode:
                self.path.unlink()

    def _answer(self, now_s: float) -> None:
        with suppress(BlockingIOError):
            while len(self._waiting) < MOST_WAITING:
                connection, _ = self._listener.accept()
                self._waiting[Caller(connection)] = now_s

    def _name(self, greeting: Greeting, taken: set[str]) -> str:
        """Raises ConfigError where he asks for a name that another has."""
        if greeting.stream in taken:
            raise ConfigError(f"a stream {greeting.stream!r} is being heard; choose another name")
        made_up = (f"stream-{number}" for number in self._numbers)
        return greeting.stream or next(name for name in made_up if name not in taken)

    def _see_off(self, now_s: float) -> None:
        """Hang up on those who have been told everything."""
        for caller in list(self._answered):
            sent = caller.flush()
            if caller.left_s is not None and (sent or now_s - caller.left_s >= FAREWELL_S):
                self._answered.remove(caller)
                caller.close()
