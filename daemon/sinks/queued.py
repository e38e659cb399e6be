"""A sink that may have to wait for its reader, behind a bounded queue: a live source waits for nobody."""

import logging
import queue
from collections.abc import Callable
from threading import Event as Flag
from threading import Thread

from digitd.daemon.errors import SinkError
from digitd.daemon.events import Event
from digitd.daemon.sinks.sink import Backlog, ReaderGone, Sink

MAX_WAITING_EVENTS = 1000
CLOSE_S = 0.4

logger = logging.getLogger(__name__)


class QueuedSink:
    """Hands events to another sink on a thread of its own; what a full queue cannot take is dropped and told.

    Args:
        sink: it waits for its reader until `ending` is set; that is its own flag, for the daemon may go on without it.
        spec: its name in the log.
        ending: set when this is closed.
        count_dropped: told of events that were dropped.
    """

    def __init__(self, sink: Sink, spec: str, ending: Flag, count_dropped: Callable[[str, int], None]) -> None:
        self._sink, self._spec, self._ending, self._count_dropped = sink, spec, ending, count_dropped
        self._waiting: queue.Queue[Event | None] = queue.Queue(MAX_WAITING_EVENTS)
        self._dropped = 0
        self._failure: ReaderGone | SinkError | None = None
        self._thread = Thread(target=self._run, name=spec, daemon=True)
        self._thread.start()

    @property
    def backlog(self) -> Backlog:
        """Events that wait."""
        return Backlog(waiting_events=self._waiting.qsize())

    def publish(self, event: Event) -> None:
        """Queue the event; returns at once.

        Raises:
            ReaderGone: the reader has left.
            SinkError: an earlier event could not be written.
        """
        if self._failure:
            raise self._failure
        try:
            self._waiting.put_nowait(event)
        except queue.Full:
            if not self._dropped:
                logger.warning("%s: its reader is %d events behind; more are dropped", self._spec, MAX_WAITING_EVENTS)
            self._dropped += 1
            self._count_dropped("events", 1)
            return
        if self._dropped:
            logger.warning("%s: %d events were dropped; their numbers are missing", self._spec, self._dropped)
            self._dropped = 0

    def close(self) -> None:
        """Hand on what waits, for CLOSE_S at most."""
        self._ending.set()  # the sink waits no longer for a reader that does not read
        try:
            self._waiting.put(None, timeout=CLOSE_S)
        except queue.Full:
            return
        self._thread.join(CLOSE_S)
        if not self._thread.is_alive():
            self._sink.close()

    def _run(self) -> None:
        while (event := self._waiting.get()) is not None:
            try:
                self._sink.publish(event)
            except (ReaderGone, SinkError) as failure:
                self._failure = failure
                return
