"""A command that is run for each event, with the event's line on its standard input; never through a shell."""

import logging
import os
import queue
import shlex
import shutil
import signal
import subprocess
import threading
import time
from contextlib import suppress

from digitd.daemon.errors import SinkError
from digitd.daemon.events import TYPES, Event
from digitd.daemon.settings import nearest
from digitd.daemon.sinks.sink import Backlog, Surroundings

MAX_WAITING_EVENTS = 1000
POLL_S = 0.05
CLOSE_S = 0.3
SHOWN_BYTES = 200
"""So much of what a failing command prints is logged."""

logger = logging.getLogger(__name__)


class HookSink:
    """Runs a command for each event of some types.

    Raises:
        SinkError: it cannot be cut into words, there is no such program, or no such type of event.
    """

    def __init__(self, command: str, surroundings: Surroundings) -> None:
        self._command, self._surroundings = words(command), surroundings
        self._config = surroundings.hook_config
        for name in self._config.types:
            if name not in TYPES:
                raise SinkError(f"hook.types: no event {name!r}{nearest(name, TYPES)}")
        self._waiting: queue.Queue[str | None] = queue.Queue(MAX_WAITING_EVENTS)
        self._running: set[subprocess.Popen[bytes]] = set()
        self._ended = self._dropping = False
        self._threads = [
            threading.Thread(target=self._work, name=f"exec-{n}", daemon=True) for n in range(self._config.at_once)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def backlog(self) -> Backlog:
        """Events that wait."""
        return Backlog(waiting_events=self._waiting.qsize())

    def publish(self, event: Event) -> None:
        """Queue the event. Where too many wait, it is dropped if the source is live, else waited with."""
        if event.body.type not in self._config.types:
            return None
        line = event.to_json()
        while not (self._surroundings.live or self._surroundings.stop.is_set()):
            with suppress(queue.Full):
                return self._waiting.put(line, timeout=POLL_S)
        try:
            self._waiting.put_nowait(line)
            self._dropping = False
        except queue.Full:
            if not self._dropping:
                logger.warning("exec: %s is %d events behind; more are dropped", self._name, MAX_WAITING_EVENTS)
            self._dropping = True
            self._surroundings.count_dropped("events", 1)

    def close(self) -> None:
        """Let the commands end that are still to run: each within its timeout, or all in CLOSE_S once `stop` is set."""
        until_s = None
        while any(thread.is_alive() for thread in self._threads):
            with suppress(queue.Full):
                self._waiting.put_nowait(None)
            if until_s is None and (self._surroundings.stop.is_set() or self._surroundings.live):
                until_s = time.monotonic() + CLOSE_S
            if until_s is not None and time.monotonic() >= until_s:
                break
            self._threads[0].join(POLL_S)
        self._ended = True
        left = 0
        with suppress(queue.Empty):
            while True:
                left += self._waiting.get_nowait() is not None
        for _ in self._threads:
            self._waiting.put(None)
        for process in list(self._running):
            _kill(process)
        if left:
            logger.warning("exec: %s was not run for %d last events", self._name, left)

    @property
    def _name(self) -> str:
        return self._command[0]

    def _work(self) -> None:
        while (line := self._waiting.get()) is not None:
            if self._ended:
                return
            try:
                self._run(line)
            except OSError as error:  # the program was taken away, or there are too many processes
                logger.warning("exec: %s cannot be run: %s", self._name, error.strerror)

    def _run(self, line: str) -> None:
        """Run the command for one event, in a process group of its own."""
        process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL if self._surroundings.secret else subprocess.PIPE,
            start_new_session=True,
        )
        self._running.add(process)
        try:
            _, printed = process.communicate(line.encode() + b"\n", self._config.timeout_s)
        except subprocess.TimeoutExpired:
            _kill(process)
            process.communicate()
            logger.warning("exec: %s took longer than %g s and was killed", self._name, self._config.timeout_s)
            return
        finally:
            self._running.discard(process)
        if process.returncode:
            shown = (printed or b"")[:SHOWN_BYTES].decode(errors="replace").strip()
            logger.warning("exec: %s ended with status %d%s", self._name, process.returncode, shown and f": {shown}")


def words(command: str) -> list[str]:
    """The command's words, cut as a shell would, of which the first is a program that is there.

    Raises:
        SinkError: see HookSink.
    """
    try:
        cut = shlex.split(command)
    except ValueError as error:
        raise SinkError(f"exec:{command}: cannot be cut into words ({error}); close the quotes") from error
    if not cut or shutil.which(cut[0]) is None:
        raise SinkError(f"exec:{command}: no program {cut[0] if cut else ''!r} is there to run; give its path")
    return cut


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
