"""All calls of this process: each gets a name of its own, and ends with its caller or with us."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from digitd.daemon.client.news import Unknown
from digitd.daemon.errors import SinkError
from digitd.daemon.events import Event
from digitd.daemon.sinks.sink import ReaderGone
from digitd.daemon.telephone.call import Call, Line, Tell

FAREWELL_S = 3.0
"""So long the daemon has to decide what was said last, once we are to end."""
TELL_EVERY_S = 10.0
"""How often the same complaint is told."""

logger = logging.getLogger(__name__)


class Exchange:
    """Connects callers with the daemon.

    Args:
        line: to the daemon.
        places: so many calls there may be at once.
        publish: is called with each event of each call.
    """

    def __init__(self, line: Line, places: int, publish: Tell) -> None:
        self.over = asyncio.Event()
        """Set once nobody wants to hear of anything any more."""
        self._line, self._places, self._publish = line, places, publish
        self._complaint, self._complained_s = "", 0.0
        self._calls: dict[str, Call] = {}
        self._running: set[asyncio.Task[None]] = set()

    @property
    def is_full(self) -> bool:
        """Whether there is no place for one more."""
        return len(self._running) >= self._places

    def call(self, name: str, rate_hz: int, tell: Tell | None = None) -> Call:
        """A call; `tell` is called with its events too. The name gets a number where it is taken."""

        def told(event: Event | Unknown) -> None:
            if event.seq == 0:
                logger.info("%s begins", call.name)
            if tell:
                tell(event)
            try:
                self._publish(event)
            except ReaderGone:
                self.over.set()
            except SinkError as error:
                self.complain("--print", str(error))
                self.over.set()

        free = name
        for n in range(2, len(self._calls) + 3):
            if free not in self._calls:
                break
            free = f"{name}-{n}"
        self._calls[free] = call = Call(free, rate_hz, self._line, told)
        return call

    def complain(self, name: str, why: str) -> None:
        """Tell why a call is not heard; what many calls suffer from is told once in a while."""
        now_s = asyncio.get_running_loop().time()
        is_told = why == self._complaint and now_s - self._complained_s < TELL_EVERY_S
        logger.log(logging.DEBUG if is_told else logging.WARNING, "%s: %s", name, why)
        if not is_told:
            self._complaint, self._complained_s = why, now_s

    def run(self, call: Call, attend: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Attend to a call, in a task of its own, to its end."""

        async def attended() -> None:
            try:
                await attend()
            finally:
                del self._calls[call.name]

        task = asyncio.create_task(attended(), name=call.name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def close(self) -> None:
        """End all calls; what was said is decided and told, unless that takes too long."""
        for call in self._calls.values():
            call.end()
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=FAREWELL_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
