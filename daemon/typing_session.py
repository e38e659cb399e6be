"""`digitd type` while it runs: follows the daemon, and heeds signals, the pause switch and the time meanwhile."""

import contextlib
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from digitd.daemon.errors import SinkError
from digitd.daemon.events import Digit
from digitd.daemon.follower import Follower
from digitd.daemon.keyboards.keyboard import Keyboard
from digitd.daemon.ledger import Ledger
from digitd.daemon.pause_switch import PauseSwitch
from digitd.daemon.received import received
from digitd.daemon.sinks.sink import ReaderGone
from digitd.daemon.typist import Typist, TypistConfig

ENDING = {signal.SIGINT: 130, signal.SIGTERM: 0, signal.SIGHUP: 0}
"""Signals that end it -> its exit status."""


class _EndedError(Exception):
    """A signal asks for the end."""


class TypingSession:
    """One `digitd type`. A key that is being pressed is released before it heeds anything."""

    def __init__(self, config: TypistConfig, keyboard: Keyboard, *, paused: bool, idle_pause_s: float | None) -> None:
        self._keyboard = keyboard
        self._typist = Typist(config, keyboard, tell, paused=paused)
        self._idle_pause_s = idle_pause_s
        self._heard_s = time.monotonic()
        self._signals: list[signal.Signals] = []

    def run(self, path: Path, *, once: bool) -> int:
        """Type until a signal comes; the exit status.

        Raises:
            DigitdError: the keyboard does not type, the socket is none, or another `digitd type` runs.
        """
        with contextlib.ExitStack() as stack:
            stack.callback(self._keyboard.close)
            self._switch = PauseSwitch()
            stack.callback(self._switch.close)
            self._awake = stack.enter_context(self._heeded())
            state = "paused, `digitd type --toggle` resumes" if self._typist.paused else "`digitd type --toggle` pauses"
            tell(f"types by {self._keyboard.name}; {state}, Ctrl+C ends")
            try:
                self._follow(path, once=once)
            except _EndedError:
                return ENDING[self._signals[0]]
            except ReaderGone:  # of a dry run
                return 0
        return 0

    def _follow(self, path: Path, *, once: bool) -> None:
        ledger = Ledger()
        follower = Follower(path, once=once, wait=self._wait, tell=lambda what: tell(f"{path}: {what}"))
        for line in follower.lines():
            try:
                event = received(line)
            except SinkError as error:
                raise SinkError(f"{path}: {error}") from error
            for what in ledger.enter(event, waited=follower.waited):
                tell(f"{event.stream}: {what}, not typed")
                self._typist.miss()
            if event.event is not None:
                if isinstance(event.event.body, Digit):
                    self._heard_s = time.monotonic()
                self._typist.hear(event.event)

    def _wait(self, client: socket.socket | None, for_s: float | None) -> None:
        """See Follower; what else comes meanwhile is done."""
        until_s = None if for_s is None else time.monotonic() + for_s
        while True:
            self._heed()
            left_s = [end_s - time.monotonic() for end_s in (until_s, self._idle_at_s()) if end_s is not None]
            watched = [at.fileno() for at in (self._awake, self._switch, client) if at is not None]
            readable, _, _ = select.select(watched, [], [], max(min(left_s), 0) if left_s else None)
            if self._awake.fileno() in readable:
                self._awake.recv(64)
            if self._switch.fileno() in readable:
                self._switch.serve(self._asked)
            self._heed()
            if client is not None and client.fileno() in readable:
                return
            if until_s is not None and time.monotonic() >= until_s:
                return

    def _heed(self) -> None:
        """Do what signals and the time ask for.

        Raises:
            _EndedError: the end.
        """
        while self._signals and self._signals[0] == signal.SIGUSR1:
            self._signals.pop(0)
            self._switch_to(paused=not self._typist.paused, by="SIGUSR1")
        if self._signals:
            raise _EndedError
        idle_at_s = self._idle_at_s()
        if idle_at_s is not None and time.monotonic() >= idle_at_s:
            self._switch_to(paused=True, by=f"no digit for {self._idle_pause_s:g} s")

    def _idle_at_s(self) -> float | None:
        """When it pauses by itself."""
        return None if self._idle_pause_s is None or self._typist.paused else self._heard_s + self._idle_pause_s

    def _asked(self, word: str) -> bool:
        self._switch_to(paused=word == "pause" or (word == "toggle" and not self._typist.paused), by=f"--{word}")
        return self._typist.paused

    def _switch_to(self, *, paused: bool, by: str) -> None:
        self._heard_s = time.monotonic()
        self._typist.switch(paused=paused, by=by)

    @contextlib.contextmanager
    def _heeded(self) -> Iterator[socket.socket]:
        """A socket that can be read when a signal has come; the handlers before are restored."""

        def on_signal(number: int, _frame: object) -> None:
            self._signals.append(signal.Signals(number))

        woken, waking = socket.socketpair()
        woken.settimeout(0)
        waking.settimeout(0)
        before = {number: signal.signal(number, on_signal) for number in (*ENDING, signal.SIGUSR1)}
        descriptor = signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
        try:
            yield woken
        finally:
            signal.set_wakeup_fd(descriptor)
            for number, handler in before.items():
                signal.signal(number, handler)
            woken.close()
            waking.close()


def tell(what: str) -> None:
    """A line on standard error, which may be closed; names in it may hold anything."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print("digitd:", what if what.isprintable() else ascii(what), file=sys.stderr, flush=True)
