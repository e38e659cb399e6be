"""A live microphone, asked for some seconds of room or for one word."""

from collections.abc import Callable, Iterator
from threading import Event

import numpy as np

from digitd.daemon.audio import Block, Chunk, Intake, Samples
from digitd.daemon.errors import MicrophoneError
from digitd.daemon.front_end import FrontEnd
from digitd.daemon.segmenter import SegmenterConfig
from digitd.daemon.sources.source import Interruption, SourceConfig, open_source
from digitd.export.calibration.level import frame_levels_dbfs
from digitd.export.calibration.take import LEAD_S, TAIL_S

STALE_S = 0.1
"""What waits longer was recorded before it was asked for."""
KEPT_LEAD_S = 2 * LEAD_S
LONGEST_WORD_S = 4.0
"""Who says more than a word is cut off."""

Meter = Callable[[Samples], None]
"""Is shown each live chunk."""


class Microphone:
    """Hears through the daemon's own source, intake and segmenter.

    Raises:
        AudioError: the microphone is not there or cannot be opened.
    """

    def __init__(self, source: SourceConfig, rate_hz: int, segmenter: SegmenterConfig) -> None:
        self.rate_hz = rate_hz
        self._segmenter = segmenter
        self._source = open_source(source, rate_hz)
        self._intake = Intake(self._source.rate_hz, rate_hz)
        self._stop = Event()
        self._blocks = self._source.blocks(self._stop)

    def close(self) -> None:
        """Give it back."""
        self._stop.set()
        self._source.close()

    def record(self, seconds: float, meter: Meter | None = None) -> Samples:
        """The next seconds, float32 [n_samples]."""
        self._forget()
        found: list[Samples] = []
        for chunk in self._chunks():
            if chunk.gap:  # what was lost is recorded anew
                found.clear()
            found.append(chunk.samples)
            if meter:
                meter(chunk.samples)
            if sum(map(len, found)) >= seconds * self.rate_hz:
                break
        return np.concatenate(found)

    def word(self, within_s: float, above_dbfs: float) -> Samples | None:
        """The next utterance with the room around it, float32 [n_samples]; None where nothing is said in time.

        Args:
            within_s: so soon it must begin.
            above_dbfs: what stays below this is the room: in noise, the segmenter finds speech where none is.
        """
        self._forget()
        front_end = FrontEnd(self.rate_hz, self._segmenter)
        heard: list[Samples] = []
        start = end = None
        origin = taken = 0
        for chunk in self._chunks():
            if chunk.gap or not heard:
                heard, origin = [], chunk.start_sample
                start = end = None
            heard.append(chunk.samples)
            taken = chunk.start_sample + len(chunk.samples) - origin
            for utterance in front_end.push(chunk):
                if frame_levels_dbfs(utterance.samples, self.rate_hz).max() < above_dbfs:
                    continue
                start = utterance.start_sample - origin if start is None else start
                end = utterance.end_sample - origin
            if end is not None and taken - end >= TAIL_S * self.rate_hz and not self._is_loud(heard, above_dbfs):
                break
            if start is None and taken >= within_s * self.rate_hz and not self._is_loud(heard, above_dbfs):
                return None
            if taken >= (within_s + LONGEST_WORD_S) * self.rate_hz:
                break
        if start is None:
            return None
        return np.concatenate(heard)[max(0, start - round(KEPT_LEAD_S * self.rate_hz)) : taken]

    def _is_loud(self, heard: list[Samples], above_dbfs: float) -> bool:
        """Whether something is being said just now."""
        recent = np.concatenate(heard)[-round(TAIL_S * self.rate_hz) :]
        return bool(frame_levels_dbfs(recent, self.rate_hz).max() >= above_dbfs)

    def _forget(self) -> None:
        """Pass over what was recorded while nobody asked."""
        while self._source.waiting_s > STALE_S:
            self._next()

    def _chunks(self) -> Iterator[Chunk]:
        while True:
            yield from self._intake.push(self._next())

    def _next(self) -> Block:
        block = next(self._blocks, None)
        if block is None:
            raise MicrophoneError("the recording is at its end before all was said; give a longer one, or a microphone")
        if isinstance(block, Interruption):
            raise MicrophoneError(f"the microphone is {block.state}; plug it in, and calibrate again")
        return block
