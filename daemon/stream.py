"""One source through its own pipeline: what has come, and what it brings to light."""

import time
from collections.abc import Iterator
from dataclasses import replace
from threading import Event as Flag

from digitd.daemon.acoustics import Acoustics
from digitd.daemon.audio import Block
from digitd.daemon.errors import AudioError
from digitd.daemon.events import Body, Ready, Stamp
from digitd.daemon.mode import Mode
from digitd.daemon.pipeline import Pipeline
from digitd.daemon.sources.source import Interruption, Source


class Stream:
    """A source that is being heard; its events are numbered on their own.

    Args:
        source: open; closed by whoever opened it.
        pipeline: of its own.
        ready: what is told before all else.
        stop: ends it.
        name: on its events.
        keeps_mode: whether it goes by its own mode, also where the daemon's is switched.
    """

    def __init__(
        self, source: Source, pipeline: Pipeline, ready: Ready, stop: Flag, name: str, *, keeps_mode: bool = False
    ) -> None:
        self.source, self.pipeline, self.ready, self.keeps_mode = source, pipeline, ready, keeps_mode
        self.name, self.stamp = name, Stamp(name)
        self.captured_s = time.monotonic()
        """When what is being heard came, by the monotonic clock."""
        self.taken_in_s = 0.0
        """How much has come with the last call of `take_in`."""
        self.ended = False
        """Whether everything that is pending is published with the next bodies."""
        self.trouble: AudioError | None = None
        """Why it ended, where it should not have."""
        self._blocks = source.blocks(stop)
        self._heard: Block | Interruption | None = None

    def take_in(self) -> bool:
        """Whether something has come: sound, or that the source is in trouble or at its end."""
        self._heard, self.taken_in_s = None, 0.0
        try:
            heard = next(self._blocks, None)
        except AudioError as error:
            heard, self.trouble = None, error
        self.ended = heard is None
        if isinstance(heard, Block):
            if not len(heard.frames):
                return False
            self.captured_s = heard.captured_s or time.monotonic()
            self.taken_in_s = len(heard.frames) / self.source.rate_hz
        self._heard = heard
        return True

    def foresee(self) -> Acoustics | None:
        """What is to be computed for `bodies`, where it can be with other streams'."""
        return self.pipeline.foresee(self._heard) if isinstance(self._heard, Block) else None

    def bodies(self) -> Iterator[Body]:
        """All that was brought to light, also where the audio turns out to be damaged."""
        try:
            if isinstance(self._heard, Block):
                yield from self.pipeline.heard()
            elif self._heard is not None:
                yield from self.pipeline.interrupt(self._heard.state)
        except AudioError as error:
            self.ended, self.trouble = True, error
        if self.ended:
            yield from self.pipeline.finish()

    def switch(self, mode: Mode) -> Ready:
        """Go by `mode` from here on; the `ready` that tells it."""
        self.pipeline.switch(mode)
        self.ready = replace(self.ready, mode=mode)
        return self.ready
