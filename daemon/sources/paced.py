"""Another source, held back to the pace of a microphone."""

import time
from collections.abc import Iterator
from threading import Event

from digitd.daemon.audio import LIVE_CHUNK_MS, Block
from digitd.daemon.sources.pipe import PipeSource
from digitd.daemon.sources.recording import RecordingSource


class PacedSource:
    """Hands a source's audio over in live chunks, each when its last frame would have been heard."""

    live = False
    waiting_s = 0.0

    def __init__(self, source: PipeSource | RecordingSource) -> None:
        self.name = source.name
        self.rate_hz = source.rate_hz
        self._source = source

    def blocks(self, stop: Event) -> Iterator[Block]:
        """Live chunks at real time."""
        chunk_frames = max(1, self.rate_hz * LIVE_CHUNK_MS // 1000)
        began_s, handed_over = time.monotonic(), 0
        for block in self._source.blocks(stop):
            for begin in range(0, len(block.frames), chunk_frames):
                frames = block.frames[begin : begin + chunk_frames]
                handed_over += len(frames)
                due_s = began_s + handed_over / self.rate_hz
                if stop.wait(max(0.0, due_s - time.monotonic())):
                    return
                yield Block(frames)

    def close(self) -> None:
        """Close the source."""
        self._source.close()
