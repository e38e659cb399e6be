"""How much of this service one client may have, and for how long."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Of the connections; what one event may hold stands in `inbox`, what an utterance may in `utterance`."""

    clients: int = 128
    """So many are connected at once; more are told to come back. Each takes two descriptors, of 1024 that there are."""
    idle_s: float = 300.0
    """A client that asks for nothing for so long leaves its place to others."""
    stall_s: float = 15.0
    """The same of one that has begun to speak and sends nothing, or does not take what it is told."""
    linger_s: float = 5.0
    """One that is refused may go on sending for so long: were it cut off at once, it might not come to read why."""
    close_s: float = 3.0
    """Those who speak when the service ends are answered within this time."""
