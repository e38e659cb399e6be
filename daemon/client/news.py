"""What a program is handed of a daemon, one value after the other."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from digitd.daemon.errors import SinkError
from digitd.daemon.events import Event
from digitd.daemon.ledger import Anew, Ledger, Missed
from digitd.daemon.outage import Away, Back
from digitd.daemon.received import Received, received

PRESENCE = "daemon"
"""Type of a gateway's own event: whether the daemon is there. The connection to the gateway stays."""


@dataclass(frozen=True)
class Unknown:
    """An event that a later version of the daemon sends."""

    type: str
    stream: str
    seq: int
    line: str
    """As it came: JSON."""


News = Event | Missed | Anew | Away | Back | Unknown
"""An event, or what there is to know of events that did not come."""


def known(came: Received) -> Event | Unknown:
    """The event, as far as this version knows it."""
    return came.event or Unknown(came.type, came.stream, came.seq, came.line)


class Reading:
    """Lines of one place -> news."""

    def __init__(self, place: str) -> None:
        self._place, self._ledger = place, Ledger()

    def news(self, line: bytes, *, waited: bool) -> Iterator[News]:
        """What a line tells: first what is missing before it.

        Raises:
            SinkError: it is no event.
        """
        try:
            came = received(line)
        except SinkError as error:
            raise SinkError(f"{self._place}: {error}") from error
        yield from self._ledger.missing(came, waited=waited)
        if came.type == PRESENCE:
            present = json.loads(came.line).get("present") is True
            yield Back(again=True) if present else Away("the daemon behind the gateway has gone")
        else:
            yield known(came)
