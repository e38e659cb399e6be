"""Another source, held back to the pace of a microphone."""

import time
from collections.abc import Iterator
from threading import Event

from digitd.daemon.audio import LIVE_CHUNK_MS, Block
from digitd.daemon.sources.pipe import PipeSource
from digitd.daemon.sources.recording import RecordingSource
from digitd.daemon.sources.source import POLL_S


class PacedSource:
    """Hands a source's audio over in live chunks, when their last frame would have been heard."""

    live = False
    waiting_s = 0.0
    patience_s = POLL_S
    rests = False

    def __init__(self, source: PipeSource | RecordingSource) -> None:
        self.name = source.name
        self.rate_hz = source.rate_hz
        self._source = source

    def blocks(self, stop: Event) -> Iterator[Block]:
        """Live chunks at real time, several at once where they are asked for late."""
        self._source.patience_s = self.patience_s
        chunk_frames = max(1, self.rate_hz * LIVE_CHUNK_MS // 1000)
        began_s, handed_over = time.monotonic(), 0
        for block in self._source.blocks(stop):
            left = block.frames
            while len(left):
                due_s = began_s + (handed_over + min(chunk_frames, len(left))) / self.rate_hz
                early_s = due_s - time.monotonic()
                if early_s > 0:
                    time.sleep(min(early_s, self.patience_s))
                if stop.is_set():
                    return
                if early_s > self.patience_s:
                    yield Block(left[:0])
                    continue
                due = int((time.monotonic() - began_s) * self.rate_hz) - handed_over
                frames = left[: max(1, due // chunk_frames) * chunk_frames]
                left, handed_over = left[len(frames) :], handed_over + len(frames)
                yield Block(frames)
            if not len(block.frames):
                yield block
            self._source.patience_s = self.patience_s

    def close(self) -> None:
        """Close the source."""
        self._source.close()
