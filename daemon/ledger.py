"""The numbers of events, and which of them are missing."""

from collections.abc import Iterator
from dataclasses import dataclass

from digitd.daemon.events import End, Ready
from digitd.daemon.received import NO_SEQ, Received


@dataclass(frozen=True)
class Missed:
    """Events that were published and did not come."""

    stream: str
    first_seq: int
    last_seq: int

    @property
    def count(self) -> int:
        """How many."""
        return self.last_seq - self.first_seq + 1

    def __str__(self) -> str:
        if self.count == 1:
            return f"missed 1 event (seq {self.first_seq})"
        return f"missed {self.count} events (seq {self.first_seq}-{self.last_seq})"


@dataclass(frozen=True)
class Anew:
    """A stream of the same name has begun, and its numbers with it."""

    stream: str
    seq: int
    """Of the first that came of it."""

    def __str__(self) -> str:
        return f"starts anew (seq {self.seq})"


@dataclass
class _Page:
    """What is known of a stream."""

    seq: int | None
    """Of its latest event; None: any may be next."""
    ready: str = ""
    """The line of its latest `ready`, which a reader that comes back is sent once more."""
    ended: bool = False


class Ledger:
    """Tells, for each stream, which events did not come, and when it has started anew."""

    def __init__(self) -> None:
        self._pages: dict[str, _Page] = {}

    def enter(self, event: Received, *, waited: bool) -> Iterator[str]:
        """What an event tells of those before it, in words; see `missing`."""
        yield from map(str, self.missing(event, waited=waited))

    def missing(self, event: Received, *, waited: bool) -> Iterator[Missed | Anew]:
        """What an event tells of those before it.

        Args:
            event: the next that came.
            waited: whether the daemon was waited for: what it published before this came is missing, then. Where it ran
                already, it is not.
        """
        if event.seq == NO_SEQ:
            return
        page, is_ready = self._pages.get(event.stream), event.type == Ready.type
        if page is None:
            page = self._opened(event.stream, -1 if waited else event.seq - 1)
            next_seq = None if is_ready and not waited else event.seq
        elif event.line == page.ready:
            return
        else:
            next_seq = event.seq
            if page.ended or (page.seq is not None and event.seq <= page.seq):
                yield Anew(event.stream, event.seq)
                page.seq = -1
        if page.seq is not None and event.seq > page.seq + 1:
            yield Missed(event.stream, page.seq + 1, event.seq - 1)
        page.seq, page.ended = next_seq, event.type == End.type
        if is_ready:
            page.ready = event.line

    def _opened(self, stream: str, seq: int) -> _Page:
        """A page for a new stream; those of streams that have ended go."""
        self._pages = {name: page for name, page in self._pages.items() if not page.ended}
        self._pages[stream] = page = _Page(seq)
        return page
