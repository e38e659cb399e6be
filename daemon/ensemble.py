"""Streams that are heard together: in rounds, each of which takes in what has come and computes it in one go.

A round waits for nobody: the longer the last one took, the more has come, and the less a second of it costs. So the
work is batched by itself as the load rises (dynamic batching), and no stream waits for longer than a round.
"""

import time
from collections.abc import Callable, Iterator

from digitd.daemon.acoustics import Acoustics
from digitd.daemon.events import Body
from digitd.daemon.sources.source import POLL_S
from digitd.daemon.stream import Stream

TICK_S = 0.02
"""Rounds over several streams begin so far apart: a live chunk."""
BEHIND_S = 0.8
"""Where so much of a stream comes at a time, more waits: it is a file, or the last round was late."""

Note = Callable[[float, float], None]
"""Told how long a round worked, and how long it was from its beginning to the next one's."""


class Ensemble:
    """The streams of a process, each with the same share of every round."""

    def __init__(self, note: Note) -> None:
        self.streams: list[Stream] = []
        self.taken_in_s = 0.0
        """How much of all streams the last round has taken in."""
        self._note = note
        self._taken: list[Stream] = []
        self._began_s, self._work_s = time.monotonic(), 0.0

    def begin(self, *, alone: bool) -> None:
        """A round, once it is time.

        Args:
            alone: whether its one stream is the only one that will ever be: then its source is waited for.
        """
        for stream in self.streams:
            stream.source.patience_s = POLL_S if alone else 0.0
            stream.source.rests = stream.pipeline.rests
        if not alone and max((stream.taken_in_s for stream in self.streams), default=0.0) < BEHIND_S:
            time.sleep(max(0.0, self._began_s + TICK_S - time.monotonic()))  # `stop.wait` could meet its own `stop.set`
        now_s = time.monotonic()
        self._note(self._work_s, now_s - self._began_s)
        self._began_s = now_s

    def take_in(self) -> None:
        """What has come of each stream, or for one alone what comes next."""
        self._taken = [stream for stream in self.streams if stream.take_in()]
        self.taken_in_s = sum(stream.taken_in_s for stream in self._taken)

    def hear(self) -> Iterator[tuple[Stream, Body]]:
        """What it brings to light; streams that end with it are no longer among `streams`."""
        Acoustics.compute([acoustics for stream in self._taken if (acoustics := stream.foresee())])
        for stream in self._taken:
            for body in stream.bodies():
                yield stream, body
            if stream.ended:
                self.streams.remove(stream)
        self._work_s = time.monotonic() - self._began_s
