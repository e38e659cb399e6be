"""All sinks of a running daemon, which may change while it runs."""

import logging
from collections.abc import Sequence
from contextlib import ExitStack, suppress

from digitd.daemon.errors import SinkError
from digitd.daemon.events import End, Event, Ready
from digitd.daemon.sinks.sink import ReaderGone, Sink, Surroundings, Window, open_sink

logger = logging.getLogger(__name__)


class Outlets:
    """Hands every event to every sink that still has a reader.

    Raises:
        SinkError: a sink cannot be opened, or a socket was handed over that is no sink; then none is open.
    """

    def __init__(self, specs: Sequence[str], surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._ready: dict[str, Event] = {}  # the latest of each stream
        self._sinks: dict[str, Sink] = {}
        self._sinks.update(self._opened(specs))
        if surroundings.handed_over:
            path = next(iter(surroundings.handed_over))
            self.close()
            raise SinkError(f"the socket {path} was handed over and is no sink; name unix:{path} in sinks")

    @property
    def sinks(self) -> Sequence[Sink]:
        """Those that are open."""
        return list(self._sinks.values())

    @property
    def watched(self) -> bool:
        """Whether somebody looks on."""
        return any(window.watched for window in self._windows())

    def show(self, glimpse: str) -> None:
        """Show those who look on what is heard, a line of JSON."""
        for window in self._windows():
            window.show(glimpse)

    def _windows(self) -> list[Window]:
        return [sink for sink in self._sinks.values() if isinstance(sink, Window)]

    def publish(self, event: Event) -> None:
        """Hand an event on; a sink whose reader has left is closed.

        Raises:
            SinkError: an event cannot be written.
        """
        if isinstance(event.body, Ready):
            self._ready[event.stream] = event
        elif isinstance(event.body, End):
            self._ready.pop(event.stream, None)
        for spec, sink in list(self._sinks.items()):
            try:
                sink.publish(event)
            except ReaderGone:
                logger.info("the reader of standard output has left")
                del self._sinks[spec]

    def reconfigure(self, specs: Sequence[str], surroundings: Surroundings) -> None:
        """Open what is new, then close what is gone; the others keep their readers.

        Raises:
            SinkError: a new one cannot be opened; then nothing has changed.
        """
        before, self._surroundings = self._surroundings, surroundings
        anew: tuple[str, ...] = ()  # no reader is lost with a hook or a broker's connection that is opened anew
        if surroundings.hook_config != before.hook_config:
            anew = ("exec:",)
        if surroundings.mqtt_config != before.mqtt_config:
            anew = (*anew, "mqtt:", "mqtts:")
        kept = [spec for spec in self._sinks if not spec.startswith(anew)] if anew else list(self._sinks)
        try:
            opened = self._opened([spec for spec in specs if spec not in kept])
        except SinkError:
            self._surroundings = before
            raise
        for spec in list(self._sinks):
            if spec not in specs or spec in opened:
                self._sinks.pop(spec).close()
        self._sinks.update(opened)

    def close(self) -> None:
        """Close all, the last first."""
        while self._sinks:
            self._sinks.popitem()[1].close()

    def _opened(self, specs: Sequence[str]) -> dict[str, Sink]:
        """All of them, each told the latest `ready`, or none."""
        opened: dict[str, Sink] = {}
        with ExitStack() as stack:
            for spec in specs:
                opened[spec] = open_sink(spec, self._surroundings)
                stack.callback(opened[spec].close)
                with suppress(ReaderGone):  # the next event tells it again
                    for ready in self._ready.values():
                        opened[spec].publish(ready)
            stack.pop_all()
        return opened
