"""The numbers of events, and which of them are missing."""

from collections.abc import Iterator
from dataclasses import dataclass

from digitd.daemon.events import End, Ready
from digitd.daemon.received import NO_SEQ, Received


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
                yield f"starts anew (seq {event.seq})"
                page.seq = -1
        if page.seq is not None and event.seq > page.seq + 1:
            yield _missed(page.seq + 1, event.seq - 1)
        page.seq, page.ended = next_seq, event.type == End.type
        if is_ready:
            page.ready = event.line

    def _opened(self, stream: str, seq: int) -> _Page:
        """A page for a new stream; those of streams that have ended go."""
        self._pages = {name: page for name, page in self._pages.items() if not page.ended}
        self._pages[stream] = page = _Page(seq)
        return page


def _missed(first: int, last: int) -> str:
    if first == last:
        return f"missed 1 event (seq {first})"
    return f"missed {last - first + 1} events (seq {first}-{last})"
